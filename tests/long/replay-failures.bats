#!/usr/bin/env bats
# What goes wrong under a replay: no room, no inodes, a read-only file system, too few descriptors, a device that goes away, and a
# signal in each phase. One line that says what, the documented exit code, and never a half-written document.
bats_require_minimum_version 1.5.0

setup() {
	cd "$BATS_TEST_DIRNAME/../.."
	[ "$(id -u)" = 0 ] || skip "needs root for mounts"
	make -s
	iorig=${IORIG:-$PWD/bin/iorig}
	cd "$BATS_TEST_TMPDIR"
	loop=
	mkdir mnt
}

teardown() {
	cd "$BATS_TEST_TMPDIR"
	if mountpoint -q mnt; then umount -l mnt; fi
	[ -z "$loop" ] || losetup -d "$loop"
}

disk() { # MIB MKFS-OPTIONS: an ext4 on a loop file, mounted on mnt
	truncate -s "$1M" disk
	shift
	mkfs.ext4 -q -E lazy_itable_init=0,lazy_journal_init=0 "$@" disk
	loop=$(losetup -f --show disk)
	mount "$loop" mnt
	mkdir mnt/root
}

# FILES OPS: that many files of 64 KiB, read and written in turn by two threads.
work() {
	awk -v files="$1" -v ops="$2" 'BEGIN {
		print "thread 1 tid=10"; print "thread 2 tid=11 pid=10"
		for (f = 1; f <= files; f++) print "file " f " dev=8:1 ino=" f + 10 " mode=0100644 size=65536 path=\"/d/f" f "\""
		t = 0.001
		for (f = 1; f <= files; f++) printf "%.6f 1 openat fd=AT_FDCWD file=%d path=\"/d/f%d\" flags=O_RDWR = %d\n", t += 1e-6, f, f, f + 2
		for (i = 0; i < ops; i++) {
			f = 1 + i % files
			printf "%.6f %d %s fd=%d file=%d offset=%d length=4096 = 4096\n", t += 1e-6, 1 + i % 2, i % 3 ? "pread64" : "pwrite64", f + 2, f, i % 16 * 4096
			if (i % 100 == 0) printf "%.6f 1 fsync fd=%d file=%d = 0\n", t += 1e-6, f + 2, f
		}
	}' | "$iorig" trace build - -o t.iotrace
}

one_line() { # CODE TEXT: how the last run ended
	[ "$status" = "$1" ] || { echo "status $status: $output$stderr"; false; }
	[ "$(grep -vc '^iorig: warning: ' <<<"$stderr")" = 1 ] || { echo "$stderr"; false; }
	[[ $stderr == *"$2"* ]] || { echo "$stderr"; false; }
}

no_document() { [ ! -e run ] || [ -z "$(ls -A run)" ] || { ls -la run; false; }; }

@test "no room for the starting state: refused before anything is written" {
	disk 16
	work 400 100
	run --separate-stderr "$iorig" replay t.iotrace --root mnt/root -o run
	one_line 1 "MiB are free"
	no_document
	[ -z "$(ls -A mnt/root)" ]
}

@test "no inodes for the starting state: refused before anything is written" {
	disk 64 -N 64
	work 200 100
	run --separate-stderr "$iorig" replay t.iotrace --root mnt/root -o run
	one_line 1 "inodes"
	no_document
	[ -z "$(ls -A mnt/root)" ]
}

@test "a read-only file system, from the beginning and from the middle of the run" {
	disk 64
	work 20 2000000
	mount -o remount,ro mnt
	run --separate-stderr "$iorig" replay t.iotrace --root mnt/root -o run
	one_line 1 "Read-only file system"
	no_document
	mount -o remount,rw,errors=remount-ro mnt
	"$iorig" replay t.iotrace --root mnt/root --prepare-only
	"$iorig" replay t.iotrace --root mnt/root --prepared --cache hot -o run 2>err >out &
	pid=$!
	sleep 3
	echo 1 >"/sys/fs/ext4/${loop#/dev/}/trigger_fs_error"
	failed_run
}

# The run of process $pid, in which operations failed: it may tell which, in a whole document, and it must not be good.
failed_run() {
	rc=0
	wait $pid || rc=$?
	[ "$rc" = 1 ] || { echo "status $rc"; cat out err; false; }
	[ "$(grep -vc '^iorig: warning: ' err)" = 1 ] || { cat err; false; }
	cat err
	[ ! -e run/run.json ] || jq -e '.outcome == "failed" and .mismatch.count > 0' run/run.json
}

