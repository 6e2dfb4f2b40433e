# The heartbeat while a sweep runs: its message on one line (-r), the whole document on the next. Input: the journal's lines (-R -n); $plan: plan.json; $event, $seq: the line that was just written.
def over: IN("done", "failed", "not-applied", "unsupported", "crashed");
[inputs | fromjson?] as $journal
| ($plan[0].runs | length) as $runs
| ([$journal[] | select(.seq != null)] | group_by(.seq) | map(last.ev | select(over)) | length) as $over
| ($plan[0].runs | map(select(.seq == $seq)) | first) as $run
| ($plan[0].cells | map(select(.id == $run.cell)) | first | .label // "") as $cell_label
| ($journal | map(select(.seq == $seq)) | last) as $line
| {
	schema: "iorig.status/1", box: $box, sweep: $sweep, uptime_s: $uptime,
	state: "running", event: $event, seq: $seq, runs: $runs, over: $over, percent: (if $runs > 0 then 100 * $over / $runs | floor else 0 end),
	cell: $run.cell, label: $cell_label, block: $run.block,
	message: (
		if $run == null then "sweep: \($event)"
		else "run \($seq) of \($runs), block \($run.block), \($cell_label): \($event)"
			+ (if $line.elapsed_ns != null then " in \($line.elapsed_ns / 1e6 | round / 1000) s" else "" end)
			+ (if $line.reason != null then " (\($line.reason))" else "" end)
			+ (if $event | over then "; \(100 * $over / $runs | floor) % are over" else "" end)
		end)
}
| .message, tojson
