#!/bin/sh
# The uploader: upload.sh DIR EVENT SEQ, started by `iorig sweep --on-journal` after each synced journal line, and once more by the agent
# with the event 'flush'. Puts the files of a run that is over, then the journal, so that a journal that says done has its results beside it;
# then the heartbeat. What does not go through stays in the list $IORIG_STATE/pending and goes with the next event. It runs between the
# steps of a run, never beside the replay, and gives up after seconds: the measurement does not depend on the network.
set -u
here=${0%/*}
# shellcheck source=rootfs/agent.sh
. "$here/agent.sh"
dir=$1 event=$2 seq=$3
read -r name <"$IORIG_STATE/name"
base=$IORIG_SERVER/results/$IORIG_BOX/$name
pending=$IORIG_STATE/pending

# Every file below a folder of the sweep directory, as a name relative to it.
add_folder()
{
	(cd "$dir" && find "$1" -type f ! -name '*.new' ! -name '*.??????' 2>/dev/null | sort) >>"$pending"
}

progress
case $event in
plan | start) printf '%s\n' sweep.json plan.json box.json >>"$pending" ;;
done | failed | not-applied | unsupported | crashed) add_folder "runs/$(printf %04d "$seq")" ;;
stop | complete) printf '%s\n' sweep.json plan.json box.json >>"$pending" ;;
esac

if [ -e "$dir/plan.json" ] && [ -e "$dir/runs.ndjson" ]; then
	jq -R -n -r -f "$here/status.jq" --slurpfile plan "$dir/plan.json" --arg box "$IORIG_BOX" --arg sweep "$name" --arg event "$event" \
		--argjson seq "${seq:-0}" --argjson uptime "$(uptime_s)" "$dir/runs.ndjson" | {
		IFS= read -r message && show running "$message" && cat >"$IORIG_STATE/status.json"
	}
fi

set --
touch "$pending"
sort -u "$pending" >"$pending.sorted"
while IFS= read -r file; do
	[ ! -f "$dir/$file" ] || set -- "$@" -T "$dir/$file" "$base/$file"
done <"$pending.sorted"
[ ! -f "$dir/runs.ndjson" ] || set -- "$@" -T "$dir/runs.ndjson" "$base/runs.ndjson"
[ ! -f "$IORIG_STATE/status.json" ] || set -- "$@" -T "$IORIG_STATE/status.json" "$IORIG_SERVER/status/$IORIG_BOX.json"
[ $# != 0 ] || exit 0

if curl -sS -f --fail-early --connect-timeout 3 --max-time 60 -H "@$IORIG_STATE/header" -H 'Expect:' "$@" >/dev/null 2>"$IORIG_STATE/curl.err"; then
	: >"$pending"
	exit 0
fi
show running "upload waits for the server ($(wc -l <"$pending.sorted") files): $(head -n 1 "$IORIG_STATE/curl.err")"
exit 1
