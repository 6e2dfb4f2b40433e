#!/usr/bin/env bats
# iorig serve: assignments, tokens, what is reachable over HTTP and what is not, and a clean end. Loopback only.
bats_require_minimum_version 1.5.0

setup_file() {
	command -v nginx >/dev/null || [ -x /usr/sbin/nginx ] || skip "nginx is not installed"
}

setup() {
	cd "$BATS_TEST_DIRNAME/../.."
	iorig=${IORIG:-$PWD/bin/iorig}
	dir=$BATS_TEST_TMPDIR/srv
	trace=$BATS_TEST_TMPDIR/t.iotrace
	sweep=$BATS_TEST_TMPDIR/x.sweep.json
	"$iorig" trace build - -o "$trace" <<-'TEXT'
		header {"schema":"iorig.trace/1","version":1}
		thread 1 tid=1 pid=1 comm="t"
		file 1 dev=1:1 ino=2 mode=0100644 nlink=1 bits=created|size-late seen=0.000100 path="/data/a"
		0.000100+0.000010 1 openat fd=AT_FDCWD file=1 path="/data/a" flags=O_WRONLY|O_CREAT mode=0644 bits=created = 3
		0.000200+0.000010 1 close fd=3 file=1 = 0
	TEXT
	write_sweep '"file": "t.iotrace"'
	port=$((20000 + RANDOM % 20000))
	url=http://127.0.0.1:$port
	server=
}

teardown() {
	[ -z "$server" ] || { kill "$server" 2>/dev/null && wait "$server"; } || :
}

# write_sweep TRACE-KEYS
write_sweep() {
	echo "{\"schema\": \"iorig.sweep/1\", \"name\": \"x\", \"trace\": {$1}, \"box\": {\"disks\": [{\"serial\": \"d0\"}]},
		\"base\": \"ext4-one\", \"matrix\": {\"fs.atime\": [\"relatime\", \"noatime\"]}, \"plan\": {\"blocks\": 1}}" >"$sweep"
}

assign() { "$iorig" serve assign "$dir" --box b1 --sweep "$sweep" --trace "$trace" "$@"; }

start() {
	"$iorig" serve --dir "$dir" --bind 127.0.0.1 --port "$port" "$@" >"$BATS_TEST_TMPDIR/events" 2>&1 3>&- &
	server=$!
	for _ in $(seq 100); do
		curl -s -o /dev/null "$url/" && return
		sleep 0.1
	done
	cat "$BATS_TEST_TMPDIR/events"
	false
}

# status CURL-ARGUMENT...: the HTTP status alone
status() { curl -s -o "$BATS_TEST_TMPDIR/body" -w '%{http_code}' --path-as-is "$@"; }

# expect CODE CURL-ARGUMENT...
expect() {
	local wanted=$1 got
	shift
	got=$(status "$@") || :
	[ "$got" = "$wanted" ] || { echo "wanted $wanted, got $got: $*"; false; }
}

@test "misuse is named, exit 2" {
	run -2 --separate-stderr "$iorig" serve
	[ "$stderr" = "iorig: serve: --dir and --bind are needed; see 'iorig serve -h'" ]
	run -2 --separate-stderr "$iorig" serve --dir "$dir" --bind everywhere
	[[ $stderr == *"--bind wants an IPv4 address"* ]]
	run -2 --separate-stderr "$iorig" serve --dir "$dir" --bind 127.0.0.1 --pxe
	[[ $stderr == *"--interface"* ]]
	run -2 --separate-stderr "$iorig" serve --dir "$dir" --bind 127.0.0.1 --kernel-append 'a"b'
	[[ $stderr == *"--kernel-append may have"* ]]
	run -2 --separate-stderr assign --end never
	[[ $stderr == *"--end is poweroff, reboot or wait, not 'never'"* ]]
	run -2 --separate-stderr assign --token short
	[[ $stderr == *"16 to 64"* ]]
	run -2 --separate-stderr "$iorig" serve assign "$dir" --box ../b --sweep "$sweep" --trace "$trace"
	[[ $stderr == *"no box id"* ]]
	[ ! -e "$dir" ]
}

@test "assign binds sweep and recording by their sums and keeps the box's token" {
	run -0 --separate-stderr assign --end poweroff
	token=$output
	[[ $token =~ ^[0-9a-f]{32}$ ]]
	[ "$(jq -r '.schema, .box, .sweep, .end' "$dir/box/b1.json" | xargs)" = "iorig.assignment/1 b1 x poweroff" ]
	sum=$(sha256sum "$trace" | cut -d ' ' -f 1)
	[ "$(jq -r .trace_sha256 "$dir/box/b1.json")" = "$sum" ]
	cmp "$trace" "$dir/traces/$sum"
	[ "$(jq -r .trace.sha256 "$dir/sweeps/x.sweep.json")" = "$sum" ]
	[ "$(jq -r .sweep_sha256 "$dir/box/b1.json")" = "$(sha256sum "$dir/sweeps/x.sweep.json" | cut -d ' ' -f 1)" ]
	run -0 --separate-stderr assign
	[ "$output" = "$token" ]
	run -0 --separate-stderr assign --token 0123456789abcdef0123
	[ "$output" = 0123456789abcdef0123 ]
	[ "$(ls "$dir/conf/tokens/b1")" = 0123456789abcdef0123 ]
}

