#!/bin/sh
# One fuzz target for so many seconds of its own processor time (a shared machine's clock says little), then how much it did.
#   tests/fuzz/run.sh TARGET SECONDS FOLDER    FOLDER/TARGET holds the inputs (tests/fuzz/seeds.sh), findings come to FOLDER/found
# Exit 1: a finding, whose report is the end of FOLDER/TARGET.log.
set -eu
[ $# = 3 ] || { echo "usage: run.sh TARGET SECONDS FOLDER" >&2; exit 2; }
target=$1 seconds=$2 folder=$3
log=$folder/$target.log
mkdir -p "$folder/found"
nice -n 19 "build/fuzz/$target" -close_fd_mask=3 -rss_limit_mb=2000 -timeout=60 -artifact_prefix="$folder/found/$target." "$folder/$target" >"$log" 2>&1 &
pid=$!
trap 'kill "$pid" 2>/dev/null || :' EXIT
ticks=$(($(getconf CLK_TCK) * seconds))
used=0
while [ "$used" -lt "$ticks" ] && [ -e "/proc/$pid/stat" ]; do
	sleep 1
	# A name may hold blanks, a target's does not; user and system time are fields 14 and 15. A process that has just ended says nothing.
	now=$(awk '{ print $14 + $15 }' "/proc/$pid/stat" 2>/dev/null) || break
	[ "${now:-0}" -ge "$used" ] || break
	used=$now
done
# The fuzzer ends at this signal as if its time were up.
kill -USR1 "$pid" 2>/dev/null || :
rc=0
wait "$pid" || rc=$?
trap - EXIT
rm -rf "/dev/shm/iorig-fuzz.$pid" "/dev/shm/iorig-fuzz.$pid.cut"
if [ "$rc" != 0 ]; then
	echo "$target: ended with status $rc; the end of $log:"
	tail -n 60 "$log"
	exit 1
fi
echo "$target: $((used / $(getconf CLK_TCK))) s of processor time, $(grep -o '^#[0-9]*' "$log" | tail -1) inputs, $(tail -n 300 "$log" | sed -n 's/.*\(cov: [0-9]*\).*/\1/p' | tail -1)"
