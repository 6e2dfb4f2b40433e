#!/usr/bin/env bats
# Ten thousand operations a second at their recorded times: what tests/bench/schedule.sh measures on a machine of its own, with bounds that hold on one
# that others use: of some short runs the best one counts.
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
		run -0 "$iorig" replay t.iotrace --root root --cache hot --timing schedule -o run $prepared "$@"
		prepared=--prepared
		jq -c '{elapsed_ns, lateness_ns, cpu_s: .self.cpu_s, op: .op.read.lat_ns.p50}' run/run.json
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
