#!/bin/sh
# The agent: ask the server for work, fetch sweep and recording, run or resume, upload, end. Started by `iorig box`, which has checked
# what comes in IORIG_* variables. Pull only: the server never has to reach the box. It never gives up waiting for the server and
# touches no disk before the server knows this box, its token and a sweep for it.
set -u
here=${0%/*}
# shellcheck source=rootfs/agent.sh
. "$here/agent.sh"

# Is this the image, where the machine is ours to power off? On an ordinary machine the agent just ends.
on_the_image()
{
	[ -e /etc/iorig/manifest ] && [ -e /run/iorig/keys/server ]
}

# tell STATE MESSAGE: console and server. Prints nothing else; leaves the server's answer in $answer.
tell()
{
	progress
	show "$1" "$2"
	write_status "$1" "$2"
	answer=$(request 20 -T "$IORIG_STATE/status.json" "$IORIG_SERVER/status/$IORIG_BOX.json")
}

# fetch PATH FILE: whole or not at all; the server's answer in $answer.
fetch()
{
	answer=$(curl -s -o "$2.part" -w '%{http_code}' --connect-timeout 5 --max-time 300 "$IORIG_SERVER/$1") || answer=000
	[ "$answer" = 200 ] || return 1
	mv "$2.part" "$2"
}

# The token goes from the chassis asset tag into a file for curl, so that no command line shows it.
read_token()
{
	token=$(head -c 64 "$IORIG_TOKEN_FILE" 2>/dev/null | head -n 1)
	case $token in
	*[!A-Za-z0-9_-]*) token= ;;
	esac
	(umask 077 && printf 'X-Iorig-Token: %s\n' "$token" >"$IORIG_STATE/header")
}

field()
{
	jq -r --arg key "$1" '.[$key] // "" | tostring' "$2"
}

# Everything that came over the network is held against a character class before it becomes part of a name.
matches()
{
	printf '%s' "$2" | grep -Eqx "$1"
}

# One look at the server. True: $sweep, $sweep_sha256, $trace_sha256 and $end are set and belong to this box.
assignment()
{
	file=$IORIG_STATE/assignment.json
	if ! fetch "box/$IORIG_BOX.json" "$file"; then
		case $answer in
		404) show waiting "the server has no work for '$IORIG_BOX' yet (iorig serve assign)" ;;
		*) show waiting "$IORIG_SERVER does not answer ($answer)" ;;
		esac
		return 1
	fi
	if [ "$(field schema "$file" 2>/dev/null)" != iorig.assignment/1 ]; then
		tell waiting "the server's answer is no assignment"
		return 1
	fi
	sweep=$(field sweep "$file") sweep_sha256=$(field sweep_sha256 "$file") trace_sha256=$(field trace_sha256 "$file") end=$(field end "$file")
	if ! matches '[A-Za-z0-9_-][A-Za-z0-9_.-]{0,63}' "$sweep" || ! matches '[0-9a-f]{64}' "$sweep_sha256" ||
		! matches '[0-9a-f]{64}' "$trace_sha256" || ! matches 'poweroff|reboot|wait' "$end"; then
		tell waiting "the assignment has a value that cannot be right"
		return 1
	fi
	if [ "$(field box "$file")" != "$IORIG_BOX" ]; then
		tell waiting "the assignment is for another box"
		return 1
	fi
	if [ -n "$IORIG_SWEEP" ] && [ "$IORIG_SWEEP" != "$sweep" ]; then
		tell waiting "the assignment is $sweep, this box waits for $IORIG_SWEEP"
		return 1
	fi
	[ -z "$IORIG_END" ] || end=$IORIG_END
	return 0
}

# load PATH FILE SHA256: resumes what is there, and is content only with the right sum.
load()
{
	until [ "$(sha256sum "$2" 2>/dev/null | cut -d ' ' -f 1)" = "$3" ]; do
		progress
		if ! curl -s -f -C - -o "$2.part" --connect-timeout 5 --speed-limit 1 --speed-time 60 "$IORIG_SERVER/$1"; then
			show loading "$1: interrupted, going on"
			sleep 3
		fi
		if [ "$(sha256sum "$2.part" 2>/dev/null | cut -d ' ' -f 1)" = "$3" ]; then
			mv "$2.part" "$2"
		elif [ "$(wc -c <"$2.part" 2>/dev/null || echo 0)" -ge "$(length "$1")" ]; then
			rm -f "$2.part"
			tell loading "$1: what the server has is not $3; waiting for the right file"
			sleep 10
		fi
	done
}

# The server's idea of a file's length, 0 when it cannot be asked.
length()
{
	curl -s -f -I --connect-timeout 5 --max-time 20 "$IORIG_SERVER/$1" | tr -d '\r' | sed -n 's/^[Cc]ontent-[Ll]ength: *//p' | grep . || echo 0
}

# A clock that is years off spoils every time in the results. The server's will do.
set_clock()
{
	on_the_image || return 0
	date=$(curl -s -I --connect-timeout 5 --max-time 20 "$IORIG_SERVER/" | tr -d '\r' | sed -n 's/^Date: ..., //p')
	[ -z "$date" ] || date -u -D '%d %b %Y %T GMT' -s "$date" >/dev/null 2>&1 || :
}

