#!/bin/sh
# Boots one of Debian's kernels in qemu (software emulation) with a tiny initramfs, runs a script in there, prints what it printed and
# exits with its status. For tests that need another kernel, or md and dm, which the host may not have.
#
#   guest.sh [-k SUITE] [-m MODULE]... [-d DISK_MIB]... [-D DISK]... [-f FILE]... [-b BINARY]... [-a APPEND] [-s CPUS] [-t SECONDS] [-M MIB] [-o DIR] SCRIPT
#     -k  whose kernel: bullseye (5.10), bookworm (6.1, default), bookworm-backports or trixie (6.12)
#     -m  module to load first (with what it depends on)
#     -d  a virtio disk of that size, /dev/vda and so on, serial iorig-disk0 and so on
#     -D  a disk of another kind, KIND:MIB:SERIAL[:WWN], KIND scsi, ata or nvme (load virtio_scsi sd_mod, ahci sd_mod or nvme with -m)
#     -f  a file to put into /files;  -b  a host program to put into /bin with its libraries
#     -a  more kernel command line (preempt=full);  -s  processors (2)
#     -o  whatever the script leaves in /out is unpacked there
# The script runs as root in busybox sh with /proc, /sys, /dev, /tmp and /files; bin/iorig is in its PATH.
# Kernels are kept in ${IORIG_CACHE:-build/cache}. Exit 77: no such kernel to be had here.
set -eu
cd "$(dirname "$0")/.."
suite=bookworm limit=300 memory=1024 processors=2
modules="" binaries="" files="" append="" out="" disks="" others=""
while getopts k:m:d:D:f:b:a:s:t:M:o: option; do
	case $option in
	k) suite=$OPTARG ;;
	m) modules="$modules $OPTARG" ;;
	d) disks="$disks $OPTARG" ;;
	D) others="$others $OPTARG" ;;
	f) files="$files $OPTARG" ;;
	b) binaries="$binaries $OPTARG" ;;
	a) append=$OPTARG ;;
	s) processors=$OPTARG ;;
	t) limit=$OPTARG ;;
	M) memory=$OPTARG ;;
	o) out=$OPTARG ;;
	*) exit 2 ;;
	esac
done
shift $((OPTIND - 1))
[ $# = 1 ] || { echo "guest.sh: one script is needed" >&2; exit 2; }
script=$1

cache=$(mkdir -p "${IORIG_CACHE:-build/cache}" && cd "${IORIG_CACHE:-build/cache}" && pwd)
work=$(mktemp -d "${TMPDIR:-/var/tmp}/iorig-guest.XXXXXX")
trap 'rm -rf "$work"' EXIT INT TERM

# Fetches the suite's newest kernel package into the cache, without installing it.
fetch_kernel() {
	dir=$cache/kernel-$suite
	[ -e "$dir/complete" ] && return
	apt=$work/apt
	mkdir -p "$apt/lists/partial"
	echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] http://deb.debian.org/debian $suite main" >"$apt/list"
	set -- -qq -o "Dir::Etc::sourcelist=$apt/list" -o Dir::Etc::sourceparts=/dev/null -o "Dir::State::lists=$apt/lists" \
		-o "Dir::Cache=$apt" -o APT::Sandbox::User=root
	apt-get "$@" update >&2 || { echo "guest.sh: no package list of $suite" >&2; exit 77; }
	package=$(apt-cache "$@" depends linux-image-amd64 | sed -n 's/.*Depends: \(linux-image-[0-9].*\)/\1/p' | head -1)
	rm -rf "$dir" "$dir.new"
	mkdir -p "$dir.new"
	(cd "$apt" && apt-get "$@" download "$package" >&2 && dpkg-deb -x "$package"_*.deb "$dir.new")
	touch "$dir.new/complete"
	mv "$dir.new" "$dir"
}

# copy_program NAME: the program and the libraries it needs.
copy_program() {
	program=$(PATH=$PATH:/sbin:/usr/sbin command -v "$1") || { echo "guest.sh: no program $1" >&2; exit 77; }
	mkdir -p "$work/root/bin"
	cp -L "$program" "$work/root/bin/"
	ldd "$program" 2>/dev/null | grep -o '/[^ ]*' | while read -r library; do
		mkdir -p "$work/root$(dirname "$library")"
		cp -L "$library" "$work/root$library"
	done
}

