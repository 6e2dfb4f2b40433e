#!/bin/sh
# What does --wakeups cost? Two threads that hand over by pipe and by futex, with a call on a file each: processor time of a round without a
# recorder, recorded, and recorded with wake-ups, interleaved. A round has two wake-ups.
#   ROUNDS=9 N=20000 tests/bench/wakeups.sh
set -eu
cd "$(dirname "$0")/../.."
[ "$(id -u)" = 0 ] || { echo "recording needs root"; exit 77; }
: "${ROUNDS:=9}" "${N:=20000}"
make -s build/helpers/handover
work=$(mktemp -d "${TMPDIR:-/var/tmp}/iorig-bench.XXXXXX")
trap 'rm -rf "$work"' EXIT

for kind in pipe futex; do
	for _ in $(seq "$ROUNDS"); do
		plain=$(build/helpers/handover $kind "$work/f" "$N" fast)
		recorded=$(bin/iorig capture -o "$work/t" -- build/helpers/handover $kind "$work/f" "$N" fast)
		with=$(bin/iorig capture -o "$work/t" --wakeups -- build/helpers/handover $kind "$work/f" "$N" fast)
		echo "$plain $recorded $with"
	done | awk -v kind=$kind '{ print $2 / $1, $3 / $1, $3 / $2, ($3 - $2) / 2 }' >"$work/ratios"
	for column in 1 2 3 4; do
		cut -d' ' -f$column "$work/ratios" | sort -n | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'
	done | paste -sd' ' | awk -v kind=$kind '{ printf "%s: recorded %.2f times as dear, with wake-ups %.2f times (%.2f of recorded); %.0f ns a wake-up\n", kind, $1, $2, $3, $4 }'
done
