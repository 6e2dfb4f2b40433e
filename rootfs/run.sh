#!/bin/sh
# Boots the image in qemu. Started by `iorig image run` as process 1 of network, process and mount namespaces of its own, which take
# everything with them when it ends; what was asked for comes in IORIG_* variables. Serial console on stdout.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=rootfs/common.sh
. "$here/common.sh"
address=10.77.0.1
port=8080

need()
{
	command -v "$1" >/dev/null || { say "'$1' is not installed: apt-get install $2"; exit 77; }
}

# KVM may be there and still not run a guest (nested, half emulated): a boot sector that ends qemu with a status of its own is the proof.
#   mov al,0x31; out 0xf4,al; hlt
kvm_works()
{
	[ -w /dev/kvm ] || return 1
	{
		printf '\260\061\346\364\364'
		head -c 505 /dev/zero
		printf '\125\252'
	} >"$IORIG_WORK/probe.img"
	rc=0
	timeout -s KILL 4 qemu-system-x86_64 -accel kvm -cpu host -m 64 -display none -nodefaults -device isa-debug-exit,iobase=0xf4,iosize=1 \
		-drive "file=$IORIG_WORK/probe.img,format=raw,if=ide" </dev/null >/dev/null 2>&1 || rc=$?
	[ "$rc" = 99 ]
}

choose_accelerator()
{
	keys=''
	case $IORIG_ACCEL in
	auto)
		if kvm_works; then accel=kvm; else accel=tcg; fi
		say "accelerator: $accel"
		;;
	*) accel=$IORIG_ACCEL ;;
	esac
	case $accel in
	kvm) set_qemu -accel kvm -cpu host ;;
	# Under emulation the kernel distrusts the processor's clock and asks a slow device for every time stamp, unless told otherwise.
	tcg)
		set_qemu -accel tcg,thread=multi -cpu max
		keys=tsc=reliable
		;;
	esac
}

# qemu's arguments, one a line in a file: there are no arrays.
set_qemu()
{
	printf '%s\n' "$@" >>"$IORIG_WORK/arguments"
}

add_disks()
{
	mkdir -p "$IORIG_DISK_DIR"
	n=0
	while [ "$n" -lt "$IORIG_DISKS" ]; do
		file=$IORIG_DISK_DIR/disk$n.raw
		[ -e "$file" ] || truncate -s "${IORIG_DISK_GIB}G" "$file"
		set_qemu -drive "file=$file,format=raw,if=none,id=d$n,cache=writeback,discard=unmap" \
			-device "virtio-blk-pci,drive=d$n,serial=iorig-disk$n"
		n=$((n + 1))
	done
}

# Network boot: a server on one end of a tap device, the box's firmware on the other.
add_pxe()
{
	box=$(printf %s "$IORIG_MAC" | tr 'A-F:' 'a-f-')
	token=$(find "$IORIG_DIR/conf/tokens/$box" -type f 2>/dev/null | sed 's|.*/||' | head -n 1)
	[ -n "$token" ] || die "$IORIG_DIR knows no box $box: run 'iorig serve assign $IORIG_DIR --box $box ...' first"
	ip tuntap add tap0 mode tap
	ip addr add "$address/24" dev tap0
	ip link set tap0 up
	ip addr add fd77::1/64 dev tap0 nodad 2>/dev/null || say "no IPv6 here: iPXE will wait 15 s for a router that does not come"
	"$IORIG_PROGRAM" serve --dir "$IORIG_DIR" --image "$IORIG_IMAGE" --bind "$address" --port "$port" --interface tap0 --pxe \
		${keys:+--kernel-append "$keys"} >&2 &
	server=$!
	tries=0
	until curl -s -o /dev/null "http://$address:$port/"; do
		kill -0 "$server" 2>/dev/null || die "the server ended, the box cannot boot"
		tries=$((tries + 1))
		[ "$tries" -lt 100 ] || die "the server does not answer on $address:$port"
		sleep 0.2
	done
	set_qemu -netdev tap,id=n0,ifname=tap0,script=no,downscript=no -device "virtio-net-pci,netdev=n0,mac=$IORIG_MAC,bootindex=1" \
		-smbios "type=3,asset=$token"
}

need qemu-system-x86_64 qemu-system-x86
: >"$IORIG_WORK/arguments"
ip link set lo up
for file in kernel initrd; do
	[ -e "$IORIG_IMAGE/$file" ] || die "$IORIG_IMAGE/$file: no such file; run 'iorig image build -o $IORIG_IMAGE' first"
done
choose_accelerator
set_qemu -smp "$IORIG_CPUS" -m "$IORIG_MEMORY_MIB" -display none -nodefaults -no-user-config -serial stdio \
	-device virtio-rng-pci -device i6300esb -action watchdog=reset
if [ "$IORIG_UEFI" = 1 ]; then
	[ -e /usr/share/OVMF/OVMF_CODE_4M.fd ] || { say "UEFI firmware is not installed: apt-get install ovmf"; exit 77; }
	cp /usr/share/OVMF/OVMF_VARS_4M.fd "$IORIG_WORK/vars.fd"
	set_qemu -drive if=pflash,format=raw,readonly=on,file=/usr/share/OVMF/OVMF_CODE_4M.fd \
		-drive "if=pflash,format=raw,file=$IORIG_WORK/vars.fd"
fi
add_disks
case $IORIG_NET in
pxe) add_pxe ;;
user) set_qemu -netdev user,id=n0 -device "virtio-net-pci,netdev=n0,mac=$IORIG_MAC" ;;
none) ;;
esac
[ "$IORIG_NET" = pxe ] || set_qemu -kernel "$IORIG_IMAGE/kernel" -initrd "$IORIG_IMAGE/initrd" \
	-append "console=tty0 console=ttyS0,115200 loglevel=4 panic=10 oops=panic $keys $IORIG_APPEND"
# Each line is one argument.
set --
while IFS= read -r argument; do
	set -- "$@" "$argument"
done <"$IORIG_WORK/arguments"
rc=0
qemu-system-x86_64 "$@" || rc=$?
if [ -n "${server:-}" ]; then
	kill "$server" 2>/dev/null || :
	wait "$server" || :
fi
[ "$rc" = 0 ] || die "qemu ended with status $rc"
