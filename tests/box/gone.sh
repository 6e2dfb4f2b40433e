#!/bin/sh
# shellcheck disable=SC2015,SC3045 # ok never fails; busybox has ulimit -n
# Runs in a guest (tests/guest.sh): a disk is taken away under a replay, and a hard limit of descriptors is raised. /files/t.txt is the work.
set -u
failed=0
ok() { echo "ok $*"; }
no() { failed=1; echo "not ok $*"; }
iorig trace build /files/t.txt -o /tmp/t.iotrace || no "the trace builds"

mkdir /tmp/root
(ulimit -n 20; iorig replay /tmp/t.iotrace --root /tmp/root --cache hot -o /tmp/run >/tmp/out 2>&1) && ok "descriptors: the limit is raised" || {
	no "descriptors: the limit is raised"
	cat /tmp/out
}

mkfs.ext4 -q /dev/sda && mkdir /tmp/mnt && mount /dev/sda /tmp/mnt && mkdir /tmp/mnt/root || no "a file system"
iorig replay /tmp/t.iotrace --root /tmp/mnt/root --prepare-only
iorig replay /tmp/t.iotrace --root /tmp/mnt/root --prepared --cache hot -o /tmp/gone --timing schedule >/tmp/out 2>/tmp/err &
pid=$!
sleep 4
echo 1 >/sys/block/sda/device/delete
wait $pid
rc=$?
[ $rc = 1 ] && ok "gone: exit 1" || no "gone: exit $rc"
[ "$(grep -vc '^iorig: warning: ' /tmp/err)" = 1 ] && ok "gone: one line: $(grep -v warning: /tmp/err)" || { no "gone: one line"; cat /tmp/err; }
if [ -e /tmp/gone/run.json ]; then
	jq -e '.outcome == "failed" and .mismatch.count > 0' /tmp/gone/run.json >/dev/null && ok "gone: document" || no "gone: a document that is not of a failed run"
else
	[ -z "$(ls -A /tmp/gone 2>/dev/null)" ] && ok "gone: document" || no "gone: half a document"
fi
exit $failed
