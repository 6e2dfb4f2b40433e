#!/usr/bin/env bats
# The whole suite once more with the program and the unit tests of the sanitizer builds: what AddressSanitizer, the one for undefined
# behaviour, or ThreadSanitizer reports is a failure, wherever it is said.
bats_require_minimum_version 1.5.0

setup() {
	cd "$BATS_TEST_DIRNAME/../.."
	files=$(ls tests/program/*.bats)
}

# The box's image holds the release program and nothing that another one would need there.
without_boxes() { grep -v '/box\.bats$\|/image\.bats$\|/kernel\.bats$' <<<"$files"; }

suite() {
	VARIANT=$1 run sh tests/run.sh "${@:2}"
	[ "$status" = 0 ] || { echo "$output"; false; }
	echo "# $(tail -1 <<<"$output")" >&3
}

@test "unit tests under ASan and UBSan" { suite sanitize tests/unit/*.c; }

@test "program tests under ASan and UBSan" { suite sanitize $(without_boxes); }

@test "what has threads, under ThreadSanitizer" {
	suite tsan tests/unit/test_replay_plan.c tests/unit/test_trace_format.c tests/program/capture.bats tests/program/capture-output.bats \
		tests/program/replay.bats tests/program/replay-engines.bats tests/program/trace.bats
}
