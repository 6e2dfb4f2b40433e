# The disk guard on loop devices: what may not be destroyed is refused with 5 and not written. (Disks with serials: md.bats.)
bats_require_minimum_version 1.5.0

setup() {
	cd "$BATS_TEST_DIRNAME/../.."
	iorig=${IORIG:-$PWD/bin/iorig}
	[ "$(id -u)" = 0 ] || skip "looking at block devices needs root"
	[ -e /dev/loop-control ] || skip "this kernel has no loop devices"
	work=$(mktemp -d /var/tmp/iorig-disks.XXXXXX)
	truncate -s 32M "$work/disk"
	loop=$(losetup -f --show "$work/disk")
	name=${loop#/dev/}
}

teardown() {
	[ -n "${work:-}" ] || return 0
	swapoff "$loop" 2>/dev/null || :
	umount "$work/mnt" 2>/dev/null || :
	losetup -d "$loop"
	rm -rf "$work"
}

# refused REASON: exit 5, the reason is said, and not a byte changed.
refused() {
	sync
	before=$(sha256sum <"$work/disk")
	run -5 --separate-stderr "$iorig" disks "$name"
	[[ $output == *" refused "* ]]
	[[ $stderr == "iorig: $name is refused: "*"$1"* ]] || { echo "$stderr"; false; }
	sync
	[ "$(sha256sum <"$work/disk")" = "$before" ]
}

@test "a disk of zeros is blank" {
	run -0 "$iorig" disks "$loop"
	[[ $output == "$name "*" blank "* ]]
	run -0 "$iorig" disks --json "$loop"
	[ "$(jq -r '.[0] | "\(.verdict) \(.size_bytes) \(.reason)"' <<<"$output")" = "blank 33554432 null" ]
}

@test "mounted, and file system signatures" {
	truncate -s 300M "$work/disk" # the smallest that xfs takes
	losetup -c "$loop"
	for fs in ext4 xfs btrfs; do
		wipefs -aq "$loop"
		case $fs in ext4) mkfs.ext4 -qF "$loop" ;; *) "mkfs.$fs" -fq "$loop" ;; esac
		refused "it holds a signature that is not ours: $fs"
	done
	mkdir "$work/mnt"
	mount -o ro "$loop" "$work/mnt" # a file system that may write does so in the background, whoever looks
	refused "it is mounted on '$work/mnt'"
}

@test "swap, in use and at rest" {
	mkswap -q "$loop"
	refused "signature that is not ours: swap"
	swapon "$loop"
	refused "$name is swap space in use"
}

@test "data without any signature, wherever a sample falls" {
	printf x | dd of="$loop" bs=1 seek=777 conv=notrunc status=none
	refused "it is not blank: there is data at byte 777"
	dd if=/dev/zero of="$loop" bs=1M count=1 conv=notrunc status=none
	printf x | dd of="$loop" bs=1 seek=33554431 conv=notrunc status=none
	refused "there is data at byte 33554431"
}

@test "a foreign partition table, an array's and an encrypted disk's header" {
	echo 'label: gpt
	name=data' | sfdisk -q --no-reread "$loop"
	refused "signature that is not ours: gpt"
	wipefs -aq "$loop"
	dd if=/dev/zero of="$loop" bs=1M count=2 conv=notrunc status=none
	printf 'LUKS\272\276\000\001' | dd of="$loop" conv=notrunc status=none
	refused "not ours"
	dd if=/dev/zero of="$loop" bs=4k count=1 conv=notrunc status=none
	printf '\374N+\251\001\000\000\000' | dd of="$loop" bs=4096 seek=1 conv=notrunc status=none
	refused "not"
}

@test "read-only, and held by another program" {
	blockdev --setro "$loop"
	refused "it is read-only"
	blockdev --setrw "$loop"
	# a mount that only another mount namespace sees: the kernel knows
	mkfs.ext4 -qF "$loop"
	mkdir "$work/mnt"
	unshare --mount --propagation private sh -c "mount -o ro $loop $work/mnt && echo mounted >$work/mounted && sleep 30" 3>&- &
	pid=$!
	for _ in $(seq 50); do [ -s "$work/mounted" ] && break; sleep 0.1; done
	! grep "$work/mnt" /proc/mounts
	refused "$name is in use (the kernel says busy)"
	kill "$(pgrep -P "$pid")"
	wait "$pid" || :
}

@test "the disk of the running system, and names that are none" {
	root=$(findmnt -no SOURCE /)
	case $root in /dev/*) ;; *) skip "the root file system ($root) is on no disk here" ;; esac
	disk=$(lsblk -ndo PKNAME "$root")
	run -5 --separate-stderr "$iorig" disks "${disk:-${root#/dev/}}"
	[[ $stderr == *"carries the running system"* ]] || { echo "$stderr"; false; }
	run -1 --separate-stderr "$iorig" disks nosuchdisk
	[ "$stderr" = "iorig: 'nosuchdisk' is no disk here" ]
	run -1 --separate-stderr "$iorig" disks ../../etc
	run -5 --separate-stderr "$iorig" profile apply ext4-one --work "$work" --erase --disk no-such-serial
	[ "$stderr" = "iorig: no disk here has the WWN or serial 'no-such-serial'; 'iorig disks' lists them" ]
}
