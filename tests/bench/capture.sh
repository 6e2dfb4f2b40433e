#!/bin/sh
# What recording costs the recorded, beside strace, perf trace and bpftrace; and how many events a second are recorded without a loss.
# Interleaved: each traced run has an untraced one before and after it, and its ratio is to their mean; printed are the median and the quartiles
# of the rounds. CPU time is that of the recorded program, without the recorder's.
#   capture.sh [ROUNDS [WORKLOAD...]]   default 9 rounds of all, about ten minutes
set -eu
cd "$(dirname "$0")/../.."
rounds=${1:-9}
[ $# = 0 ] || shift
only=" $* "
[ "$(id -u)" = 0 ] || { echo "capture.sh: recording needs root" >&2; exit 77; }
sh tests/deps.sh tests/bench/packages || exit 77
make -s build/helpers/ioloop build/helpers/cputime build/helpers/iorate bin/iorig
dir=$(mktemp -d /var/tmp/iorig-bench.XXXXXX)
trap 'rm -rf "$dir"' EXIT INT TERM
work=$PWD/tests/bench/capture/work.sh
bin/iorig doctor >"$dir/doctor" || { cat "$dir/doctor" >&2; exit 77; }

# WORKLOAD TRACER GOAL: what is measured, and the ratio of CPU time that is aimed at.
cat >"$dir/plan" <<'PLAN'
pread record 1.45
pread ends 1.32
pread strace -
pread perf -
pread bpftrace -
pread2 record 1.45
write record -
open record 1.60
open strace -
fio record 1.40
git record 1.10
git strace -
tar record 1.10
getppid record -
getppid ends -
PLAN
[ "$only" = '  ' ] || { awk -v only="$only" 'index(only, " " $1 " ")' "$dir/plan" >"$dir/some" && mv "$dir/some" "$dir/plan"; }

make_git() {
	git init -q "$dir/git"
	cp -r capture docs lib profiles replay results rootfs sweeps tests trace "$dir/git"
	for i in 1 2 3 4 5 6 7 8; do
		for f in "$dir"/git/capture/*.c; do echo "/* $i */" >>"$f"; done
		git -C "$dir/git" add -A
		git -C "$dir/git" -c user.name=a -c user.email=a@b commit -qm "$i"
	done
}

bpf_program='tracepoint:raw_syscalls:sys_enter /args->id == 17/ { @s[tid] = nsecs; }
tracepoint:raw_syscalls:sys_exit /args->id == 17 && @s[tid]/ { printf("%d %d %d\n", tid, args->ret, nsecs - @s[tid]); delete(@s[tid]); }'

# Another recorder on this host would be part of every figure.
alone() {
	for _ in 1 2 3 4 5 6 7 8 9 10; do
		[ "$(bpftool prog show 2>/dev/null | grep -c 'name on_sys_exit')" != 0 ] || return 0
		sleep 0.2
	done
	echo x >>"$dir/company"
}

one() { # one WORKLOAD TRACER: CPU and wall clock ns. The slow ones get less to do.
	case $2 in
	plain) sh "$work" "$1" "$dir" ;;
	record) bin/iorig capture -o "$dir/t" -- sh "$work" "$1" "$dir" ;;
	ends) bin/iorig capture -o "$dir/t" --no-latency -- sh "$work" "$1" "$dir" ;;
	strace) strace -f -o "$dir/t" sh "$work" "$1" "$dir" 15 ;;
	perf) perf trace -o "$dir/t" -- sh "$work" "$1" "$dir" 50 2>/dev/null ;;
	bpftrace) bpftrace -q -o "$dir/t" -c "/bin/sh $work $1 $dir 50" -e "$bpf_program" 2>/dev/null | grep '^[0-9]' ;;
	esac
}

round() {
	last=
	while read -r what how _; do
		[ "$what" = "$last" ] || { alone; before=$(one "$what" plain); }
		last=$what
		traced=$(one "$what" "$how") || traced=
		alone
		after=$(one "$what" plain)
		[ -z "$traced" ] || echo "$what $how $before $traced $after" |
			awk '{ print $1, $2, 2 * $5 / ($3 + $7), 2 * $6 / ($4 + $8), ($3 + $7) / 2 }' >>"$dir/ratios"
		before=$after
	done <"$dir/plan"
}

# column N of the lines of a workload and tracer: median and quartiles
middle() { awk -v w="$2" -v h="$3" -v c="$1" '$1 == w && $2 == h { print $c }' "$dir/ratios" | sort -n |
	awk '{ v[NR] = $1 } END { if (NR) print v[int((NR + 1) / 2)], v[int((NR + 3) / 4)], v[int((3 * NR + 1) / 4)] }'; }

: >"$dir/ratios"
: >"$dir/file"
make_git
i=0
while [ $i -lt "$rounds" ]; do
	i=$((i + 1))
	round
done

printf '%-8s %12s  %-9s %5s %-14s %8s  %s\n' load 'untraced ns' tracer 'CPU x' '[quartiles]' 'wall x' goal
while read -r what how goal; do
	if ! grep -q "^$what $how " "$dir/ratios"; then
		printf '%-8s %12s  %-9s does not run here\n' "$what" '' "$how"
		continue
	fi
	echo "$what $how $goal $(middle 5 "$what" "$how") $(middle 3 "$what" "$how") $(middle 4 "$what" "$how")" | awk '{
		printf "%-8s %12.0f  %-9s %5.2f [%.2f..%.2f] %9.2f  ", $1, $4, $2, $7, $8, $9, $10
		print $3 == "-" ? "" : "<= " $3 ($7 <= $3 ? " met" : " MISSED") }'
done <"$dir/plan"
[ ! -e "$dir/company" ] || echo "$(wc -l <"$dir/company") measurements had another recorder beside them"

[ "$only" = '  ' ] || exit 0
# Every processor busy with real-time priority, default rings.
last=$(($(nproc) - 1))
for processors in 0 "$(seq -s, 0 $last)"; do
	for rate in 1020000 0; do
		made=$(bin/iorig capture -o "$dir/t" -- chrt -f 1 build/helpers/iorate "$dir/file" "$processors" $rate 5 2>"$dir/said" | tail -n 1) || :
		cat "$dir/said"
		echo "$made" | awk -v p="$processors" -v lost="$(bin/iorig trace info --json "$dir/t" | jq .lost)" \
			'{ printf "%d seeks at %d a second from processors %s: %d events lost\n", $2, $3, p, lost }'
	done
done
