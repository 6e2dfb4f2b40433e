#!/bin/sh
# Builds the test-box image: OUT/kernel, OUT/initrd (two cpio archives, each a zstd frame: Debian's part and ours), OUT/manifest and
# OUT/SHA256SUMS. The same inputs give the same bytes, whatever the user, umask, time zone or directory; needs no root.
#   image.sh OUT LEVEL IORIG SHARE [LIST]
# IORIG is the program to put in, SHARE the folder that holds rootfs/, profiles/ and sweeps/; LIST adds lines 'bin NAME', 'module NAME',
# 'file PATH'.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=rootfs/common.sh
. "$here/common.sh"
out=$1 level=$2 iorig=$3 share=$4 extra=${5:-/dev/null}
: "${SOURCE_DATE_EPOCH:=1}"
cache=$(cache_dir)

extra_entries()
{
	list_entries "$extra" | sed -n "s/^$1[[:space:]]\{1,\}//p"
}

# Copies a module and what it needs; one that the kernel has built in is fine, one that does not exist is an error.
copy_modules()
{
	{
		list_entries "$here/modules.list"
		extra_entries module
	} >"$work/modules"
	while read -r name; do
		optional=
		case $name in '?'*) optional=1 name=${name#'?'} ;; esac
		if ! modprobe -d "$kernel" -S "$version" --show-depends "$name" >"$work/depends" 2>"$work/err"; then
			[ -n "$optional" ] || die "modules.list: kernel $version has no module '$name': $(cat "$work/err")"
		fi
		sed -n 's/^insmod \([^ ]*\).*/\1/p' "$work/depends" >>"$work/module-files"
	done <"$work/modules"
	sort -u "$work/module-files" | while read -r file; do
		to=$system/usr/${file#"$kernel/"}
		mkdir -p "$(dirname "$to")"
		cp "$file" "$to"
	done
	cp "$kernel/lib/modules/$version/modules.order" "$kernel/lib/modules/$version/modules.builtin" \
		"$kernel/lib/modules/$version/modules.builtin.modinfo" "$system/usr/lib/modules/$version/"
	ln -s usr/lib "$system/lib"
	depmod -b "$system" "$version"
}

# Copies a file to the same place below /usr (Debian's /bin, /sbin and /lib are links there).
copy_file()
{
	case $1 in
	/usr/* | /etc/*) to=$system$1 ;;
	/bin/* | /sbin/* | /lib/* | /lib64/*) to=$system/usr$1 ;;
	*) to=$system/usr/bin/$(basename "$1") ;;
	esac
	[ ! -e "$to" ] || return 0
	mkdir -p "$(dirname "$to")"
	cp -L "$1" "$to"
	printf '%s\n' "$1" >>"$work/copied"
}

# The shared libraries of a program, none when it is static.
needed_libraries()
{
	ldd "$1" 2>/dev/null | sed -n 's/.*=> \(\/[^ ]*\) .*/\1/p; s/^[[:space:]]*\(\/[^ ]*\) (0x.*/\1/p'
}

copy_programs()
{
	{
		list_entries "$here/bins.list"
		extra_entries bin
	} >"$work/bins"
	while read -r name; do
		path=$(command -v "$name") || die "bins.list: '$name' is not installed; run 'make deps'"
		copy_file "$path"
		needed_libraries "$path" >>"$work/libraries"
	done <"$work/bins"
	needed_libraries "$fio" >>"$work/libraries" || :
	sort -u "$work/libraries" >"$work/libraries.once"
	while read -r library; do
		copy_file "$library"
	done <"$work/libraries.once"
	extra_entries file >"$work/files"
	while read -r path; do
		[ -f "$path" ] || die "$extra: '$path' is no file"
		copy_file "$path"
	done <"$work/files"
	copy_file /etc/mke2fs.conf
	install -m 755 "$fio" "$system/usr/bin/fio"
	busybox=$(command -v busybox) || die "busybox is not installed; run 'make deps'"
	! ldd "$busybox" >/dev/null 2>&1 || die "$busybox needs shared libraries; install busybox-static"
	install -m 755 "$busybox" "$system/usr/bin/busybox"
	printf '%s\n' "$busybox" >>"$work/copied"
	# The real programs win over busybox's.
	"$busybox" --list | while read -r applet; do
		[ -e "$system/usr/bin/$applet" ] || [ -e "$system/usr/sbin/$applet" ] || ln -s busybox "$system/usr/bin/$applet"
	done
	# The kernel itself calls /sbin/modprobe.
	for applet in depmod insmod lsmod modinfo modprobe rmmod; do
		rm -f "$system/usr/bin/$applet"
		ln -s ../bin/kmod "$system/usr/sbin/$applet"
	done
	ln -s usr/bin "$system/bin"
	ln -s usr/sbin "$system/sbin"
	ln -s usr/lib64 "$system/lib64"
}

# What the image was made of: part of every result that it produces.
write_manifest()
{
	while read -r path; do
		case $path in /usr/*) other=${path#/usr} ;; *) other=/usr$path ;; esac
		printf '%s\n%s\n' "$path" "$other"
	done <"$work/copied" | xargs dpkg -S 2>/dev/null | sed 's/: .*//' | tr ',' '\n' | sort -u >"$work/packages" || :
	{
		printf 'kernel %s\n' "$(basename "$kernel")"
		printf 'fio %s\n' "$("$fio" --version)"
		# shellcheck disable=SC2016 # dpkg-query's own format
		xargs dpkg-query -W -f '${Package} ${Version}\n' <"$work/packages" | sort
	} >"$work/manifest"
}

# Our own part: init, the agent, the program and its data.
copy_ours()
{
	mkdir -p "$ours/usr/bin" "$ours/usr/share/iorig" "$ours/etc/iorig" "$ours/dev" "$ours/proc" "$ours/sys" "$ours/run" "$ours/tmp" \
		"$ours/root" "$ours/mnt" "$ours/var"
	cp -R "$here/init/." "$ours/"
	ln -s usr/bin/busybox "$ours/init"
	ln -s ../run "$ours/var/run"
	ln -s /proc/mounts "$ours/etc/mtab"
	install -m 755 "$iorig" "$ours/usr/bin/iorig"
	for folder in profiles sweeps; do
		[ -d "$share/$folder" ] || continue
		mkdir -p "$ours/usr/share/iorig/$folder"
		(cd "$share/$folder" && find . -type f \( -name '*.json' -o -name '*.fio' \) | cpio -pdm --quiet "$ours/usr/share/iorig/$folder")
	done
	mkdir -p "$ours/usr/share/iorig/rootfs"
	cp "$here/common.sh" "$here/agent.sh" "$here/box.sh" "$here/upload.sh" "$here/status.jq" "$ours/usr/share/iorig/rootfs/"
	cp "$work/manifest" "$ours/etc/iorig/manifest"
}

# Modes, times, order and owners come from here only.
archive()
{
	chmod -R u=rwX,go=rX "$1"
	find "$1" -print0 | xargs -0 touch -h -d "@$SOURCE_DATE_EPOCH"
	(cd "$1" && find . -mindepth 1 -print0 | sort -z | cpio -0 -o -H newc --reproducible --owner=+0:+0 --quiet)
}

# Compresses $1 to $2. The large part is kept by its content, so that a change of ours does not compress Debian's again.
compress()
{
	packed=$cache/packed/$(sha256sum "$1" | cut -c 1-64).$level.zst
	if [ ! -e "$packed" ]; then
		mkdir -p "$cache/packed"
		part=$(mktemp "$cache/packed/.new.XXXXXX")
		zstd -q -T0 "-$level" <"$1" >"$part"
		mv "$part" "$packed"
	fi
	cp "$packed" "$2"
}

megabytes()
{
	awk -v n="$(stat -c %s "$1")" 'BEGIN { printf "%.1f MB", n / 1e6 }'
}

[ -x "$iorig" ] || die "$iorig: no such program; run make first"
mkdir -p "$out"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM
system=$work/system ours=$work/ours
mkdir "$system" "$ours"
kernel=$(sh "$here/kernel.sh")
fio=$(sh "$here/fio.sh")
version=$(ls "$kernel/lib/modules")
say "collecting modules and programs for kernel $version"
copy_modules
copy_programs
write_manifest
copy_ours
archive "$system" >"$work/system.cpio"
archive "$ours" >"$work/ours.cpio"
say "compressing $(megabytes "$work/system.cpio") of Debian's and $(megabytes "$work/ours.cpio") of ours with zstd -$level"
compress "$work/system.cpio" "$work/system.zst"
zstd -q -T0 "-$level" <"$work/ours.cpio" >"$work/ours.zst"
cp "$kernel/boot/vmlinuz-$version" "$out/kernel.new"
cat "$work/system.zst" "$work/ours.zst" >"$out/initrd.new"
cp "$work/manifest" "$out/manifest.new"
for file in kernel initrd manifest; do
	mv "$out/$file.new" "$out/$file"
done
(cd "$out" && sha256sum kernel initrd manifest >SHA256SUMS.new && mv SHA256SUMS.new SHA256SUMS)
total=$(($(stat -c %s "$out/kernel") + $(stat -c %s "$out/initrd")))
say "kernel $(megabytes "$out/kernel"), initrd $(megabytes "$out/initrd") (Debian's part $(megabytes "$work/system.zst"), ours $(megabytes "$work/ours.zst")), together $(awk -v n=$total 'BEGIN { printf "%.1f MB", n / 1e6 }')"
