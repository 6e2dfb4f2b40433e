#!/usr/bin/env bats
# iorig image build: the same bytes from the same inputs. Needs the network once, for Debian's kernel package and fio's source.
bats_require_minimum_version 1.5.0

setup() {
	cd "$BATS_TEST_DIRNAME/../.."
	iorig=${IORIG:-$PWD/bin/iorig}
}

# A cache of its own for what is compressed, so that each build really compresses; downloads are shared.
cache() {
	shared=${IORIG_CACHE:-/var/cache/iorig}
	[ -d "$shared/kernel" ] && [ -d "$shared/fio" ] || "$iorig" image build --level 1 -o "$BATS_TEST_TMPDIR/first" 2>"$BATS_TEST_TMPDIR/err" || {
		! grep -q 'cannot fetch a kernel' "$BATS_TEST_TMPDIR/err" || skip "$(cat "$BATS_TEST_TMPDIR/err")"
		cat "$BATS_TEST_TMPDIR/err"
		false
	}
	mkdir "$BATS_TEST_TMPDIR/$1"
	ln -s "$shared/kernel" "$shared/fio" "$BATS_TEST_TMPDIR/$1/"
}

@test "two builds with another umask, time zone and directory are the same, byte for byte" {
	[ "$(id -u)" = 0 ] || skip "needs root for /var/cache/iorig"
	cache c1
	cache c2
	(umask 077 && TZ=Asia/Tokyo IORIG_CACHE=$BATS_TEST_TMPDIR/c1 run -0 --separate-stderr "$iorig" image build --level 1 -o "$BATS_FILE_TMPDIR/a")
	cp -R rootfs profiles sweeps "$BATS_TEST_TMPDIR/c2"
	cd /
	(umask 002 && IORIG_SHARE=$BATS_TEST_TMPDIR/c2 IORIG_CACHE=$BATS_TEST_TMPDIR/c2 run -0 "$iorig" image build --level 1 -o "$BATS_TEST_TMPDIR/b")
	cmp "$BATS_FILE_TMPDIR/a/initrd" "$BATS_TEST_TMPDIR/b/initrd"
	cmp "$BATS_FILE_TMPDIR/a/kernel" "$BATS_TEST_TMPDIR/b/kernel"
	(cd "$BATS_FILE_TMPDIR/a" && sha256sum -c --quiet SHA256SUMS)
	# Even at the lowest level it must stay a thing that a network boot loads in a second.
	size=$(($(stat -c %s "$BATS_FILE_TMPDIR/a/initrd") + $(stat -c %s "$BATS_FILE_TMPDIR/a/kernel")))
	[ "$size" -lt 40000000 ] || { echo "$size bytes"; false; }
	grep -q '^mdadm ' "$BATS_FILE_TMPDIR/a/manifest"
}

@test "misuse is named, exit 2" {
	run -2 --separate-stderr "$iorig" image
	[[ $stderr == *"'build' or 'run' is missing"* ]]
	run -2 --separate-stderr "$iorig" image build --level 20
	[[ $stderr == *"--level is from 1"* ]]
	run -2 --separate-stderr "$iorig" image run --net wifi
	[[ $stderr == *"--net is none, user or pxe"* ]]
	run -2 --separate-stderr "$iorig" image run --net pxe
	[[ $stderr == *"--dir"* ]]
}

@test "a program or module that does not exist is named" {
	[ "$(id -u)" = 0 ] || skip "needs root for /var/cache/iorig"
	cache c3
	echo 'bin no-such-program' >"$BATS_TEST_TMPDIR/list"
	IORIG_CACHE=$BATS_TEST_TMPDIR/c3 run -1 "$iorig" image build --level 1 --with "$BATS_TEST_TMPDIR/list" -o "$BATS_TEST_TMPDIR/x"
	[[ $output == *"'no-such-program' is not installed"* ]]
	echo 'module no_such_module' >"$BATS_TEST_TMPDIR/list"
	IORIG_CACHE=$BATS_TEST_TMPDIR/c3 run -1 "$iorig" image build --level 1 --with "$BATS_TEST_TMPDIR/list" -o "$BATS_TEST_TMPDIR/x"
	[[ $output == *"has no module 'no_such_module'"* ]]
	[ ! -e "$BATS_TEST_TMPDIR/x/initrd" ]
}

@test "without a server the image is a shell, touches no disk, and a signal leaves nothing behind" {
	[ "$(id -u)" = 0 ] || skip "needs root for namespaces"
	[ -e "$BATS_FILE_TMPDIR/a/kernel" ] || skip "there is no image"
	mkdir "$BATS_TEST_TMPDIR/work"
	TMPDIR=$BATS_TEST_TMPDIR/work "$iorig" image run --image "$BATS_FILE_TMPDIR/a" --disks 2 --disk-dir "$BATS_TEST_TMPDIR/disks" --accel tcg --timeout 4m \
		--kernel-append 'iorig.box=$(reboot) iorig.end=poweroff' </dev/null >"$BATS_TEST_TMPDIR/console" 2>&1 3>&- &
	run=$!
	for _ in $(seq 2400); do
		! grep -q 'a shell is all there is, no disk is touched' "$BATS_TEST_TMPDIR/console" || break
		sleep 0.1
	done
	sleep 1
	rc=0
	kill "$run"
	wait "$run" || rc=$?
	[ "$rc" = 1 ]
	cat "$BATS_TEST_TMPDIR/console"
	grep -q 'no iorig.server= on the kernel command line' "$BATS_TEST_TMPDIR/console"
	grep -q 'image run: ended by signal 15; the box was cut off' "$BATS_TEST_TMPDIR/console"
	[ "$(du -s --apparent-size "$BATS_TEST_TMPDIR/disks" | cut -f 1)" -gt 4000000 ]
	[ "$(du -s "$BATS_TEST_TMPDIR/disks" | cut -f 1)" -lt 100 ]
	! grep -lz "file=$BATS_TEST_TMPDIR/disks/disk0.raw" /proc/[0-9]*/cmdline 2>/dev/null
	[ -z "$(ls -A "$BATS_TEST_TMPDIR/work")" ]
}
