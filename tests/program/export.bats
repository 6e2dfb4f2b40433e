#!/usr/bin/env bats
# iorig export over an invented sweep: each format by its own rules, fio's by fio's own tool.
bats_require_minimum_version 1.5.0

setup_file() {
	cd "$BATS_TEST_DIRNAME/../.."
	export iorig=${IORIG:-$PWD/bin/iorig} LC_ALL=C
	cd "$BATS_FILE_TMPDIR"
	printf '%s\n' 'sweep a.night,of=mail' 'blocks 2' 'ops 300' 'class read 0.5 90000 0.9' 'class write 0.3 9000000000 1.5' 'class fsync 0.2 2600000 0.6' \
		'elapsed 600' 'cell a D0 1.0 1.0 x=1' 'cell b D1:30s 0.7 0.7 x="2"' 'outcome b failed 2 boom' >spec
	sh "$BATS_TEST_DIRNAME/../make-sweep.sh" spec d
}

setup() { cd "$BATS_FILE_TMPDIR"; }

@test "fio: the counts are the histograms', nothing lies beyond fio's last bucket, fio's own tool agrees" {
	run -0 "$iorig" export d --to fio -o all.json
	jq -e '.jobs | length == 3' all.json
	for seq in 1 2; do
		"$iorig" export d --to fio --run $seq >one.json
		for class in read write; do
			[ "$(jq "[.jobs[0].$class.clat_ns.bins[]] | add" one.json)" = "$(jq "[.op.$class.lat_ns[][1]] | add" d/runs/000$seq/run.hist)" ]
			[ "$(jq ".jobs[0].$class.clat_ns | .N" one.json)" = "$(jq ".op.$class.count" d/runs/000$seq/run.json)" ]
		done
		jq -e '[.jobs[0].write.clat_ns.bins | keys[] | tonumber] | max == 17112760320' one.json
		jq -e '.jobs[0].sync.lat_ns.N == 60 and .jobs[0].trim.clat_ns.N == 0' one.json
		if python3 -c 'import six' 2>/dev/null; then
			timeout 20 fio_jsonplus_clat2csv one.json one.csv
			timeout 20 fio_jsonplus_clat2csv --validate one.json one.csv
		fi
	done
	run -1 --separate-stderr "$iorig" export d --to fio --run 99
	[ "$stderr" = "iorig: no run that counts was asked for; nothing to export" ]
}

@test "influx: one line a counted run, separators escaped, time in ns" {
	run -0 "$iorig" export d --to influx
	[ "${#lines[@]}" = 3 ]
	for line in "${lines[@]}"; do
		[[ $line =~ ^iorig,cell=[ab],durability=D(0|1:30s),sweep=a\.night\\,of\\=mail\ run=[0-9]+i,block=[12]i(,[a-z0-9_]+=[0-9.e+]+)+\ 1795[0-9]{6}000000000$ ]]
	done
}

@test "graphite: path, value, seconds; odd characters of names are not path separators" {
	run -0 "$iorig" export d --to graphite
	for line in "${lines[@]}"; do
		[[ $line =~ ^iorig\.a_night_of_mail\.[ab]\.run[1-4]\.[a-z0-9_]+\ [0-9.e+]+\ 1795[0-9]{6}$ ]]
	done
	[[ $output == *"run1.elapsed_s "* ]]
}

@test "openmetrics: typed, one family a metric, quotes escaped, ends with EOF" {
	run -0 "$iorig" export d --to openmetrics
	[ "${lines[-1]}" = "# EOF" ]
	[ "$(grep -c '^# TYPE' <<<"$output")" = "$(grep '^# TYPE' <<<"$output" | sort -u | wc -l)" ]
	grep -q '^iorig_elapsed_s{sweep="a.night,of=mail",cell="b",label="x=\\"2\\"",durability="D1:30s",statistic="ratio"} 0\.[67]' <<<"$output"
	! grep -Eqv '^(# |iorig_[a-z0-9_]+\{([a-z]+="([^"\\]|\\.)*",?)+\} [0-9.e+-]+$)' <<<"$output"
}

@test "misuse and what cannot be read" {
	run -2 --separate-stderr "$iorig" export d
	[ "$stderr" = "iorig: --to '': possible: fio, influx, graphite, openmetrics" ]
	run -2 --separate-stderr "$iorig" export --to fio
	run -1 --separate-stderr "$iorig" export /nonexistent --to fio
	run -1 --separate-stderr "$iorig" export d --to influx -o /nonexistent/x
	[ "$stderr" = "iorig: cannot write '/nonexistent/x': No such file or directory" ]
}
