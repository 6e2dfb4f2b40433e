#!/usr/bin/env bats
# iorig sweep: plans, refusals, and real sweeps on loop files, killed and resumed.
bats_require_minimum_version 1.5.0

setup_file() {
	cd "$BATS_TEST_DIRNAME/../.."
	iorig=${IORIG:-$PWD/bin/iorig}
	export SHARED=$(mktemp -d /var/tmp/iorig-sweep-test.XXXXXX)
	make_trace 40 4096 | "$iorig" trace build - -o "$SHARED/t.iotrace"
	# The write is recorded as short, which no file system does again.
	make_trace 40 100 | "$iorig" trace build - -o "$SHARED/wrong.iotrace"
}

teardown_file() {
	rm -rf "$SHARED"
}

setup() {
	cd "$BATS_TEST_DIRNAME/../.."
	iorig=${IORIG:-$PWD/bin/iorig}
	t=$(mktemp -d /var/tmp/iorig-sweep-test.XXXXXX)
	cp "$SHARED/t.iotrace" "$t/"
	runner=
}

# Whatever a test left: the runner (by its number), then what a resume would put back.
teardown() {
	[ -z "$runner" ] || kill -9 "$runner" 2>/dev/null || true
	for journal in "$t"/*/undo.ndjson; do # else a test that failed half-way would leave its settings on this machine
		[ ! -e "$journal" ] || "$iorig" profile undo "${journal%/*}" || true
	done
	for mnt in "$t"/*/mnt; do
		for _ in 1 2 3 4 5 6 7 8 9; do # the killed runner's programs end a little later
			! mountpoint -q "$mnt" || umount "$mnt" 2>/dev/null || sleep 0.3
		done
	done
	for img in "$t"/*/disks/*.img; do
		[ ! -e "$img" ] || losetup -j "$img" | cut -d: -f1 | xargs -r losetup -d
	done
	rm -rf "$t"
}

# $1 small files, each created, written (the call returned $2), synced and closed.
make_trace() {
	awk -v n="$1" -v got="$2" -f "$BATS_TEST_DIRNAME/../creations.awk"
}

# sweep FILE JQ-PROGRAM: a small sweep of two cells and two blocks, changed by the program.
sweep() {
	jq "${2:-.}" >"$t/$1" <<-'END'
	{ "schema": "iorig.sweep/1", "name": "small", "trace": {"file": "t.iotrace"}, "box": {"disks": [{"loop_gib": 0.25}]},
	  "base": {"profile": "ext4-one", "set": {"block.nr_requests": 64}},
	  "matrix": {"block.scheduler": ["mq-deadline", "none"]},
	  "plan": {"blocks": 2, "seed": 3, "warmup": false} }
	END
}

need_root() {
	[ "$(id -u)" = 0 ] || skip "needs root: makes loop devices and file systems"
}

# What a sweep changes on this machine, and the loop devices and mounts of this test. Looked at while nobody else may change it.
machine() {
	flock /run/iorig.lock sysctl vm.dirty_ratio vm.dirty_background_ratio vm.swappiness vm.laptop_mode
	losetup -a | grep "$t" || true
	grep "$t" /proc/mounts || true
	ls "$t"/*/disks "$t"/*/mnt 2>/dev/null || true
}

done_runs() { jq -r 'select(.ev == "done").seq' "$1/runs.ndjson" | sort -n | tr '\n' ' '; }

# Waits until the journal has a line that the jq filter selects, up to 5 minutes: another sweep may be at work on this machine first.
wait_for() {
	for _ in $(seq 3000); do
		[ -z "$(jq -c "select($2)" "$1/runs.ndjson" 2>/dev/null)" ] || return 0
		sleep 0.1
	done
	cat "$1/runs.ndjson"
	return 1
}

# ---- plan -------------------------------------------------------------------------------------------------------------------------

@test "plan shows cells, runs, refusals and what can be concluded" {
	sweep s.json '.matrix["fs.atime"] = ["relatime", "noatime"] | .matrix["fs.barrier"] = [true, false]
		| .include = [{"set": {"fs.type": "xfs", "fs.barrier": false}, "label": "xfs nobarrier", "accept_durability": "D3"}]'
	run -0 --separate-stderr "$iorig" sweep plan "$t/s.json"
	[ -z "$stderr" ]
	[[ $output == *"4 cells (the matrix has 8 combinations"* ]]
	[[ $output == *"D0+D4         scheduler=none atime=noatime"* ]]
	[[ $output == *"refused       barrier=false: class D3 is above durability.max D0"* ]]
	[[ $output == *"unsupported   xfs nobarrier: "*"xfs removed nobarrier"* ]]
	[[ $output == *"runs        8: 2 blocks"* ]]
	[[ $output == *"conclusion  a rank test alone can NOT decide: with 2 blocks its smallest p is 0.33"*"5 blocks would do"* ]]
	[[ $output == *"next: iorig sweep run $t/s.json --out DIR" ]]
}

@test "plan --json is the plan, the same each time, with estimate and conclusion" {
	sweep s.json '.plan.blocks = 6'
	run -0 "$iorig" sweep plan --json "$t/s.json"
	first=$output
	run -0 "$iorig" sweep plan --json "$t/s.json"
	[ "$output" = "$first" ]
	run -0 jq -r '[.schema, .comparisons, (.runs | length), .conclusion.rank_test_can_decide, .conclusion.blocks_needed, (.cells | map(.label) | join(","))] | join(" ")' \
		<<<"$first"
	[ "$output" = "iorig.plan/1 1 12 true 4 control,scheduler=none" ]
}

@test "the ready-made sweeps can be planned" {
	for file in sweeps/*.sweep.json; do
		run -0 "$iorig" sweep plan --trace "$t/t.iotrace" "$file"
		[[ $output == *" cells"*"conclusion"* ]]
	done
}

@test "a bad sweep file is one line that names the key, exit 1" {
	bad() {
		sweep bad.json "$1"
		run -1 --separate-stderr "$iorig" sweep plan "$t/bad.json"
		[ -z "$output" ]
		[ "${#stderr_lines[@]}" = 1 ] || { echo "$stderr"; false; }
		[[ $stderr == "iorig: sweep: $t/bad.json: "*"$2"* || $stderr == "iorig: sweep: $2"* ]] || { echo "$stderr"; false; }
	}
	bad '.matrxi = {}' "unknown key 'matrxi'"
	bad '.plan.blokcs = 3' "unknown key 'plan.blokcs'"
	bad '.matrix["block.schedular"] = ["bfq"]' "in 'matrix': "
	bad '.exclude = [{"block.scheduler": "bfq"}]' "'exclude[0]' {\"block.scheduler\":\"bfq\"} matches no combination"
	bad '.base = "ext5"' "ext5"
	bad '.box.disks = []' "'box.disks' names no disk"
	bad '.box.disks = [{"loop_gib": 1}, {"serial": "X"}]' "'box.disks' mixes"
	bad '.trace.file = "gone.iotrace"' "gone.iotrace"
	bad '.trace.sha256 = "00"' "'trace.sha256'"
	bad '.schema = "iorig.sweep/9"' "'$t/bad.json' is no iorig.sweep/1 document"
	printf '{"schema": "iorig.sweep/1",' >"$t/torn.json"
	run -1 --separate-stderr "$iorig" sweep plan "$t/torn.json"
	[[ $stderr == "iorig: sweep: $t/torn.json:1:"* ]]
}

@test "a recording that is none is refused before the night" {
	sweep s.json
	echo "no trace" >"$t/t.iotrace"
	run -1 --separate-stderr "$iorig" sweep plan "$t/s.json"
	[[ $stderr == "iorig: sweep: "*"t.iotrace"* ]]
	[ "${#stderr_lines[@]}" = 1 ]
}

@test "misuse is exit 2" {
	run -2 --separate-stderr "$iorig" sweep
	[ "$stderr" = "iorig: sweep: say plan, run, resume, status or confirm; see 'iorig sweep -h'" ]
	run -2 "$iorig" sweep fly x
	run -2 "$iorig" sweep plan
	run -2 "$iorig" sweep run "$t/x" y --out z
	sweep s.json
	run -2 --separate-stderr "$iorig" sweep run "$t/s.json"
	[ "$stderr" = "iorig: sweep run: --out DIR is missing; see 'iorig sweep -h'" ]
}

@test "status and resume of a folder without a sweep say so" {
	need_root
	mkdir "$t/d"
	run -1 --separate-stderr "$iorig" sweep status "$t/d"
	[ "$stderr" = "iorig: sweep status: cannot read '$t/d/plan.json': No such file or directory" ]
	run -1 --separate-stderr "$iorig" sweep resume "$t/d"
	[ "$stderr" = "iorig: sweep: '$t/d' holds no frozen sweep; start one with 'iorig sweep run'" ]
}

# ---- run --------------------------------------------------------------------------------------------------------------------------

@test "a sweep on loop files: every run counts, everything is given back" {
	need_root
	before=$(machine)
	sweep s.json '.fio = {"jobs": ["seq-1m"], "on": ["cells", "raw"], "blocks": 1, "runtime_s": 0.3, "size_mib": 8} | .plan.warmup = true | .plan.confirm = {"blocks": 2}'
	run -0 --separate-stderr "$iorig" sweep run "$t/s.json" --out "$t/d"
	[ -z "$output" ]
	[[ ${stderr_lines[0]} == "iorig: run 1/4 block 1 "* ]]
	[ "${stderr_lines[4]}" = "iorig: complete: 4 runs done, 0 without a number; see 'iorig report $t/d'" ]
	[ "$(machine)" = "$before" ]
	[ "$(done_runs "$t/d")" = "1 2 3 4 " ]
	[ "$(jq -r .ev "$t/d/runs.ndjson" | sort | uniq -c | tr -s ' \n' ' ')" = \
		" 4 applied 4 armed 1 complete 4 done 1 plan 4 prepared 4 running 1 start 1 warmup " ]
	for seq in 1 2 3 4; do
		sum=$(sha256sum <"$t/d/runs/000$seq/run.json")
		[ "$(jq -r "select(.ev == \"done\" and .seq == $seq).run_sha256" "$t/d/runs.ndjson")" = "${sum%% *}" ]
		[ "$(jq -r .outcome "$t/d/runs/000$seq/run.json")" = ok ]
		[ "$(jq -r '[.outcome, .after.outcome] | join(" ")' "$t/d/runs/000$seq/apply.json")" = "ok ok" ]
		# The scheduler that the plan asks for is the one that was in force.
		cell=$(jq -r ".runs[] | select(.seq == $seq).cell" "$t/d/plan.json")
		[ "$(jq -r ".cells[] | select(.id == \"$cell\").settings[\"block.scheduler\"]" "$t/d/plan.json")" = \
			"$(jq -r '.knobs["block.scheduler"].effective' "$t/d/runs/000$seq/apply.json")" ]
	done
	[ "$(ls "$t/d/runs")" = "$(printf '%s\n' 0001 0002 0003 0004)" ]
	for seq in 1 2; do
		jq -e '.jobs[0].write.iops > 0' "$t/d/runs/000$seq/fio-seq-1m.json"
	done
	jq -e '.jobs[0].write.iops > 0' "$t/d/runs/0001/raw-seq-1m.json"
	[ ! -e "$t/d/runs/0003/fio-seq-1m.json" ]
	[ "$(jq -r '.schema, .disks[0].file' "$t/d/box.json")" = "iorig.box/1
$t/d/disks/disk0.img" ]

	# Complete is complete: nothing is done twice, nothing is overwritten.
	sum=$(sha256sum "$t/d/runs.ndjson")
	run -0 --separate-stderr "$iorig" sweep resume "$t/d"
	[ "$stderr" = "iorig: '$t/d' is complete; see 'iorig report $t/d'" ]
	run -1 --separate-stderr "$iorig" sweep run "$t/s.json" --out "$t/d"
	[[ $stderr == *"'$t/d' holds a sweep already; go on with 'iorig sweep resume $t/d' or give another --out" ]]
	[ "$(sha256sum "$t/d/runs.ndjson")" = "$sum" ]
	run -0 "$iorig" sweep status "$t/d"
	[ "${lines[0]}" = "small: complete, 4 of 4 runs done, 0 without a number, 0 open" ]
	run -0 "$iorig" sweep status --json "$t/d"
	[ "$(jq -r '[.schema, .state, .done, .open] | join(" ")' <<<"$output")" = "iorig.status/1 complete 4 0" ]

	# A fresh round for the leader.
	run -0 --separate-stderr "$iorig" sweep confirm "$t/d" --top 1 --out "$t/e"
	[ "$(jq -r '[.name, .seed, (.cells | map(.label) | join(",")), .blocks_max] | join(" ")' "$t/e/plan.json")" = \
		"small-confirm 4 control,scheduler=none 2" ]
	[ "$(machine)" = "$before" ]
}

@test "several passes of a run: the file system is made once, the middle one counts" {
	need_root
	sweep s.json '.replay = {"passes": 3, "golden": true} | .matrix = {"block.scheduler": ["none"]} | .base.profile = "xfs-one" | .box.disks[0].loop_gib = 0.5'
	run -0 --separate-stderr "$iorig" sweep run "$t/s.json" --out "$t/d"
	runs=$(jq '.runs | length' "$t/d/plan.json")
	[ "$(jq -r .ev "$t/d/runs.ndjson" | sort | uniq -c | tr -s ' \n' ' ')" = \
		" $runs applied $runs armed 1 complete $runs done 1 plan $runs prepared $((2 * runs)) reset $((3 * runs)) running 1 start " ]
	for seq in $(seq "$runs"); do
		folder=$t/d/runs/000$seq
		middle=$(jq -s 'sort_by(.elapsed_ns)[1].elapsed_ns' "$folder"/pass-[123].json)
		[ "$(jq .elapsed_ns "$folder/run.json")" = "$middle" ]
		jq -se --argjson seq "$seq" --argjson middle "$middle" '.[] | select(.ev == "done" and .seq == $seq) | .elapsed_ns == $middle
			and (.passes_ns | length) == 3 and .passes_ns[.pass - 1] == $middle' "$t/d/runs.ndjson"
		pass=$(jq --argjson seq "$seq" 'select(.ev == "done" and .seq == $seq).pass' "$t/d/runs.ndjson")
		cmp "$folder/run.hist" "$folder/pass-$pass.hist"
		# This trace only makes files: there is nothing to clone, and what was made is removed.
		[ "$(jq -r '.start | "\(.made) \(.golden)"' "$folder"/pass-?.json | xargs)" = "populated true undone true undone true" ]
		[ "$(grep -c '^== --reset: status 0' "$folder/log.txt")" = 2 ]
	done
	run -0 "$iorig" report "$t/d"
	sweep s.json '.replay = {"passes": 0}'
	run -1 --separate-stderr "$iorig" sweep plan "$t/s.json"
	[[ $stderr == *"replay.passes"* ]]
}

@test "what is not in force is not-applied, what the replay gets wrong is failed, never a number; exit 3" {
	need_root
	before=$(machine)
	sweep s.json 'del(.matrix) | .plan.blocks = 1 | .include = [{"set": {"block.max_sectors_kb": 60000}, "label": "clamped"}]'
	run -3 --separate-stderr "$iorig" sweep run "$t/s.json" --out "$t/d"
	[[ $stderr == *"clamped: not-applied: "*"max_sectors"* ]] || [[ $stderr == *"clamped: unsupported: "*"max_sectors"* ]]
	[[ $stderr == *"complete: 1 runs done, 1 without a number"* ]]
	seq=$(jq -r 'select(.ev == "not-applied" or .ev == "unsupported").seq' "$t/d/runs.ndjson")
	[ ! -e "$t/d/runs/000$seq/run.json" ]

	sweep s.json 'del(.matrix) | .plan.blocks = 1'
	run -3 --separate-stderr "$iorig" sweep run "$t/s.json" --trace "$SHARED/wrong.iotrace" --out "$t/w"
	[ "${#stderr_lines[@]}" = 3 ]
	[[ ${stderr_lines[0]} == "iorig: run 1/1 block 1 control: failed: the replay: "* ]]
	[ "$(jq -r 'select(.ev == "failed") | [.seq, .attempt] | join(" ")' "$t/w/runs.ndjson" | tr '\n' ' ')" = "1 1 1 2 " ]
	[ "$(machine)" = "$before" ]
}

@test "the program of --on-journal hears every line, and may fail" {
	need_root
	sweep s.json 'del(.matrix) | .plan.blocks = 1'
	printf '#!/bin/sh\necho "$@" >>"%s/heard"\nexit 9\n' "$t" >"$t/tell"
	chmod +x "$t/tell"
	run -0 --separate-stderr "$iorig" sweep run "$t/s.json" --out "$t/d" --on-journal "$t/tell"
	[ "$(cat "$t/heard")" = "$(printf "$t/d %s\n" "plan 0" "start 0" "armed 1" "applied 1" "prepared 1" "running 1" "done 1" "complete 0")" ]
	[ "$(grep -c "warning: $t/tell ended with status 9" <<<"$stderr")" = 1 ]
}

@test "a disk that is not there, or that carries the running system, is refused: exit 5, nothing written" {
	need_root
	sweep s.json '.box.disks = [{"serial": "no-such-disk"}]'
	run -5 --separate-stderr "$iorig" sweep run "$t/s.json" --out "$t/d" --erase
	[ "$stderr" = "iorig: sweep: there is no disk with serial or WWN 'no-such-disk' in this machine" ]
	[ ! -e "$t/d" ]
}

# ---- kill, resume -----------------------------------------------------------------------------------------------------------------

@test "kill -9 in the middle, three times, then resume: same plan, every run once, machine as before" {
	need_root
	before=$(machine)
	sweep s.json '.base.set["vm.swappiness"] = 33 | .base.set["vm.dirty_ratio"] = 17'
	"$iorig" sweep run "$t/s.json" --out "$t/d" 2>"$t/log" &
	runner=$!
	wait_for "$t/d" '.ev == "running" and .seq == 1'
	[ "$(sysctl -n vm.swappiness)" = 33 ]
	kill -9 $runner
	wait $runner || true
	sum=$(sha256sum "$t/d/plan.json" "$t/d/sweep.json")
	[ -n "$(losetup -j "$t/d/disks/disk0.img")" ] # or the test proves nothing
	run -0 "$iorig" sweep status "$t/d"
	[[ $output == "small: stopped, "*"interrupted: run 1, block 1, "*"next: iorig sweep resume $t/d" ]]

	for event in '.ev == "armed" and .seq == 2' '.ev == "prepared" and .seq == 3'; do
		"$iorig" sweep resume "$t/d" 2>>"$t/log" &
		runner=$!
		wait_for "$t/d" "$event"
		kill -9 $runner
		wait $runner || true
	done
	# The line being written when the power went.
	printf '{"t":"2026-01-01T00:00:00Z","ev":"do' >>"$t/d/runs.ndjson"

	run --separate-stderr "$iorig" sweep resume "$t/d"
	runner=
	[[ $stderr == *"complete: 4 runs done, 0 without a number"* ]] || { echo "$stderr"; false; }
	[ "$(sha256sum "$t/d/plan.json" "$t/d/sweep.json")" = "$sum" ]
	[ "$(done_runs "$t/d")" = "1 2 3 4 " ]
	[ "$(jq -r 'select(.died).seq' "$t/d/runs.ndjson" | tr '\n' ' ')" = "1 2 3 " ]
	[ "$(machine)" = "$before" ]
}

@test "one SIGINT ends after the run that is on, two break it off; both put everything back" {
	need_root
	before=$(machine)
	sweep s.json
	"$iorig" sweep run "$t/s.json" --out "$t/d" 2>"$t/log" &
	runner=$!
	wait_for "$t/d" '.ev == "applied" and .seq == 1'
	# A second runner stays out.
	run -1 --separate-stderr "$iorig" sweep resume "$t/d"
	[ "$stderr" = "iorig: sweep: '$t/d' is in use by another runner; wait for it or stop it first" ]
	run -0 "$iorig" sweep status "$t/d"
	[[ $output == "small: running, 0 of 4 runs done"*"now: run 1, block 1, "* ]]
	kill -INT $runner
	rc=0
	wait $runner || rc=$?
	[ "$rc" = 3 ]
	[ "$(done_runs "$t/d")" = "1 " ] || { cat "$t/log"; false; }
	[ "$(tail -1 "$t/log")" = "iorig: stopped by the operator: 3 of 4 runs are left; go on with 'iorig sweep resume $t/d'" ]
	[ "$(machine)" = "$before" ]

	"$iorig" sweep resume "$t/d" 2>"$t/log" &
	runner=$!
	wait_for "$t/d" '.ev == "applied" and .seq == 2'
	kill -INT $runner
	sleep 0.2
	kill -INT $runner
	rc=0
	wait $runner || rc=$?
	runner=
	[ "$rc" = 3 ]
	[ "$(machine)" = "$before" ]
	[ "$(jq -r 'select(.seq == 2 and .aborted).ev' "$t/d/runs.ndjson")" = failed ]
	run -0 --separate-stderr "$iorig" sweep resume "$t/d"
	[ "$(done_runs "$t/d")" = "1 2 3 4 " ]
}

@test "a frozen document that was changed is not worked on" {
	need_root
	sweep s.json '.plan.blocks = 1'
	"$iorig" sweep run "$t/s.json" --out "$t/d" 2>"$t/log" &
	runner=$!
	wait_for "$t/d" '.ev == "armed"'
	kill -9 $runner
	wait $runner || true
	runner=
	cp "$t/d/plan.json" "$t/plan.json"
	sed -i 's/"seed": 3/"seed": 4/' "$t/d/plan.json"
	run -1 --separate-stderr "$iorig" sweep resume "$t/d"
	[ "${stderr_lines[-1]}" = "iorig: sweep: '$t/d/plan.json' is not the plan that this sweep began with; put the original back" ]
	cp "$t/plan.json" "$t/d/plan.json"
	echo more >>"$t/t.iotrace"
	run -1 --separate-stderr "$iorig" sweep resume "$t/d"
	[[ $stderr == *"'trace.sha256' is "*": this is another recording" ]]
	run -0 --separate-stderr "$iorig" sweep resume "$t/d" --trace "$SHARED/t.iotrace"
	[ "$(done_runs "$t/d")" = "1 2 " ]
}
