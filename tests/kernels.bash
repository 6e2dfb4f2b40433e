# For tests of the recorder in guests: sourced, after tests/events.bash. $out is an empty directory. tests/box/recorder.sh is what runs there.

# boot OPTION...: of tests/guest.sh
boot() {
	rc=0
	sh tests/guest.sh -t 280 -b build/helpers/iocalls -b build/helpers/iouring -b build/helpers/iocompat -a syscall.x32=y -b build/helpers/iothreads -o "$out" "$@" tests/box/recorder.sh >"$out/log" 2>&1 || rc=$?
	[ "$rc" != 77 ] || skip "$(tail -1 "$out/log")"
	[ "$rc" = 0 ] || { cat "$out/log"; false; }
}

complete() {
	cat "$out/$1.err"
	[ "$(cat "$out/$1.status")" = 0 ]
	[ ! -s "$out/$1.err" ]
	[ "$(trailer "$out/$1.iotrace" '.seen == .emitted + .filtered + .dropped and .lost == 0 and .skipped == 0 and .unpaired == 0')" = true ]
	run -0 "$iorig" trace check "$out/$1.iotrace"
}

# told NAME LINES: what the program says it did, so many lines at least, and what was recorded of it are the same.
told() {
	complete "$1"
	[ "$(wc -l <"$out/$1.want")" -ge "$2" ]
	events_in "$out/$1.iotrace" /tmp/w | grep -v 'file=</out/' >"$out/got" # its own output
	diff "$out/$1.want" "$out/got"
}

# judge KERNEL PROCESSORS
judge() {
	cat "$out/kernel" "$out/doctor"
	[[ $(cat "$out/kernel") == "$1".* ]]
	[ "$(cat "$out/processors")" = "$2" ]
	[ "$(cat "$out/doctor.status")" = 0 ]
	[ "$(grep -c '^ok  *s[cy][a-z_]* *fires$' "$out/doctor")" = 6 ]
	told calls 200
	told uring 70
	told compat 120
	told x32 7
	complete threads
	events "$out/threads.iotrace" | awk '
		$1 == "pread64" && /file=<\/tmp\/data>/ { for (i = 2; i <= NF; i++) if (sub(/^length=/, "", $i)) n[$i]++ }
		END { for (l in n) print "pread64", l, n[l] }' | sort >"$out/got"
	sort "$out/threads.want" >"$out/want"
	[ "$(wc -l <"$out/want")" = 5 ]
	diff "$out/want" "$out/got"
}
