#!/usr/bin/env bats
# A sweep on real (virtual) disks and md arrays: this host has neither, so one of Debian's kernels is booted for it.
bats_require_minimum_version 1.5.0

setup_file() {
	cd "$BATS_TEST_DIRNAME/../.."
	export out="$BATS_FILE_TMPDIR/out"
	awk -v n=20 -v got=4096 -f tests/creations.awk | "${IORIG:-bin/iorig}" trace build - -o "$BATS_FILE_TMPDIR/t.iotrace"
	rc=0
	sh tests/guest.sh -m raid0 -m raid1 -m ext4 -m xfs -m bfq -m crc32c_generic -b mdadm -b mkfs.ext4 -b mkfs.xfs -b wipefs -b sfdisk -b jq \
		-b dumpe2fs -f profiles -f "$BATS_FILE_TMPDIR/t.iotrace" -d 300 -d 300 -d 100 -t 400 tests/box/sweep.sh >"$out" 2>&1 || rc=$?
	export rc
}

setup() {
	. "$BATS_TEST_DIRNAME/../guest.bash"
	need_guest
}

# The assertions stand in tests/box/sweep.sh.
@test "the script in the guest ends well" {
	ended_well
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
