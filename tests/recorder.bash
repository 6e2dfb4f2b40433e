# For tests that run the recorder: sourced. $iorig is the program, $dir a directory, $started the processes to be ended.

need_recorder() {
	[ "$(id -u)" = 0 ] || skip "recording needs root"
	[ -r /sys/kernel/btf/vmlinux ] || skip "this kernel has no type information (BTF)"
}

# Starts a recorder with these options and waits until it records: $recorder.
record() {
	: >"$dir/err" # what the one before said must not be taken for this one's: it would not be ready for a signal
	"$iorig" capture "$@" >"$dir/out" 2>"$dir/err" 3>&- &
	recorder=$!
	started="$started $recorder"
	for i in $(seq 600); do
		! grep -q '^iorig: recording into' "$dir/err" || return 0
		kill -0 $recorder || break
		sleep 0.05
	done
	cat "$dir/err"
	return 1
}

end_started() {
	for pid in ${started:-}; do kill "$pid" 2>/dev/null || :; done
}
