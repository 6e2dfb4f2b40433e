# Profiles on loop files, for real: every setting applied, read back, and the host put back.
bats_require_minimum_version 1.5.0

# The first file that is ever attached to a loop device gives it properties that stay (discard, cache, read-ahead): not our business.
setup_file() {
	[ "$(id -u)" = 0 ] || return 0
	truncate -s 1M "$BATS_FILE_TMPDIR/warm"
	for loop in /dev/loop[0-9]*; do
		losetup "$loop" "$BATS_FILE_TMPDIR/warm" 2>/dev/null && losetup -d "$loop" || :
	done
}

setup() {
	cd "$BATS_TEST_DIRNAME/../.."
	iorig=${IORIG:-$PWD/bin/iorig}
	work=$(mktemp -d /var/tmp/iorig-profile.XXXXXX)
}

teardown() {
	[ -z "${pid:-}" ] || kill -9 "$pid" 2>/dev/null || :
	"$iorig" profile undo "$work" || :
	rm -rf "$work" "$work.before" "$work.wanted"
}

needs_root() {
	[ "$(id -u)" = 0 ] || skip "loop devices and mounts need root"
	[ -e /dev/loop-control ] || skip "this kernel has no loop devices"
}

apply() {
	timeout 60 "$iorig" profile apply --work "$work" "$@"
}

knob() {
	jq -r --arg k "$1" '.knobs[$k] | "\(.outcome) \(.wanted) \(.effective)"' "$work/apply.json"
}

# Everything of the host that a stage may touch: all vm settings, the queues of the loop devices, our mounts and disks; looked at when no
# other iorig changes it (then the lock is free). Loop devices may be others' meanwhile, so that after a run only those count that it used:
# `host_state loop3`.
host_state() {
	exec 7>>/run/iorig.lock
	flock -w 100 7
	grep -H . /proc/sys/vm/* /sys/kernel/mm/transparent_hugepage/enabled 2>/dev/null | grep -v -e stat_refresh -e nr_hugepages
	for loop in $*; do
		grep -H . "/sys/block/$loop"/queue/* "/sys/block/$loop"/queue/iosched/* 2>/dev/null || :
	done
	grep "$work" /proc/mounts || :
	losetup -a | grep "$work" || :
	exec 7>&-
}

all_loops() {
	ls -d /sys/block/loop* | sed 's,.*/,,'
}

remember_host() {
	host_state $(all_loops) >"$work.before"
}

# host_is_as_before LOOP...
host_is_as_before() {
	other=$(printf '/sys/block/%s/\n' "$@")
	{ grep -v ^/sys/block "$work.before" || :; grep -F "$other" "$work.before" || :; } | sort >"$work.wanted"
	host_state "$@" | sort | diff "$work.wanted" -
}

loops_in() {
	jq -r '(.disks // [])[].disk, (.device // empty | ltrimstr("/dev/"))' "$@" 2>/dev/null | grep ^loop | sort -u || :
}

