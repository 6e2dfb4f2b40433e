# The stage under other kernels, and on every kind of disk.
bats_require_minimum_version 1.5.0

setup() {
	cd "$BATS_TEST_DIRNAME/../.."
}

# guest OPTIONS...: the guest's exit status must be 0, and no assertion in it may have failed.
guest() {
	run sh tests/guest.sh -m ext4 -m xfs -m crc32c_generic -b mdadm -b mkfs.ext4 -b mkfs.xfs -b mkfs.btrfs -b wipefs -b sfdisk -b jq \
		-b xfs_db -b dumpe2fs -b btrfs -f profiles -t 400 "$@"
	[ "$status" != 77 ] || skip "${lines[-1]}"
	[ "$status" = 0 ] || { echo "$output"; false; }
	! grep '^not ok' <<<"$output"
	[ "$(grep -c '^ok' <<<"$output")" -ge 18 ]
}

@test "SCSI, ATA and NVMe disks: identity, twins, queue depth and write cache" {
	guest -m virtio_scsi -m sd_mod -m ahci -m nvme -m f2fs -m crc32_generic -b mkfs.f2fs -D scsi:400:SCSI1:0x5000c50012345678 -D scsi:400:TWIN -D scsi:400:TWIN \
		-D ata:400:ATA1:0x5000c500aabbccdd -D nvme:400:NVME1 tests/box/disks.sh
}

md() {
	guest -k "$1" -m raid0 -m raid1 -m raid10 -m raid456 -m btrfs -m bfq -m kyber-iosched -d 400 -d 400 -d 400 -d 400 tests/box/md.sh
}

@test "arrays under Linux 5.10" {
	md bullseye
}

@test "arrays under Linux 6.12" {
	md trixie
}
