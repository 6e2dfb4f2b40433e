#!/usr/bin/env bats
# The recorder, for real: every test records programs of this host and compares with what is known about them otherwise.
bats_require_minimum_version 1.5.0

setup() {
	cd "$BATS_TEST_DIRNAME/../.."
	iorig=${IORIG:-$PWD/bin/iorig}
	. tests/events.bash
	. tests/recorder.bash
	need_recorder
	dir=$(mktemp -d /var/tmp/iorig-capture.XXXXXX)
	trace=$dir/t.iotrace
	started=
}

teardown() {
	end_started
	[ -z "${dir:-}" ] || rm -rf "$dir" "/dev/shm/iorig.$$"
}

@test "a command's calls are recorded, and the recording ends with its status" {
	run -7 --separate-stderr timeout 30 "$iorig" capture -o "$trace" -- sh -c "echo hello >$dir/out; cat $dir/out; rm $dir/out; exit 7"
	[ "$output" = hello ]
	[ -z "$stderr" ]
	run -0 "$iorig" trace dump "$trace"
	[[ $output == *" openat "*"path=\"$dir/out\" flags=O_WRONLY|O_CREAT|O_TRUNC"* ]]
	[[ $output == *" write "*" offset=0 length=6 = 6"* ]]
	[[ $output == *" unlinkat "*"path=\"$dir/out\" = 0"* ]]
}

@test "a command that does not exist is named, exit 127" {
	run -127 --separate-stderr "$iorig" capture -o "$trace" -- no-such-program
	[ "$stderr" = "iorig: cannot start no-such-program: No such file or directory" ]
}