@test "assign refuses another recording, no sweep, and to mix results" {
	write_sweep '"sha256": "00"'
	run -1 --separate-stderr assign
	[[ $stderr == *"this is another recording"* ]]
	echo '{"schema": "iorig.profile/1"}' >"$sweep"
	run -1 --separate-stderr assign
	[[ $stderr == "iorig: serve assign: nothing was assigned: "*"x.sweep.json"* ]]
	[ ! -e "$dir" ]
	mkdir -p "$dir/results/b1/x"
	echo '{"schema": "iorig.assignment/1", "sweep_sha256": "other"}' >"$dir/results/b1/x/assignment.json"
	write_sweep '"file": "t.iotrace"'
	run -5 --separate-stderr assign
	[[ $stderr == *"holds results of another sweep of that name"* ]]
	[ ! -e "$dir/sweeps/x.sweep.json" ]
	[ ! -e "$dir/box/b1.json" ]
}

@test "a box reads its work, writes with its token below its own name, and reaches nothing else" {
	token=$(assign)
	header="X-Iorig-Token: $token"
	run -0 --separate-stderr "$iorig" serve assign "$dir" --box b2 --sweep "$sweep" --trace "$trace"
	start
	expect 200 "$url/box/b1.json"
	cmp "$BATS_TEST_TMPDIR/body" "$dir/box/b1.json"
	expect 404 "$url/box/b9.json"
	expect 206 -r 10-19 "$url/traces/$(sha256sum "$trace" | cut -d ' ' -f 1)"
	expect 201 -H "$header" -T "$trace" "$url/results/b1/x/runs/0001/run.json"
	cmp "$trace" "$dir/results/b1/x/runs/0001/run.json"
	expect 200 "$url/results/b1/x/runs/"
	[ "$(jq -r '.[].name' "$BATS_TEST_TMPDIR/body")" = 0001 ]
	expect 201 -H "$header" -T "$trace" "$url/status/b1.json"
	# no token, a wrong one, another box's place, a token that is a path
	expect 403 -T "$trace" "$url/results/b1/x/a"
	expect 403 -H 'X-Iorig-Token: 0000000000000000' -T "$trace" "$url/results/b1/x/a"
	expect 403 -H "$header" -T "$trace" "$url/results/b2/x/a"
	expect 403 -H "$header" -T "$trace" "$url/status/b2.json"
	expect 403 -H "X-Iorig-Token: ../b1/$token" -T "$trace" "$url/results/b2/x/a"
	# nothing but results can be written, and nothing removed
	expect 403 -H "$header" -T "$trace" "$url/box/b1.json"
	expect 403 -H "$header" -T "$trace" "$url/boot/default.ipxe"
	expect 403 -H "$header" -X DELETE "$url/results/b1/x/runs/0001/run.json"
	expect 403 -H "$header" -T "$trace" "$url/results/b1/../b2/x/a"
	expect 403 -H "$header" -T "$trace" "$url/results/b1/%2e%2e/%2e%2e/box/b1.json"
	# the generated configuration and the tokens are not served
	expect 404 "$url/conf/nginx.conf"
	expect 404 "$url/boot/../conf/nginx.conf"
	expect 404 "$url/conf/tokens/b1/$token"
	expect 400 "$url/boot/../../../../etc/passwd"
	expect 400 "$url/boot/%2e%2e/%2e%2e/%2e%2e/etc/passwd"
	ln -s /etc/passwd "$dir/boot/link"
	expect 403 "$url/boot/link"
	[ ! -e "$dir/results/b2/x" ]
	grep -q 'box b9: unknown, at 127.0.0.1' "$BATS_TEST_TMPDIR/events"
	grep -q 'uploaded results/b1/x/runs/0001/run.json' "$BATS_TEST_TMPDIR/events"
	grep -q "upload of /results/b2/x/a refused (403): not this box's token" "$BATS_TEST_TMPDIR/events"
}

@test "an upload that breaks off leaves the old file whole and nothing behind" {
	header="X-Iorig-Token: $(assign)"
	start
	expect 201 -H "$header" -T "$trace" "$url/results/b1/x/journal"
	head -c 3000000 /dev/zero >"$BATS_TEST_TMPDIR/big"
	run -28 curl -s -H "$header" --limit-rate 500k --max-time 1 -T "$BATS_TEST_TMPDIR/big" "$url/results/b1/x/journal"
	sleep 0.3
	cmp "$trace" "$dir/results/b1/x/journal"
	[ "$(find "$dir/results" "$dir/conf/tmp" -type f)" = "$dir/results/b1/x/journal" ]
	expect 204 -H "$header" -T "$BATS_TEST_TMPDIR/big" "$url/results/b1/x/journal"
	cmp "$BATS_TEST_TMPDIR/big" "$dir/results/b1/x/journal"
}

