#!/bin/sh
# shellcheck disable=SC2015 # ok never fails
# Runs inside the box (tests/guest.sh): a sweep on real disks. Two blank disks iorig-disk0 and 1, a third one with a file system of somebody
# else, /files/t.iotrace. Prints "ok ..." or "not ok ..." lines; ends with 1 when there was one of those.
set -u
export IORIG_SHARE=/files
failed=0
ok() { echo "ok $*"; }
no() { failed=1; echo "not ok $*"; }
is() { if [ "$2" = "$3" ]; then ok "$1"; else no "$1: wanted '$2', got '$3'"; fi; }
has() { case $3 in *"$2"*) ok "$1" ;; *) no "$1: no '$2' in: $3" ;; esac; }
state() { cat /sys/block/vd[abc]/queue/* /sys/block/vd[abc]/queue/iosched/* /proc/sys/vm/dirty* 2>/dev/null | md5sum; }
sum() { head -c 4194304 "$1" | md5sum; }
cd /tmp || exit 1

# sweep FILE JQ-PROGRAM
sweep() {
	jq "$2" >"$1" <<-'END'
	{ "schema": "iorig.sweep/1", "name": "disks", "trace": {"file": "/files/t.iotrace"},
	  "box": {"disks": [{"serial": "iorig-disk0"}, {"serial": "iorig-disk1"}]},
	  "base": {"profile": "ext4-one", "set": {"raid.level": "raid1", "raid.bitmap": "none", "block.nr_requests": 64}},
	  "include": [{"set": {"raid.level": "raid0"}, "label": "raid0"},
	              {"set": {"block.top_scheduler": "bfq"}, "label": "bfq on md"},
	              {"set": {"fs.type": "xfs", "fs.barrier": false}, "label": "xfs nobarrier", "accept_durability": "D3"}],
	  "plan": {"blocks": 1, "seed": 5, "warmup": false} }
	END
}

# Disks that are not to be touched: exit 5, not a byte written, no folder made.
mkfs.ext4 -q -F /dev/vdc && mkdir -p /tmp/foreign && mount -t ext4 /dev/vdc /tmp/foreign && echo precious >/tmp/foreign/file && sync
before=$(sum /dev/vdc)
sweep mounted.json '.box.disks[1].serial = "iorig-disk2"'
out=$(iorig sweep run mounted.json --out d --erase 2>&1) && rc=0 || rc=$?
is "a mounted disk is refused" 5 "$rc"
has "and named" "disk 'iorig-disk2' (/dev/vdc) is not touched: " "$out"
is "its file is there" precious "$(cat /tmp/foreign/file)"
umount /tmp/foreign
out=$(iorig sweep run mounted.json --out d --erase 2>&1) && rc=0 || rc=$?
is "a foreign file system is refused" 5 "$rc"
mount -t ext4 -o ro,noload /dev/vdc /tmp/foreign
is "its file is still there" precious "$(cat /tmp/foreign/file)"
umount /tmp/foreign
sweep s.json .
out=$(iorig sweep run s.json --out d 2>&1) && rc=0 || rc=$?
is "blank disks need --erase" 5 "$rc"
has "and it says so" "give --erase" "$out"
is "nothing was written to them" 0 "$(cat /dev/vda /dev/vdb | tr -d '\0' | wc -c)"
[ ! -e d ] && ok "no folder was made" || no "d exists"

# Killed in the middle of a run on an array, gone on with: the array is put back first. The disks carry our mark now, so that resume needs
# no --erase.
before=$(state)
iorig sweep run s.json --out d --erase 2>log &
runner=$!
tries=0
until grep -q '"running","seq":' d/runs.ndjson 2>/dev/null || [ $tries = 600 ]; do
	sleep 0.2
	tries=$((tries + 1))
done
kill -9 $runner
wait $runner
plan=$(md5sum d/plan.json d/sweep.json)
has "it was killed with the array up" md "$(ls /sys/block)"
out=$(iorig sweep resume d 2>&1) && rc=0 || rc=$?
is "runs without a number make it incomplete" 3 "$rc"
is "the plan is as it was" "$plan" "$(md5sum d/plan.json d/sweep.json)"
is "the machine is as before" "$before" "$(state)"
is "no array is left" "" "$(ls -d /sys/block/md* 2>/dev/null)"
is "every run that can have a number has one, once" "2 2" \
	"$(jq -r 'select(.ev == "done").seq' d/runs.ndjson | sort -u | wc -l) $(jq -r 'select(.ev == "done").seq' d/runs.ndjson | wc -l)"
# 6.1 ignores the write; newer kernels have no such file on md.
is "bfq on the array is no number" "not-applied" \
	"$(jq -r 'select(.ev == "not-applied" or .ev == "unsupported") | "not-applied"' d/runs.ndjson | tr '\n' ' ' | sed 's/ $//')"
has "and has its reason" "block.top_scheduler" "$(jq -r 'select(.ev == "not-applied" or .ev == "unsupported").reason' d/runs.ndjson)"
is "xfs nobarrier is not even planned" "unsupported" "$(jq -r '.cells[] | select(.label == "xfs nobarrier").status' d/plan.json)"
is "raid0 is what ran as raid0" raid0 "$(jq -r '.cells[] | select(.label == "raid0").id' d/plan.json | while read -r id; do
	seq=$(jq -r ".runs[] | select(.cell == \"$id\").seq" d/plan.json | head -1)
	jq -r '.knobs["raid.level"].effective' "d/runs/000$seq/apply.json"
done)"
is "the box is described" "iorig-disk0 iorig-disk1" "$(jq -r '.disks[].serial' d/box.json | tr '\n' ' ' | sed 's/ $//')"

exit $failed