copy_modules() {
	kernel=$1
	base=$dir
	[ -d "$dir/lib/modules" ] || base=$dir/usr # trixie has a merged /usr
	[ -e "$base/lib/modules/$kernel/modules.dep" ] || depmod -b "$base" "$kernel"
	: >"$work/insmod"
	for module in virtio_pci virtio_blk $modules; do
		modprobe -d "$base" -S "$kernel" --show-depends "$module" 2>/dev/null | sed -n 's/^insmod //p' >>"$work/insmod" || :
	done
	mkdir -p "$work/root/modules"
	n=1000
	awk '{ if (!seen[$1]++) print $1 }' "$work/insmod" | while read -r file; do
		n=$((n + 1))
		cp "$file" "$work/root/modules/$n-$(basename "$file")"
	done
	for file in "$work"/root/modules/*.xz; do
		[ -e "$file" ] || continue
		xz -d "$file"
	done
}

make_root() {
	mkdir -p "$work/root/bin" "$work/root/files" "$work/root/out"
	cp /bin/busybox "$work/root/bin/busybox"
	cp bin/iorig "$work/root/bin/"
	for program in $binaries; do copy_program "$program"; done
	for file in $files; do cp -r "$file" "$work/root/files/"; done
	cp "$script" "$work/root/script"
	cat >"$work/root/init" <<-'INIT'
	#!/bin/busybox sh
	/bin/busybox mkdir -p /proc /sys /dev /tmp /sbin /usr/bin /usr/sbin /etc /run /mnt
	/bin/busybox --install -s /usr/bin
	export PATH=/bin:/sbin:/usr/bin:/usr/sbin
	mount -t proc none /proc; mount -t sysfs none /sys; mount -t devtmpfs none /dev; mount -t tmpfs none /tmp
	mount -t tracefs none /sys/kernel/tracing 2>/dev/null
	for module in /modules/*; do insmod "$module" 2>/dev/null; done
	echo 4 >/proc/sys/kernel/printk
	ip link set lo up 2>/dev/null
	for i in 1 2 3 4 5 6 7 8 9 10; do [ "$(ls /sys/block | grep -c '^vd')" -ge "${disks:-0}" ] && break; sleep 0.3; done
	echo "guest: script starts"
	sh /script </dev/null
	echo "guest: script ended with $?"
	cd /out && if [ "$(ls -A)" ]; then echo "guest: output follows"; tar czf - . | base64; echo "guest: output ends"; fi
	sync
	poweroff -f
	INIT
	chmod +x "$work/root/init"
	(cd "$work/root" && find . | cpio -o -H newc --quiet) | gzip -1 >"$work/initrd"
}

fetch_kernel
image=$(find "$dir/boot" -name "vmlinuz-*")
copy_modules "${image##*/vmlinuz-}"
make_root
n=0
for mib in $disks; do
	truncate -s "${mib}M" "$work/disk$n"
	set -- "$@" -drive "file=$work/disk$n,format=raw,if=none,id=d$n,cache=unsafe" -device "virtio-blk-pci,drive=d$n,serial=iorig-disk$n"
	n=$((n + 1))
done
o=0
[ -z "$others" ] || set -- "$@" -device virtio-scsi-pci,id=scsi -device ich9-ahci,id=ahci
for disk in $others; do
	kind=${disk%%:*} serial=${disk#*:*:} mib=${disk#*:}
	truncate -s "${mib%%:*}M" "$work/other$o"
	case $serial in *:*) serial=${serial%%:*},wwn=${serial#*:} ;; esac
	case $kind in scsi) device=scsi-hd,bus=scsi.0 ;; ata) device=ide-hd,bus=ahci.$o ;; *) device=$kind ;; esac
	set -- "$@" -drive "file=$work/other$o,format=raw,if=none,id=o$o" -device "$device,drive=o$o,serial=$serial"
	o=$((o + 1))
done
shift
timeout "$limit" qemu-system-x86_64 -accel tcg,thread=multi -smp "$processors" -m "$memory" -cpu max -nographic -no-reboot -nodefaults -serial stdio \
	-device virtio-rng-pci -kernel "$image" -initrd "$work/initrd" "$@" \
	-append "console=ttyS0 panic=-1 quiet no_timer_check disks=$n $append" </dev/null >"$work/console" 2>&1 || :
tr -d '\r' <"$work/console" | sed -n '/guest: script starts/,/^guest: script ended/p' | sed '1d;/^guest: script ended/d'
if [ -n "$out" ]; then
	mkdir -p "$out"
	tr -d '\r' <"$work/console" | sed -n '/^guest: output follows/,/^guest: output ends/p' | sed '1d;$d' | base64 -d | tar xz -C "$out"
fi
status=$(tr -d '\r' <"$work/console" | sed -n 's/^guest: script ended with //p' | head -1)
if [ -z "$status" ]; then
	tail -30 "$work/console" >&2
	echo "guest.sh: the guest did not come to the end of its script" >&2
	exit 1
fi
exit "$status"
