#!/bin/sh
# fio with O_DIRECT at depth 32, through io_uring and libaio: the replay of its recording against fio itself, interleaved on the same file
# system. Ratio of the whole replay (what fio does to start and to end is in it,
# its files cached) to the time that fio says its requests took; 1 is equal.
# io_uring's requests end in a recording when the kernel completes them, not when the program looks. How many the replay may keep under way
# comes from where the program waited for completions (replay/ring.c).
set -eu
cd "$(dirname "$0")/../.."
iorig=$PWD/bin/iorig
rounds=${ROUNDS:-7}
[ "$(id -u)" = 0 ] || { echo "recording needs root"; exit 77; }
command -v fio >/dev/null || { echo "fio is not installed"; exit 77; }
dir=$(mktemp -d /var/tmp/iorig-bench-ring.XXXXXX)
trap 'rm -rf "$dir"' EXIT

app() { # ENGINE [COMMAND...]: milliseconds that fio's requests took
	engine=$1
	shift
	"$@" fio --name=a --directory="$dir/w" --size=64m --bs=4k --direct=1 --ioengine="$engine" --iodepth=32 --rw=randrw --randseed=7 \
		--output-format=json --output="$dir/fio.json" >"$dir/out" 2>&1
	jq '.jobs[0].job_runtime' "$dir/fio.json"
}

again() { # milliseconds
	rm -rf "$dir/root"
	mkdir "$dir/root"
	"$iorig" replay "$dir/t.iotrace" --root "$dir/root" --cache hot -o "$dir/run" >"$dir/out" 2>&1
	jq '.elapsed_ns / 1e6' "$dir/run/run.json"
}

for engine in io_uring libaio; do
	mkdir -p "$dir/w"
	app "$engine" >/dev/null # lays the file out
	app "$engine" "$iorig" capture -o "$dir/t.iotrace" -- >/dev/null
	: >"$dir/ratios"
	for _ in $(seq "$rounds"); do
		ours=$(again)
		theirs=$(app "$engine")
		echo "$ours $theirs" | awk '{ print $1 / $2 }' >>"$dir/ratios"
	done
	sort -n "$dir/ratios" | awk -v engine="$engine" '{ x[NR] = $1 } END {
		printf "   %s: replay / fio elapsed: median %.2f, from %.2f to %.2f (%d rounds)\n", engine, x[int((NR + 1) / 2)], x[1], x[NR], NR }'
	jq -r '.engine.rings[0] | "   \(.requests) requests by \(.replayed), at most \(.depth) of \(.recorded_depth) under way"' "$dir/run/run.json"
	rm -r "$dir/w"
done
