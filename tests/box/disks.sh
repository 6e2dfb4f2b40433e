#!/bin/sh
# shellcheck disable=SC2086,SC2015 # word lists on purpose; ok never fails
# Runs in a guest (tests/guest.sh) with disks of every kind: how they are found, and the switches of their own caches.
set -u
export IORIG_SHARE="${IORIG_SHARE:-/files}"
failed=0
work=/tmp/work
ok() { echo "ok $*"; }
no() { failed=1; echo "not ok $*"; }
is() { if [ "$2" = "$3" ]; then ok "$1"; else no "$1: wanted '$2', got '$3'"; fi; }
try() { iorig profile apply --work $work --erase "$@" >/tmp/said 2>&1 && rc=0 || rc=$?; }
knob() { jq -r --arg k "$1" '.knobs[$k] | "\(.outcome) \(.effective)"' $work/apply.json; }
effect() { jq -r '.effect | "\(.flushes >= .fsyncs) \(.write_back_cache)"' $work/apply.json; }
for _ in $(seq 50); do [ "$(iorig disks | wc -l)" = 5 ] && break; sleep 0.2; done

is "five disks" 5 "$(iorig disks | wc -l)"
is "twins are refused" "refused refused" "$(iorig disks --json | jq -r '[.[] | select(.serial == "TWIN").verdict] | join(" ")')"
try -d TWIN ext4-one
is "and cannot be claimed" 5 $rc
is "the reason is said" "iorig: 2 disks are called 'TWIN'; nothing was written" "$(cat /tmp/said)"

try -d wwn-0x5000c50012345678 ext4-one --set dev.queue_depth=16 --set "dev.write_cache=write through"
is "SCSI, by udev's name of the WWN" 0 $rc
is "SCSI: queue depth" "ok 16" "$(knob dev.queue_depth)"
is "SCSI: cache off" "ok write through" "$(knob dev.write_cache)"
is "SCSI: then nothing is flushed" "false false" "$(effect)"
try -d SCSI1 ext4-one --set "dev.write_cache=write back"
is "SCSI, by serial" 0 $rc
is "SCSI: with its cache fsyncs flush" "true true" "$(effect)"
try -d ATA1 ext4-one --set dev.queue_depth=1 --set "dev.write_cache=write through"
is "ATA, by serial" 0 $rc
is "ATA: without NCQ" "ok 1" "$(knob dev.queue_depth)"
is "ATA: cache off" "ok write through" "$(knob dev.write_cache)"
try -d naa.5000c500aabbccdd ext4-one
is "ATA, by the kernel's name of the WWN" 0 $rc
is "ATA: its cache is on again" "true true" "$(effect)"
try -d NVME1 xfs-one --set block.scheduler=none --set block.nr_requests=null
is "NVMe" 0 $rc
try -d NVME1 f2fs-one --set f2fs.active_logs=4 --set f2fs.background_gc=off --set f2fs.mode=lfs --set f2fs.gc_merge=true --set fs.atime=noatime
is "f2fs" 0 $rc
is "f2fs: fsyncs flush" "true true" "$(effect)"
try -d NVME1 f2fs-one --set fs.barrier=false
is "f2fs without barriers" "0" "$(jq .effect.flushes $work/apply.json)"
is "all caches as before" "write back" "$(cat /sys/block/sd*/device/scsi_disk/*/cache_type | sort -u)"
is "three are marked now" 3 "$(iorig disks --json | jq '[.[] | select(.verdict == "marked")] | length')"
[ $failed = 0 ]
