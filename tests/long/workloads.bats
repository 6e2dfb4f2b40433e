#!/usr/bin/env bats
# Real programs against independent ground truth. Each workload runs once with the recorder and strace looking at the same run: calls by kind and
# result, and bytes by file, are equal (rules for what is left out by design: tests/workloads/strace-counts.awk). That recording, and one of
# a run of its own at full speed, are replayed from a cold start on a fresh file system: every result as recorded, all of it replayed, and
# the tree in the end is the program's own.
#
# The workloads are not part of this repository: IORIG_WORKLOADS is their folder.
bats_require_minimum_version 1.5.0

setup_file() {
	printf '# %-16s %8s %7s  %-22s %s\n' workload events strace 'unexpected coverage' 'tree: as implied, as the program left it' >&3
}

setup() {
	cd "$BATS_TEST_DIRNAME/../.."
	export IORIG=$PWD/bin/iorig
	folder=${IORIG_WORKLOADS:-$PWD/../shared/workloads}
	[ "$(id -u)" = 0 ] || skip "recording needs root"
	[ -r /sys/kernel/btf/vmlinux ] || skip "this kernel has no type information (BTF)"
	[ -e "$folder/lib.sh" ] || skip "no workloads in $folder (IORIG_WORKLOADS names their folder)"
	dir=$(mktemp -d /var/tmp/iorig-workloads.XXXXXX)
	chmod 755 "$dir" # servers drop to users of their own
	export LC_ALL=C DATA=$dir/data SCALE=1/50
}

teardown() {
	[ -n "${dir:-}" ] || return 0
	! mountpoint -q "$dir/mnt" || umount "$dir/mnt"
	rm -rf "$dir"
}

row() { printf '# %-16s %8s %7s  %-22s %s\n' "$@" >&3; }

# Calls and bytes of one run, as strace saw them and as the trace has them. The latter's requests of libaio and io_uring go to $1/requests.
compare_with_strace() {
	recorded=$(sed -n 's/^\.It Cm \([a-z0-9_]*\) No ([0-9].*/\1/p' docs/iorig-syscalls.5 | paste -sd' ')
	[ "$(wc -w <<<"$recorded")" -gt 100 ]
	awk -v recorded="$recorded" -f tests/workloads/strace-counts.awk "$1/strace" | sort >"$1/want"
	"$IORIG" trace dump "$1/trace" | awk -f tests/workloads/trace-counts.awk | sort >"$1/all"
	grep -Ev '^requests |^bytes (aio|uring)-' "$1/all" >"$1/got"
	grep -E '^requests |^bytes (aio|uring)-' "$1/all" >"$1/requests" || :
	diff "$1/want" "$1/got" >"$1/differences" || { head -40 "$1/differences"; false; }
}

# Replays $1/trace with the options that follow; the program left $1/tree. Sets unexpected, coverage, tree.
replay() {
	local of=$1 run=$dir/run.json
	shift
	truncate -s 8G "$dir/image"
	mkfs.ext4 -q -F -E nodiscard,lazy_itable_init=1 "$dir/image"
	mkdir -p "$dir/mnt"
	mount -o loop "$dir/image" "$dir/mnt"
	mkdir "$dir/mnt/r"
	rm -rf "$dir/run"
	"$IORIG" replay "$of/trace" --root "$dir/mnt/r" --cache cold -o "$dir/run" "$@" >"$dir/replay.out" 2>&1 || { cat "$dir/replay.out"; return 1; }
	sh tests/workloads/tree.sh "$dir/mnt/r/$DATA" >"$of/tree.got"
	umount "$dir/mnt"
	rm "$dir/image"
	run=$dir/run/run.json
	unexpected=$(jq .mismatch.count "$run")
	coverage=$(jq '[.coverage.ops_ratio, .coverage.bytes_ratio] | min' "$run")
	tree=$(jq .tree.differences "$run")
	contradictions=$(jq .coverage.contradictions "$run")
	jq -c '.mismatch.first[], .tree.first[], .coverage.skipped' "$run"
	[ "$unexpected" = 0 ]
	[ "$tree" = 0 ]
	[ "$(jq -n "$coverage >= 0.995")" = true ]
	[ "$contradictions" = "$unrecorded" ]
	# Names that no call has touched are not in the trace, so not in the replay; whatever is there is as the program left it.
	"$IORIG" trace dump "$of/trace" | grep -oE '(path|path2)="[^"]*"' | sort -u >"$of/told"
	diff "$of/tree" "$of/tree.got" | sed -n 's/^[<>]/&/p' | while read -r side line; do
		[ "$side" = '<' ] && ! grep -qF "\"$DATA/${line##* }\"" "$of/told" || echo "$side $line"
	done >"$of/tree.differences"
	[ ! -s "$of/tree.differences" ] || { head -20 "$of/tree.differences"; false; }
}

