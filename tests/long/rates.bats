#!/usr/bin/env bats
# As many events as a processor can make, for ten seconds, with the default rings: nothing is lost, every seek of the generator is in the trace. The
# generator takes the processors with real-time priority, so that the drainer has to get its turn. Rates are printed, not asserted: hosts differ.
bats_require_minimum_version 1.5.0

setup() {
	cd "$BATS_TEST_DIRNAME/../.."
	iorig=${IORIG:-$PWD/bin/iorig}
	. tests/recorder.bash
	need_recorder
	dir=$(mktemp -d /var/tmp/iorig-rates.XXXXXX)
	trace=$dir/t.iotrace
}

teardown() {
	[ -z "${dir:-}" ] || rm -rf "$dir"
}

# at_rate PROCESSORS RATE [OPTION...]: ten seconds of it. Sets seeks.
at_rate() {
	processors=$1 rate=$2
	shift 2
	run -0 --separate-stderr timeout 120 "$iorig" capture -o "$trace" "$@" -- chrt -f 1 build/helpers/iorate "$dir/data" "$processors" "$rate" 10
	[ -z "$stderr" ]
	seeks=$(sed -n 's/^all \([0-9]*\) .*/\1/p' <<<"$output")
	echo "# $(tail -n 1 <<<"$output" | awk '{ print $3 }') seeks a second from processors $processors: $seeks" >&3
	[ "$seeks" -gt 0 ]
}

whole() {
	run -0 "$iorig" trace info --json "$trace"
	[ "$(jq '.lost == 0 and (.trailer | .lost == 0 and .dropped == 0 and .skipped == 0 and .seen == .emitted + .filtered)' <<<"$output")" = true ]
	[ "$("$iorig" trace stat --json "$trace" | jq .op.lseek.count)" = "$seeks" ]
}

@test "a million a second from one processor" {
	at_rate 0 1020000
	whole
}

@test "a million a second from each of two processors" {
	[ "$(nproc)" -ge 2 ] || skip "one processor only"
	at_rate 0,1 1020000
	whole
}

@test "as many as they can, from all processors at once" {
	at_rate "$(seq -s, 0 $(($(nproc) - 1)))" 0
	whole
}
