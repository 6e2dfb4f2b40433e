/*
 * Touches pages of a file through a shared mapping: known faults for recorders.
 *
 *	touch FILE [rN|wN|pN]...      reads page N; writes it; reads it through a private mapping, and writes it there
 *
 * The file is out of the page cache at first, and no page is read ahead.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define PAGE 4096

int main(int argc, char **argv)
{
	int fd = argc > 1 ? open(argv[1], O_RDWR) : -1;
	volatile char *shared, *private;
	struct stat st;

	if (fd < 0 || fstat(fd, &st) || fdatasync(fd) || posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED))
		return 1;
	shared = mmap(NULL, (size_t)st.st_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	private = mmap(NULL, (size_t)st.st_size, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	if (shared == MAP_FAILED || private == MAP_FAILED || madvise((void *)shared, (size_t)st.st_size, MADV_RANDOM) ||
	    madvise((void *)private, (size_t)st.st_size, MADV_RANDOM))
		return 1;
	for (int i = 2; i < argc; i++) {
		size_t at = (size_t)atol(argv[i] + 1) * PAGE;

		if (argv[i][0] == 'r')
			(void)shared[at];
		else if (argv[i][0] == 'w')
			shared[at] = 1;
		else
			private[at] = 1;
	}
	return 0;
}
