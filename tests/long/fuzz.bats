#!/usr/bin/env bats
# Hostile files, under ASan and UBSan: every reader of a file that somebody else may have written, with FUZZ_SECONDS (default 600) of
# processor time for each; and mutated traces given to the verbs. tests/README.md says which reader is whose target.
bats_require_minimum_version 1.5.0

setup() {
	cd "$BATS_TEST_DIRNAME/../.."
	make -s all units
}

fuzz() {
	make -s fuzz
	sh tests/fuzz/seeds.sh "$BATS_TEST_TMPDIR/corpus"
	run -0 sh tests/fuzz/run.sh "$1" "${FUZZ_SECONDS:-600}" "$BATS_TEST_TMPDIR/corpus"
	echo "# $output" >&3
}

@test "the reader survives whatever calls itself a trace, and what it delivers survives text and back" {
	fuzz fuzz_trace_reader
}

@test "text that builds comes back as it was" {
	fuzz fuzz_trace_text
}

@test "trace cut: a part of a hostile trace is a trace" {
	fuzz fuzz_trace_cut
}

@test "trace anonymize: nothing but names changes" {
	fuzz fuzz_trace_anonymize
}

@test "the plan of a hostile trace stays within its bounds" {
	fuzz fuzz_replay_compile
}

@test "a kept plan that was damaged is refused" {
	fuzz fuzz_plan_file
}

@test "hostile sweep directories and run documents, in every format" {
	fuzz fuzz_results
}

@test "hostile sweep files, profiles and catalogues" {
	fuzz fuzz_sweep
}

@test "hostile journals" {
	fuzz fuzz_journals
}

@test "hostile mount tables" {
	fuzz fuzz_mountinfo
}

@test "10 000 mutated traces, half of them with right checksums: read, cut, anonymized and compiled, under the sanitizers" {
	make -s VARIANT=sanitize units
	run -0 env MUTATIONS="${MUTATIONS:-10000}" build/sanitize/tests/test_trace_mutated
}
