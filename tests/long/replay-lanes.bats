#!/usr/bin/env bats
# Lanes against each other: the mail delivery of tests/helpers/maildir.c fifty times over in every way, and runs of many lanes under ThreadSanitizer.
# REPEAT: how often each combination (50). THREADS: with how many recorded threads (1 2 4 10).
bats_require_minimum_version 1.5.0

setup() {
	cd "$BATS_TEST_DIRNAME/../.."
	[ "$(id -u)" = 0 ] || skip "recording and mounting need root"
	make -s bin/iorig build/helpers/maildir build/helpers/iouring >/dev/null
	iorig=${IORIG:-$PWD/bin/iorig}
	maildir=$PWD/build/helpers/maildir
	iouring=$PWD/build/helpers/iouring
	cd "$BATS_TEST_TMPDIR"
}

teardown() {
	if mountpoint -q "$BATS_TEST_TMPDIR/disk"; then umount "$BATS_TEST_TMPDIR/disk"; fi
	rm -f "/dev/shm/iorig-lanes.$$"
}

# An ext4 in memory: 250 000 flushes of a disk that others use take hours.
disk() {
	truncate -s 2G "/dev/shm/iorig-lanes.$$"
	mkfs.ext4 -q -F "/dev/shm/iorig-lanes.$$"
	mkdir disk
	mount -o loop "/dev/shm/iorig-lanes.$$" disk
}

delivered() { # TRACE TIMING ORDER ENGINE: replays it, 2500 messages must be left and no read short
	rm -rf disk/root
	mkdir disk/root
	"$iorig" replay "$1" --root disk/root --cache hot --timing "$2" --order "$3" --engine "$4" -o run >said 2>&1 ||
		{ echo "$*"; cat said; jq -c '.mismatch.first[], .tree.first[]' run/run.json; return 1; }
	jq -e '.mismatch.count == 0 and .tree.differences == 0 and .coverage.ops_ratio == 1' run/run.json >/dev/null ||
		{ echo "$*"; jq -c '.mismatch, .tree, .coverage' run/run.json; return 1; }
	[ "$(find disk/root -path '*/new/*' -type f | wc -l)" = 2500 ] || { echo "$*: $(find disk/root -path '*/new/*' | wc -l) messages"; return 1; }
}

record_deliveries() { # THREADS...: traces/THREADS
	local threads
	disk
	mkdir traces
	for threads; do
		mkdir disk/mail
		"$iorig" capture -o "traces/$threads" -- "$maildir" disk/mail 5000 "$threads" >counts
		[ "$(awk '{ sum += $2 } END { print sum }' counts)" -ge 40000 ]
		rm -r disk/mail
	done
}

every_order_and_lane_count() { # ENGINE
	local n threads order
	# shellcheck disable=SC2086 # numbers
	record_deliveries ${THREADS:-1 2 4 10}
	for threads in ${THREADS:-1 2 4 10}; do
		for order in resource thread temporal; do
			for n in $(seq "${REPEAT:-50}"); do
				delivered "traces/$threads" asap $order "$1"
			done
		done
	done
}

@test "5000 messages, 2500 are left, no read is short: as traced, every order, 1, 2, 4 and 10 threads, 50 times each" {
	every_order_and_lane_count traced
}

@test "the same with --engine psync" {
	every_order_and_lane_count psync
}

@test "the same with --engine uring" {
	every_order_and_lane_count uring
}

@test "the same with --engine mmap" {
	every_order_and_lane_count mmap
}

@test "the same at the recorded pace, every engine and order" {
	local timing order engine
	record_deliveries 4
	for timing in think schedule; do
		for order in resource thread temporal; do
			for engine in traced psync uring mmap; do
				delivered traces/4 $timing $order $engine
			done
		done
	done
}

race_free() { # TRACE OPTION...: under ThreadSanitizer
	local trace=$1
	shift
	rm -rf root
	mkdir root
	TSAN_OPTIONS=exitcode=66 setarch -R "$tsan" replay "$trace" --root root --cache hot "$@" >said 2>&1 || { echo "$trace $*"; cat said; return 1; }
	! grep -q 'ThreadSanitizer' said || { cat said; return 1; }
}

