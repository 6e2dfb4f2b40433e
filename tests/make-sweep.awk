# See make-sweep.sh. A generator of its own (Park-Miller), so that every awk gives the same numbers.
function uniform() {
	state = (state * 16807) % 2147483647
	return state / 2147483647
}
function gauss() { return sqrt(-2 * log(uniform())) * cos(6.28318530718 * uniform()) }
function quote(text) {
	gsub(/\\/, "\\\\", text)
	gsub(/"/, "\\\"", text)
	return "\"" text "\""
}
# lib/hist.h: hist_index(v, bits)
function bucket(v, bits,   size, e) {
	v = int(v)
	size = 2 ^ bits
	if (v < 2 * size)
		return v
	e = 0
	while (v >= 2 * size * 2 ^ e)
		e++
	return (e + 1) * size + int(v / 2 ^ e) - size
}
function rest(from,   i, text) {
	text = $from
	for (i = from + 1; i <= NF; i++)
		text = text " " $i
	return text
}
function knob(pair,   key, value) {
	key = pair
	sub(/=.*/, "", key)
	value = pair
	sub(/^[^=]*=/, "", value)
	return quote(key) ":" (value ~ /^([0-9]+|true|false)$/ ? value : quote(value))
}
function iso(seconds) {
	return sprintf("2026-11-21T%02d:%02d:%02dZ", int(seconds / 3600) % 24, int(seconds / 60) % 60, seconds % 60)
}

BEGIN {
	blocks = 3; noise = 0.01; drift = 0.02; elapsed = 60; ops = 20000; limit = "D1:30s"; name = "test"; cache = "cold"; stop = 0
	question = "Which settings?"; state = 7; filename = "/srv/mail/cur/1526030.M1"
}
/^#/ || NF == 0 { next }
$1 == "sweep" { name = $2 }
$1 == "question" { question = rest(2) }
$1 == "seed" { state = $2 }
$1 == "blocks" { blocks = $2 }
$1 == "noise" { noise = $2 }
$1 == "drift" { drift = $2 }
$1 == "elapsed" { elapsed = $2 }
$1 == "ops" { ops = $2 }
$1 == "max" { limit = $2 }
$1 == "cache" { cache = $2 }
$1 == "stop" { stop = $2 }
$1 == "name-file" { filename = substr($0, 11) }
$1 == "class" { class[++nclass] = $2; share[$2] = $3; middle[$2] = $4; spread[$2] = $5 }
$1 == "cell" {
	id[++ncell] = $2
	risk[ncell] = $3
	effect[$2] = $4
	tail[$2] = $5
	label[ncell] = rest(6)
	set[ncell] = ""
	for (i = 6; i <= NF; i++)
		set[ncell] = set[ncell] (i > 6 ? "," : "") knob($i)
}
$1 == "outcome" { event[$2, $4] = $3; reason[$2, $4] = rest(5) }
$1 == "planned" { status[$2] = $3; why[$2] = rest(4) }
$1 == "fio" { job[$2] = 1; iops[$2, $3] = $4 }

# One class of one run: samples into buckets, time cells and percentiles. Returns its JSON for run.json; adds to hist, map and worst.
function one_class(c, count, factor, seconds,   i, v, b, t, n, lat, text, top, seen, want, p, q, key) {
	for (b in h) delete h[b]
	top = 0; sum = 0; highest = 0; lowest_b = 999; highest_b = 0; last_t = int(seconds)
	for (i = 0; i < count; i++) {
		v = middle[c] * factor * exp(spread[c] * gauss())
		t = uniform() * seconds
		if (v > seconds * 1e8) v = seconds * 1e8
		v = int(v); b = bucket(v, 6)
		h[b]++; all[b]++
		if (b > highest) highest = b
		b = bucket(v, 3)
		if (b < lowest_b) lowest_b = b
		if (b > highest_b) highest_b = b
		key = int(t) "," b
		cell[key]++
		sum += v; all_sum += v
		if (v > top) top = v
		if (v > all_top) all_top = v
		if (v > worst_ns) { worst_ns = v; worst_t = t; worst_op = c }
	}
	return latencies(h, highest, count, sum, top)
}
function latencies(h, highest, count, sum, top,   b, seen, q, want, p, text) {
	seen = 0; split("0.5 0.9 0.99 0.999", q, " "); want = 1; text = sprintf("{\"mean\":%.0f", sum / count)
	split("p50 p90 p99 p999", p, " ")
	for (b = 0; b <= highest && want <= 4; b++) {
		if (!(b in h)) continue
		seen += h[b]
		while (want <= 4 && seen > q[want] * count) {
			text = text sprintf(",\"%s\":%.0f", p[want], low(b) > top ? top : low(b))
			want++
		}
	}
	return text sprintf(",\"max\":%.0f}", top)
}
function low(b,   e) {
	if (b < 128) return b
	e = int(b / 64) - 1
	return (64 + b % 64) * 2 ^ e + 2 ^ e / 2
}
function pairs(h, highest,   b, text) {
	text = ""
	for (b = 0; b <= highest; b++)
		if (b in h)
			text = text (text == "" ? "" : ",") "[" b "," h[b] "]"
	return "[" text "]"
}
function time_cells(   t, b, text) {
	text = ""
	for (t = 0; t <= last_t; t++)
		for (b = lowest_b; b <= highest_b; b++)
			if ((t "," b) in cell)
				text = text (text == "" ? "" : ",") "[" t "," b "," cell[t "," b] "]"
	return "[" text "]"
}

