#!/bin/bash
# How true `--timing think` is: the elapsed time of a program on its own, while it is recorded, and of the replay of that recording, on
# the same file system, one after the other in each round. The ratio is replay / native; issue 4 wants 0.90 to 1.10.
#   SCALE=1/4 ROUNDS=5 IORIG_WORKLOADS=DIR PRIORITY='chrt -r 1' tests/bench/think.sh [NAME...]   e.g. 04-sqlite-rollback 13-fio-app@ENGINE=libaio
# PRIORITY goes before each of the three, so that other work of a busy machine is not measured.
# Everything happens on an ext4 of its own, on a loop device over a file in memory, so that nobody else's flushes are measured; DIR=... to
# use a directory of a disk. The workloads are programs with a fixed amount of work (setup|run|clean, DATA, SCALE); they are not part of this tree.
set -euo pipefail
cd "$(dirname "$0")/../.."
: "${SCALE:=1/4}" "${ROUNDS:=5}" "${IORIG_WORKLOADS:=../shared/workloads}" "${DIR:=}" "${PRIORITY:=}"
[ "$(id -u)" = 0 ] || { echo "recording needs root"; exit 77; }
[ -d "$IORIG_WORKLOADS" ] || { echo "there are no workloads in $IORIG_WORKLOADS; set IORIG_WORKLOADS"; exit 77; }
workloads=$(cd "$IORIG_WORKLOADS" && pwd)
[ $# -gt 0 ] || set -- 03-sqlite-wal 04-sqlite-rollback 06-rocksdb-dbbench 06-rocksdb-dbbench@VARIANT=mmap 06-rocksdb-dbbench@VARIANT=direct \
	08-postmark 09-git 10-tar 12-rsync 13-fio-app 13-fio-app@ENGINE=libaio 13-fio-app@ENGINE=psync 13-fio-app@ENGINE=mmap 15-scan \
	16-nginx-ab 18-rsyslog

own_disk() { # an ext4 in memory at $DIR
	truncate -s 6G "/dev/shm/iorig-think.$$"
	mkfs.ext4 -q -F -E lazy_itable_init=0,lazy_journal_init=0 "/dev/shm/iorig-think.$$"
	DIR=$(mktemp -d /var/tmp/iorig-think.XXXXXX)
	chmod 755 "$DIR"
	mount -o loop "/dev/shm/iorig-think.$$" "$DIR"
}

leave() {
	[ -z "$work" ] || rm -rf "$work"
	[ ! -e "/dev/shm/iorig-think.$$" ] && return
	mountpoint -q "$DIR" && umount "$DIR"
	rmdir "$DIR"
	rm -f "/dev/shm/iorig-think.$$"
}
work=
trap leave EXIT
[ "$DIR" ] || own_disk
[ "$(stat -f -c %T "$DIR")" != tmpfs ] || { echo "$DIR is on tmpfs; programs behave differently there"; exit 77; }
work=$(mktemp -d "$DIR/iorig-think.XXXXXX")
chmod 755 "$work"

workload() { # VERB [WRAPPER...]
	local verb=$1
	shift
	env SCALE="$SCALE" DATA="$work/data" BASEDATA="$work" ${setting:+"$setting"} "$@" bash "$workloads/$script.sh" "$verb" >"$work/out" 2>&1
}

# The last that 12-rsync does is a diff. Where its passes take less than a second each, rsync takes a file that was changed twice in one second, to
# the same size, for the old one: the diff says so with status 1, and the program has done all of its work.
did() { # the same; has it done its work?
	local rc=0
	workload "$@" || rc=$?
	[ $rc = 0 ] || { [ "$script $rc" = "12-rsync 1" ] && ! grep -q '^iorig: ' "$work/out"; }
}

fresh() { # the starting state of the program, written back
	rm -rf "$work/data" "$work/root"
	cp -a "$work/base" "$work/data"
	mkdir "$work/root"
	sync -f "$work"
}

now_ms() { echo $(($(date +%s%N) / 1000000)); }

median() { sort -n | awk '{ v[NR] = $1 } END { print NR % 2 ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2 }'; }
range() { sort -n | awk '{ v[NR] = $1 } END { printf "%.2f to %.2f", v[1], v[NR] }'; }

one_round() { # a line "native recorded replay unexpected" in ms to $work/rounds
	local began native
	fresh
	began=$(now_ms)
	# shellcheck disable=SC2086
	did run $PRIORITY || return 1
	native=$(($(now_ms) - began))
	fresh
	# shellcheck disable=SC2086
	did run $PRIORITY bin/iorig capture --wakeups -o "$work/t.iotrace" -- || return 1
	rm -rf "$work/data"
	$PRIORITY bin/iorig replay "$work/t.iotrace" --root "$work/root" --timing think --cache hot --max-mismatch 100 -o "$work/run" >"$work/out" 2>&1 || return 1
	jq -r --argjson native "$native" '"\($native) \(.recorded_elapsed_ns / 1e6) \(.elapsed_ns / 1e6) \(.mismatch.count) \(
		.pauses | (.recorder_ns + .repaid_ns) / .recorded_ns)"' "$work/run/run.json" \
		>>"$work/rounds"
}

printf '%-34s %9s %9s %9s   %-24s %-15s %s\n' program native recorded think 'think/native (range)' recorded/native 'left out of pauses'
for name; do
	script=${name%@*} setting=
	case $name in *@*) setting=${name#*@} ;; esac
	rm -rf "$work/data" "$work/base"
	mkdir "$work/data"
	rc=0
	workload setup || rc=$?
	if [ $rc != 0 ]; then
		printf '%-34s %s\n' "$name" "skipped, exit $rc: $(tail -n 1 "$work/out")"
		continue
	fi
	mv "$work/data" "$work/base"
	: >"$work/rounds"
	for _ in $(seq "$ROUNDS"); do
		one_round || { printf '%-34s %s\n' "$name" "failed: $(tail -n 1 "$work/out")"; continue 2; }
	done
	printf '%-34s %6d ms %6.0f ms %6.0f ms   %.2f (%s)      %-15.2f %s %%%s\n' "$name" \
		"$(awk '{ print $1 }' "$work/rounds" | median)" "$(awk '{ print $2 }' "$work/rounds" | median)" \
		"$(awk '{ print $3 }' "$work/rounds" | median)" \
		"$(awk '{ print $3 / $1 }' "$work/rounds" | median)" "$(awk '{ print $3 / $1 }' "$work/rounds" | range)" \
		"$(awk '{ print $2 / $1 }' "$work/rounds" | median)" "$(awk '{ printf "%.0f\n", $5 * 100 }' "$work/rounds" | median)" "$(awk '$4 { n++ } END { if (n) printf "   (unexpected results in %d rounds)", n }' "$work/rounds")"
done
