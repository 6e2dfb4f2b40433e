#!/bin/sh
# What replaying costs: a plain C loop, `iorig replay` and `fio --read_iolog` do the same operations on the same page-cached file,
# interleaved. CPU time, since wall time on a shared machine says nothing.
#   OPS=2000000 ROUNDS=7 tests/bench/replay.sh
# loop/iorig: operations per CPU-second of the replay itself against the loop (1 is as fast as the loop; issue 4 wants 0.95 and 0.93).
# fio/iorig:  CPU of a whole process with start-up, fio's against iorig's (issue 4 wants 1.5 and more).
set -eu
cd "$(dirname "$0")/../.."
command -v fio >/dev/null || { echo "fio is missing"; exit 77; }
[ "$(id -u)" = 0 ] || { echo "replay's benchmark needs root for its sandbox"; exit 77; }
: "${OPS:=2000000}" "${ROUNDS:=7}"
bytes=$((256 << 20))
work=$(mktemp -d "${TMPDIR:-/var/tmp}/iorig-bench.XXXXXX")
trap 'rm -rf "$work"' EXIT
gcc -O2 -o "$work/loop" tests/bench/plain_loop.c

make_trace() { # KIND
	{
		echo 'thread 1 tid=1'
		echo "file 1 mode=0100644 size=$bytes path=\"/big\""
		echo '0.1 1 openat path="/big" file=1 = 3'
		if [ "$1" = fstat ]; then
			awk -v n="$OPS" 'BEGIN { for (i = 0; i < n; i++) printf "%.6f 1 fstat fd=3 file=1\n", 1 + i / 1e6 }'
		else
			"$work/loop" offsets "$1" "$OPS" "$bytes" | awk '{ printf "%.6f 1 pread64 fd=3 file=1 offset=%d length=4096 = 4096\n", 1 + NR / 1e6, $1 }'
		fi
	} | bin/iorig trace build - -o "$work/$1.iotrace"
}

make_iolog() { # KIND
	printf 'fio version 3 iolog\n0 %s add\n0 %s open\n' "$work/root/big" "$work/root/big"
	"$work/loop" offsets "$1" "$OPS" "$bytes" | awk -v f="$work/root/big" '{ printf "%d %s read %d 4096\n", NR, f, $1 }'
	printf '%d %s close\n' $((OPS + 1)) "$work/root/big"
}

cpu_of() { # COMMAND...: its user and system time in ms
	"$work/loop" cpu "$@" 2>"$work/err" || { cat "$work/err" >&2; exit 1; }
}

spread() { # numbers on stdin: median and range
	sort -n | awk '{ v[NR] = $1 } END { m = NR % 2 ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2; printf "%.3f (%.3f to %.3f)", m, v[1], v[NR] }'
}

for kind in random sequential fstat; do
	make_trace "$kind"
	rm -rf "$work/root" && mkdir "$work/root"
	bin/iorig replay "$work/$kind.iotrace" --root "$work/root" --prepare-only
	[ "$kind" = fstat ] || make_iolog "$kind" >"$work/iolog"
	: >"$work/loop_ratio" && : >"$work/fio_ratio" && : >"$work/own"
	for _ in $(seq "$ROUNDS"); do
		before=$("$work/loop" "$work/root/big" "$kind" "$OPS" "$bytes")
		iorig_ms=$(cpu_of bin/iorig replay "$work/$kind.iotrace" --root "$work/root" --prepared --cache hot -o "$work/run")
		after=$("$work/loop" "$work/root/big" "$kind" "$OPS" "$bytes")
		jq -r --argjson before "$before" --argjson after "$after" '($before + $after) / 2 / (.self.cpu_s * 1e9)' "$work/run/run.json" >>"$work/loop_ratio"
		jq -r .self.ns_per_op "$work/run/run.json" >>"$work/own"
		if [ "$kind" != fstat ]; then
			fio_ms=$(cpu_of fio --name=r --ioengine=psync --read_iolog="$work/iolog" --replay_no_stall=1 --invalidate=0 --output-format=terse)
			awk -v f="$fio_ms" -v i="$iorig_ms" 'BEGIN { print f / i }' >>"$work/fio_ratio"
		fi
	done
	printf '%-10s %d operations, %d rounds: loop/iorig %s' "$kind" "$OPS" "$ROUNDS" "$(spread <"$work/loop_ratio")"
	[ "$kind" = fstat ] || printf ', fio/iorig %s' "$(spread <"$work/fio_ratio")"
	printf ', own cost %s ns\n' "$(spread <"$work/own")"
done