@test "lanes that wait for each other are free of data races" {
	(cd "$BATS_TEST_DIRNAME/../.." && make -s VARIANT=tsan >/dev/null)
	tsan=$(cd "$BATS_TEST_DIRNAME/../.." && pwd)/bin/iorig-tsan
	mkdir mail shared
	"$iorig" capture -o mail.iotrace -- "$maildir" mail 400 16 >/dev/null
	# Processes one after the other and beside each other, one database between them.
	"$iorig" capture -o shell.iotrace -- bash -c '
		sqlite3 shared/db "pragma journal_mode=wal; create table t(a)" >/dev/null
		for i in 1 2 3 4; do (for k in 1 2 3 4 5; do sqlite3 shared/db ".timeout 9000" "insert into t values($i)"; done) & done
		wait
		for i in 1 2 3 4; do (for k in 1 2 3; do echo $i $k >>shared/log; cat shared/log >/dev/null; done) & done
		wait'
	# Every operation waits for one of the other 39 lanes.
	{
		for i in $(seq 40); do echo "thread $i tid=$((100 + i))"; done
		awk 'BEGIN { for (i = 0; i < 8000; i++) printf "%.6f+0.000001 %d %s path=\"/d%d\"\n", 1 + i / 1e5, i % 40 + 1, i % 2 ? "rmdir" : "mkdir", i / 2 % 3 }'
	} | "$iorig" trace build - -o chain.iotrace
	# One opens, another reads, a third closes.
	{
		for i in $(seq 40); do echo "thread $i tid=$((100 + i)) pid=101"; done
		echo 'file 1 mode=0100644 size=4096 path="/f"'
		awk 'BEGIN { for (i = 0; i < 4000; i++) {
			printf "%.6f+0.000001 %d openat path=\"/f\" file=1 = 3\n", 1 + i / 1e5, i % 40 + 1
			printf "%.6f+0.000001 %d pread64 fd=3 file=1 offset=0 length=4096 = 4096\n", 1.000003 + i / 1e5, i * 7 % 40 + 1
			printf "%.6f+0.000001 %d close fd=3 file=1\n", 1.000006 + i / 1e5, i * 11 % 40 + 1 } }'
	} | "$iorig" trace build - -o handles.iotrace
	# Two rings beside two threads, all in one file; opens and closes among the requests.
	{
		for i in 1 2 3 4; do echo "thread $i tid=$((100 + i)) pid=101"; done
		echo 'file 1 mode=0100644 size=40960 path="/f"'
		echo '0.5 1 openat path="/f" file=1 flags=O_RDWR = 3'
		awk 'BEGIN { for (i = 0; i < 4000; i++) {
			via = i % 4 == 1 ? " via=uring ring=1" : i % 4 == 2 ? " via=aio ring=1" : ""
			printf "%.6f+0.00001 %d %s fd=3 file=1 offset=%d length=4096%s = 4096\n", 1 + i / 1e5, i % 4 + 1, i % 3 ? "pread64" : "pwrite64", i % 10 * 4096, via
			if (i % 4 == 1) {
				printf "%.6f+0.000001 2 openat path=\"/f\" file=1 via=uring ring=1 = 4\n", 1.000011 + i / 1e5
				printf "%.6f+0.000001 2 close fd=4 file=1 via=uring ring=1\n", 1.000013 + i / 1e5
			} } }'
	} | "$iorig" trace build - -o rings.iotrace
	mkdir requests
	"$iorig" capture -o requests.iotrace -- "$iouring" requests >/dev/null
	for trace in mail.iotrace shell.iotrace chain.iotrace handles.iotrace rings.iotrace requests.iotrace; do
		race_free $trace
		race_free $trace --order temporal
		race_free $trace --timing think
		race_free $trace --timing schedule --speed 10
		race_free $trace --engine psync
		race_free $trace --engine uring
		race_free $trace --engine mmap
	done
}
