#!/usr/bin/env bats
# Memory does not grow with a trace's length: neither the compiler's nor the replay's.
#   EVENTS=50000000 bats tests/long/replay-length.bats
bats_require_minimum_version 1.5.0

setup() {
	cd "$BATS_TEST_DIRNAME/../.."
	iorig=${IORIG:-$PWD/bin/iorig}
	[ "$(id -u)" = 0 ] || skip "the page cache can only be dropped by root"
	make -s build/helpers/longtrace
	longtrace=$PWD/build/helpers/longtrace
	# The plan of 50 M events takes 2 GB.
	work=$(mktemp -d "${LONG_DIR:-/var/tmp}/iorig-length.XXXXXX")
	cd "$work"
}

teardown() {
	rm -rf "$work"
}

@test "a long trace is compiled in 200 MB and replayed in 64 MB, buffers aside" {
	events=${EVENTS:-10000000}
	"$longtrace" "$events" 32 5000 | "$iorig" trace build - -o t.iotrace
	"$iorig" replay t.iotrace --plan-only --json --plan-cache cache >plan.json
	jq -c .compile plan.json >&3
	jq -e --argjson n "$events" '.trace.events > $n * 0.99 and .operations == .trace.events and .compile.peak_rss_bytes < 200e6 and (.compile.cached | not)' plan.json
	mkdir root
	run --separate-stderr "$iorig" replay t.iotrace --root root --cache hot --plan-cache cache -o run
	[ "$status" = 0 ] || { echo "$stderr"; jq -c '.mismatch' run/run.json; false; }
	jq -c .self run/run.json >&3
	# 32 lanes have histograms and a read buffer each; 16 MiB are random bytes to write.
	jq -e '.mismatch.count == 0 and .tree.differences == 0 and .self.rss_bytes - 16 * 1048576 - .self.threads * 600000 < 64e6' run/run.json
}
