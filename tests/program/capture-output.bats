#!/usr/bin/env bats
# Where a recording goes, and how it ends: rotation, full disks, processes that end.
bats_require_minimum_version 1.5.0

setup() {
	cd "$BATS_TEST_DIRNAME/../.."
	iorig=${IORIG:-$PWD/bin/iorig}
	. tests/events.bash
	. tests/recorder.bash
	need_recorder
	dir=$(mktemp -d /var/tmp/iorig-output.XXXXXX)
	trace=$dir/t.iotrace
	started=
}

teardown() {
	end_started
	[ -z "${dir:-}" ] || rm -rf "$dir"
}

@test "--rotate: every file is a trace of its own, together they hold every event" {
	# 20000 reads of one descriptor, opened before, in four parts of time; a file opened by name in each.
	cat >"$dir/use.sh" <<-END
		exec 5<>$dir/held
		for i in 1 2 3 4; do
			build/helpers/ioloop write $dir/data 100 >/dev/null
			echo part\$i >&5
			cat $dir/use.sh >/dev/null
			sleep 1.1
		done
	END
	timeout 60 "$iorig" capture -o "$trace" --rotate 64k -- sh "$dir/use.sh"
	set -- "$dir"/t.*.iotrace
	[ $# -ge 3 ]
	[ "$1" = "$dir/t.0001.iotrace" ]
	parts=0
	for part; do
		run -0 "$iorig" trace check "$part"
		parts=$((parts + 1))
		[ "$("$iorig" trace info --json "$part" | jq -r '"\(.header.part) \(.complete)"')" = "$parts true" ]
		events "$part" >>"$dir/all"
		# No file and no base directory is unknown in a later part.
		[ "$(events "$part" | grep -cE '^write .*file=<>|unresolved')" = 0 ]
	done
	[ "$parts" = $# ]
	# What a trailer counts is its own file's: what the kernel side wrote is in it as events (ends of processes are none of these calls), but for
	# a call on each processor at the moment of a change; and the self-test's calls are counted in the first.
	"$iorig" capture -o "$dir/none" -- true
	tested=$(($(trailer "$dir/none" '.emitted - .filtered_by_path') - $(events "$dir/none" | grep -vc '^exit ')))
	for part; do
		calls=$(events "$part" | grep -vc '^exit ')
		told=$(($(trailer "$part" '.emitted - .filtered_by_path') - tested))
		tested=0
		echo "$part: $calls calls, the trailer has $told"
		[ "$(trailer "$part" '.seen == .emitted + .filtered + .dropped and .emitted == ([.class[].emitted] | add) and .lost == 0')" = true ]
		[ $((told - calls)) -le "$(nproc)" ]
		[ $((calls - told)) -le "$(nproc)" ]
		calls_in_all=$((${calls_in_all:-0} + calls))
		told_in_all=$((${told_in_all:-0} + told))
	done
	[ "$calls_in_all" = "$told_in_all" ]
	[ "$(grep -c "^write fd=1 .*file=<$dir/held> .*length=6" "$dir/all")" = 4 ]
	[ "$(grep -c "^openat .*path=\"$dir/use.sh\"" "$dir/all")" = 5 ] # sh's own, and four times cat's
	# What is open goes over: a part begins with descriptor 5 as it stood when it was listed, in the part's first moments.
	before=0
	for part; do
		here=$(events "$part" | grep -c "^write fd=1 .*file=<$dir/held> .*length=6" || true)
		if [ "$part" != "$1" ]; then
			pos=$("$iorig" trace dump "$part" | grep -m1 "^fd .* fd=5 .* flags=O_RDWR|O_LARGEFILE pos=" | sed 's/.* pos=\([0-9]*\).*/\1/')
			echo "$part: at $pos, $before writes before it, $here in it"
			[ $((pos % 6)) = 0 ]
			[ "$pos" -ge $((before * 6)) ]
			[ "$pos" -le $(((before + here) * 6)) ]
		fi
		before=$((before + here))
	done
	[ "$before" = 4 ]
}

@test "--rotate SIZE,KEEP keeps the newest files" {
	cat >"$dir/use.sh" <<-END
		for i in 1 2 3 4; do build/helpers/ioloop write $dir/data 100 >/dev/null; sleep 1.1; done
	END
	timeout 60 "$iorig" capture -o "$dir/plain" --rotate 64k,2 -- sh "$dir/use.sh"
	set -- "$dir"/plain.*
	[ $# = 2 ]
	[ "$1" != "$dir/plain.0001" ]
	for part; do run -0 "$iorig" trace check "$part"; done
}

@test "--rotate: usage" {
	for bad in 1k 100M,0 100M,x ,5 lots; do
		run -2 --separate-stderr "$iorig" capture -o "$trace" --rotate $bad -- true
		[ "$stderr" = "iorig: --rotate $bad: a size from 64k on, and after a comma how many files are kept, is needed: 100M or 100M,5" ]
	done
	run -2 --separate-stderr "$iorig" capture -o "$trace" --rotate 1M --max-size 2M -- true
	[ "$stderr" = "iorig: --rotate and --max-size do not go together: the number of files that are kept bounds the space" ]
}

@test "a full disk ends the recording: one line, exit 3, a whole trace that tells what it lacks" {
	mkdir "$dir/small"
	truncate -s 2M "$dir/image"
	mkfs.ext4 -q -m 0 "$dir/image"
	for how in "-t tmpfs -o size=300k none" "-o loop $dir/image"; do
		run -3 --separate-stderr unshare -m sh -c "mount $how $dir/small && timeout 60 '$iorig' capture -o $dir/small/t -- find / -xdev >/dev/null; rc=\$?; cp $dir/small/t $dir/copy; exit \$rc"
		[[ $(tail -1 <<<"$stderr") =~ ^"iorig: $dir/small/t: No space left on device; the recording ended there, "([0-9]+)" events are in it, "([0-9]+)" were lost"$ ]]
		events=${BASH_REMATCH[1]} lost=${BASH_REMATCH[2]}
		[ "$lost" -gt 0 ]
		run -0 "$iorig" trace check "$dir/copy"
		[ "$("$iorig" trace info --json "$dir/copy" | jq -r '"\(.state) \(.events) \(.lost) \(.trailer.ended_by)"')" = "whole $events $lost space" ]
	done
}

@test "-p: the recording ends with the process and its descendants" {
	mkfifo "$dir/go"
	sh -c "read x <$dir/go; (sleep 1; cat $dir/err >/dev/null) & exit" 3>&- &
	target=$!
	started=$target
	record -o "$trace" -p $target
	: >"$dir/go"
	wait $target || :
	rc=0
	wait $recorder || rc=$?
	[ "$rc" = 0 ]
	started=
	[[ $(tail -1 "$dir/err") =~ ^"iorig: the recorded processes have ended: "[0-9]+" events in $trace"$ ]]
	[ "$(trailer "$trace" .ended_by)" = '"process"' ]
	[[ $(events "$trace") == *"path=\"$dir/err\""* ]] # the grandchild's
}

@test "-p of a process that is a zombie by now is refused" {
	# A parent that never waits for its child; a shell may have done so before it becomes something else.
	perl -e '$| = 1; my $child = fork; exit 0 unless $child; print "$child\n"; sleep 60' >"$dir/pid" 3>&- &
	started=$!
	until [ -s "$dir/pid" ] && grep -q 'State:.Z' "/proc/$(cat "$dir/pid")/status"; do
		kill -0 "$started"
		sleep 0.05
	done
	run -1 --separate-stderr timeout 20 "$iorig" capture -o "$trace" -p "$(cat "$dir/pid")"
	[[ $(tail -1 <<<"$stderr") == "iorig: --pid $(cat "$dir/pid"): the process has ended before the recording began" ]]
	[ ! -e "$trace" ]
}

@test "a trace on a file system that is recorded is warned of" {
	run -0 --separate-stderr "$iorig" capture -u 54321 -o "$trace" -d 100ms
	[[ $stderr == "iorig: warning: $trace is on a file system that is recorded ("*"): writing it slows down what is measured; better put it elsewhere"* ]]
	run -0 --separate-stderr "$iorig" capture -o "$trace" -m /dev/shm -d 100ms
	[[ $stderr != *warning* ]]
}

@test "--dry-run: rates of each operation and what a trace would take; nothing is written" {
	cd "$dir"
	run -0 --separate-stderr timeout 30 "$iorig" capture --dry-run --json -- "$OLDPWD/build/helpers/ioloop" pread "$dir/data" 200
	document=$(sed -n '/^{$/,/^}$/p' <<<"$output")
	[ "$(jq -r '.schema, .lost' <<<"$document" | paste -sd' ')" = "iorig.capture-rates/1 0" ]
	[ "$(jq '.op.pread64.count > 1000 and .bytes_per_event > 0.1 and .bytes_per_event < 40 and .cpu_ratio > 0 and .bytes_per_hour > 0' <<<"$document")" = true ]
	[ "$(jq '([.op[].count] | add) == .events' <<<"$document")" = true ]
	[ "$(ls "$dir")" = data ]
	run --separate-stderr timeout 30 "$iorig" capture --dry-run -d 300ms
	[ "$status" = 0 ] || { [ "$status" = 3 ] && [[ ${lines[0]} != *" 0 lost" ]]; } # what others do here may be too much
	[[ ${lines[0]} =~ ^0\.[3-9]\ s:\ [0-9]+\ events,\ [0-9]+/s,\ [0-9]+\ lost$ ]]
	[[ ${lines[1]} == "a trace: "*" bytes an event, "*" MiB an hour" ]]
	run -2 --separate-stderr "$iorig" capture --dry-run -o "$trace"
	[ "$stderr" = "iorig: --dry-run writes nothing: it goes without -o, --rotate and --max-size" ]
	run -2 --separate-stderr "$iorig" capture --json -o "$trace"
	[ "$stderr" = "iorig: --json needs --dry-run" ]
}

@test "the status line: on a terminal, with rates and the recorder's own CPU time" {
	run -0 script -qec "$iorig capture -u 54321 -o $trace -d 2500ms" /dev/null
	[[ $output =~ iorig:\ capture:\ [0-9]+\ events,\ [0-9]+/s,\ 0\ lost,\ [0-9.]+\ MiB,\ own\ CPU\ [0-9.]+\ % ]]
	run -0 --separate-stderr "$iorig" capture -u 54321 -o "$trace" -d 1500ms
	[[ $stderr != *"own CPU"* ]]
}

@test "--anonymize: no name reaches the file, of one part or several, and it replays" {
	mkdir "$dir/privatedirectory"
	cat >"$dir/personal.sh" <<-'EOF'
		cd "$1"
		for i in 1 2 3; do echo $i >confidential$i.text; ln -s confidential$i.text pointer$i; readlink pointer$i; mv confidential$i.text moved$i.text; done
		tar cf everything.tar .
	EOF
	echo one >"$dir/key"
	run -0 "$iorig" capture -o "$trace" --anonymize --key-file "$dir/key" -- bash "$dir/personal.sh" "$dir/privatedirectory"
	"$iorig" trace dump "$trace" >"$dir/dump"
	! grep -Eiq 'private|confidential|pointer|moved|everything|personal|iorig-output|bash|tar"' "$dir/dump"
	! grep -q -- "$(hostname)" "$dir/dump"
	! grep -aEq 'private|confidential|pointer|moved|everything|personal' "$trace"
	[ "$("$iorig" trace dump "$trace" | sed -n 's/^header //p' | jq .anonymized)" = true ]
	[ "$(trailer "$trace" .ended_by)" = '"command"' ]
	# The same names as the other verb gives with that key, and a replay with the same results.
	run -0 "$iorig" capture -o "$dir/plain.iotrace" -- cat "$dir/privatedirectory/moved1.text"
	"$iorig" trace anonymize --key-file "$dir/key" -o "$dir/later.iotrace" "$dir/plain.iotrace"
	name=$("$iorig" trace dump "$dir/later.iotrace" | sed -n 's/^[0-9].* openat .* path="\([^"]*\)".*/\1/p' | tail -1)
	grep -q "path2=\"$name\"" "$dir/dump"
	mkdir "$dir/root"
	run -0 "$iorig" replay "$trace" --root "$dir/root" --cache hot -o "$dir/run"
	jq -e '.mismatch.count == 0 and .tree.differences == 0' "$dir/run/run.json"
	mkdir "$dir/parts" "$dir/private2"
	run -0 "$iorig" capture -o "$dir/parts/t.iotrace" --rotate 64k --anonymize -- sh -c 'for i in 1 2; do "$0" write "$1/confidential$i" 100; sleep 1.1; done' \
		build/helpers/ioloop "$dir/private2"
	[ "$(find "$dir/parts" -name 't.*.iotrace' | wc -l)" -gt 1 ]
	for part in "$dir"/parts/*; do
		! "$iorig" trace dump "$part" | grep -Eq 'private|confidential'
	done
	run -2 "$iorig" capture -o "$trace" --key-file "$dir/key" -- true
	run -1 --separate-stderr "$iorig" capture -o "$trace" --anonymize --key-file "$dir/none" -- true
	[ "$stderr" = "iorig: cannot read the key in '$dir/none': No such file or directory" ]
}
