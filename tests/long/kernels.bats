#!/usr/bin/env bats
# The recorder on the kernels of Debian 11, 12 and 13, in emulation: it loads, every hook fires, and what it recorded of five programs is what they
# did, call by call.
bats_require_minimum_version 1.5.0

setup() {
	cd "$BATS_TEST_DIRNAME/../.."
	iorig=${IORIG:-$PWD/bin/iorig}
	. tests/events.bash
	. tests/kernels.bash
	out=$(mktemp -d /var/tmp/iorig-kernels.XXXXXX)
}

teardown() {
	rm -rf "$out"
}

@test "a kernel that is locked down for confidentiality: one line, exit 77, and doctor says what to do" {
	rc=0
	sh tests/guest.sh -k bookworm -a lockdown=confidentiality -o "$out" tests/box/lockdown.sh >"$out/log" 2>&1 || rc=$?
	[ "$rc" != 77 ] || skip "$(tail -1 "$out/log")"
	[ "$rc" = 0 ] || { cat "$out/log"; false; }
	reason="the kernel is locked down for confidentiality: nobody may read its memory; boot it without lockdown=confidentiality"
	[ "$(cat "$out/capture.err")" = "iorig: cannot record here: $reason" ]
	[ "$(cat "$out/capture.status")" = 77 ]
	grep -q "^NO  *lockdown  *$reason\$" "$out/doctor"
	[ "$(tail -1 "$out/doctor")" = "iorig capture does not work here" ]
	[ "$(cat "$out/doctor.status")" = 77 ]
}

@test "Debian 11's kernel, 5.10" {
	boot -k bullseye
	judge 5.10 2
}

@test "Debian 11's kernel, 5.10, threads on one processor" {
	boot -k bullseye -s 1
	judge 5.10 1
}

@test "Debian 12's kernel, 6.1" {
	boot -k bookworm
	judge 6.1 2
}

@test "Debian 13's kernel, 6.12" {
	boot -k trixie
	judge 6.12 2
}

@test "Debian 13's kernel, 6.12, preemptible, threads on one processor" {
	boot -k trixie -s 1 -a "preempt=full syscall.x32=y"
	[[ $(cat "$out/preempt") == *"(full)"* ]]
	judge 6.12 1
}
