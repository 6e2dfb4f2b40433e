#!/bin/sh
# What replaying costs: a plain C loop, `iorig replay` and `fio --read_iolog` do the same operations on the same page-cached file, two at a
# time on one processor, where the scheduler interleaves them every few milliseconds: whatever else the machine does hits both alike. CPU
# time, since wall time on a shared machine says nothing.
#   OPS=2000000 ROUNDS=7 tests/bench/replay.sh
# iorig's ops per CPU-second: of the replay itself against the loop at the same time (1 is as fast as the loop; issue 4 wants 0.95, 0.93).
#             It can be more than 1: the loop calls the C library as programs do, and returning from a function after a system call is slow
#             where the kernel clears the processor's memory of returns; iorig's calls are inline.
# fio/iorig:  CPU of a whole process with start-up, fio's against iorig's (issue 4 wants 1.5 and more): when iorig compiles the trace, and
#             when it has kept the plan of an earlier replay.
set -eu
cd "$(dirname "$0")/../.."
command -v fio >/dev/null || { echo "fio is missing"; exit 77; }
[ "$(id -u)" = 0 ] || { echo "replay's benchmark needs root for its sandbox"; exit 77; }
: "${OPS:=2000000}" "${ROUNDS:=7}"
bytes=$((256 << 20))
work=$(mktemp -d "${TMPDIR:-/var/tmp}/iorig-bench.XXXXXX")
trap 'rm -rf "$work"' EXIT
gcc -O2 -D_GNU_SOURCE -o "$work/loop" tests/bench/plain_loop.c

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

replay() { # KIND [WRAPPER...]
	k=$1
	shift
	"$@" bin/iorig replay "$work/$k.iotrace" --root "$work/root" --prepared --cache hot --plan-cache "$plan" -o "$work/run"
}

loop_ns() { # CPU time an operation of the loop while the operations were replayed
	began=$(date -d "$(jq -r .started "$work/run/run.json")" +%s%N)
	awk -v from="$began" -v to="$((began + $(jq .elapsed_ns "$work/run/run.json")))" \
		'$1 > from && $1 < to { n++; sum += $2 } END { print n ? sum / n : "nan" }' "$work/slices"
}

spread() { # numbers on stdin: median and range
	sort -n | awk '{ v[NR] = $1 } END { m = NR % 2 ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2; printf "%.3f (%.3f to %.3f)", m, v[1], v[NR] }'
}

for kind in random sequential fstat; do
	make_trace "$kind"
	rm -rf "$work/root" && mkdir "$work/root"
	bin/iorig replay "$work/$kind.iotrace" --root "$work/root" --plan-cache "$work/plans" --prepare-only
	[ "$kind" = fstat ] || make_iolog "$kind" >"$work/iolog"
	: >"$work/loop_ratio" && rm -f "$work"/fio_ratio.* && : >"$work/own"
	for _ in $(seq "$ROUNDS"); do
		plan=none
		replay "$kind" "$work/loop" beside "$work/root/big" "$kind" "$OPS" "$bytes" >"$work/slices"
		jq -r --argjson loop "$(loop_ns)" '$loop * .ops / (.self.cpu_s * 1e9)' "$work/run/run.json" >>"$work/loop_ratio"
		jq -r .self.ns_per_op "$work/run/run.json" >>"$work/own"
		[ "$kind" != fstat ] || continue
		for plan in none "$work/plans"; do
			replay "$kind" "$work/loop" race fio --name=r --ioengine=psync --read_iolog="$work/iolog" --replay_no_stall=1 --invalidate=0 \
				--output-format=terse -- | awk '{ print $1 / $2 }' >>"$work/fio_ratio.${plan##*/}"
		done
	done
	printf '%-10s %d operations, %d rounds: iorig/loop %s' "$kind" "$OPS" "$ROUNDS" "$(spread <"$work/loop_ratio")"
	[ "$kind" = fstat ] || printf ', fio/iorig %s, with a kept plan %s' "$(spread <"$work/fio_ratio.none")" "$(spread <"$work/fio_ratio.plans")"
	printf ', own cost %s ns\n' "$(spread <"$work/own")"
done
