#!/usr/bin/env bats
# iorig compare over invented sweep directories: matching, verdicts, the gate, refusals.
bats_require_minimum_version 1.5.0

setup_file() {
	cd "$BATS_TEST_DIRNAME/../.."
	export iorig=${IORIG:-$PWD/bin/iorig} make=$PWD/tests/make-sweep.sh LC_ALL=C
	cd "$BATS_FILE_TMPDIR"
	spec() { # SEED, EFFECT of b
		printf '%s\n' 'sweep n' 'blocks 6' "seed $1" 'noise 0.01' 'drift 0.01' 'ops 300' 'class read 0.8 90000 0.9' 'class fsync 0.2 2600000 0.6' \
			'cell a D0 1.0 1.0 x=1' "cell b D0 $2 1.0 x=2" 'cell c D0 1.0 1.0 x=3'
	}
	spec 11 0.9 >s && sh "$make" s one
	spec 12 0.9 >s && sh "$make" s same
	spec 13 1.1 >s && sh "$make" s slow
	{ spec 14 0.9; echo 'cell d D0 1 1 x=4'; } | sed 's/x=3/x=9/' >s && sh "$make" s other
}

setup() { cd "$BATS_FILE_TMPDIR"; }

@test "an equal night passes the gate, a slower cell does not" {
	run -0 "$iorig" compare one same --fail-on 'elapsed_s>+5%' --fail-on 'ops_per_s<-5%'
	run -4 --separate-stderr "$iorig" compare one slow --fail-on 'elapsed_s>+5%' --json
	[[ $stderr == "iorig: crossed: elapsed_s>+5%: elapsed_s is +"*"% for x=2" ]]
	jq -e '.schema == "iorig.compare/1" and .fail_on[0].crossed_by == 1' <<<"$output"
	jq -e '[.cells[] | .verdict] | .[1] == "worse" and .[2] != "worse"' <<<"$output"
	jq -e '.cells[1] | .ratio > 1.15 and .ratio < 1.3 and .through_control.p_holm < 0.01' <<<"$output"
	jq -e '.cells[0].through_control.ratio == null' <<<"$output"
	run -0 "$iorig" compare slow one --fail-on 'elapsed_s>+5%'
	run -4 "$iorig" compare slow one --fail-on 'elapsed_s<-5%'
}

@test "a sweep against itself differs in nothing" {
	run -0 "$iorig" compare one one --json
	jq -e '[.cells[] | .ratio == 1 and .p == 1] | all' <<<"$output"
}

@test "cells are matched by their settings; the others are counted" {
	run -0 "$iorig" compare one other
	[[ $output == *"not compared: 1 cells only in A, 2 only in B"* ]]
}

@test "single runs have a ratio and no test; the gate says so" {
	run -0 --separate-stderr "$iorig" compare one/runs/0001 one/runs/0002 --json
	jq -e '.cells[0] | .p == null and .verdict == "undecided" and .n_a == 1' <<<"$output"
	slowest=$(jq -s 'to_entries | max_by(.value.elapsed_ns) | .key + 1' one/runs/*/run.json)
	fastest=$(jq -s 'to_entries | min_by(.value.elapsed_ns) | .key + 1' one/runs/*/run.json)
	run -4 --separate-stderr "$iorig" compare "one/runs/$(printf %04d "$fastest")" "one/runs/$(printf %04d "$slowest")" --fail-on 'elapsed>+2%'
	[[ $stderr == *"(too few runs for a test)" ]]
}

@test "different traces or kernels are refused unless forced" {
	cp -r same foreign
	jq -c '.trace_sha256 = "ff00"' same/plan.json >foreign/plan.json
	run -1 --separate-stderr "$iorig" compare one foreign
	[[ $stderr == "iorig: 'one' and 'foreign' replayed different traces (9f2c00000000, ff00)"* ]]
	run -0 "$iorig" compare one foreign --force
	rm -r foreign
}

@test "a what-if is not compared with a traced run, and the report says that it is one" {
	cp -r one/runs/0001 what-if
	jq -c '.engine = {"name": "uring", "direct": false, "what_if": true} | .what_if = true' one/runs/0001/run.json >what-if/run.json
	run -1 --separate-stderr "$iorig" compare one/runs/0001 what-if
	[[ $stderr == "iorig: 'one/runs/0001' was replayed with --engine traced and 'what-if' with uring: a what-if answers another question;"* ]]
	run -0 "$iorig" compare one/runs/0001 what-if --force
	run -0 "$iorig" compare what-if what-if
	cp -r one odd
	for run in odd/runs/*/run.json; do
		jq -c '.engine = {"name": "traced", "direct": true}' "$run" >x && mv x "$run"
	done
	sed -i 's/"run_sha256":"[0-9a-f]*"/"run_sha256":null/' odd/runs.ndjson
	run -0 --separate-stderr "$iorig" report odd
	[[ $output == *"a what-if: reads and writes were done with --engine traced --direct, not as recorded"* ]]
	cp one/runs/0001/run.json odd/runs/0001/
	run -0 --separate-stderr "$iorig" report odd
	[[ $output == *"runs used another engine than the first (traced): their times do not compare"* ]]
}

@test "misuse is named" {
	run -2 --separate-stderr "$iorig" compare one
	run -2 --separate-stderr "$iorig" compare one same --fail-on 'p99+5'
	[ "$stderr" = "iorig: --fail-on 'p99+5' is no rule; write METRIC, < or >, and a percentage: 'p99>+5%'" ]
	run -2 --separate-stderr "$iorig" compare one same --fail-on 'beauty>1%'
	[[ $stderr == *"there is no metric 'beauty' on both sides"* ]]
	run -2 --separate-stderr "$iorig" compare one same --metric beauty
	run -1 --separate-stderr "$iorig" compare one /nonexistent
	[ "$stderr" = "iorig: cannot read '/nonexistent/plan.json': No such file or directory" ]
}
