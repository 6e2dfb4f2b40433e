#!/bin/sh
# How well a schedule is kept: 10 000 reads a second, replayed at their recorded times by iorig and by fio (read_iolog), and a recording of
# 9 ms (a replayer that counts in milliseconds or sleeps off the absolute time takes a second, or a thousand).
#   SECONDS_LONG=60 RATE=10000 tests/bench/schedule.sh
# Issue 4 wants on an idle machine: less than 1 ms behind at the end, half of the operations less than 5 us late, less than 25 % of a core.
# What the machine takes for it whoever does it: a loop that sleeps until each is due and reads, half of the time before iorig and half after it
# (CPU of a virtual machine's timers is most of it).
set -eu
cd "$(dirname "$0")/../.."
[ "$(id -u)" = 0 ] || { echo "replay's benchmark needs root for its sandbox"; exit 77; }
: "${SECONDS_LONG:=60}" "${RATE:=10000}"
work=$(mktemp -d "${TMPDIR:-/var/tmp}/iorig-bench.XXXXXX")
trap 'rm -rf "$work"' EXIT
mkdir "$work/root"

trace() { # NAME OPERATIONS
	{
		echo 'thread 1 tid=1'
		echo 'file 1 mode=0100644 size=67108864 path="/f"'
		echo '0.9 1 openat path="/f" file=1 = 3'
		awk -v n="$2" -v rate="$RATE" 'BEGIN { for (i = 0; i < n; i++)
			printf "%.6f+0.000001 1 pread64 fd=3 file=1 offset=%d length=4096 = 4096\n", 0.9001 + i / rate, i * 7919 % 16384 * 4096 }'
	} | bin/iorig trace build - -o "$work/$1.iotrace"
}

show() { # NAME
	# shellcheck disable=SC2086
	bin/iorig replay "$work/$1.iotrace" --root "$work/root" ${prepared-} --cache hot --timing schedule -o "$work/run" >"$work/said"
	prepared=--prepared
	jq -r --arg name "$1" '"\($name)\t\(.elapsed_ns / 1e6) ms for \(.recorded_elapsed_ns / 1e6) ms, the last operation \(.lateness_ns.end / 1e3) us late; late: half less than \(
		.lateness_ns.p50 / 1e3) us, 90 % \(.lateness_ns.p90 / 1e3), 99 % \(.lateness_ns.p99 / 1e3), worst \(.lateness_ns.max / 1e3); response p50 \(
		.op.read.lat_ns.p50 / 1e3) us, service \(.service_lat_ns.p50 / 1e3) us; CPU \(.self.cpu_s * 1e11 / .elapsed_ns | round) % of a core; \(.lateness_ns.verdict)"' \
		"$work/run/run.json"
}

least() {
	build/helpers/ontime "$work/root/f" "$RATE" $(((SECONDS_LONG + 1) / 2)) | {
		read -r cpu_percent late_us
		printf 'least\tCPU %s %% of a core, half less than %s us late: a loop of sleeps and reads\n' "$cpu_percent" "$late_us"
	}
}

make -s build/helpers/ontime
trace "long" $((SECONDS_LONG * RATE))
trace "9 ms" 89
show "9 ms" # and the file is there
least
show "long"
least
if command -v fio >/dev/null; then
	{
		printf 'fio version 3 iolog\n0 %s add\n0 %s open\n' "$work/root/f" "$work/root/f"
		awk -v n=$((SECONDS_LONG * RATE)) -v rate="$RATE" -v f="$work/root/f" 'BEGIN { for (i = 0; i < n; i++)
			printf "%d %s read %d 4096\n", 1 + i * 1e6 / rate, f, i * 7919 % 16384 * 4096 }'
	} >"$work/iolog"
	fio --name=r --ioengine=psync --read_iolog="$work/iolog" --invalidate=0 --output-format=json --output="$work/fio.json"
	jq -r --argjson wanted "$((SECONDS_LONG * 1000))" '.jobs[0] | "fio\t\(.job_runtime) ms for \($wanted) ms; CPU \(.usr_cpu + .sys_cpu | round) % of a core"' \
		"$work/fio.json"
fi
