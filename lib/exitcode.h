#pragma once
/* What iorig's exit status means, for every verb (design.md section 9). */
enum exit_code {
	EXIT_DONE = 0,
	EXIT_FAILED = 1,
	EXIT_USAGE = 2,
	EXIT_INCOMPLETE = 3, /* done, but events were lost or runs failed */
	EXIT_THRESHOLD = 4,  /* `compare --fail-on` was crossed */
	EXIT_REFUSED = 5,    /* refused for safety; nothing was touched */
	EXIT_IMPOSSIBLE = 77 /* cannot be done on this machine; the reason was printed */
};
