#!/usr/bin/env bats
# The test box for real: a virtual machine boots over the network (BIOS, DHCP, iPXE, HTTP), builds arrays from three disks, replays, uploads.
# It is cut off in the middle of a run; the next boot goes on from what the server has.
bats_require_minimum_version 1.5.0

setup() {
	cd "$BATS_TEST_DIRNAME/../.."
	iorig=${IORIG:-$PWD/bin/iorig}
	[ "$(id -u)" = 0 ] || skip "needs root for namespaces and a tap device"
	[ -c /dev/net/tun ] || skip "needs /dev/net/tun"
	command -v qemu-system-x86_64 >/dev/null || skip "qemu-system-x86_64 is not installed"
	tmp=$BATS_TEST_TMPDIR
	box=52-54-00-10-00-01
	results=$tmp/srv/results/$box/box-test
	boot=
}

teardown() {
	[ -z "$boot" ] || { kill "$boot" 2>/dev/null && wait "$boot"; } || :
}

# A recording whose replay with the recorded pauses takes a second and a half: time to be cut off in.
write_work() {
	"$iorig" trace build - -o "$tmp/t.iotrace" <<-'TEXT'
		header {"schema":"iorig.trace/1","version":1}
		thread 1 tid=1 pid=1 comm="t"
		file 1 dev=1:1 ino=2 mode=0100644 nlink=1 bits=created|size-late seen=0.000100 path="/data/a"
		0.000100+0.000010 1 openat fd=AT_FDCWD file=1 path="/data/a" flags=O_WRONLY|O_CREAT mode=0644 bits=created = 3
		0.000200+0.000010 1 write fd=3 file=1 offset=0 length=4096 = 4096
		1.500000+0.000010 1 fsync fd=3 file=1 = 0
		1.600000+0.000010 1 close fd=3 file=1 = 0
	TEXT
	cat >"$tmp/box-test.sweep.json" <<-'JSON'
		{ "schema": "iorig.sweep/1", "name": "box-test",
		  "trace": {"file": "t.iotrace"}, "replay": {"timing": "think", "cache": "cold"},
		  "box": {"disks": [{"serial": "iorig-disk0"}, {"serial": "iorig-disk1"}, {"serial": "iorig-disk2"}]},
		  "base": {"profile": "ext4-one", "set": {"raid.level": "raid5", "raid.chunk_kb": 64, "raid.bitmap": "none"}},
		  "matrix": {"raid.level": ["raid5", "raid0"]},
		  "include": [
		    {"set": {"block.top_scheduler": "bfq"}, "label": "bfq on md"},
		    {"set": {"fs.type": "xfs", "fs.barrier": false}, "label": "xfs nobarrier", "accept_durability": "D3"} ],
		  "durability": {"max": "D1:30s"},
		  "plan": {"blocks": 1, "control_every": 0, "seed": 3} }
	JSON
}

start_box() {
	"$iorig" image run --net pxe --image "$tmp/image" --dir "$tmp/srv" --disks 3 --disk-gib 1 --disk-dir "$tmp/disks" --timeout 8m \
		</dev/null >"$tmp/console.$1" 2>&1 3>&- &
	boot=$!
}

# The qemu of this test: the one that has its disks open.
qemu_pid() {
	grep -lz "file=$tmp/disks/disk0.raw" /proc/[0-9]*/cmdline 2>/dev/null | sed 's|/proc/\([0-9]*\)/.*|\1|' | while read -r pid; do
		[ "$(cat "/proc/$pid/comm" 2>/dev/null)" != qemu-system-x86 ] || echo "$pid"
	done | head -n 1
}

journal() { jq -R -c 'fromjson?' "$results/runs.ndjson" 2>/dev/null; }

