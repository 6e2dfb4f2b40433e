#!/usr/bin/env bats
# A sweep on real (virtual) disks and md arrays: this host has neither, so one of Debian's kernels is booted for it.
bats_require_minimum_version 1.5.0

setup_file() {
	cd "$BATS_TEST_DIRNAME/../.."
	export out="$BATS_FILE_TMPDIR/out"
	awk 'BEGIN {
		print "header {\"recorder\":\"test\"}"
		print "file 1 dev=254:0 ino=2 mode=040755 seen=0 path=\"/srv\""
		print "thread 1 tid=100 pid=100 seen=0 comm=\"test\" cwd=\"/srv\""
		for (i = 1; i <= 20; i++) {
			t = i / 1000
			printf "file %d dev=254:0 ino=%d mode=0100644 bits=created seen=%f path=\"/srv/f%d\"\n", i + 1, i + 10, t, i
			printf "%f+0.000010 1 openat fd=AT_FDCWD file=%d path=\"/srv/f%d\" flags=O_WRONLY|O_CREAT mode=0644 bits=created = 3\n", t, i + 1, i
			printf "%f+0.000010 1 write fd=3 file=%d offset=0 length=4096 = 4096\n", t + 0.0001, i + 1
			printf "%f+0.000100 1 fsync fd=3 file=%d = 0\n", t + 0.0002, i + 1
			printf "%f+0.000010 1 close fd=3 file=%d = 0\n", t + 0.0004, i + 1
		}
	}' | bin/iorig trace build - -o "$BATS_FILE_TMPDIR/t.iotrace"
	rc=0
	sh tests/guest.sh -m raid0 -m raid1 -m ext4 -m xfs -m bfq -m crc32c_generic -b mdadm -b mkfs.ext4 -b mkfs.xfs -b wipefs -b sfdisk -b jq \
		-b dumpe2fs -f profiles -f "$BATS_FILE_TMPDIR/t.iotrace" -d 300 -d 300 -d 100 -t 400 tests/box/sweep.sh >"$out" 2>&1 || rc=$?
	export rc
}

setup() {
	[ "$rc" != 77 ] || skip "$(tail -1 "$out")"
}

# The assertions stand in tests/box/sweep.sh; here they are shown by theme, and none may be missing.
theme() {
	run grep -c "^ok .*$1" "$out"
	[ "$output" -ge "$2" ] || { cat "$out"; false; }
}

@test "the script in the guest ends well" {
	[ "$rc" = 0 ] || { cat "$out"; false; }
	! grep '^not ok' "$out"
}

@test "mounted, foreign and blank disks are refused with exit 5 and nothing is written" {
	theme "is refused" 2
	theme "file is" 2
	theme "blank disks need --erase" 1
	theme "nothing was written" 1
}

@test "kill -9 with an array up: resume puts it back and does every run once" {
	theme "killed with the array up" 1
	theme "as it was" 1
	theme "as before" 1
	theme "no array is left" 1
	theme "once" 1
}

@test "what md ignores and xfs refuses is never a number" {
	theme "bfq on the array is no number" 1
	theme "has its reason" 1
	theme "not even planned" 1
}
