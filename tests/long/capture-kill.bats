#!/usr/bin/env bats
# A recorder that is killed at any moment: what it had written is a trace, and nobody else notices.
bats_require_minimum_version 1.5.0

setup() {
	cd "$BATS_TEST_DIRNAME/../.."
	iorig=${IORIG:-$PWD/bin/iorig}
	. tests/recorder.bash
	need_recorder
	dir=$(mktemp -d /var/tmp/iorig-kill.XXXXXX)
	started=
}

teardown() {
	end_started
	[ -z "${dir:-}" ] || rm -rf "$dir"
}

# Our programs in the kernel: those that other recorders of this machine may have loaded are theirs.
programs_of() { # PID
	for fd in /proc/"$1"/fd/*; do
		sed -n 's/^prog_id:[[:space:]]*//p' "/proc/$1/fdinfo/${fd##*/}" 2>/dev/null || :
	done | sort -u
}

@test "kill -9 of the recorder at random moments (ROUNDS, 50)" {
	cat >"$dir/work.sh" <<-END
		i=0
		while [ ! -e $dir/stop ]; do
			i=\$((i + 1))
			echo \$i >$dir/one; read x <$dir/one; [ "\$x" = \$i ] || { echo wrong >$dir/result; exit 1; }
			mv $dir/one $dir/two; cat $dir/two >/dev/null; rm $dir/two
		done
		echo right >$dir/result
	END
	sh "$dir/work.sh" 3>&- &
	worker=$!
	started=$worker
	whole=0
	for round in $(seq "${ROUNDS:-50}"); do
		"$iorig" capture -o "$dir/t" 2>"$dir/err" 3>&- &
		recorder=$!
		# Anywhere: while it loads its programs; and when it records, before its first block or in the middle of one.
		if [ $((round % 2)) = 0 ]; then
			for i in $(seq 600); do ! grep -q "recording into" "$dir/err" || break; sleep 0.05; done
		fi
		sleep "$(od -An -N2 -tu2 /dev/urandom | awk '{ printf "%.3f", $1 / 65536 * 2.5 }')"
		programs=$(programs_of $recorder)
		size=$(stat -c %s "$dir/t" 2>/dev/null || echo 0)
		kill -9 $recorder
		wait $recorder || :
		kill -0 $worker
		if [ "$size" -gt 0 ]; then
			run --separate-stderr "$iorig" trace info --json "$dir/t"
			[ "$status" = 3 ]
			[[ $stderr == *"truncated at byte "* ]]
			[ "$(jq -r .state <<<"$output")" = truncated ]
			# All that was in the file when it was killed is used, up to a block that was half written.
			events=$(jq .events <<<"$output")
			[ "$events" = 0 ] || whole=$((whole + 1))
		fi
		for id in $programs; do
			for i in $(seq 100); do bpftool prog show id "$id" >/dev/null 2>&1 || break; sleep 0.05; done
			run ! bpftool prog show id "$id"
		done
		rm -f "$dir/t"
	done
	echo "$whole traces had blocks"
	[ "$whole" -ge $((${ROUNDS:-50} / 5)) ]
	: >"$dir/stop"
	wait $worker
	[ "$(cat "$dir/result")" = right ]
}
