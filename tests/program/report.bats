#!/usr/bin/env bats
# iorig report over invented sweep directories (tests/make-sweep.sh): outcomes, verdicts, formats, damage.
bats_require_minimum_version 1.5.0

setup_file() {
	cd "$BATS_TEST_DIRNAME/../.."
	export iorig=${IORIG:-$PWD/bin/iorig} spec=$PWD/tests/sweeps make=$PWD/tests/make-sweep.sh expected=$PWD/tests/expected
	export NO_COLOR=1 LC_ALL=C COLUMNS=160
	sh "$make" "$spec/night.txt" "$BATS_FILE_TMPDIR/night"
}

setup() {
	cd "$BATS_TEST_TMPDIR"
	night=$BATS_FILE_TMPDIR/night
}

# A sweep of our own: lines on standard input.
sweep() {
	cat >spec.txt
	sh "$make" spec.txt d
}

small() {
	printf '%s\n' 'sweep small' "blocks $1" "noise ${2-0.01}" 'ops 200' 'class read 0.8 90000 0.9' 'class fsync 0.2 2600000 0.6' \
		'cell a D0 1.0 1.0 x=1' 'cell b D0 0.7 0.7 x=2' 'cell c D0 1.0 1.0 x=3'
}

matrix() { "$iorig" report "${2-d}" --format json | jq -r "$1"; }

@test "terminal, markdown and CSV are exactly as kept" {
	for form in term md csv; do
		"$iorig" report "$night" --format $form 2>/dev/null | sed "s|$night|DIR|g" >"$form"
		diff -u "$expected/night.$form" "$form"
	done
	"$iorig" report "$night" --format csv --rows summary >summary
	diff -u "$expected/night.summary.csv" summary
}

@test "the same directory gives the same bytes" {
	"$iorig" report "$night" --format json >one
	"$iorig" report "$night" --format json >two
	cmp one two
}

@test "the document has the keys that scripts rely on, and null instead of invented numbers" {
	"$iorig" report "$night" --format json >m.json
	jq -e '.schema == "iorig.matrix/1" and (.control | type) == "string" and (.fio.kendall_tau | type) == "number" and .recommended == "c000000001"' m.json
	jq -e '[.cells[] | has("id","label","set","durability","outcome","reason","runs","metrics")] | all' m.json
	jq -e '.cells[] | select(.outcome == "ok") | .metrics.elapsed_s | has("median","lo","hi","ratio","verdict")' m.json
	jq -e '[.cells[] | select(.outcome != "ok") | .metrics == {} and .runs == 0 and (.reason | length > 5)] | all and length == 4' m.json
	jq -e '[.cells[].outcome] | sort | unique == ["crashed","not-applied","ok","refused","unsupported"]' m.json
	jq -e '[.. | numbers | select(fabs > 9007199254740992)] == []' m.json
}

@test "planted effects are found, ties stay undecided or same" {
	"$iorig" report "$night" --format json >m.json
	verdict() { jq -r --arg l "$1" '.cells[] | select(.label == $l) | .metrics.elapsed_s.verdict' m.json; }
	[ "$(verdict block.scheduler=none)" = better ]
	[ "$(verdict block.scheduler=bfq)" = worse ]
	[ "$(verdict ext4.commit_s=30)" = better ]
	[[ $(verdict fs.atime=noatime) =~ ^(same|undecided)$ ]]
	jq -e '.cells[] | select(.label == "block.scheduler=none") | .metrics.elapsed_s.ratio | . > 0.84 and . < 0.90' m.json
}

@test "the recommendation stays inside the allowed class; the faster unsafe cell is named with its risk" {
	[ "$(matrix .recommended "$night")" = c000000001 ]
	[ "$(matrix .faster_but_unsafe.label "$night")" = fs.barrier=false ]
	[ "$(matrix .faster_but_unsafe.risk "$night")" = "an acknowledged fsync can be lost in a power cut" ]
	run -0 "$iorig" report "$night" --max-risk D3 --format json
	[ "$(jq -r .recommended <<<"$output")" = c000000005 ]
	run -0 "$iorig" report "$night" --max-risk D0+D4 --format json
	[ "$(jq -r .recommended <<<"$output")" = c000000006 ]
	run -0 --separate-stderr "$iorig" report "$night" --max-risk D0
	[[ $output == *"hidden, over --max-risk: "*"fs.barrier=false (D3, -45.5%)"* ]]
	[[ $output != *$'\n'"  fs.barrier=false"* ]]
}