@test "the calls of sqlite3 equal strace's in kind and number" {
	cat >"$dir/sql" <<'SQL'
pragma journal_mode=wal;
create table t(a integer primary key, b text);
begin; insert into t(b) values('x'),('y'),('z'); commit;
insert into t(b) values(hex(zeroblob(10000)));
select count(*) from t;
pragma journal_mode=delete;
update t set b='q' where a=1;
vacuum;
SQL
	mkdir "$dir/a" "$dir/b"
	(cd "$dir/a" && strace -f -y -o "$dir/strace" sqlite3 t.db <"$dir/sql" >/dev/null)
	(cd "$dir/b" && timeout 60 "$iorig" capture -o "$trace" -- sqlite3 t.db <"$dir/sql" >/dev/null)
	# Of strace's: not system calls on files (brk, mprotect, ...), and by design not recorded: calls on sockets and devices (strace -y shows
	# what a descriptor is), anonymous mappings and their munmap, paths in /proc, /sys and /dev.
	calls=$(events "$trace" | awk '{ print $1 }' | sort -u | grep -v '^exit$' | paste -sd'|')
	sed -E 's/^[0-9]+ +//' "$dir/strace" | grep -E "^($calls|mmap|close|read|write|fstat|openat|lseek|ioctl)\(" |
		grep -Ev '^ioctl|MAP_ANONYMOUS|"/(proc|sys|dev)/|^[a-z0-9]+\([0-9]+<(socket|pipe|/dev/|/proc/|[A-Z]+:)' >"$dir/kept"
	# A munmap says no file: those of file mappings are the ones whose address an mmap of a file gave.
	awk '/^mmap\(/ { sub(/.* = /, ""); mapped[$1] = 1; n["mmap"]++; next }
	     /^munmap\(/ { a = $1; sub(/munmap\(/, "", a); sub(/,.*/, "", a); if (!(a in mapped)) next }
	     { sub(/\(.*/, ""); n[$1]++ } END { for (c in n) print n[c], c }' "$dir/kept" | sort -k2 >"$dir/want"
	# exit_group is told as the end of each thread.
	events "$trace" | awk '$1 != "exit" { n[$1]++ } END { for (c in n) print n[c], c }' | sort -k2 >"$dir/got"
	[ "$(wc -l <"$dir/want")" -gt 10 ]
	diff "$dir/want" "$dir/got"
	# The same bytes were written to the same files.
	[ "$(trailer "$trace" .lost)" = 0 ]
	awk '/^p?write(64)?\(/ { f = $0; sub(/^[^<]*</, "", f); sub(/>.*/, "", f); sub(/.*\//, "", f); r = $0; sub(/.* = /, "", r); b[f] += r }
	     END { for (f in b) print f, b[f] }' "$dir/kept" | sort >"$dir/want"
	events "$trace" | awk '$1 ~ /^p?write(64)?$/ { f = $0; sub(/.*file=</, "", f); sub(/>.*/, "", f); sub(/.*\//, "", f); b[f] += $NF } END { for (f in b) print f, b[f] }' |
		sort >"$dir/got"
	diff "$dir/want" "$dir/got"
}

@test "-p records a process and its descendants, with what was open before" {
	echo 0123456789 >"$dir/old"
	# Reads 3 bytes, then waits for a line; what follows is recorded.
	sh -c "exec 5<$dir/old; dd bs=3 count=1 <&5 2>/dev/null; mkfifo $dir/go; read x <$dir/go; dd bs=4 count=1 <&5 2>/dev/null; (cat $dir/old; cd $dir; cat old)" \
		>/dev/null 3>&- &
	started=$!
	until [ -p "$dir/go" ]; do sleep 0.05; done
	record -o "$trace" -p $started
	: >"$dir/go"
	wait ${started%% *}
	kill -INT $recorder
	wait $recorder
	started=${started%% *}
	run -0 "$iorig" trace dump "$trace"
	[[ $output =~ fd\ pid=$started\ fd=5\ file=([0-9]+)\ flags=O_LARGEFILE\ pos=3\ desc= ]]
	[[ $output == *"file ${BASH_REMATCH[1]} "*" size=11 "*"path=\"$dir/old\""* ]]
	[[ $(events "$trace") == *"read fd=0 file=<$dir/old> offset=3 length=4 = 4"* ]]
	[ "$(events "$trace" | grep -c "^openat .*path=\"$dir/old\"")" = 2 ]
	# Nobody else is in there.
	run -0 bash -c "'$iorig' trace dump $trace | sed -n 's/^thread .* pid=\([0-9]*\).*/\1/p' | sort -u | wc -l"
	[ "$output" -le 6 ]
}

@test "the recorder has its turn on a busy host; what it records inherits nothing of that" {
	run -0 --separate-stderr "$iorig" capture -o "$trace" -- sh -c 'chrt -p $PPID; chrt -p $$; sleep 0.1; grep VmLck /proc/$PPID/status; grep VmLck /proc/$$/status'
	[ -z "$stderr" ]
	[[ ${lines[0]} == *"policy: SCHED_RR|SCHED_RESET_ON_FORK" ]]
	[[ ${lines[2]} == *"policy: SCHED_OTHER" ]]
	[[ ${lines[4]} =~ ^VmLck:[^0-9]*[1-9][0-9]*\ kB$ ]]
	[[ ${lines[5]} =~ ^VmLck:[^0-9]*0\ kB$ ]]
	run -0 --separate-stderr setpriv --inh-caps=-sys_nice --bounding-set=-sys_nice "$iorig" capture -o "$trace" -- sh -c 'chrt -p $PPID'
	[[ ${lines[0]} == *"policy: SCHED_OTHER" ]]
	[ "$stderr" = "iorig: warning: neither SCHED_RR nor nice -20 is allowed: on a busy host events may be lost (and counted)" ]
}

# Others may do more on this host than it has time to record: then that is said.
whole_host() { # arguments of timeout
	run timeout "$@"
	[ "$status" = 0 ] || { [ "$status" = 3 ] && [ "$(trailer "$trace" .lost)" -gt 0 ]; } || { echo "$output"; false; }
}

@test "-d, SIGINT and SIGTERM end a recording of the whole host cleanly" {
	whole_host 20 "$iorig" capture -o "$trace" -d 300ms
	[ "$(trailer "$trace" .ended_by)" = '"duration"' ]
	for signal in INT TERM; do
		whole_host --preserve-status -s $signal 3 "$iorig" capture -o "$trace"
		[ "$(trailer "$trace" .ended_by)" = '"signal"' ]
		run "$iorig" trace check "$trace"
		[ "$status" = 0 ] || { [ "$status" = 3 ] && [ "$(trailer "$trace" .lost)" -gt 0 ]; }
	done
}

@test "a command that outlives its recording is ended" {
	run -0 timeout 20 "$iorig" capture -o "$trace" -d 300ms -- sleep 100
	[ "$(trailer "$trace" .ended_by)" = '"duration"' ]
	run -0 timeout 20 "$iorig" capture -o "$trace" --max-size 40k -- find / -xdev
	[ "$(trailer "$trace" .ended_by)" = '"size"' ]
	[ "$(stat -c %s "$trace")" -le 40960 ]
	run -0 "$iorig" trace check "$trace"
}

@test "the recorder measures its own part of pauses, and leaves no trace of that" {
	run -0 --separate-stderr "$iorig" capture -o "$trace" -- true
	"$iorig" trace info --json "$trace" >"$dir/info"
	run -0 jq -ce 'first(.. | objects | select(.call_gap_ns)) | [.call_gaps_ns[]] as $more | .call_gap_ns > 0 and ($more | length) == 4 and
		($more | min) >= .call_gap_ns and .call_gaps_ns.open > .call_gaps_ns.path' "$dir/info"
	run "$iorig" trace dump "$trace"
	[[ $output != *"path=\"$iorig\""* ]]
}

@test "what does not fit into the rings is counted exactly, exit 3" {
	build/helpers/ioloop pace "$dir/data" 200000 >"$dir/ready" 3>&- &
	generator=$!
	started=$generator
	until grep -qs ready "$dir/ready"; do sleep 0.05; done
	record -o "$trace" -p $generator --ring-size 256k
	kill -STOP $recorder
	kill -USR1 $generator
	wait $generator
	kill -CONT $recorder
	kill -INT $recorder
	rc=0
	wait $recorder || rc=$?
	[ "$rc" = 3 ]
	[[ $(tail -1 "$dir/err") =~ ^"iorig: $trace is incomplete: "([0-9]+)" of "([0-9]+)" events were lost; give a larger --ring-size"$ ]]
	lost=${BASH_REMATCH[1]}
	[ "$lost" -gt 190000 ]
	# The generator made 200000 reads and ended: what of that is not in the trace is exactly what is called lost.
	[ $(($(events "$trace" | wc -l) + lost)) = 200001 ]
	[ "$(trailer "$trace" '.seen == .emitted + .filtered + .dropped')" = true ]
	[ "$(trailer "$trace" .lost)" = "$lost" ]
	run -0 "$iorig" trace check "$trace"
	[ "$("$iorig" trace info --json "$trace" | jq .lost)" = "$lost" ]
}

@test "links, mounts and roots: paths are what the kernel walked, and links are told" {
	[ -x /bin/busybox ] || skip "busybox-static is not installed"
	cat >"$dir/go.sh" <<-END
		cd $dir
		mkdir real; echo 1 >real/f; ln -s real sym; ln -s $dir/sym/f top; mkdir bind jail jail/in
		mount --bind real bind
		echo 2 >jail/in/x
		cp /bin/busybox jail/cat
	END
	cat >"$dir/use.sh" <<-END
		cat $dir/sym/f; cat $dir/top; cat $dir/bind/f
		chroot $dir/jail /cat /in/x
		cd $dir/sym; cat f; cat ../real/f
	END
	run -0 unshare -m --propagation private sh -c "sh $dir/go.sh; timeout 20 $iorig capture -o $trace -- sh $dir/use.sh"
	events "$trace" >"$dir/got"
	dump=$("$iorig" trace dump "$trace")
	[[ $dump == *" mode=0120777 "*"path=\"$dir/sym\" target=\"real\""* ]]
	[[ $dump == *" mode=0120777 "*"path=\"$dir/top\" target=\"$dir/sym/f\""* ]]
	grep -q "^openat .*file=<$dir/real/f> path=\"$dir/sym/f\" = [0-9]*$" "$dir/got"
	grep -q "^openat .*file=<$dir/real/f> path=\"$dir/top\" = [0-9]*$" "$dir/got"
	grep -q "^openat .*file=<$dir/real/f> path=\"$dir/bind/f\" = [0-9]*$" "$dir/got"
	grep -q "^open.*file=<$dir/jail/in/x> path=\"$dir/jail/in/x\"" "$dir/got"
	grep -q "^openat .*file=<$dir/real/f> path=\"$dir/real/f\" = [0-9]*$" "$dir/got" # cat f: the current directory is real
	grep -q "^openat .*file=<$dir/real/f> path=\"$dir/real/../real/f\" = [0-9]*$" "$dir/got"
}

@test "links that come, go and move: what a path leads to is told as it was at that moment" {
	mkdir "$dir/a" "$dir/b"
	touch "$dir/a/f" "$dir/b/f"
	cat >"$dir/use.sh" <<-END
		cd $dir
		chmod 600 l/f 2>/dev/null
		ln -s a l; chmod 601 l/f
		rm l; ln -s b l; chmod 602 l/f
		mv l m; ln -s a l; chmod 603 l/f; chmod 604 m/f
		ln -s a/f z; chmod 605 z
		rm z; ln -s b/f z; chmod 606 z
	END
	run -0 timeout 20 "$iorig" capture -o "$trace" -- sh "$dir/use.sh"
	events "$trace" >"$dir/got"
	got=$(sed -n "s,^f\?chmod.*file=<$dir/\(./f\)> path=\"$dir/\([^\"]*\)\".*mode=0*\([0-9]*\).*,\2 \3 \1,p" "$dir/got")
	[ "$got" = "l/f 601 a/f
l/f 602 b/f
l/f 603 a/f
m/f 604 b/f
z 605 a/f
z 606 b/f" ]
}

@test "filters: name, user, mount" {
	cp /bin/cat "$dir/iorigcat"
	echo x >"/dev/shm/iorig.$$"
	work() {
		"$dir/iorigcat" /etc/hostname
		cat /etc/passwd "/dev/shm/iorig.$$"
		setpriv --reuid 65534 --clear-groups cat /etc/group
	}
	got() {
		record -o "$trace" "$@"
		work >/dev/null
		kill -INT $recorder
		wait $recorder
		events "$trace" | sed -n 's,.* path="\(/etc/hostname\|/etc/passwd\|/etc/group\|/dev/shm/iorig\).*,\1,p' | sort -u | paste -sd' '
	}
	# WANTED (one of several, with | between them) OPTION...
	records() {
		wanted=$1
		shift
		seen=$(got "$@")
		echo "$*: '$seen'"
		cat "$dir/err"
		[[ "|$wanted|" == *"|$seen|"* ]]
	}
	records "/etc/hostname" -c iorigcat
	records "/etc/group /etc/passwd|/etc/group" -u 65534
	records "/dev/shm/iorig" -m /dev/shm
	records "/etc/group" -m / -u nobody -c cat
	rm -f "/dev/shm/iorig.$$"
}

@test "refusals: one line each, the right exit code, nothing left behind" {
	run -2 --separate-stderr "$iorig" capture -- true
	[ "$stderr" = "iorig: capture needs -o FILE, the trace to write" ]
	run -2 --separate-stderr "$iorig" capture -o "$trace" --ring-size 5000 -- true
	[ "$stderr" = "iorig: --ring-size must be a power of two from 8k to 1G" ]
	run -1 --separate-stderr "$iorig" capture -o "$trace" -p 999999999
	[ "$stderr" = "iorig: --pid 999999999: there is no such process" ]
	run -2 --separate-stderr "$iorig" capture -o "$trace" -m /proc
	[ "$stderr" = "iorig: --mount /proc: not on a file system that can be recorded" ]
	run -1 --separate-stderr "$iorig" capture -o "$dir/none/t" -- true
	[ "$stderr" = "iorig: cannot write $dir/none/t: No such file or directory" ]
	chmod 755 "$dir"
	run -77 --separate-stderr setpriv --reuid 65534 --clear-groups --inh-caps=-all "$iorig" capture -o "$trace" -- true
	[[ $stderr == "iorig: cannot record here: "*"; run it as root" ]]
	[ ! -e "$trace" ]
}

@test "the example unit: its options exist, its capabilities are enough" {
	unit=$BATS_TEST_DIRNAME/../../docs/iorig-capture.service
	"$iorig" capture -h >"$dir/help"
	for option in $(grep -o -- ' --[a-z-]*' "$unit"); do
		grep -q -- "$option " "$dir/help" || { echo "$option"; false; }
	done
	capabilities=$(sed -n 's/^CapabilityBoundingSet=//p' "$unit" | tr 'A-Z ' 'a-z,' | sed 's/cap_/+/g')
	[ "$(tr ',' '\n' <<<"$capabilities" | wc -l)" -ge 4 ]
	run -0 setpriv --bounding-set="-all,$capabilities" --no-new-privs "$iorig" capture -o "$trace" -- sh -c 'cat /etc/hostname'
	[ "$("$iorig" trace dump "$trace" | grep -c ' openat .*"/etc/hostname"')" = 1 ]
	if command -v systemd-analyze >/dev/null; then
		sed "s|/usr/local/bin/iorig|$iorig|; /^Documentation=/d" "$unit" >"$dir/iorig-capture.service"
		run -0 systemd-analyze verify "$dir/iorig-capture.service"
	fi
}

@test "libaio and io_uring: the requests are fio's own numbers" {
	for engine in libaio io_uring; do
		run -0 timeout 60 "$iorig" capture -o "$trace" -- fio --name=x --filename="$dir/f" --size=2m --bs=4k --rw=randrw --ioengine=$engine \
			--iodepth=8 --fsync=64 --randseed=7 --output-format=json --output="$dir/json"
		want=$(jq -r '.jobs[0] | "\(.read.total_ios) \(.write.total_ios)"' "$dir/json")
		got=$(events "$trace" | awk '/ via=/ { n[$1]++ } END { print n["pread64"], n["pwrite64"] }')
		[ "$want" = "$got" ]
		# Each one whole: 4096 of 4096 bytes of that file, in a ring, with a duration.
		run -0 bash -c "'$iorig' trace dump $trace | grep ' via=' | grep -v 'fsync' | grep -vE '^[0-9.]+\+0\.0*[1-9][0-9]* .* offset=[0-9]+ length=4096 via=[a-z]+ ring=1 = 4096$' | wc -l"
		[ "$output" = 0 ]
		[ "$(trailer "$trace" '.lost + .requests_unknown + .requests_early')" = 0 ]
	done
}

@test "doctor: what works here, as text and as a document" {
	run -0 "$iorig" doctor
	[[ $output == *"ok        sched_process_exec   fires"* ]]
	run -0 "$iorig" doctor --json
	[ "$(jq -r '.schema, .capture, ([.checks[] | select(.needed) | .ok] | all)' <<<"$output" | paste -sd' ')" = "iorig.doctor/1 true true" ]
	run -77 setpriv --reuid 65534 --clear-groups --inh-caps=-all "$iorig" doctor
	[[ $output == *"NO        privileges           no CAP_BPF, CAP_PERFMON; run it as root"* ]]
}

@test "what is in a directory that was read is part of the starting state; what was made meanwhile is not" {
	mkdir "$dir/d" "$dir/d/sub"
	echo 12345 >"$dir/d/old"
	ln -s old "$dir/d/link"
	cat >"$dir/use.sh" <<-END
		echo new >$dir/d/new
		mkdir $dir/d/made
		ls $dir/d >/dev/null
		rm $dir/d/old
	END
	run -0 timeout 30 "$iorig" capture -o "$trace" -- sh "$dir/use.sh"
	run -0 bash -c "'$iorig' trace dump $trace | sed -n 's,^file .* mode=\([0-9]*\) .*path=\"$dir/d/\(.*\),\2 \1,p' | sort"
	[[ $output == *'link" target="old" 0120777'* ]]
	[[ $output == *'sub" 040755'* ]]
	[[ $output != *'made" '* ]]
	[ "$("$iorig" trace dump "$trace" | grep -c "^file .*path=\"$dir/d/old\"")" = 1 ]
	[[ $("$iorig" trace dump "$trace" | grep "^file .*path=\"$dir/d/new\"") == *bits=created* ]]
}

@test "kill -9 of the recorder: what it had written is a trace, and the recorded runs on" {
	sleep 30 3>&- &
	sleeper=$!
	started=$sleeper
	record -o "$trace"
	for i in 1 2 3 4 5 6 7 8; do cat /etc/hostname >/dev/null; sleep 0.3; done
	kill -9 $recorder
	wait $recorder || :
	kill -0 $sleeper
	run --separate-stderr "$iorig" trace info --json "$trace"
	[ "$(jq -r .state <<<"$output")" = truncated ]
	[ "$(jq -r .events <<<"$output")" -gt 10 ]
	started=$sleeper
}
