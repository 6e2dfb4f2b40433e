#!/usr/bin/env bats
# iorig replay --reset and --golden on file systems that can share blocks and on one that cannot.
bats_require_minimum_version 1.5.0

setup() {
	cd "$BATS_TEST_DIRNAME/../.."
	iorig=$PWD/bin/iorig
	[ "$(id -u)" = 0 ] || skip "mounting needs root"
	dir=$(mktemp -d /var/tmp/iorig-reset.XXXXXX)
	cd "$dir"
	mkdir disk
}

teardown() {
	if mountpoint -q "$dir/disk"; then umount "$dir/disk"; fi
	rm -rf "$dir"
}

disk() { # FS MIB
	! mountpoint -q disk || umount disk
	rm -f image
	truncate -s "$2M" image
	case $1 in
	ext4) mkfs.ext4 -qF -m 0 image ;;
	*) "mkfs.$1" -fq image ;;
	esac
	mount -o loop image disk
	mkdir disk/root
}

# A database that is overwritten, a file that is removed, one that is only read, one that grows, a name that moves.
touched() {
	"$iorig" trace build - -o t.iotrace <<-'EOF'
		thread 1 tid=1
		file 1 ino=1 mode=0100644 size=8388608 path="/d/base"
		file 2 ino=2 mode=0100600 size=1048576 path="/d/removed"
		file 3 ino=3 mode=0100644 size=4194304 path="/d/read"
		file 4 ino=4 mode=0100644 size=5000 path="/d/log"
		file 5 ino=5 mode=0100644 size=5000 path="/d/moved"
		1 1 openat path="/d/base" file=1 flags=O_RDWR = 3
		2 1 pwrite64 fd=3 file=1 offset=4096 length=8192 = 8192
		3 1 fsync fd=3 file=1
		3.5 1 pread64 fd=3 file=1 offset=0 length=1048576 = 1048576
		4 1 openat path="/d/read" file=3 = 4
		5 1 pread64 fd=4 file=3 offset=0 length=1048576 = 1048576
		5.1 1 openat path="/d/removed" file=2 = 6
		5.2 1 pread64 fd=6 file=2 offset=0 length=1048576 = 1048576
		5.3 1 close fd=6 file=2
		6 1 unlink path="/d/removed" file=2
		7 1 openat path="/d/log" file=4 flags=O_WRONLY|O_APPEND = 5
		8 1 write fd=5 file=4 length=3000 = 3000
		9 1 rename path="/d/moved" path2="/d/elsewhere" file=5
		10 1 mkdir path="/d/new" mode=0755
	EOF
}

sums() { # of the files below the root, with their modes
	(cd disk/root && find . -type f | sort | xargs sha256sum && find . | sort | xargs stat -c '%n %a %F')
}

replays() { # OPTION...
	rm -rf run
	run -0 --separate-stderr "$iorig" replay t.iotrace --root disk/root -o run "$@"
	jq -e '.outcome == "ok" and .mismatch.count == 0 and .tree.differences == 0' run/run.json
}

made() {
	jq -r '"\(.start.made) \(.start.golden)"' run/run.json
}

@test "a reset clones what can be cloned, writes the rest, and says which; every file is as it was" {
	touched
	for fs in ext4 xfs btrfs; do
		command -v mkfs.$fs >/dev/null || skip "mkfs.$fs is not installed"
		disk $fs 400
		case $fs in ext4) want="undone false" ;; *) want="reflinked true" ;; esac
		run -0 --separate-stderr "$iorig" replay t.iotrace --root disk/root --golden --prepare-only
		[ $fs != ext4 ] || [[ $stderr == *"no golden copy beside --root disk/root: Operation not supported"* ]]
		sums >start
		inode=$(stat -c %i disk/root/d/read)
		replays --prepared
		[ "$(made)" = "populated ${want#* }" ]
		for again in 1 2 3; do
			sums >left
			! diff -q start left
			run -0 --separate-stderr "$iorig" replay t.iotrace --root disk/root --reset --golden --prepare-only
			sums >now
			diff start now
			[ "$(stat -c %i disk/root/d/read)" = "$inode" ]
			replays --prepared
			[ "$(made)" = "$want" ]
		done
		replays --reset --golden
		[ "$(made)" = "$want" ]
		# Without: all of it is written again, whatever there is to clone.
		replays --reset
		[ "$(made)" = "undone false" ]
		replays --reset --golden --clean
		[ -z "$(find disk -mindepth 1 -not -name lost+found -not -name root)" ]
		# An empty directory is populated.
		replays --reset --golden
		[ "$(made)" = "populated ${want#* }" ]
	done
}

@test "the golden copy is beside the root, is nobody's but ours, and a half one is not used" {
	touched
	disk xfs 400
	mkdir disk/.root.iorig-golden
	echo precious >disk/.root.iorig-golden/f
	replays --golden
	[ "$(made)" = "populated false" ]
	[[ $stderr == *"no golden copy beside --root disk/root: File exists"* ]]
	[ "$(cat disk/.root.iorig-golden/f)" = precious ]
	rm -r disk/.root.iorig-golden
	ln -s "$dir" disk/.root.iorig-golden
	replays --reset --golden
	[ "$(made)" = "undone false" ]
	rm disk/.root.iorig-golden
	# The link was followed by nobody.
	[ "$(ls -A "$dir" | xargs)" = "disk image run t.iotrace" ]
	replays --reset --golden
	[ "$(made)" = "undone true" ]
	[ "$(stat -c '%a %U' disk/.root.iorig-golden)" = "700 root" ]
	[ -z "$(find disk/root -name '*golden*')" ]
	# As if the power had gone before it was complete; and one of another trace.
	for mark in '' another; do
		setfattr -n user.iorig.golden -v "$mark" disk/.root.iorig-golden
		replays --reset --golden
		[ "$(made)" = "undone true" ]
	done
	# A file of it that is gone is written instead.
	rm disk/.root.iorig-golden/*
	replays --reset --golden
	[ "$(made)" = "undone true" ]
}

@test "room for the golden copy and for what a reset writes is looked for before anything is written" {
	"$iorig" trace build - -o t.iotrace <<-'EOF'
		thread 1 tid=1
		file 1 ino=1 mode=0100644 size=188743680 path="/base"
		1 1 openat path="/base" file=1 flags=O_RDWR = 3
		2 1 pread64 fd=3 file=1 offset=0 length=188743680 = 188743680
		3 1 pwrite64 fd=3 file=1 offset=4096 length=8192 = 8192
		4 1 close fd=3 file=1
		5 1 unlink path="/base" file=1
	EOF
	disk xfs 330
	run -1 --separate-stderr "$iorig" replay t.iotrace --root disk/root --golden -o run
	[[ $stderr == *"--root disk/root: the starting state needs 360.0 MiB and "*" MiB are free; give a larger file system"* ]]
	[ -z "$(find disk -mindepth 1 -not -name root)" ]
	[ -z "$(ls -A disk/root)" ]
	replays
	[ "$(made)" = "populated false" ]
	fallocate -l 150M disk/others
	"$iorig" trace info t.iotrace >/dev/null
	echo somebody >disk/root/added
	run -1 --separate-stderr "$iorig" replay t.iotrace --root disk/root --reset -o run
	[[ $stderr == *"--root disk/root: too little room to undo a replay in /: No space left on device"* ]]
	[ ! -e disk/root/base ]
	rm disk/others
	replays --reset
}
