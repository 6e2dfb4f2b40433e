#!/bin/sh
# What recording costs the recorded: CPU time of a tight loop of one call, untraced, recorded, recorded at ends only, and under strace;
# interleaved, medians over the rounds of ratios to the untraced runs around them.
#   capture.sh [ROUNDS]   default 9
set -eu
cd "$(dirname "$0")/../.."
rounds=${1:-9}
[ "$(id -u)" = 0 ] || { echo "capture.sh: recording needs root" >&2; exit 77; }
make -s build/helpers/ioloop bin/iorig
dir=$(mktemp -d /var/tmp/iorig-bench.XXXXXX)
trap 'rm -rf "$dir"' EXIT INT TERM
bin/iorig doctor >"$dir/doctor" || { cat "$dir/doctor" >&2; exit 77; }

one() { # one WHAT HOW: CPU ns a call
	case $2 in
	plain) build/helpers/ioloop "$1" "$dir/file" 150 ;;
	record) bin/iorig capture -o "$dir/t" -- build/helpers/ioloop "$1" "$dir/file" 150 ;;
	ends) bin/iorig capture -o "$dir/t" --no-latency -- build/helpers/ioloop "$1" "$dir/file" 150 ;;
	strace) strace -f -o /dev/null build/helpers/ioloop "$1" "$dir/file" 20 ;;
	esac
}

median() { sort -n | awk '{ v[NR] = $1 } END { printf "%.2f [%.2f..%.2f]", v[int((NR + 1) / 2)], v[int((NR + 3) / 4)], v[int((3 * NR + 1) / 4)] }'; }

: >"$dir/ratios"
for what in pread write open getppid; do
	round=0
	while [ "$round" -lt "$rounds" ]; do
		round=$((round + 1))
		for how in record ends strace; do
			before=$(one "$what" plain)
			traced=$(one "$what" "$how")
			after=$(one "$what" plain)
			echo "$what $how $before $traced $after" | awk '{ print $1, $2, $4 / (($3 + $5) / 2), ($3 + $5) / 2 }' >>"$dir/ratios"
		done
	done
	printf '%-8s untraced %s ns\n' "$what" "$(awk -v w="$what" '$1 == w { print $4 }' "$dir/ratios" | median)"
	for how in record ends strace; do
		printf '  %-8s %s x\n' "$how" "$(awk -v w="$what" -v h="$how" '$1 == w && $2 == h { print $3 }' "$dir/ratios" | median)"
	done
done