@test "the shipped profiles are good and resolve" {
	run -0 "$iorig" profile check profiles/*.profile.json
	[ "${#lines[@]}" -ge 9 ]
	run -0 "$iorig" profile show --json ext4-safe
	[ "$(jq -r .durability <<<"$output")" = D0 ]
	[ "$(jq -r '.set["fs.type"]' <<<"$output")" = ext4 ]
	[ "$(jq -r '.from["vm.dirty_ratio"]' <<<"$output")" = base-quiet ]
}

@test "the catalogue is listed" {
	run -0 "$iorig" profile knobs read_ahead
	[ "${lines[0]:0:20}" = "block.read_ahead_kb:" ]
	[[ ${lines[1]} == *"0..1048576 KiB; durability {\"*\":\"D0\"}"* ]]
	run -0 "$iorig" profile knobs --json
	[ "$(jq 'length >= 110 and all(.[]; .doc and .set and .read and .durability)' <<<"$output")" = true ]
	run -1 --separate-stderr "$iorig" profile knobs nosuch
	[[ $stderr == "iorig: no knob has 'nosuch' in its name"* ]]
}

@test "a wrong name and a wrong value are answered with the right one" {
	run -1 --separate-stderr "$iorig" profile show ext4-one --set block.schedular=bfq
	[ "$stderr" = "iorig: there is no knob 'block.schedular'; the nearest is 'block.scheduler'" ]
	run -1 --separate-stderr "$iorig" profile show ext4-one --set block.scheduler=cfq
	[ "$stderr" = "iorig: block.scheduler=cfq: it takes one of [\"none\",\"mq-deadline\",\"kyber\",\"bfq\"]" ]
	run -1 --separate-stderr "$iorig" profile show no-such
	[[ $stderr == "iorig: there is no shipped profile 'no-such'"* ]]
	run -2 --separate-stderr "$iorig" profile frob x
	run -77 --separate-stderr "$iorig" profile apply ext4-safe --loop-gib 0.5 --work "$work"
	[[ $stderr == *"needs 4 disks, here are 1"* ]]
}

@test "ext4, xfs and btrfs are applied, verified after the command, and the host is as before" {
	needs_root
	remember_host
	for fs in ext4 xfs btrfs; do
		run -0 --separate-stderr apply "$fs-one" --loop-gib 0.5 --set block.scheduler=bfq --set block.nr_requests=64 \
			--set fs.atime=noatime --set block.read_ahead_kb=512 --set vm.dirty_ratio=15 --set vm.dirty_background_ratio=5 \
			-- sh -c 'stat -f -c %T . && echo hello >f && sync'
		[ "$output" = "$(case $fs in ext4) echo ext2/ext3 ;; *) echo $fs ;; esac)" ]
		[ "$(knob block.scheduler)" = "ok bfq bfq" ]
		[ "$(knob block.nr_requests)" = "ok 64 64" ]
		[ "$(knob block.read_ahead_kb)" = "ok 512 512" ]
		[ "$(knob fs.atime)" = "ok noatime noatime" ]
		[ "$(knob vm.dirty_background_ratio)" = "ok 5 5" ]
		[ "$(jq -r .outcome "$work/apply.json" "$work/verify.json" | uniq)" = ok ]
		[ "$(jq -c .moved "$work/verify.json")" = "[]" ]
		host_is_as_before $(loops_in "$work/apply.json")
	done
	[ ! -e "$work/undo.ndjson" ]
	[ ! -e "$work/disk0.img" ]
}

@test "dirty_bytes and dirty_ratio come back as the pair they were" {
	needs_root
	before=$(cat /proc/sys/vm/dirty_{ratio,bytes,background_ratio,background_bytes})
	run -0 --separate-stderr apply ext4-one --loop-gib 0.5 --set vm.dirty_bytes=67108864 --set vm.dirty_background_bytes=16777216 \
		-- sh -c 'cat /proc/sys/vm/dirty_bytes /proc/sys/vm/dirty_ratio /proc/sys/vm/dirty_background_bytes'
	[ "$output" = $'67108864\n0\n16777216' ]
	[ "$(cat /proc/sys/vm/dirty_{ratio,bytes,background_ratio,background_bytes})" = "$before" ]
	[ "$(jq -r '.knobs["vm.dirty_ratio"]' "$work/apply.json")" = null ]
}

# trap KNOB=VALUE... : ends as not-applied and says so; never as ok.
trap_is() {
	outcome=$1 knob=$2 effective=$3 part=$4
	shift 4
	run -1 --separate-stderr apply "$@" --loop-gib 0.5 -- touch "$work/it-ran"
	[ ! -e "$work/it-ran" ]
	[[ $stderr == "iorig: $outcome: $knob: "*"$part"* ]] || { echo "$stderr"; false; }
	[ "$(jq -r .outcome "$work/apply.json")" = "$outcome" ]
	[ "$(jq -r --arg k "$knob" '.knobs[$k].outcome' "$work/apply.json")" = "$outcome" ]
	[ "$(jq -r --arg k "$knob" '.knobs[$k].effective' "$work/apply.json")" = "$effective" ]
}

@test "what the kernel accepts and changes is not-applied" {
	needs_root
	trap_is not-applied block.read_ahead_kb 124 "asked for 127, in force is 124" ext4-one --set block.read_ahead_kb=127
	trap_is not-applied block.nr_requests 4 "asked for 1, in force is 4" ext4-one --set block.nr_requests=1
	trap_is not-applied vm.dirty_background_ratio 10 "asked for 90, in force is 10 (/proc/vmstat" ext4-one --set vm.dirty_background_ratio=90
	trap_is not-applied vm.dirty_background_bytes 33554432 "in force is 33554432" ext4-one --set vm.dirty_bytes=67108864 --set vm.dirty_background_bytes=134217728
	trap_is not-applied xfs.allocsize_kb 1024 "asked for 3072, in force is 1024" xfs-one --set xfs.allocsize_kb=3072
}

@test "what the kernel refuses is unsupported, with its words" {
	needs_root
	trap_is unsupported fs.barrier null "nobarrier' (fs.barrier=false: xfs removed nobarrier in Linux 4.19)" xfs-one --set fs.barrier=false
	trap_is unsupported ext4.journal_async_commit null "can't mount with journal_async_commit in data=ordered mode" ext4-one --set ext4.journal_async_commit=true
	trap_is unsupported dev.queue_depth null "this kernel or device has no /sys/block/loop" ext4-one --set dev.queue_depth=3
	trap_is unsupported raid.level null "raid5 needs 3 disks, here are 2" ext4-one --set raid.level=raid5 --loop-gib 0.5
	trap_is unsupported fs.type null "xfs" xfs-one --set xfs.agcount=9999
}

@test "fsyncs are seen to flush, or not, as fs.barrier says" {
	needs_root
	for fs in ext4 btrfs; do
		run -0 apply $fs-one --loop-gib 0.5
		[ "$(jq '.effect.fsyncs == 16 and .effect.flushes >= 16' "$work/apply.json")" = true ]
		run -0 apply $fs-one --loop-gib 0.5 --set fs.barrier=false
		[ "$(jq -c .effect "$work/apply.json")" = '{"fsyncs":16,"flushes":0,"write_back_cache":true}' ]
	done
	run -0 apply xfs-one --loop-gib 0.5 --set "block.write_cache=write through"
	[ "$(jq -c .effect "$work/apply.json")" = '{"fsyncs":16,"flushes":0,"write_back_cache":false}' ]
}

@test "a setting that is moved during the run is caught afterwards" {
	needs_root
	run -1 --separate-stderr apply ext4-one --loop-gib 0.5 -- sh -c 'mount -o remount,nobarrier .'
	[[ $stderr == *"afterwards no longer in force: fs.barrier: asked for true, in force is false"* ]]
	[ "$(jq -r .outcome "$work/verify.json")" = not-applied ]
}

@test "a setting that nobody asked for and that moved is named" {
	needs_root
	run -0 --separate-stderr apply ext4-one --loop-gib 0.5 --set block.nr_requests=null -- sh -c \
		'dev=$(df . | sed -n "s,^/dev/\([a-z0-9]*\) .*,\1,p"); echo 2 >/sys/block/$dev/queue/nomerges'
	[ "$(jq -r '.moved[].file' "$work/verify.json")" = "/sys/block/$(jq -r '.disks[0].disk' "$work/verify.json")/queue/nomerges" ]
	[ "$(jq -r '.moved[] | "\(.was) \(.is)"' "$work/verify.json")" = "0 2" ]
	echo 0 >"$(jq -r '.moved[].file' "$work/verify.json")"
}

@test "every knob of the catalogue that a loop device can show is applied as asked" {
	needs_root
	run -0 apply xfs-one --loop-gib 0.5 --set xfs.logbufs=4 --set xfs.logbsize_kb=64 --set xfs.allocsize_kb=1024 --set xfs.largeio=true \
		--set xfs.swalloc=true --set xfs.filestreams=true --set xfs.wsync=true --set xfs.agcount=7 --set xfs.inode_bytes=1024 \
		--set xfs.reflink=false --set xfs.rmapbt=true --set xfs.finobt=true --set xfs.syncd_centisecs=6000 --set fs.lazytime=true \
		--set fs.nodiratime=true --set fs.sync=true --set fs.dirsync=true
	run -0 apply btrfs-one --loop-gib 0.5 --set btrfs.compress=zstd:3 --set btrfs.ssd=true --set btrfs.treelog=false \
		--set btrfs.flushoncommit=true --set btrfs.autodefrag=true --set btrfs.max_inline_bytes=1024 --set btrfs.thread_pool=3 \
		--set btrfs.metadata_ratio=4 --set btrfs.nodesize=32768 --set btrfs.checksum=xxhash --set btrfs.data_profile=dup \
		--set btrfs.metadata_profile=single --set btrfs.commit_s=60 --set block.read_ahead_kb=4096 --set fs.barrier=false
	run -0 apply btrfs-one --loop-gib 0.5 --set btrfs.datacow=false --set btrfs.ssd=false
	run -0 apply ext4-one --loop-gib 0.5 --set ext4.cluster_bytes=65536 --set ext4.metadata_csum=false --set ext4.orphan_file=true \
		--set ext4.auto_da_alloc=false --set ext4.dioread_nolock=false --set ext4.max_batch_time_us=1000 --set ext4.min_batch_time_us=10 \
		--set ext4.inode_readahead_blks=64 --set ext4.stripe_blocks=32 --set ext4.block_validity=false --set fs.atime=strictatime \
		--set ext4.data=writeback --set ext4.journal_async_commit=true --set bdi.max_ratio=50 --set bdi.min_ratio=3
	run -0 apply ext4-one --loop-gib 0.5 --set ext4.fast_commit=true --set ext4.journal_mib=16 --set ext4.inode_bytes=512 --set ext4.delalloc=false
	run -0 apply ext4-one --loop-gib 0.5 --set ext4.journal=none
	run -0 apply ext4-one --loop-gib 0.5 --set mq_deadline.read_expire_ms=100 --set mq_deadline.write_expire_ms=1000 \
		--set mq_deadline.writes_starved=4 --set mq_deadline.fifo_batch=8 --set mq_deadline.front_merges=false \
		--set mq_deadline.prio_aging_expire_ms=5000 --set block.nomerges=2 --set block.rq_affinity=0 --set block.rotational=true \
		--set block.max_sectors_kb=128 --set "block.write_cache=write through"
	run -0 apply ext4-one --loop-gib 0.5 --set block.scheduler=kyber --set kyber.read_lat_ns=1000000 --set kyber.write_lat_ns=5000000
	run -0 apply ext4-one --loop-gib 0.5 --set block.scheduler=bfq --set bfq.low_latency=false --set bfq.slice_idle_us=0 \
		--set bfq.max_budget=4000 --set bfq.timeout_sync_ms=100 --set bfq.back_seek_max_kb=8192 --set bfq.back_seek_penalty=3 \
		--set bfq.fifo_expire_sync_ms=100 --set bfq.fifo_expire_async_ms=200
	run -0 apply ext4-one --loop-gib 0.5 --set vm.dirty_expire_centisecs=500 --set vm.dirty_writeback_centisecs=100 \
		--set vm.dirtytime_expire_seconds=600 --set vm.laptop_mode=5 --set vm.swappiness=10 --set vm.vfs_cache_pressure=50 \
		--set vm.watermark_scale_factor=20 --set vm.watermark_boost_factor=0 --set vm.page_cluster=0 --set vm.compaction_proactiveness=0
}

# Starts a stage that stays until it is killed; returns when everything is in force.
start_and_wait() {
	"$iorig" profile apply ext4-one --loop-gib 0.5 --work "$work" --set block.scheduler=kyber --set vm.dirty_bytes=33554432 \
		-- sleep 60 >/dev/null 2>&1 3>&- &
	pid=$!
	for _ in $(seq 100); do
		[ ! -e "$work/apply.json" ] || return 0
		sleep 0.1
	done
	false
}

@test "kill -9 in the middle, then another process puts the host back" {
	needs_root
	remember_host
	start_and_wait
	grep -q "$work/mnt" /proc/mounts
	[ "$(cat /proc/sys/vm/dirty_bytes)" = 33554432 ]
	kill -9 "$pid"
	wait "$pid" 2>/dev/null || :
	pid=
	run -1 --separate-stderr apply ext4-one --loop-gib 0.5
	[[ $stderr == *"has changes pending from a run that was killed; first 'iorig profile undo $work'"* ]]
	mkdir "$work/other" # also a run elsewhere must not take the changed settings for the machine's own
	run -1 --separate-stderr timeout 60 "$iorig" profile apply --work "$work/other" ext4-one --loop-gib 0.5
	[[ $stderr == *"this machine is not as it was"*"'$work/undo.ndjson'"*"'iorig profile undo $work'" ]] || { echo "$stderr"; false; }
	run -0 "$iorig" profile undo "$work"
	host_is_as_before $(loops_in "$work/apply.json")
	run -0 "$iorig" profile undo "$work"
}

@test "two at a time wait for each other" {
	needs_root
	"$iorig" profile apply --work "$work" ext4-one --loop-gib 0.5 --set vm.swappiness=33 -- sleep 2 3>&- &
	pid=$!
	for _ in $(seq 100); do [ -e "$work/apply.json" ] && break; sleep 0.1; done
	mkdir "$work/other"
	run -0 --separate-stderr timeout 60 "$iorig" profile apply --work "$work/other" ext4-one --loop-gib 0.5 --set vm.swappiness=null -- \
		cat /proc/sys/vm/swappiness
	[ "$output" != 33 ]
	wait "$pid"
	pid=
}

@test "kill -9 at any moment leaves nothing that undo does not put back" {
	needs_root
	remember_host
	for delay in 0.005 0.01 0.02 0.03 0.05 0.07 0.09 0.11 0.13 0.15 0.17 0.2; do
		"$iorig" profile apply xfs-one --loop-gib 0.5 --work "$work" --set block.scheduler=bfq --set vm.dirty_bytes=33554432 \
			-- sleep 60 >/dev/null 2>&1 3>&- &
		pid=$!
		sleep "$delay"
		kill -9 "$pid"
		wait "$pid" 2>/dev/null || :
		pid=
		used=$(loops_in "$work/undo.ndjson")
		run -0 "$iorig" profile undo "$work"
		host_is_as_before $used
		[ ! -e "$work/disk0.img" ]
	done
}

@test "Ctrl-C ends it and puts the host back" {
	needs_root
	remember_host
	start_and_wait
	kill -INT "$pid"
	kill "$(pgrep -P "$pid")" 2>/dev/null || :
	rc=0
	wait "$pid" || rc=$?
	pid=
	[ "$rc" = 1 ]
	host_is_as_before $(loops_in "$work/apply.json")
}