@test "identical cells: keep the control" {
	sweep <<<"$(small 4 0.02 | sed 's/0\.7 0\.7/1.0 1.0/')"
	[ "$(matrix '.keep_control, .recommended' | tr '\n' ' ')" = "true a " ]
	run -0 --separate-stderr "$iorig" report d
	[[ $output == *"Keep the control: nothing within D1:30s is shown to be better"* ]]
}

@test "one block claims nothing" {
	sweep <<<"$(small 1)"
	[ "$(matrix '[.cells[].metrics.elapsed_s.verdict] | @csv')" = ',"undecided","undecided"' ]
	[ "$(matrix .keep_control)" = true ]
	[ "$(matrix '.cells[1].metrics.elapsed_s.p, .cells[1].metrics.elapsed_s.interval' | tr '\n' ' ')" = "null range " ]
	run -0 --separate-stderr "$iorig" report d
	[[ $output == *"one run says nothing about the next"* ]]
	[[ $output == *"WARN  noise"*"unknown"* ]]
}

@test "two blocks of three cells do not crash and call a range a range" {
	sweep <<<"$(small 2)"
	[ "$(matrix '.cells[0].metrics.elapsed_s.interval')" = range ]
	for form in term md csv json; do
		"$iorig" report d --format $form >/dev/null
	done
}

@test "a killed sweep reports what it has; the torn line is quiet" {
	sweep <<<"$(small 4; echo 'stop 6')"
	tail -c 20 d/runs.ndjson | grep -q 'ev":"do$'
	[ "$(matrix '.sweep.complete, .sweep.runs_ok, (.warnings | length)' | tr '\n' ' ')" = "false 5 0 " ]
	[ "$(matrix '[.runs[] | select(.seq == 6) | .outcome, .reason] | @csv')" = '"pending","was interrupted after the step '"'running'"'"' ]
	run -0 --separate-stderr "$iorig" report d
	[[ $output == *", not finished"* ]]
	[ "$stderr" = "iorig: next: iorig sweep resume d" ]
}

@test "no run at all yet: every cell is pending" {
	sweep <<<"$(small 3; echo 'stop 1')"
	: >d/runs.ndjson
	[ "$(matrix '[.cells[].outcome] | unique | @csv, .recommended' | tr '\n' ' ')" = '"pending" null ' ] ||
		[ "$(matrix '.recommended')" = null ]
	run -0 --separate-stderr "$iorig" report d
	[[ $output == *"No verdict: the control has no run that counts"* ]]
	[[ $output == *"PENDING: not run yet"* ]]
	rm d/runs.ndjson
	run -0 --separate-stderr "$iorig" report d
	[[ $output == *"there is no journal"* ]]
}

@test "a run counts only with a done line and its own run.json" {
	sweep <<<"$(small 3)"
	first=$(jq -r '.runs[0].cell' d/plan.json)
	grep -v '"ev":"done","seq":1,' d/runs.ndjson >j && mv j d/runs.ndjson
	[ "$(matrix '.runs[0].outcome')" = pending ]
	jq -c '.elapsed_ns = 1' d/runs/0002/run.json >r && mv r d/runs/0002/run.json
	[ "$(matrix '.runs[1].outcome')" = failed ]
	[[ $(matrix '.runs[1].reason') == "run.json was changed after the run:"* ]]
	rm d/runs/0003/run.json
	[ "$(matrix '.runs[2].outcome')" = failed ]
	[ "$(matrix '.sweep.runs_ok')" = 6 ]
	[ "$(matrix '.cells[] | select(.id == "'"$first"'") | .runs')" -le 2 ]
}

@test "a done run whose settings were not applied is not averaged in" {
	sweep <<<"$(small 3)"
	seq=$(jq -r '.runs[] | select(.cell == "b") | .seq' d/plan.json | head -1)
	file=d/runs/$(printf %04d "$seq")/apply.json
	jq -c '.outcome = "not-applied" | .reason = "wanted 2, the kernel says 1"' "$file" >r && mv r "$file"
	[ "$(matrix '.cells[1].runs, .cells[1].reason' | tr '\n' '|')" = "2|1 of 3 runs not-applied: wanted 2, the kernel says 1|" ]
}

