#!/bin/sh
# Do independent lanes scale? One lane of reads, and two lanes on files of their own, interleaved; operations a second of two against one.
# Issue 4 wants 1.8 on two processors.
#   OPS=1000000 ROUNDS=7 PRIORITY='chrt -r 1' tests/bench/lanes.sh      PRIORITY keeps other work off the processors
set -eu
cd "$(dirname "$0")/../.."
[ "$(id -u)" = 0 ] || { echo "replay's benchmark needs root for its sandbox"; exit 77; }
[ "$(nproc)" -ge 2 ] || { echo "there is one processor only"; exit 77; }
: "${OPS:=1000000}" "${ROUNDS:=7}" "${PRIORITY:=}"
work=$(mktemp -d "${TMPDIR:-/var/tmp}/iorig-bench.XXXXXX")
trap 'rm -rf "$work"' EXIT

trace() { # LANES: each with a process and a file of its own
	for lane in $(seq "$1"); do
		echo "thread $lane tid=$lane pid=$lane"
		echo "file $lane mode=0100644 size=67108864 path=\"/f$lane\""
		echo "0.$lane $lane openat path=\"/f$lane\" file=$lane = 3"
	done
	awk -v n="$OPS" -v lanes="$1" 'BEGIN { for (i = 0; i < n; i++) for (l = 1; l <= lanes; l++)
		printf "%.7f %d pread64 fd=3 file=%d offset=%d length=4096 = 4096\n", 1 + i / 1e6, l, l, i * 7919 % 16384 * 4096 }'
}

per_s() { # LANES: operations a second
	# shellcheck disable=SC2086
	$PRIORITY bin/iorig replay "$work/$1.iotrace" --root "$work/root$1" --prepared --cache hot -o "$work/run" >/dev/null
	jq .ops_per_s "$work/run/run.json"
}

for lanes in 1 2; do
	trace $lanes | bin/iorig trace build - -o "$work/$lanes.iotrace"
	mkdir "$work/root$lanes"
	bin/iorig replay "$work/$lanes.iotrace" --root "$work/root$lanes" --prepare-only
done
for _ in $(seq "$ROUNDS"); do
	before=$(per_s 1)
	two=$(per_s 2)
	after=$(per_s 1)
	echo "$before $two $after" | awk '{ print $2 / (($1 + $3) / 2) }'
done | sort -n | awk '{ v[NR] = $1 } END { printf "two lanes do %.2f times as much as one (%.2f to %.2f)\n", v[int((NR + 1) / 2)], v[1], v[NR] }'
