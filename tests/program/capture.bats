#!/usr/bin/env bats
# The recorder, for real: every test records programs of this host.
bats_require_minimum_version 1.5.0

setup() {
	cd "$BATS_TEST_DIRNAME/../.."
	iorig=$PWD/bin/iorig
	[ "$(id -u)" = 0 ] || skip "recording needs root"
	[ -r /sys/kernel/btf/vmlinux ] || skip "this kernel has no type information (BTF)"
	dir=$(mktemp -d /var/tmp/iorig-capture.XXXXXX)
	trace=$dir/t.iotrace
}

teardown() {
	[ -z "${dir:-}" ] || rm -rf "$dir"
}

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