@test "a later attempt takes the failure back" {
	sweep <<<"$(small 3; echo 'outcome b failed 2 no space')"
	seq=$(jq -r '.runs[] | select(.cell == "b" and .block == 2) | .seq' d/plan.json)
	[ "$(matrix ".runs[$((seq - 1))] | [.outcome, .reason] | @csv")" = '"failed","no space"' ]
	echo '{"t":"2026-11-21T12:00:00Z","ev":"armed","seq":'"$seq"',"cell":"b","block":2,"attempt":2}' >>d/runs.ndjson
	[ "$(matrix ".runs[$((seq - 1))].outcome")" = pending ]
}

@test "a control without a number leaves the others described, not judged" {
	sweep <<<"$(small 3; echo 'outcome a failed * mkfs failed')"
	[ "$(matrix '.recommended, .cells[0].outcome, .cells[1].metrics.elapsed_s.ratio, .cells[1].metrics.elapsed_s.verdict' | tr '\n' ' ')" = "null failed null undecided " ]
}

@test "damaged and hostile documents: one line or a row, never a crash" {
	sweep <<<"$(small 2)"
	printf 'no json\n[1]\n' >>d/runs.ndjson
	[ "$(matrix '.warnings | length')" = 2 ]
	echo '{"schema":"iorig.hist/1","op":{"read":{"lat_ns":[[99999999,1],[-1,5],"x",[3]]}}}' >d/runs/0001/run.hist
	"$iorig" report d >/dev/null
	jq -c '.cells[1].label = "\u001b[2Jevil\u202e|<b>\u0085"' d/plan.json >p && mv p d/plan.json
	"$iorig" report d >out
	! LC_ALL=C grep -q $'\e' out
	grep -qF '\x1b[2Jevil\xe2\x80\xae|<b>\xc2\x85' out
	"$iorig" report d --format md | grep -qF '\\x1b\[2Jevil\\xe2\\x80\\xae\|&lt;b>'
	jq -c '.cells[1].label = "=cmd|x,\"y\""' d/plan.json >p && mv p d/plan.json
	"$iorig" report d --format csv | grep -qF "b,\"'=cmd|x,\"\"y\"\"\",D0"
	jq -c '.control = "nobody"' d/plan.json >p && mv p d/plan.json
	run -1 --separate-stderr "$iorig" report d
	[ -z "$output" ]
	[ "$stderr" = "iorig: 'd/plan.json' names the control 'nobody', which is none of its 3 cells: the plan is damaged" ]
	echo '{' >d/plan.json
	run -1 --separate-stderr "$iorig" report d
	[[ $stderr == "iorig: d/plan.json:"*"no valid JSON"* ]]
	run -1 --separate-stderr "$iorig" report /nonexistent
	[ "$stderr" = "iorig: cannot read '/nonexistent/plan.json': No such file or directory" ]
}

@test "misuse is named, exit 2" {
	run -2 --separate-stderr "$iorig" report
	run -2 --separate-stderr "$iorig" report "$night" --format pdf
	[[ $stderr == *"--format 'pdf' is unknown; possible: term, md, "* ]]
	run -2 --separate-stderr "$iorig" report "$night" --sort beauty
	[[ $stderr == *"--sort 'beauty' is no metric"* ]]
	run -2 --separate-stderr "$iorig" report "$night" --max-risk D9
	[[ $stderr == *"--max-risk 'D9' is no durability class"* ]]
	run -2 --separate-stderr "$iorig" report "$night" --rows x
}

@test "-o writes whole files or none" {
	run -0 --separate-stderr "$iorig" report "$night" --format json -o m.json
	[ -z "$output" ]
	jq -e .recommended m.json
	run -1 --separate-stderr "$iorig" report "$night" -o /nonexistent/x
	[ "$stderr" = "iorig: cannot write '/nonexistent/x': No such file or directory" ]
	run -1 --separate-stderr sh -c '"$iorig" report "$1" >/dev/full' - "$night"
}