function write_run(seq, c, block,   path, i, n, factor, seconds, opjson, histjson, cells, k, key, x, fsyncs, lat) {
	path = sprintf("%s/runs/%04d", dir, seq)
	seconds = elapsed * effect[c] * exp(noise * gauss()) * exp(drift * shift[block])
	for (key in all) delete all[key]
	all_sum = 0; all_top = 0; worst_ns = 0; opjson = ""; histjson = ""; cells = ""; all_highest = 0; fsyncs = 0
	for (i = 1; i <= nclass; i++) {
		k = class[i]
		n = int(ops * share[k])
		for (key in cell) delete cell[key]
		factor = effect[c] * (k == "fsync" ? tail[c] : 1) * exp(noise * gauss())
		lat = one_class(k, n, factor, seconds)
		if (k == "fsync") fsyncs = n
		if (highest > all_highest) all_highest = highest
		opjson = opjson sprintf(",\"%s\":{\"count\":%d,\"bytes\":%d,\"errors\":0,\"lat_ns\":%s,\"recorded_lat_ns\":%s}", k, n,
			k == "read" || k == "write" ? n * 4096 : 0, lat, lat)
		histjson = histjson (i > 1 ? "," : "") "\"" k "\":{\"lat_ns\":" pairs(h, highest) ",\"recorded_lat_ns\":" pairs(h, highest) "}"
		cells = cells (i > 1 ? "," : "") "\"" k "\":" time_cells()
	}
	n = 0
	for (i = 1; i <= nclass; i++) n += int(ops * share[class[i]])
	lat = latencies(all, all_highest, n, all_sum, all_top)
	x = path "/run.json"
	printf "{\"schema\":\"iorig.run/1\",\"outcome\":\"ok\",\"reason\":null,\"trace\":{\"file\":\"%s.iotrace\",\"sha256\":\"%s\",\"events\":%d,\"lost\":0}," \
		"\"options\":{\"timing\":\"asap\",\"order\":\"resource\",\"engine\":\"traced\",\"cache\":\"%s\"},\"started\":\"%s\"," \
		"\"elapsed_ns\":%.0f,\"recorded_elapsed_ns\":%.0f,\"sync_ns\":%.0f,\"ops\":%d,\"bytes_read\":%d,\"bytes_written\":%d,\"ops_per_s\":%.3f," \
		"\"op\":{\"all\":{\"count\":%d,\"bytes\":%d,\"errors\":0,\"lat_ns\":%s,\"recorded_lat_ns\":%s}%s}," \
		"\"mismatch\":{\"count\":0,\"ratio\":0,\"limit_ratio\":0.01,\"by_class\":{},\"first\":[]},\"coverage\":{\"ops_ratio\":1,\"bytes_ratio\":1,\"skipped\":{}}," \
		"\"tree\":{\"differences\":0,\"first\":[]},\"lateness_ns\":{\"p50\":0,\"p99\":0,\"max\":0}," \
		"\"self\":{\"ns_per_op\":19.5,\"cpu_s\":%.3f,\"rss_bytes\":41943040,\"threads\":4},\"cache\":{\"requested\":\"%s\",\"achieved_resident_ratio\":0}," \
		"\"system\":{\"disk\":{\"sda\":{\"reads\":%d,\"read_bytes\":%.0f,\"writes\":%d,\"write_bytes\":%.0f,\"flushes\":%d},\"sdb\":{\"reads\":%d,\"read_bytes\":%.0f,\"writes\":%d,\"write_bytes\":%.0f,\"flushes\":%d}," \
		"\"md127\":{\"reads\":1,\"read_bytes\":1,\"writes\":1,\"write_bytes\":1,\"flushes\":1}}," \
		"\"cpu_s\":{\"user\":%.3f,\"system\":%.3f,\"iowait\":%.3f},\"peak_dirty_bytes\":%.0f,\"kernel\":\"6.1.0-28-amd64\"}}\n", \
		name, trace_sha, n, cache, iso(clock), seconds * 1e9, elapsed * 1.3e9, seconds * 2e7, n, n * 2048, n * 1024, n / seconds, \
		n, n * 3072, lat, lat, opjson, seconds * 0.11, cache, \
		n / 4, n * 1024, n / 8, n * 512, fsyncs, n / 4, n * 1024, n / 8, n * 512, fsyncs, \
		seconds * 0.2, seconds * 0.1, seconds * 0.5, 3e7 * effect[c] * exp(noise * gauss()) >x
	close(x)
	printf "{\"schema\":\"iorig.hist/1\",\"bits\":6,\"op\":{%s},\"cells\":{\"dt_ns\":1000000000,\"bits\":3,\"op\":{%s}}," \
		"\"exemplars\":[{\"t_ns\":%.0f,\"op\":\"%s\",\"path\":%s,\"offset\":4096,\"length\":8192,\"lat_ns\":%.0f,\"thread\":3}]}\n", \
		histjson, cells, worst_t * 1e9, worst_op, quote(filename), worst_ns >(path "/run.hist")
	close(path "/run.hist")
	for (k in job) {
		if (!((k, c) in iops)) continue
		printf "{\"fio version\":\"fio-3.33\",\"jobs\":[{\"jobname\":\"%s\",\"read\":{\"iops\":%.3f,\"bw_bytes\":%.0f},\"write\":{\"iops\":0,\"bw_bytes\":0},\"trim\":{\"iops\":0}}]}\n", \
			k, 10000 * iops[k, c] * exp(noise * gauss()), 40960000 * iops[k, c] >(path "/fio-" k ".json")
		close(path "/fio-" k ".json")
	}
	clock += seconds
	return sprintf("%.0f", seconds * 1e9)
}
function write_apply(seq, cellnumber, outcome, text,   path, i, n, pair, knobs, key) {
	path = sprintf("%s/runs/%04d/apply.json", dir, seq)
	n = split(label[cellnumber], pair, " "); knobs = ""
	for (i = 1; i <= n; i++) {
		if (pair[i] !~ /=/) continue
		key = pair[i]; sub(/=.*/, "", key); sub(/^[^=]*=/, "", pair[i])
		knobs = knobs (knobs == "" ? "" : ",") quote(key) ":{\"wanted\":" quote(pair[i]) ",\"effective\":" \
			quote(outcome == "not-applied" ? "none" : pair[i]) ",\"where\":\"/sys/block/sda/queue\",\"outcome\":\"" outcome "\",\"reason\":" text "}"
	}
	printf "{\"schema\":\"iorig.apply/1\",\"outcome\":\"%s\",\"reason\":%s,\"knobs\":{%s},\"disks\":[\"/dev/sda\",\"/dev/sdb\"],\"top\":\"/dev/md127\"," \
		"\"fs\":{\"type\":\"ext4\",\"mount_options\":\"rw,relatime\"},\"commands\":[\"mkfs.ext4 -q /dev/md127\"]}\n", outcome, text, knobs >path
	close(path)
}
function journal(text) { printf "%s\n", text >(dir "/runs.ndjson") }
function step(ev, extra) {
	journal(sprintf("{\"t\":\"%s\",\"ev\":\"%s\",\"seq\":%d,\"cell\":\"%s\",\"block\":%d,\"attempt\":1,\"boot\":\"0\"%s}", iso(clock), ev, seq, c, b, extra))
	clock++
}
function one_run(   path, file, sha, ns, k, text) {
	path = sprintf("%s/runs/%04d", dir, seq)
	system("mkdir -p '" path "'")
	step("armed", "")
	k = (c, b) in event ? b : "*"
	if ((c, k) in event) {
		text = quote(reason[c, k])
		if (event[c, k] == "not-applied" || event[c, k] == "unsupported")
			write_apply(seq, number[c], event[c, k], text)
		step(event[c, k], ",\"reason\":" text)
		return
	}
	write_apply(seq, number[c], "ok", "null")
	step("applied", ""); step("prepared", ""); step("running", "")
	if (stop == seq) return
	ns = write_run(seq, c, b)
	file = "sha256sum '" path "/run.json'"
	file | getline sha
	close(file)
	step("done", ",\"elapsed_ns\":" ns ",\"run_sha256\":\"" substr(sha, 1, 64) "\"")
}

