#!/usr/bin/env bats
# Ten thousand operations a second at their recorded times: what tests/bench/schedule.sh measures on a machine of its own, with bounds that hold on one
# that others use: of some short runs the best one counts. And pauses on a machine that others do use.
bats_require_minimum_version 1.5.0

setup() {
	cd "$BATS_TEST_DIRNAME/../.."
	iorig=$PWD/bin/iorig
	[ "$(id -u)" = 0 ] || skip "the page cache can only be dropped by root"
	cd "$BATS_TEST_TMPDIR"
	export XDG_CACHE_HOME=$BATS_TEST_TMPDIR/cache-home
	mkdir root
}

at_rate() { # OPERATIONS RATE: makes t.iotrace
	{
		printf 'thread 1 tid=1\nfile 1 mode=0100644 size=67108864 path="/f"\n0.9 1 openat path="/f" file=1 = 3\n'
		awk -v n="$1" -v rate="$2" 'BEGIN { for (i = 0; i < n; i++)
			printf "%.6f+0.000001 1 pread64 fd=3 file=1 offset=%d length=4096 = 4096\n", 0.9001 + i / rate, i * 7919 % 16384 * 4096 }'
	} | "$iorig" trace build - -o t.iotrace
}

# CONDITION TIMES OPTION...: holds in one of so many runs.
once_in() {
	local condition=$1 times=$2 prepared=
	shift 2
	for _ in $(seq "$times"); do
		# shellcheck disable=SC2086
		run -0 "$iorig" replay t.iotrace --root root --cache hot --timing "${timing:-schedule}" -o run $prepared "$@"
		prepared=--prepared
		jq -c '{elapsed_ns, lateness_ns, cpu_s: .self.cpu_s, pauses}' run/run.json
		if jq -e "$condition" run/run.json >/dev/null; then return; fi
	done
	false
}

# Not a microsecond adds up: the last of 100 000 operations is as late as any.
@test "10 000 operations a second for 10 s: nothing adds up, half are hardly late, a part of a processor" {
	at_rate 100000 10000
	once_in '.lateness_ns.verdict == "kept up" and .lateness_ns.end < 1e6 and .elapsed_ns < 10.1e9 and .elapsed_ns >= 9.999e9 and
		.lateness_ns.p50 < 40000 and .self.cpu_s / .elapsed_ns * 1e9 < 0.5' 5
}

@test "20 000 a second are 10 000 at half the speed" {
	at_rate 40000 20000
	once_in '.lateness_ns.verdict == "kept up" and .elapsed_ns >= 3.999e9 and .elapsed_ns < 4.04e9 and .lateness_ns.p50 < 40000' 5 --speed 0.5
}

# Four threads that pause 5 ms, on processors on which others have their turns. The recording has such turns in its pauses already.
@test "waiting for a busy processor does not add up over pauses" {
	{
		printf 'thread %d tid=%d\n' 1 1 2 2 3 3 4 4
		echo 'file 1 mode=0100644 size=4096 path="/f"'
		awk 'BEGIN { for (i = 0; i < 300; i++) for (t = 1; t <= 4; t++)
			printf "%.6f+0.000002 %d newfstatat path=\"/f\" file=1\n", i * 0.005 + t / 10000, t }'
	} | "$iorig" trace build - -o t.iotrace
	busy=
	for _ in $(seq $((2 * $(nproc)))); do
		timeout 60 sh -c 'while :; do :; done' 3>&- &
		busy="$busy $!"
	done
	rc=0
	timing=think once_in '.elapsed_ns < .recorded_elapsed_ns * 1.02 and .elapsed_ns > .recorded_elapsed_ns * 0.98 and .pauses.repaid_ns > 0' 5 || rc=$?
	# shellcheck disable=SC2086
	kill $busy
	[ $rc = 0 ]
}