# workload NAME SCRIPT [VAR=value...]: all of it.
workload() {
	local name=$1 script=$folder/$2.sh of events
	[ -e "$script" ] || script=$PWD/tests/workloads/$2.sh # what that folder has not
	shift 2
	unrecorded=${unrecorded:-0} # changes by calls that are not recorded; the replay makes up for them
	[ $# = 0 ] || export "$@"
	rc=0
	mkdir -p "$DATA"
	bash "$script" setup >"$dir/setup" 2>&1 || rc=$?
	[ $rc != 77 ] || skip "$(tail -1 "$dir/setup")"
	[ $rc = 0 ] || { cat "$dir/setup"; false; }
	cp -a "$DATA" "$dir/start"
	of=$dir/$name
	sh tests/workloads/both.sh "$of" /bin/bash "$script" run || { tail "$of/stderr"; false; }
	sh tests/workloads/tree.sh "$DATA" >"$of/tree"
	compare_with_strace "$of"
	events=$("$IORIG" trace info --json "$of/trace" | jq .events)
	replay "$of"
	row "$name" "$events" equal "$unexpected, $coverage" "equal, equal"

	# At full speed threads overlap more than under strace.
	of=$dir/alone
	mkdir "$of"
	[ ! -f "$DATA/out" ] || cp "$DATA/out" "$dir/fio.out"
	rm -rf "$DATA"
	cp -a "$dir/start" "$DATA"
	"$IORIG" capture -o "$of/trace" -- /bin/bash "$script" run >"$of/stdout" 2>&1 </dev/null || { tail "$of/stdout"; false; }
	sh tests/workloads/tree.sh "$DATA" >"$of/tree"
	events=$("$IORIG" trace info --json "$of/trace" | jq .events)
	for timing in asap think; do
		replay "$of" --timing $timing
		row "  alone, $timing" "$events" - "$unexpected, $coverage" "equal, equal"
	done
}

# The requests of a recording are fio's own numbers: `want` bytes per file in KiB from its terse output, requests by the job's parameters.
requests_are_fios() {
	local via=$1 requests=$dir/fio-$2/requests
	awk -F';' -v d="$DATA" -v via="$via" '
		{ file = $3 == "rw" ? "a" : $3 == "rd" ? "b" : "log" }
		$6 { print "bytes " via "-read " d "/" file ".dat " $6 * 1024 }
		$47 { print "bytes " via "-write " d "/" file ".dat " $47 * 1024 }' "$dir/fio.out" | sort >"$dir/want"
	grep ^bytes "$requests" | diff "$dir/want" -
	# shellcheck disable=SC2004 # SCALE is a fraction, to be multiplied as text
	[ "$(awk '/^requests/ && $3 ~ /^(pread|pwrite)/ { n += $5 } END { print n }' "$requests")" = $((60000 * $SCALE + 200000 * $SCALE + 96 * $SCALE * 128)) ]
}

@test "sqlite, WAL" { workload sqlite-wal 03-sqlite-wal; }
@test "sqlite, rollback journal" { workload sqlite-rollback 04-sqlite-rollback; }
@test "RocksDB, buffered" { workload rocksdb 06-rocksdb-dbbench; }
@test "RocksDB, mmap" { workload rocksdb-mmap 06-rocksdb-dbbench VARIANT=mmap; }
@test "RocksDB, direct" { workload rocksdb-direct 06-rocksdb-dbbench VARIANT=direct; }
@test "postmark" { workload postmark 08-postmark; }
@test "git" { workload git 09-git SCALE=1/12; }
@test "tar" { workload tar 10-tar; }
@test "rsync" { workload rsync 12-rsync; }
@test "fio, psync" { workload fio-psync 13-fio-app ENGINE=psync; }
@test "fio, mmap" { workload fio-mmap 13-fio-app ENGINE=mmap; }
@test "scan" { workload scan 15-scan; }
@test "coreutils" { workload coreutils coreutils; }
@test "python" { workload python python; }
@test "nginx" { workload nginx 16-nginx-ab SCALE=1/30 PORT=$((20000 + $$ % 20000)); }

@test "rsyslog" { workload rsyslog 18-rsyslog; }

@test "fio, libaio" {
	workload fio-libaio 13-fio-app ENGINE=libaio
	requests_are_fios aio libaio
}

@test "fio, io_uring" {
	workload fio-io_uring 13-fio-app ENGINE=io_uring
	requests_are_fios uring io_uring
}

@test "fio, io_uring with a polling kernel thread" {
	workload fio-sqpoll 13-fio-app ENGINE=io_uring_sqpoll
	requests_are_fios uring sqpoll
}

# The parts of all texts of a dump: components of paths, names of threads.
names_in() {
	grep -oE '(path|path2|target|comm|cwd)="([^"\\]|\\.)*"' "$1" | sed 's/^[a-z0-9]*="//; s/"$//' | tr / '\n' | sort -u
}

# What a replay did, without names.
shape_of() { jq -S '{ops, bytes_read, bytes_written, mismatch: .mismatch.by_class, coverage, tree: {entries: .tree.entries, differences: .tree.differences},
	op: (.op | map_values({count, bytes, errors}))}' "$1"; }

@test "git, anonymized: replays as the original does, and has none of its names" {
	export SCALE=1/25
	bash "$folder/09-git.sh" setup >"$dir/setup" 2>&1
	"$IORIG" capture -o "$dir/trace" -- /bin/bash "$folder/09-git.sh" run >"$dir/out" 2>&1 </dev/null
	echo 'a key of ours' >"$dir/key"
	echo 'another key' >"$dir/key2"
	"$IORIG" trace anonymize -k "$dir/key" -o "$dir/anonymous" "$dir/trace"
	"$IORIG" trace anonymize -k "$dir/key" -o "$dir/again" "$dir/trace"
	"$IORIG" trace anonymize -k "$dir/key2" -o "$dir/other" "$dir/trace"
	cmp "$dir/anonymous" "$dir/again"
	! cmp -s "$dir/anonymous" "$dir/other"

	"$IORIG" trace dump "$dir/trace" >"$dir/dump"
	"$IORIG" trace dump "$dir/anonymous" >"$dir/anonymous.dump"
	names_in "$dir/dump" | grep -E '.{4}' >"$dir/names"
	[ "$(wc -l <"$dir/names")" -gt 1000 ]
	names_in "$dir/anonymous.dump" | grep -Fxf "$dir/names" >"$dir/leaked" || :
	[ ! -s "$dir/leaked" ] || { head "$dir/leaked"; false; }
	# Nor as part of anything: in the dump, the header and the trailer, and in the bytes of the file. Words of the formats are no names.
	grep -E '^(header|trailer)' "$dir/anonymous.dump" | grep -oE '"[a-z_0-9]+":' | tr -d '":' | sort -u >"$dir/words"
	man -l docs/iorig-syscalls.5 docs/iorig-trace.5 | col -bx | tr -cs 'A-Za-z0-9_' '\n' | sort -u >>"$dir/words"
	grep -E '.{8}' "$dir/names" | grep -Fvxf "$dir/words" >"$dir/long"
	[ "$(wc -l <"$dir/long")" -gt 500 ]
	! LC_ALL=C grep -aoFf "$dir/long" "$dir/anonymous.dump" | head -3 | grep .
	! LC_ALL=C grep -aoFf "$dir/long" "$dir/anonymous" | head -3 | grep .
	! grep -F "$(hostname)" "$dir/anonymous.dump"

	for of in trace anonymous; do
		truncate -s 8G "$dir/image"
		mkfs.ext4 -q -F -E nodiscard,lazy_itable_init=1 "$dir/image"
		mkdir -p "$dir/mnt"
		mount -o loop "$dir/image" "$dir/mnt"
		mkdir "$dir/mnt/r"
		run -0 "$IORIG" replay "$dir/$of" --root "$dir/mnt/r" --cache cold -o "$dir/run-$of"
		(cd "$dir/mnt/r" && find . \( -type f -printf '%d %m %n %s\n' \) -o -printf '%d %y %m\n' | sort) >"$dir/tree-$of"
		umount "$dir/mnt"
		rm "$dir/image"
		shape_of "$dir/run-$of/run.json" >"$dir/shape-$of"
	done
	[ "$(jq .mismatch.count "$dir/run-trace/run.json")" = 0 ]
	diff "$dir/shape-trace" "$dir/shape-anonymous"
	cmp "$dir/tree-trace" "$dir/tree-anonymous"
	row "git, anonymized" "$("$IORIG" trace info --json "$dir/anonymous" | jq .events)" - "$(jq .mismatch.count "$dir/run-anonymous/run.json"), $(jq .coverage.ops_ratio "$dir/run-anonymous/run.json")" "as the original"
}