END {
	trace_sha = "9f2c000000000000000000000000000000000000000000000000000000000001"
	for (b = 1; b <= blocks; b++) shift[b] = gauss()
	clock = 8 * 3600
	plan = dir "/plan.json"
	printf "{\"schema\":\"iorig.plan/1\",\"sweep_sha256\":\"00\",\"trace_sha256\":\"%s\",\"seed\":%d,\"control\":\"%s\",\"primary\":\"elapsed_s\",\"comparisons\":%d,\"cells\":[", \
		trace_sha, 7, id[1], ncell - 1 >plan
	for (i = 1; i <= ncell; i++) {
		number[id[i]] = i
		d4 = sub(/\+D4$/, "", risk[i])
		printf("%s{\"id\":\"%s\",\"label\":%s,\"set\":{%s},\"settings\":{%s},\"durability\":\"%s\",\"single_device\":%s,\"status\":\"%s\",\"reason\":%s}", \
			(i > 1) ? "," : "", id[i], quote(label[i]), i > 1 ? set[i] : "", set[i], risk[i], d4 ? "true" : "false", \
			(id[i] in status) ? status[id[i]] : "planned", (id[i] in status) ? quote(why[id[i]]) : "null") >plan
	}
	printf "],\"runs\":[" >plan
	seq = 0
	for (b = 1; b <= blocks; b++) {
		n = 0
		for (i = 1; i <= ncell; i++)
			if (!(id[i] in status)) order[++n] = id[i]
		for (i = n; i > 1; i--) {
			j = 1 + int(uniform() * i)
			c = order[i]; order[i] = order[j]; order[j] = c
		}
		for (i = 1; i <= n; i++) {
			seq++
			planned_cell[seq] = order[i]; planned_block[seq] = b
			printf("%s{\"seq\":%d,\"cell\":\"%s\",\"block\":%d,\"position\":%d,\"fio\":[]}", (seq > 1) ? "," : "", seq, order[i], b, i) >plan
		}
	}
	printf "]}\n" >plan
	printf "{\"schema\":\"iorig.sweep/1\",\"name\":%s,\"question\":%s,\"durability\":{\"max\":\"%s\"},\"metrics\":{\"primary\":\"elapsed_s\"},\"replay\":{\"timing\":\"asap\",\"cache\":\"%s\"}}\n", \
		quote(name), quote(question), limit, cache >(dir "/sweep.json")
	printf "{\"schema\":\"iorig.box/1\",\"host\":\"testbox-3\",\"kernel\":\"6.1.0-28-amd64\",\"cpu\":{\"model\":\"Invented CPU\",\"count\":4},\"memory_bytes\":8589934592,\"disks\":[{\"name\":\"sda\",\"model\":\"INVENTED A\",\"serial\":\"S1\",\"size_bytes\":480103981056},{\"name\":\"sdb\",\"model\":\"INVENTED B\",\"serial\":\"S2\",\"size_bytes\":480103981056}],\"version\":\"0.1\"}\n" >(dir "/box.json")
	last = seq
	journal(sprintf("{\"t\":\"%s\",\"ev\":\"start\"}", iso(clock)))
	for (seq = 1; seq <= last; seq++) {
		c = planned_cell[seq]; b = planned_block[seq]
		one_run()
		if (stop == seq) {
			printf "{\"t\":\"%s\",\"ev\":\"do", iso(clock) >(dir "/runs.ndjson")
			exit 0
		}
	}
	journal(sprintf("{\"t\":\"%s\",\"ev\":\"complete\"}", iso(clock)))
}