@test "the table keeps to the width, colour needs a terminal" {
	for width in 80 100 132; do
		COLUMNS=$width "$iorig" report "$night" | awk -v w=$width 'length($0) > w { print length($0) ": " $0; bad = 1 } END { exit bad }'
	done
	COLUMNS=80 "$iorig" report "$night" | grep -q '^\* scheduler=none  '
	! "$iorig" report "$night" | grep -q $'\e'
	env -u NO_COLOR -u COLUMNS TERM=xterm script -qec "$iorig report $night" /dev/null </dev/null | grep -q $'\e\\[1m'
	! NO_COLOR=1 TERM=xterm script -qec "$iorig report $night" /dev/null </dev/null | grep -q $'\e\\[1m'
}

@test "checks find what is planted" {
	sweep <<<"$(small 6)"
	[ "$(matrix '[.checks[] | select(.status == "FAIL")] | length')" = 0 ]
	alter() { # FILTER: of run 0003, with its checksum put right
		jq -c "$1" d/runs/0003/run.json >r && mv r d/runs/0003/run.json
		sum=$(sha256sum d/runs/0003/run.json | cut -c1-64)
		jq -c --arg s "$sum" 'if .ev == "done" and .seq == 3 then .run_sha256 = $s else . end' d/runs.ndjson >j && mv j d/runs.ndjson
	}
	status() { matrix '.checks[] | select(.name == "'"$1"'") | .status'; }
	alter '.ops = 5'
	[ "$(status 'same work in every run')" = FAIL ]
	alter '.trace.sha256 = "00"'
	[ "$(status 'same trace')" = FAIL ]
	alter '.self.ns_per_op = 1e12'
	[ "$(status 'not replayer-bound')" = FAIL ]
	alter '.system.disk |= map_values(.flushes = 0)'
	[ "$(status 'syncs really sync')" = FAIL ]
	alter '.mismatch.count = 7'
	[ "$(status 'results equal the recording')" = WARN ]
	alter '.system.kernel = "9.9"'
	[ "$(status 'one kernel')" = FAIL ]
	echo 'blk_update_request: I/O error, dev sda' >d/runs/0003/dmesg.txt
	[ "$(status 'kernel messages')" = FAIL ]
}

@test "the HTML page is one file: its policy allows exactly its own script and style, it names no other address" {
	"$iorig" report "$night" --format html -o page.html
	"$iorig" report "$night" --format html >again.html
	cmp page.html again.html
	part() { # TAG: what stands between <TAG> and </TAG>, no newline added
		awk -v RS="</$1>" -v tag="<$1>" '(at = index($0, tag)) { printf "%s", substr($0, at + length(tag)); exit }' page.html
	}
	hash() { printf "$(part "$1" | sha256sum | cut -c1-64 | sed 's/../\\x&/g')" | base64; }
	policy=$(grep -o 'content="default-src[^"]*"' page.html)
	[ "$policy" = "content=\"default-src 'none'; script-src 'sha256-$(hash script)'; style-src 'sha256-$(hash style)'; base-uri 'none'; form-action 'none'\"" ]
	[ "$(grep -o 'https\?://[^"'"'"' ]*' page.html | sort -u)" = http://www.w3.org/2000/svg ]
	! grep -Eq '<(img|link|iframe|object|embed|base|form)\b| (src|href|on[a-z]+|style)=' page.html
}

@test "hostile names cannot leave the data block of the page" {
	sweep <<<"$(small 2; echo 'name-file /srv/</script><script>alert(1)</script><!--')"
	jq -c '.cells[1].label = "</script><img src=x onerror=alert(1)>\u2028\u202e"' d/plan.json >p && mv p d/plan.json
	jq -c '.question = "<b>&why?</b>"' d/sweep.json >p && mv p d/sweep.json
	"$iorig" report d --format html >page.html
	[ "$(grep -o '</script' page.html | wc -l)" = 2 ]
	[ "$(grep -o '<script' page.html | wc -l)" = 2 ]
	! grep -q '<img\|<!--' page.html
	grep -q '<h1>&lt;b&gt;&amp;why?&lt;/b&gt;</h1>' page.html
	sed -n 's/.*<script type="application\/json" id="data">\(.*\)<\/script>$/\1/p' page.html | jq -e '.maps[0].exemplars[0].path == "/srv/</script><script>alert(1)</script><!--"'
}
