#!/usr/bin/env bats
# The recorder on the kernels of Debian 11, 12 and 13, in emulation: it loads, every hook fires, and what it recorded of two programs is what they
# did, call by call. tests/box/recorder.sh is what runs there.
bats_require_minimum_version 1.5.0

setup() {
	cd "$BATS_TEST_DIRNAME/../.."
	iorig=$PWD/bin/iorig
	. tests/events.sh
	out=$(mktemp -d /var/tmp/iorig-kernels.XXXXXX)
}

teardown() {
	rm -rf "$out"
}

# boot OPTION...: of tests/guest.sh
boot() {
	rc=0
	sh tests/guest.sh -t 280 -b build/helpers/iocalls -b build/helpers/iothreads -o "$out" "$@" tests/box/recorder.sh >"$out/log" 2>&1 || rc=$?
	[ "$rc" != 77 ] || skip "$(tail -1 "$out/log")"
	[ "$rc" = 0 ] || { cat "$out/log"; false; }
}

complete() {
	cat "$out/$1.err"
	[ "$(cat "$out/$1.status")" = 0 ]
	[ ! -s "$out/$1.err" ]
	[ "$(trailer "$out/$1.iotrace" '.seen == .emitted + .filtered + .dropped and .lost == 0 and .skipped == 0 and .unpaired == 0')" = true ]
	run -0 "$iorig" trace check "$out/$1.iotrace"
}

# judge KERNEL PROCESSORS
judge() {
	cat "$out/kernel" "$out/doctor"
	[[ $(cat "$out/kernel") == "$1".* ]]
	[ "$(cat "$out/processors")" = "$2" ]
	[ "$(cat "$out/doctor.status")" = 0 ]
	[ "$(grep -c '^ok  *s[cy][a-z_]* *fires$' "$out/doctor")" = 5 ]
	complete calls
	grep -v '^begin\|^end' "$out/calls.want" >"$out/want"
	[ "$(wc -l <"$out/want")" -gt 170 ]
	events_in "$out/calls.iotrace" /tmp/w | grep -v 'file=</out/' >"$out/got" # its own output
	diff "$out/want" "$out/got"
	complete threads
	events "$out/threads.iotrace" | awk '
		$1 == "pread64" && /file=<\/tmp\/data>/ { for (i = 2; i <= NF; i++) if (sub(/^length=/, "", $i)) n[$i]++ }
		END { for (l in n) print "pread64", l, n[l] }' | sort >"$out/got"
	sort "$out/threads.want" >"$out/want"
	[ "$(wc -l <"$out/want")" = 5 ]
	diff "$out/want" "$out/got"
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

@test "Debian 12's kernel, 6.1, preemptible, threads on one processor" {
	boot -k bookworm -s 1 -a preempt=full
	[[ $(cat "$out/preempt") == *"(full)"* ]]
	judge 6.1 1
}

@test "Debian 13's kernel, 6.12" {
	boot -k trixie
	judge 6.12 2
}

@test "Debian 13's kernel, 6.12, preemptible, threads on one processor" {
	boot -k trixie -s 1 -a preempt=full
	[[ $(cat "$out/preempt") == *"(full)"* ]]
	judge 6.12 1
}
