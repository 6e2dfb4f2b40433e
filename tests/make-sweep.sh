#!/bin/sh
# FOR TESTS ONLY: writes an invented sweep directory from a text description, the same bytes every time. Nothing in it was measured.
#   make-sweep.sh SPEC DIR
# SPEC, one statement a line (tests/sweeps/*.txt are examples):
#   sweep NAME | question TEXT | seed N | blocks N | noise SD | drift SD | elapsed SECONDS | ops N | max CLASS | cache cold|hot
#   class NAME SHARE MEDIAN_NS SPREAD          an operation class: its share of the ops, its latency (lognormal)
#   cell ID CLASS[+D4] EFFECT TAIL KNOB=VALUE...   EFFECT multiplies the time, TAIL the fsync latencies; the first cell is the control
#   outcome ID EVENT BLOCK|* REASON            failed, not-applied, unsupported or crashed instead of done
#   planned ID refused|unsupported REASON      decided by the planner: never run
#   fio JOB ID EFFECT                          fio's IOPS for that cell, relative
#   stop N                                     killed: the journal ends, torn, in run N
#   name-file TEXT                             the file name in the exemplars (rest of the line, as is)
set -eu
[ $# = 2 ] || { echo "usage: make-sweep.sh SPEC DIR" >&2; exit 2; }
mkdir -p "$2"
exec awk -v dir="$2" -f "$(dirname "$0")/make-sweep.awk" "$1"
