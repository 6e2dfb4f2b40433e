#!/usr/bin/env bats
# Every call in every form: programs that say what they did, and recordings that must say the same.
bats_require_minimum_version 1.5.0

setup() {
	cd "$BATS_TEST_DIRNAME/../.."
	iorig=$PWD/bin/iorig
	. tests/events.bash
	dir=$(mktemp -d /var/tmp/iorig-calls.XXXXXX)
	trace=$dir/t.iotrace
}

teardown() {
	rm -rf "$dir"
}

need_recorder() {
	[ "$(id -u)" = 0 ] || skip "recording needs root"
	[ -r /sys/kernel/btf/vmlinux ] || skip "this kernel has no type information (BTF)"
}

# compare HELPER LINES: records the helper and compares line by line; it tells at least so many calls.
compare() {
	mkdir -p "$dir/w"
	run -0 timeout 60 "$iorig" capture -o "$trace" -- "build/helpers/$1" "$dir/w"
	cat >"$dir/want" <<<"$output"
	[ "$(wc -l <"$dir/want")" -ge "$2" ]
	events_in "$trace" "$dir/w" >"$dir/got"
	diff "$dir/want" "$dir/got"
	[ "$(trailer "$trace" '.seen == .emitted + .filtered + .dropped and .lost == 0 and .skipped == 0')" = true ]
}

@test "every call in every form, with its arguments, its file and its result" {
	need_recorder
	compare iocalls 200
	[ "$(trailer "$trace" '.paths_unreadable <= 1 and .requests_end_late == 1')" = true ]
}

@test "every request of io_uring that is about files is an event of its own" {
	need_recorder
	compare iouring 100
}

@test "the program for older kernels records the same" {
	need_recorder
	export IORIG_OLD_PROGRAM=1
	compare iocalls 200
	rm -rf "$dir/w"
	compare iouring 100
}
