# Arrays and the disk guard on real (virtual) disks: this host has no md, so one of Debian's kernels is booted for it.
bats_require_minimum_version 1.5.0

setup_file() {
	cd "$BATS_TEST_DIRNAME/../.."
	export out="$BATS_FILE_TMPDIR/out"
	rc=0
	sh tests/guest.sh -m raid0 -m raid1 -m raid10 -m raid456 -m ext4 -m xfs -m btrfs -m bfq -m kyber-iosched -m crc32c_generic \
		-b mdadm -b mkfs.ext4 -b mkfs.xfs -b mkfs.btrfs -b wipefs -b sfdisk -b jq -b xfs_db -b dumpe2fs -b btrfs \
		-f profiles -d 400 -d 400 -d 400 -d 400 -t 280 tests/box/md.sh >"$out" 2>&1 || rc=$?
	export rc
}

setup() {
	. "$BATS_TEST_DIRNAME/../guest.bash"
	need_guest
}

# The assertions stand in tests/box/md.sh.
@test "the script in the guest ends well" {
	ended_well
}

@test "five levels with their chunk, aligned for xfs, ext4 and btrfs" {
	theme "xfs geometry" 5
	theme "as asked" 9
	theme "aligned to the array" 1
	theme "btrfs on raid10" 1
}

@test "one disk's scratch partition, its queue and its write cache" {
	theme "on one partition" 3
	theme "no flush is needed" 1
	theme "fsyncs flush the members" 1
}

@test "barriers that are off are seen to be off, whatever the array flushes for itself" {
	theme "nobarrier is in force" 3
}

@test "bfq on the array is not-applied, xfs nobarrier unsupported" {
	theme "bfq on the array fails" 1
	theme "as not-applied" 1
	theme "xfs has no nobarrier" 1
}

@test "after kill -9 the journal stops the array and restores the queues" {
	theme "undo works" 1
	theme "no array is left after the kill" 1
	theme "as before the kill" 1
}

@test "foreign, held, mounted, unmarked and unknown disks are refused with 5 and not written" {
	theme "is refused" 4
	theme "untouched" 1
	theme "nothing was written" 1
	theme "needs --erase" 1
}
