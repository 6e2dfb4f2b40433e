#!/bin/sh
# What building a plan costs: `iorig replay --plan-only` against `iorig trace check`, which decodes the same trace and keeps nothing,
# interleaved; and how fast the starting state is made, against cp -r of the same tree.
#   EVENTS=50000000 THREADS=32 FILES=20000 ROUNDS=5 tests/bench/plan.sh
# events/cpu_s: events a second of CPU time, the whole process with start-up (issue 4 wants 3 million).
# plan/check:   CPU time of both; says what a busy machine does not change.
# peak:         resident memory at its highest (issue 4 wants 200 MB for 50 M events).
set -eu
cd "$(dirname "$0")/../.."
: "${EVENTS:=5000000}" "${THREADS:=32}" "${FILES:=20000}" "${ROUNDS:=5}"
[ "$(id -u)" = 0 ] || { echo "making a starting state needs root for its sandbox"; exit 77; }
work=$(mktemp -d "${TMPDIR:-/var/tmp}/iorig-bench.XXXXXX")
trap 'rm -rf "$work"' EXIT
make -s build/helpers/longtrace build/helpers/cputime bin/iorig
build/helpers/longtrace "$EVENTS" "$THREADS" "$FILES" | bin/iorig trace build - -o "$work/t.iotrace"

cpu_of() { # COMMAND...: its user and system time in ms
	build/helpers/cputime "$@" 2>"$work/err" >/dev/null || { cat "$work/err" >&2; exit 1; }
	awk '{ print $1 / 1e6 }' "$work/err"
}

spread() { # numbers on stdin: median and range
	sort -n | awk '{ v[NR] = $1 } END { m = NR % 2 ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2; printf "%.2f (%.2f to %.2f)", m, v[1], v[NR] }'
}

wall_ms() { # COMMAND...: how long it takes
	began=$(date +%s%N)
	"$@" >/dev/null
	echo $((($(date +%s%N) - began) / 1000000))
}

: >"$work/rate" && : >"$work/ratio" && : >"$work/peak" && : >"$work/copy"
for _ in $(seq "$ROUNDS"); do
	check_ms=$(cpu_of bin/iorig trace check "$work/t.iotrace")
	plan_ms=$(cpu_of sh -c "bin/iorig replay --plan-only --json --plan-cache none $work/t.iotrace >$work/plan.json")
	awk -v n="$EVENTS" -v ms="$plan_ms" 'BEGIN { print n / ms / 1e3 }' >>"$work/rate"
	awk -v p="$plan_ms" -v c="$check_ms" 'BEGIN { print p / c }' >>"$work/ratio"
	jq '.compile.peak_rss_bytes / 1e6' "$work/plan.json" >>"$work/peak"
done
printf '%d events, %d threads, %d rounds: %s M events/cpu_s, plan/check %s, peak %s MB\n' "$EVENTS" "$THREADS" "$ROUNDS" \
	"$(spread <"$work/rate")" "$(spread <"$work/ratio")" "$(spread <"$work/peak")"

# The same names and bytes: the compiler's time is subtracted, everything is synced by both.
compile_ms=$(jq '.compile.elapsed_ns / 1e6 | floor' "$work/plan.json")
for _ in $(seq "$ROUNDS"); do
	rm -rf "$work/root" "$work/copy-of"
	mkdir "$work/root" "$work/copy-of"
	sync -f "$work"
	made_ms=$(wall_ms bin/iorig replay --prepare-only --plan-cache none --root "$work/root" "$work/t.iotrace")
	copied_ms=$(wall_ms sh -c "cp -r '$work/root/.' '$work/copy-of' && sync -f '$work/copy-of'")
	awk -v m="$made_ms" -v c="$copied_ms" -v k="$compile_ms" 'BEGIN { print c / (m > k ? m - k : 1) }' >>"$work/copy"
done
jq -r '"starting state of \(.names) names, \(.need_bytes / 1e6 | floor) MB"' "$work/plan.json" | tr '\n' ':'
printf ' cp/iorig %s\n' "$(spread <"$work/copy")"
