#!/usr/bin/env bats
# Lanes against each other: the mail delivery of tests/helpers/maildir.c fifty times over, and runs of many lanes under ThreadSanitizer.
bats_require_minimum_version 1.5.0

setup() {
	cd "$BATS_TEST_DIRNAME/../.."
	[ "$(id -u)" = 0 ] || skip "recording and mounting need root"
	make -s bin/iorig build/helpers/maildir >/dev/null
	iorig=${IORIG:-$PWD/bin/iorig}
	maildir=$PWD/build/helpers/maildir
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

@test "5000 messages by 1, 2, 4 and 10 threads: 2500 are left, no read is short; 50 replays over every order, timing and engine" {
	local n=0 threads timing order engine
	disk
	mkdir traces
	for threads in 1 2 4 10; do
		mkdir disk/mail
		"$iorig" capture -o "traces/$threads" -- "$maildir" disk/mail 5000 "$threads" >counts
		[ "$(awk '{ sum += $2 } END { print sum }' counts)" -ge 40000 ]
		rm -r disk/mail
	done
	while [ $n -lt 50 ]; do
		for threads in 1 2 4 10; do
			for timing in asap think schedule; do
				for order in resource thread temporal; do
					for engine in traced psync; do
						[ $n -lt 50 ] || continue
						[ $((RANDOM % 2)) = 0 ] || continue
						delivered "traces/$threads" $timing $order $engine
						n=$((n + 1))
					done
				done
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
	for trace in mail.iotrace shell.iotrace chain.iotrace handles.iotrace; do
		race_free $trace
		race_free $trace --order temporal
		race_free $trace --timing think
		race_free $trace --timing schedule --speed 10
	done
}
