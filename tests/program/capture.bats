#!/usr/bin/env bats
# The recorder, for real: every test records programs of this host and compares with what is known about them otherwise.
bats_require_minimum_version 1.5.0

setup() {
	cd "$BATS_TEST_DIRNAME/../.."
	iorig=$PWD/bin/iorig
	[ "$(id -u)" = 0 ] || skip "recording needs root"
	[ -r /sys/kernel/btf/vmlinux ] || skip "this kernel has no type information (BTF)"
	dir=$(mktemp -d /var/tmp/iorig-capture.XXXXXX)
	trace=$dir/t.iotrace
	started=
}

teardown() {
	for pid in ${started:-}; do kill "$pid" 2>/dev/null || :; done
	[ -z "${dir:-}" ] || rm -rf "$dir"
}

# The events of a trace without times and threads, with <path> instead of file numbers.
events() {
	"$iorig" trace dump "$1" | awk '
		/^file / {
			p = ""
			if (match($0, / path="/)) { p = substr($0, RSTART + 7); sub(/"( target=.*)?$/, "", p) }
			path[$2] = p
		}
		/^[0-9]/ {
			$1 = $2 = ""; sub(/^ +/, "")
			while (match($0, / file2?=[0-9]+/)) {
				split(substr($0, RSTART, RLENGTH), a, "=")
				$0 = substr($0, 1, RSTART - 1) a[1] "=<" path[a[2]] ">" substr($0, RSTART + RLENGTH)
			}
			print
		}'
}

# Those between the chdir to DIR and the end of the program.
events_in() {
	events "$1" | awk -v d="chdir file=<$2>" 'on && !/^exit/ { print } index($0, d) == 1 { on = 1 }'
}

trailer() { "$iorig" trace dump "$1" | sed -n 's/^trailer //p' | jq "$2"; }

@test "a command's calls are recorded, and the recording ends with its status" {
	run -7 --separate-stderr timeout 30 "$iorig" capture -o "$trace" -- sh -c "echo hello >$dir/out; cat $dir/out; rm $dir/out; exit 7"
	[ "$output" = hello ]
	[ -z "$stderr" ]
	run -0 "$iorig" trace dump "$trace"
	[[ $output == *" openat "*"path=\"$dir/out\" flags=O_WRONLY|O_CREAT|O_TRUNC"* ]]
	[[ $output == *" write "*" offset=0 length=6 = 6"* ]]
	[[ $output == *" unlinkat "*"path=\"$dir/out\" = 0"* ]]
}

@test "a command that does not exist is named, exit 127" {
	run -127 --separate-stderr "$iorig" capture -o "$trace" -- no-such-program
	[ "$stderr" = "iorig: cannot start no-such-program: No such file or directory" ]
}

@test "every call in every form, with its arguments, its file and its result" {
	mkdir "$dir/w"
	run -0 timeout 60 "$iorig" capture -o "$trace" -- build/helpers/iocalls "$dir/w"
	[[ $output == "begin = 0"*"end = 0" ]]
	grep -v '^begin\|^end' <<<"$output" >"$dir/want"
	events_in "$trace" "$dir/w" >"$dir/got"
	[ "$(wc -l <"$dir/want")" -gt 170 ]
	diff "$dir/want" "$dir/got"
	[ "$(trailer "$trace" '.seen == .emitted + .filtered + .dropped and .lost == 0 and .paths_unreadable <= 1')" = true ]
}