@test "more files open at once than the process may have" {
	work 300 1000
	mkdir root
	run --separate-stderr setpriv --bounding-set=-sys_resource bash -c "ulimit -n 100; exec '$iorig' replay t.iotrace --root root -o run"
	one_line 1 "descriptors"
	no_document
	[ -z "$(ls -A root)" ]
}

@test "more threads than the user may have" {
	awk 'BEGIN { for (i = 1; i <= 300; i++) print "thread " i " tid=" 100 + i
		print "file 1 mode=0100644 size=4096 path=\"/f\""
		for (i = 1; i <= 300; i++) printf "%.6f %d stat path=\"/f\" file=1\n", i / 1000, i }' | "$iorig" trace build - -o t.iotrace
	mkdir root
	chmod 777 root "$BATS_TEST_TMPDIR"
	run --separate-stderr setpriv --reuid=54321 --clear-groups bash -c "ulimit -u 50; exec '$iorig' replay t.iotrace --root root -o run"
	one_line 1 "thread"
	no_document
}

@test "a device that goes away during the run" {
	disk 64
	work 20 2000000
	"$iorig" replay t.iotrace --root mnt/root --prepare-only
	"$iorig" replay t.iotrace --root mnt/root --prepared --cache hot -o run 2>err >out &
	pid=$!
	sleep 3
	xfs_io -x -c shutdown mnt
	failed_run
}

@test "a directory for the documents that cannot be written" {
	disk 16
	work 5 10000
	mkdir root out
	dd if=/dev/zero of=mnt/fill bs=4k status=none 2>/dev/null || true
	run --separate-stderr "$iorig" replay t.iotrace --root root --cache hot -o mnt/run
	one_line 1 "mnt/run"
	[ -z "$(find mnt/run -type f 2>/dev/null)" ]
	run --separate-stderr "$iorig" replay t.iotrace --root root --prepared --cache hot -o /proc/nope
	one_line 1 "/proc/nope"
}

@test "SIGINT and SIGTERM at any moment: exit 1, one line, no document, no process left" {
	work 500 1500000
	mkdir root
	start=$(date +%s%N)
	"$iorig" replay t.iotrace --root root --cache cold -o run >/dev/null
	took_ms=$((($(date +%s%N) - start) / 1000000))
	[ -e run/run.json ]
	phases=
	for i in $(seq 1 "${KILLS:-40}"); do
		signal=INT
		[ $((i % 2)) = 0 ] || signal=TERM
		rm -rf run root
		mkdir root
		"$iorig" replay t.iotrace --root root --cache cold -o run >out 2>err &
		pid=$!
		ms=$((took_ms * i / ${KILLS:-40}))
		sleep "$((ms / 1000)).$(printf %03d $((ms % 1000)))"
		kill -$signal $pid 2>/dev/null || true
		rc=0
		wait $pid || rc=$?
		if [ "$rc" = 0 ]; then # it was faster this time
			jq -e '.outcome == "ok"' run/run.json >/dev/null
			phases+=" done"
			continue
		fi
		[ "$rc" = 1 ] || { echo "after $ms ms: status $rc"; cat err; false; }
		[ "$(grep -c "interrupted by signal" err)" = 1 ] || { echo "after $ms ms:"; cat err; false; }
		no_document
		[ -z "$(pgrep -P $pid)" ]
	done
	[ "$(wc -w <<<"$phases")" -lt $((${KILLS:-40} / 2)) ]
}

# The same work in a guest of Debian 12, in which a SCSI disk is deleted and root may raise limits.
@test "a disk that is taken away, and a limit that is raised" {
	work 40 100000 >/dev/null
	"$iorig" trace dump t.iotrace | awk '/^[0-9]/ { $1 = $1 * 100 } 1' >t.txt
	rc=0
	"$BATS_TEST_DIRNAME/../guest.sh" -m virtio_scsi -m sd_mod -m ext4 -D scsi:64:GONE1 -b /sbin/mkfs.ext4 -b /usr/bin/jq -f "$PWD/t.txt" \
		"$BATS_TEST_DIRNAME/../box/gone.sh" >guest.out 2>&1 || rc=$?
	[ "$rc" != 77 ] || skip "$(tail -1 guest.out)"
	[ "$rc" = 0 ] || { cat guest.out; false; }
	[ "$(grep -c '^ok' guest.out)" = 4 ]
}