@test "serve ends cleanly on SIGTERM and takes its servers along" {
	assign
	start
	nginx=$(cat "$dir/conf/nginx.pid")
	kill -0 "$nginx"
	kill "$server"
	rc=0
	wait "$server" || rc=$?
	server=
	[ "$rc" = 0 ]
	! kill -0 "$nginx" 2>/dev/null
	tail -n 1 "$BATS_TEST_TMPDIR/events" | grep -q 'ending on signal 15'
}

@test "a port that is taken is an error with its reason" {
	start
	run -1 timeout 20 "$iorig" serve --dir "$BATS_TEST_TMPDIR/other" --bind 127.0.0.1 --port "$port"
	[[ $output == *"Address already in use"* ]]
	[[ $output == *"serve: nginx ended by itself"* ]]
}

@test "the agent waits, and touches nothing, until the server knows it and its token" {
	assign
	start
	cd "$BATS_TEST_TMPDIR"
	echo wrong-token-wrong-token >token
	run -124 timeout 4 "$iorig" box --server "$url" --box b9 --state "$BATS_TEST_TMPDIR/s9" --token-file token
	[[ $output == *"waiting: the server has no work for 'b9' yet (iorig serve assign)"* ]]
	run -124 timeout 4 "$iorig" box --server "$url" --box b1 --state "$BATS_TEST_TMPDIR/s1" --token-file token
	[[ $output == *"the server refuses this box's token"* ]]
	[ ! -e s1/sweeps ]
	[ ! -e "$dir/results/b1" ]
	run -124 timeout 4 "$iorig" box --server "http://127.0.0.1:1" --box b1 --state "$BATS_TEST_TMPDIR/s2" --token-file token
	[[ $output == *"http://127.0.0.1:1 does not answer (000)"* ]]
	run -2 --separate-stderr "$iorig" box --server ftp://x --box b1
	[[ $stderr == *"--server wants a plain http:// address"* ]]
}

@test "the agent does not start with a recording that is not the assigned one" {
	assign >"$BATS_TEST_TMPDIR/token"
	sum=$(jq -r .trace_sha256 "$dir/box/b1.json")
	echo damaged >"$dir/traces/$sum"
	start
	run -124 timeout 6 "$iorig" box --server "$url" --box b1 --state "$BATS_TEST_TMPDIR/state" --token-file "$BATS_TEST_TMPDIR/token"
	[[ $output == *"traces/$sum: what the server has is not $sum; waiting for the right file"* ]]
	[ ! -e "$dir/results/b1" ]
	grep -q 'box b1: loading: traces/.*waiting for the right file' "$BATS_TEST_TMPDIR/events"
}

@test "uploads wait while the server is away and arrive when it is back, the journal last" {
	export IORIG_STATE=$BATS_TEST_TMPDIR/state IORIG_SERVER=$url IORIG_BOX=b1 IORIG_DEADLINE=$BATS_TEST_TMPDIR/state/deadline IORIG_STALL_S=60
	sweep_dir=$BATS_TEST_TMPDIR/sweepdir
	mkdir -p "$IORIG_STATE" "$sweep_dir/runs/0001"
	echo "X-Iorig-Token: $(assign)" >"$IORIG_STATE/header"
	echo x >"$IORIG_STATE/name"
	echo '{"runs": [{"seq": 1, "cell": "c1", "block": 1}, {"seq": 2, "cell": "c1", "block": 2}], "cells": [{"id": "c1", "label": "control"}]}' \
		>"$sweep_dir/plan.json"
	echo '{"ev": "plan"}' >"$sweep_dir/runs.ndjson"
	echo '{"outcome": "ok"}' >"$sweep_dir/runs/0001/run.json"
	run -1 rootfs/upload.sh "$sweep_dir" plan 0
	[[ $output == *"upload waits for the server"* ]]
	echo '{"ev": "done", "seq": 1, "cell": "c1", "elapsed_ns": 1500000000}' >>"$sweep_dir/runs.ndjson"
	run -1 rootfs/upload.sh "$sweep_dir" done 1
	start
	run -0 rootfs/upload.sh "$sweep_dir" flush 0
	for file in plan.json runs.ndjson runs/0001/run.json; do
		cmp "$sweep_dir/$file" "$dir/results/b1/x/$file"
	done
	# A torn last line of the journal is no reason to be silent.
	printf '{"ev": "arm' >>"$sweep_dir/runs.ndjson"
	run -0 rootfs/upload.sh "$sweep_dir" done 1
	[ "$(jq -c '[.schema, .box, .sweep, .over, .percent, .message]' "$dir/status/b1.json")" = \
		'["iorig.status/1","b1","x",1,50,"run 1 of 2, block 1, control: done in 1.5 s; 50 % are over"]' ]
	# The watchdog's feeder is told that there is progress.
	[ "$(cat "$IORIG_DEADLINE")" -gt "$(cut -d . -f 1 /proc/uptime)" ]
}
