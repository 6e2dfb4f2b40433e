#!/bin/sh
# `make demo`: one recording through the whole machine. A real program is recorded here; a test box (a virtual machine) boots over the
# network, fetches the recording and a sweep, replays the one under the settings of the other, uploads every run and powers off; the
# matrix is printed from what it uploaded. Needs root and Debian 12; everything else it gets itself. Leaves its files in build/demo.
set -eu
cd "$(dirname "$0")/.."
work=build/demo
box=52-54-00-10-00-01
sweep='box-demo'
started=$(date +%s)

stage()
{
	printf '\n== demo %s/7, after %s s: %s\n' "$1" "$(($(date +%s) - started))" "$2"
}

die()
{
	printf 'demo: %s\n' "$*" >&2
	exit 1
}

# The box runs in namespaces of its own, which end with this one process.
boot=''
follow=''
cleanup()
{
	trap - EXIT
	for pid in $boot $follow; do
		kill "$pid" 2>/dev/null || :
	done
	[ -z "$boot" ] || wait "$boot" || :
}
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' HUP TERM

[ "$(id -u)" = 0 ] || die "needs root, for recording and for network namespaces: sudo make demo"

stage 1 "install what is missing, build the program"
sh tests/deps.sh
make -s -j2 all
bin/iorig version

stage 2 "record a real program: sqlite3 with three connections, then a batch of small files (tests/demo-workload.sh)"
rm -rf "$work"
mkdir -p "$work"
rc=0
bin/iorig capture -o "$work/demo.iotrace" -- sh tests/demo-workload.sh "$PWD/$work/data" || rc=$?
[ "$rc" = 0 ] || die "the recording ended with status $rc"
bin/iorig trace info --json "$work/demo.iotrace" >"$work/trace.json"
jq -r '"\(.events) calls on \(.files) files by \(.lanes) threads in \(.duration_ns / 1e7 | round / 100) s, \(.lost) lost, \(.bytes_per_event) bytes a call"' \
	"$work/trace.json"
jq -e '.events >= 20000 and .lost == 0' "$work/trace.json" >/dev/null || die "the recording has fewer than 20000 calls, or lost some"

stage 3 "build the image of the test box from Debian's kernel and programs"
bin/iorig image build -o "$work/image" --level 3

stage 4 "plan the sweep and give it to the box"
bin/iorig sweep plan "sweeps/$sweep.sweep.json" --trace "$work/demo.iotrace"
bin/iorig serve assign "$work/serve" --box "$box" --sweep "sweeps/$sweep.sweep.json" --trace "$work/demo.iotrace" --end poweroff \
	2>"$work/assign.err" >/dev/null || die "$(cat "$work/assign.err")"

stage 5 "boot the box over the network (BIOS, DHCP, iPXE, HTTP), run the sweep, upload every run; all of its console: $work/console.log"
: >"$work/console.log"
bin/iorig image run --net pxe --image "$work/image" --dir "$work/serve" --disks 3 --disk-gib 2 --timeout 60m \
	</dev/null >"$work/console.log" 2>&1 &
boot=$!
# What the server hears, which is what an operator would see; the box's own console repeats it.
tail -n +1 --pid="$boot" -f "$work/console.log" 2>/dev/null |
	grep --line-buffered -a -E '^image:|^iorig: image|^[0-9]{4}-[0-9T:-]+Z ' | grep --line-buffered -v -E ' uploaded | got the address |: (armed|applied|prepared|running)$' &
follow=$!
rc=0
wait "$boot" || rc=$?
boot=''
wait "$follow" || :
follow=''
[ "$rc" = 0 ] || die "the box ended with status $rc; $work/console.log has its console"
results=$work/serve/results/$box/$sweep
jq -e '.state == "complete"' "$work/serve/status/$box.json" >/dev/null ||
	die "the box says: $(jq -r .message "$work/serve/status/$box.json" 2>/dev/null || echo nothing)"

stage 6 "the results matrix, from what the box uploaded to $results"
bin/iorig report "$results"

stage 7 "the report as one page"
bin/iorig report "$results" --format html >"$work/report.html"
runs=$(jq -R 'fromjson? | select(.ev == "done") | .seq' "$results/runs.ndjson" | sort -nu | wc -l)
cells=$(jq '.cells | length' "$results/plan.json")
blocks=$(jq '[.runs[].block] | max' "$results/plan.json")
printf '%s runs of %s cells in %s blocks are in %s\n' "$runs" "$cells" "$blocks" "$work/report.html"
[ "$runs" -ge 24 ] || die "only $runs runs have a number, 24 or more were expected"
printf '\ndemo: done after %s s. Next: record a program of yours:\n  bin/iorig capture -o mine.iotrace -- COMMAND\n' \
	"$(($(date +%s) - started))"
