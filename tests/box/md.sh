#!/bin/sh
# shellcheck disable=SC2086,SC2015 # word lists on purpose; ok never fails
# Runs inside the box (tests/guest.sh or the box image): arrays, the disk guard on real disks, and what md ignores. Needs root, md, four
# blank disks with the serials iorig-disk0..3 and IORIG_SHARE (/files). Prints "ok ..." or "not ok ..." lines; ends with 1 after the first "not ok".
set -u
export IORIG_SHARE="${IORIG_SHARE:-/files}"
failed=0
work=/tmp/work
ok() { echo "ok $*"; }
no() { failed=1; echo "not ok $*"; }
# is NAME WANTED GOT
is() { if [ "$2" = "$3" ]; then ok "$1"; else no "$1: wanted '$2', got '$3'"; fi; }
has() { case $3 in *"$2"*) ok "$1" ;; *) no "$1: no '$2' in: $3" ;; esac; }
apply() { iorig profile apply "$@" 2>&1; }
disks="-d iorig-disk0 -d iorig-disk1 -d iorig-disk2 -d iorig-disk3"
state() { cat /sys/block/vd[abcd]/queue/* /sys/block/vd[abcd]/queue/iosched/* /proc/sys/vm/dirty* 2>/dev/null | md5sum; }

# The guard: blank disks need --erase once, marked ones do not, foreign ones never.
out=$(iorig profile apply ext4-safe --work $work $disks 2>&1) && rc=0 || rc=$?
is "a blank disk needs --erase" 5 $rc
has "and says so" "first use needs --erase" "$out"
is "nothing was written" 0 "$(head -c 1048576 /dev/vda | tr -d '\0' | wc -c)"
before=$(state)
out=$(apply ext4-safe --work $work --erase $disks) && rc=0 || rc=$?
is "raid10 + ext4 on four disks" 0 $rc
[ $rc = 0 ] || echo "$out"
is "no setting is off" "" "$(echo "$out" | grep -v '^ok ')"
is "the disks carry the mark" 4 "$(iorig disks | grep -c ' marked ')"
is "the machine is as before" "$before" "$(state)"
is "no array is left" "" "$(ls -d /sys/block/md* 2>/dev/null)"
is "the members are clean" "" "$(wipefs --no-act /dev/vda1 2>&1)"

# Alignment: 4 disks, n2, 512 KiB chunks: stride 128 blocks, two of them carry data.
jq -r '.commands[]' $work/apply.json >/tmp/commands
has "ext4 is aligned to the array" "stride=128,stripe_width=256" "$(cat /tmp/commands)"
has "mdadm gets what was asked" "--level=raid10 --bitmap=none --chunk=512 --layout=n2 --assume-clean" "$(cat /tmp/commands)"

flushes=$(jq .effect.flushes $work/apply.json)
[ "$flushes" -ge 16 ] && ok "fsyncs flush the members" || no "16 fsyncs on the array made $flushes flushes"

# One disk, on its scratch partition: queue of the disk, file system of the partition.
for fs in ext4 xfs btrfs; do
	out=$(apply $fs-one --work $work -d iorig-disk0 --set block.read_ahead_kb=256 --set bdi.max_ratio=50 --set "dev.write_cache=write back") && rc=0 || rc=$?
	is "$fs on one partition" 0 $rc
	[ $rc = 0 ] || echo "$out"
done
out=$(apply ext4-one --work $work -d iorig-disk0 --set "dev.write_cache=write through") && rc=0 || rc=$?
is "the drive's cache is switched off" 0 $rc
is "and then no flush is needed" '{"fsyncs":16,"flushes":0,"write_back_cache":false}' "$(jq -c .effect $work/apply.json)"
is "and on again" "write back" "$(cat /sys/block/vda/cache_type)"
is "the machine is as before that" "$before" "$(state)"

# What md ignores is not-applied, with the place and the reason.
out=$(apply ext4-safe --work $work --set block.top_scheduler=bfq $disks) && rc=0 || rc=$?
is "bfq on the array fails" 1 $rc
# (newer kernels do not even show the file on md)
case $out in
*"unsupported: block.top_scheduler: this kernel or device has no /sys/block/md"*) want=unsupported ;;
*) want=not-applied && has "as not-applied" "not-applied: block.top_scheduler: asked for bfq, in force is none (/sys/block/md" "$out" ;;
esac
is "in the report too: $want" $want "$(jq -r '.knobs["block.top_scheduler"].outcome' $work/apply.json)"
out=$(apply ext4-safe --work $work --set block.scheduler=bfq --set block.wbt_lat_usec=null $disks) && rc=0 || rc=$?
is "bfq on the members works" 0 $rc
[ $rc = 0 ] || echo "$out"

# Every level, with the chunk that was asked for, and other file systems.
for level in raid0 raid1 raid5 raid6 raid10; do
	extra=""
	case $level in raid5 | raid6) extra="--set raid.layout=left-symmetric --set raid.stripe_cache_size=1024 --set raid.group_thread_cnt=2" ;; esac
	[ $level != raid0 ] && [ $level != raid1 ] || extra="--set raid.layout=null"
	out=$(apply xfs-safe --work $work --set raid.level=$level --set raid.chunk_kb=64 $extra $disks) && rc=0 || rc=$?
	is "$level with 64 KiB chunks and xfs" 0 $rc
	[ $rc = 0 ] || { echo "$out"; jq -c '.commands, .kernel_log' $work/apply.json; }
	is "$level: as asked" "$level" "$(jq -r '.knobs["raid.level"].effective' $work/apply.json)"
	[ $level = raid1 ] || is "$level: chunk as asked" 64 "$(jq -r '.knobs["raid.chunk_kb"].effective' $work/apply.json)"
	case $level in
	raid0) want="su=64k,sw=4" ;;
	raid1) want="mkfs.xfs -f -q /dev/md" ;;
	raid5) want="su=64k,sw=3" ;;
	*) want="su=64k,sw=2" ;;
	esac
	has "$level: xfs geometry" "$want" "$(jq -r '.commands[]' $work/apply.json)"
done
out=$(apply btrfs-safe --work $work --set raid.bitmap=internal $disks) && rc=0 || rc=$?
is "btrfs on raid10 with a bitmap" 0 $rc
[ $rc = 0 ] || echo "$out"
out=$(apply ext4-safe --work $work --set raid.level=raid5 --set raid.layout=null --set raid.consistency_policy=ppl $disks) && rc=0 || rc=$?
is "raid5 with a partial parity log" 0 $rc
[ $rc = 0 ] || echo "$out"
out=$(apply ext4-safe --work $work --set raid.chunk_kb=48 $disks) && rc=0 || rc=$?
has "mdadm refuses a crooked chunk" "unsupported: raid.level: mdadm: " "$out"
is "and that is a failure" 1 $rc

# No barriers on an array: md still flushes for its own superblock and bitmap, which is not the file system's doing.
for level in raid1 raid5 raid10; do
	out=$(apply ext4-safe --work $work --set raid.level=$level --set raid.layout=null --set raid.bitmap=internal --set fs.barrier=false $disks) && rc=0 || rc=$?
	is "nobarrier is in force on $level" 0 $rc
	[ $rc = 0 ] || { echo "$out"; jq -c .effect $work/apply.json; }
done

# xfs without barriers: the kernel's own words.
out=$(apply xfs-safe --work $work --set fs.barrier=false $disks) && rc=0 || rc=$?
has "xfs has no nobarrier" "unsupported: fs.barrier: " "$out"
has "with the reason" "xfs removed nobarrier in Linux 4.19" "$out"

# Killed in the middle: the journal puts array, mount and settings back.
iorig profile apply ext4-safe --work $work --set vm.dirty_bytes=16777216 --set block.scheduler=kyber $disks -- sleep 100 >/dev/null 2>&1 &
pid=$!
for _ in $(seq 100); do grep -q $work/mnt /proc/mounts && grep -q 16777216 /proc/sys/vm/dirty_bytes && break; sleep 0.2; done
kill -9 $pid
wait $pid 2>/dev/null
grep -q $work/mnt /proc/mounts && ok "killed while mounted" || no "it was not mounted when it was killed"
has "with kyber" "[kyber]" "$(cat /sys/block/vda/queue/scheduler)"
iorig profile undo $work && rc=0 || rc=$?
is "undo works" 0 $rc
is "nothing is mounted" "" "$(grep $work /proc/mounts)"
is "no array is left after the kill" "" "$(ls -d /sys/block/md* 2>/dev/null)"
is "the machine is as before the kill" "$before" "$(state)"
iorig profile undo $work && rc=0 || rc=$?
is "undo twice does no harm" 0 $rc

# The guard once more: a foreign signature, a partition that is not ours, and a held disk are refused and not written.
dd if=/dev/zero of=/dev/vdb bs=1M count=2 2>/dev/null
blockdev --rereadpt /dev/vdb 2>/dev/null
mkfs.ext4 -q -F /dev/vdb
sum=$(head -c 16777216 /dev/vdb | md5sum)
out=$(apply ext4-one --work $work --erase -d iorig-disk1) && rc=0 || rc=$?
is "a foreign file system is refused" 5 $rc
has "and named" "ext4" "$out"
is "and untouched" "$sum" "$(head -c 16777216 /dev/vdb | md5sum)"
mdadm --create /dev/md9 --run --level=raid0 --raid-devices=2 /dev/vdc1 /dev/vdd1 >/dev/null 2>&1
out=$(apply ext4-one --work $work -d iorig-disk2) && rc=0 || rc=$?
is "an array's member is refused" 5 $rc
has "and says whose" "vdc1 is part of md9" "$out"
mdadm --stop /dev/md9 >/dev/null 2>&1
mkdir -p /tmp/m && mkfs.ext4 -q -F /dev/vda1 && mount -t ext4 /dev/vda1 /tmp/m
out=$(apply ext4-one --work $work -d iorig-disk0) && rc=0 || rc=$?
is "a mounted disk is refused" 5 $rc
has "and says where" "mounted on '/tmp/m'" "$out"
umount /tmp/m
out=$(apply ext4-one --work $work -d iorig-disk7) && rc=0 || rc=$?
is "an unknown serial is refused" 5 $rc
[ $failed = 0 ]