# True when the server holds results of exactly this sweep from before; they are brought back. Whatever the box had in memory is gone.
restore()
{
	[ ! -e "$dir/plan.json" ] || return 0
	before=$IORIG_STATE/before.json
	fetch "results/$IORIG_BOX/$sweep/assignment.json" "$before" || return 1
	if [ "$(field sweep_sha256 "$before")" != "$sweep_sha256" ]; then
		mixed=1
		return 1
	fi
	for file in plan.json sweep.json box.json runs.ndjson; do
		fetch "results/$IORIG_BOX/$sweep/$file" "$dir/$file" || { rm -rf "$dir"; mkdir -p "$dir"; return 1; }
	done
	jq -R -r 'fromjson? | select(.ev == "done") | .seq' "$dir/runs.ndjson" | sort -nu >"$IORIG_STATE/done"
	while read -r seq; do
		run=runs/$(printf %04d "$seq")
		mkdir -p "$dir/$run"
		for file in run.json apply.json; do
			fetch "results/$IORIG_BOX/$sweep/$run/$file" "$dir/$run/$file" || :
		done
	done <"$IORIG_STATE/done"
	return 0
}

# What this boot knows about the end of the last one: the kernel's last words, the watchdog, the kernel log.
upload_boot()
{
	on_the_image || return 0
	boot=$(cat /proc/sys/kernel/random/boot_id)
	folder=$IORIG_STATE/boot
	mkdir -p "$folder"
	dmesg >"$folder/dmesg.txt"
	cp /etc/iorig/manifest "$folder/manifest.txt"
	cp "$IORIG_WATCHDOG_FACTS" "$folder/watchdog.json" 2>/dev/null || :
	mount -t pstore pstore /sys/fs/pstore 2>/dev/null || :
	for record in /sys/fs/pstore/*; do
		[ -f "$record" ] && cp "$record" "$folder/pstore-${record##*/}.txt" && rm -f "$record"
	done
	for file in "$folder"/*; do
		request 60 -T "$file" "$IORIG_SERVER/results/$IORIG_BOX/$sweep/boots/$boot/${file##*/}" >/dev/null
	done
}

# Uploads what waits, for ever: a result is never given up.
flush()
{
	wait_s=2
	until sh "$here/upload.sh" "$dir" flush 0; do
		sleep "$wait_s"
		[ "$wait_s" -ge 60 ] || wait_s=$((wait_s * 2))
	done
	until request 60 -T "$dir/log.txt" "$IORIG_SERVER/results/$IORIG_BOX/$sweep/log.txt" | grep -q '^20'; do
		show uploading 'the log waits for the server'
		sleep 10
	done
}

# Runs or resumes; the exit code of the sweep in $rc.
run_sweep()
{
	uploader=$here/upload.sh
	if [ "$restored" = 1 ]; then
		set -- resume "$dir" --on-journal "$uploader"
	else
		set -- run "$IORIG_STATE/$sweep.sweep.json" --trace "$IORIG_STATE/traces/$trace_sha256" --out "$dir" --erase --on-journal "$uploader"
	fi
	{
		rc=0
		"$IORIG_PROGRAM" sweep "$@" 2>&1 || rc=$?
		printf '%s\n' "$rc" >"$IORIG_STATE/rc"
	} | tee -a "$IORIG_STATE/log.txt"
	rc=$(cat "$IORIG_STATE/rc")
	cp "$IORIG_STATE/log.txt" "$dir/log.txt"
}

work()
{
	dir=$IORIG_STATE/sweeps/$sweep mixed='' restored=0
	printf '%s\n' "$sweep" >"$IORIG_STATE/name"
	tell loading "sweep $sweep, recording $(printf %.12s "$trace_sha256")"
	case $answer in
	20?) ;;
	403)
		show waiting "the server refuses this box's token: it must be the chassis asset tag that 'iorig serve assign' printed"
		return 1
		;;
	*) return 1 ;;
	esac
	set_clock
	mkdir -p "$dir" "$IORIG_STATE/traces"
	load "sweeps/$sweep.sweep.json" "$IORIG_STATE/$sweep.sweep.json" "$sweep_sha256"
	load "traces/$trace_sha256" "$IORIG_STATE/traces/$trace_sha256" "$trace_sha256"
	if restore; then restored=1; fi
	if [ -n "$mixed" ]; then
		tell waiting "the server has results of another sweep named $sweep; they must be moved away first"
		return 1
	fi
	if [ "$restored" = 1 ] && jq -R -n -e '[inputs | fromjson? | select(.ev == "complete")] != []' "$dir/runs.ndjson" >/dev/null; then
		tell complete "$sweep was done before; waiting for other work"
		end='wait'
		return 0
	fi
	request 60 -T "$IORIG_STATE/assignment.json" "$IORIG_SERVER/results/$IORIG_BOX/$sweep/assignment.json" >/dev/null
	upload_boot
	tell running "$sweep $([ "$restored" = 1 ] && echo 'goes on where it was interrupted' || echo 'starts')"
	run_sweep
	[ -e "$dir" ] || mkdir -p "$dir"
	flush
	case $rc in
	0) tell complete "$sweep: all runs done" ;;
	3) tell complete "$sweep: done, some runs failed" ;;
	5) tell refused "$(tail -n 1 "$dir/log.txt")" ;;
	*) tell failed "$sweep ended with status $rc: $(tail -n 1 "$dir/log.txt")" ;;
	esac
	return 0
}

# After the work: the end that was asked for. A sweep that failed at once must not become a reboot loop.
finish()
{
	on_the_image || exit "${rc:-0}"
	case $end in
	poweroff) sync; poweroff; sleep 600 ;;
	reboot)
		case ${rc:-0} in
		0 | 3) sync; reboot; sleep 600 ;;
		esac
		;;
	esac
}

mkdir -p "$IORIG_STATE"
read_token
worked=
while :; do
	progress
	if assignment && [ "$worked" != "$sweep_sha256" ] && work; then
		worked=$sweep_sha256
		finish
	fi
	sleep 5
done
