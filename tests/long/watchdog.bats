#!/usr/bin/env bats
# The hardware watchdog is fed by progress, not by a timer: an agent that stands still gets its box reset, and the next boot knows why.
bats_require_minimum_version 1.5.0

setup() {
	cd "$BATS_TEST_DIRNAME/../.."
	iorig=${IORIG:-$PWD/bin/iorig}
	[ "$(id -u)" = 0 ] || skip "needs root for namespaces"
	command -v qemu-system-x86_64 >/dev/null || skip "qemu-system-x86_64 is not installed"
	tmp=$BATS_TEST_TMPDIR
	run=
}

teardown() {
	[ -z "$run" ] || { kill "$run" 2>/dev/null && wait "$run"; } || :
}

# wait_for N TEXT: until the console has shown it N times
wait_for() {
	for _ in $(seq 6000); do
		[ "$(grep -c -F "$2" "$tmp/console")" -lt "$1" ] || return 0
		kill -0 "$run" || break
		sleep 0.1
	done
	tail -n 40 "$tmp/console"
	false
}

@test "an agent that hangs gets its box reset by the watchdog, and the next boot says so" {
	"$iorig" image build --level 1 -o "$tmp/image"
	mkfifo "$tmp/keyboard"
	: >"$tmp/console"
	"$iorig" image run --image "$tmp/image" --net user --disks 0 --timeout 20m \
		--kernel-append 'iorig.server=http://10.0.2.2:9 iorig.wdt=10 iorig.stall=60' <"$tmp/keyboard" >"$tmp/console" 2>&1 3>&- &
	run=$!
	exec 8>"$tmp/keyboard"
	wait_for 1 'http://10.0.2.2:9 does not answer'
	echo >&8
	wait_for 1 "built-in shell"
	# shellcheck disable=SC2016 # for the box's shell
	echo 'for p in /proc/[0-9]*; do grep -q box.sh $p/cmdline && kill -STOP ${p#/proc/}; done' >&8
	wait_for 1 'watchdog: no progress until the deadline, the box will be reset in 10 s'
	wait_for 2 'Please press Enter to activate this console'
	wait_for "$(($(grep -c 'does not answer' "$tmp/console") + 1))" 'does not answer'
	echo >&8
	wait_for 2 "built-in shell"
	echo 'cat /run/iorig/watchdog.json' >&8
	wait_for 1 '"caused_last_reset": true'
	exec 8>&-
}
