#!/usr/bin/env bats
# The recorder on another kernel than this host's: one of those that tests/long/kernels.bats goes through.
bats_require_minimum_version 1.5.0

setup() {
	cd "$BATS_TEST_DIRNAME/../.."
	iorig=${IORIG:-$PWD/bin/iorig}
	. tests/events.bash
	. tests/kernels.bash
	out=$(mktemp -d /var/tmp/iorig-kernel.XXXXXX)
}

teardown() {
	rm -rf "$out"
}

@test "Debian 12's kernel, 6.1, preemptible, threads on one processor: every call of five programs is recorded" {
	boot -k bookworm -s 1 -a "preempt=full syscall.x32=y"
	[[ $(cat "$out/preempt") == *"(full)"* ]]
	judge 6.1 1
}
