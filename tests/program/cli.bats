#!/usr/bin/env bats
# What every verb promises: short help, a manual page that names every option, exit codes for misuse.
bats_require_minimum_version 1.5.0

setup() {
	cd "$BATS_TEST_DIRNAME/../.."
	iorig=${IORIG:-$PWD/bin/iorig}
}

verbs() { sed -n 's/^extern const struct command cmd_\([a-z]*\);.*/\1/p' bin/iorig.c; }

@test "no verb: usage on stderr, exit 2" {
	run -2 --separate-stderr "$iorig"
	[ -z "$output" ]
	[[ $stderr == usage:* ]]
}

@test "an unknown verb is named, exit 2" {
	run -2 --separate-stderr "$iorig" frobnicate
	[ "$stderr" = "iorig: there is no verb 'frobnicate'; see 'iorig help'" ]
}

@test "-h of every verb goes to stdout and lists only options that its manual page explains" {
	for verb in $(verbs); do
		run -0 --separate-stderr "$iorig" "$verb" -h
		[[ $output == "usage: iorig $verb"* ]] || { echo "$verb: $output"; false; }
		page=docs/iorig-$verb.1
		[ -f "$page" ] || { echo "$page is missing"; false; }
		for option in $(sed -n 's/^ .*--\([a-z][a-z0-9-]*\).*/\1/p' <<<"$output"); do
			grep -Eq "Fl (-|Fl )$option" "$page" || { echo "$page does not name --$option"; false; }
		done
	done
}

@test "an unknown option is named, exit 2" {
	for verb in $(verbs); do
		run -2 --separate-stderr "$iorig" "$verb" --no-such-option
		[[ $stderr == *"--no-such-option"* ]] || { echo "$verb: $stderr"; false; }
	done
}

@test "a full disk behind stdout is an error" {
	run -1 sh -c "'$iorig' help >/dev/full"
}

@test "the program is static" {
	[ -z "${IORIG:-}" ] || skip "this is about the release build"
	run file -L "$iorig"
	[[ $output == *"statically linked"* ]]
}

@test "every manual page is clean" {
	for page in docs/*.[1-8]; do
		run -0 mandoc -T lint -W warning "$page"
	done
}

@test "every folder explains itself in a short README" {
	for folder in lib trace capture replay profiles sweeps results rootfs tests docs; do
		[ -f "$folder/README.md" ] || { echo "$folder/README.md is missing"; false; }
		lines=$(wc -l <"$folder/README.md")
		[ "$lines" -ge 15 ] && [ "$lines" -le 70 ] || { echo "$folder/README.md has $lines lines"; false; }
	done
}