@test "network boot, a sweep over arrays, cut off in the middle, resumed, uploaded, powered off" {
	write_work
	"$iorig" image build --level 1 -o "$tmp/image"
	"$iorig" serve assign "$tmp/srv" --box $box --sweep "$tmp/box-test.sweep.json" --trace "$tmp/t.iotrace" --end poweroff

	# The first boot: until one run is done and the next one that replays has begun.
	start_box 1
	for _ in $(seq 4500); do
		if journal | jq -s -e '(map(.ev == "done") | any) and (last.ev == "running")' >/dev/null; then break; fi
		kill -0 "$boot" || { tail -n 40 "$tmp/console.1"; false; }
		sleep 0.1
	done
	cut=$(journal | jq -s 'last.seq')
	plan=$(sha256sum <"$results/plan.json")
	kill -9 "$(qemu_pid)"
	rc=0
	wait "$boot" || rc=$?
	boot=
	[ "$rc" = 1 ]
	grep -q 'qemu ended with status 137' "$tmp/console.1"
	cp "$results/runs.ndjson" "$tmp/before"

	# The second boot ends by itself.
	start_box 2
	rc=0
	wait "$boot" || rc=$?
	boot=
	[ "$rc" = 0 ] || { tail -n 40 "$tmp/console.2"; false; }
	[ "$(jq -r .state "$tmp/srv/status/$box.json")" = complete ] || { cat "$tmp/srv/status/$box.json"; false; }
	grep -q 'goes on where it was interrupted' "$tmp/console.2"

	# The plan is the same, the journal was continued, every run is over exactly once, the interrupted one has a second attempt.
	[ "$(sha256sum <"$results/plan.json")" = "$plan" ]
	cmp -n "$(stat -c %s "$tmp/before")" "$tmp/before" "$results/runs.ndjson"
	[ "$(journal | jq -s '[.[] | select(.ev == "complete")] | length')" = 1 ]
	[ "$(journal | jq -s -c --argjson cut "$cut" '[.[] | select(.ev == "failed") | [.seq, .died]] == [[$cut, true]]')" = true ]
	over='[.[] | select(IN(.ev; "done", "not-applied", "unsupported", "crashed")) | .seq] | sort'
	planned=$(jq -c '[.runs[].seq]' "$results/plan.json")
	[ "$(journal | jq -s -c "$over")" = "$planned" ] || { cat "$results/runs.ndjson"; false; }
	[ "$(journal | jq -s --argjson cut "$cut" '[.[] | select(.seq == $cut) | .attempt] | max')" = 2 ]

	# What has a number has its documents here, as they were on the box.
	[ "$(journal | jq -s '[.[] | select(.ev == "done")] | length')" = 2 ]
	while read -r sum seq; do
		file=$results/runs/$(printf %04d "$seq")/run.json
		[ "$(sha256sum <"$file" | cut -d ' ' -f 1)" = "$sum" ] || { echo "$file is not what the box made"; false; }
		[ "$(jq -r .outcome "$file")" = ok ]
	done < <(journal | jq -r 'select(.ev == "done") | "\(.run_sha256) \(.seq)"')

	# What the kernel does not do is said, not measured.
	cell_of() { jq -r --arg name "$1" '.cells[] | select(.label == $name) | .id' "$results/plan.json"; }
	[ "$(journal | jq -s -c --arg cell "$(cell_of 'bfq on md')" '[.[] | select(.cell == $cell and .reason != null) | .ev] | unique')" = '["not-applied"]' ]
	journal | jq -r 'select(.ev == "not-applied") | .reason' | grep -q 'asked for bfq, in force is none'
	"$iorig" report "$results" --format json >"$tmp/matrix.json"
	[ "$(jq -r '.cells[] | select(.label == "bfq on md") | .outcome' "$tmp/matrix.json")" = not-applied ]
	[ "$(jq -r '.cells[] | select(.label == "xfs nobarrier") | .outcome' "$tmp/matrix.json")" = unsupported ]
	[ "$(jq -r '.cells[] | select(.label == "xfs nobarrier") | .metrics.elapsed_s.median' "$tmp/matrix.json")" = null ]

	# Each boot left its evidence, with a watchdog that was armed; nothing of the boxes is left on this machine.
	[ "$(find "$results/boots" -name dmesg.txt | wc -l)" = 2 ]
	for facts in "$results"/boots/*/watchdog.json; do
		jq -e '.identity == "i6300ESB timer" and .timeout_s == 60' "$facts"
	done
	[ -z "$(qemu_pid)" ]
}
