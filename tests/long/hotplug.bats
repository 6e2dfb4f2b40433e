#!/usr/bin/env bats
# A processor that comes while the recorder runs, in emulation: what happens on it is recorded as soon as it has a ring, and counted as lost until then.
# And a machine without room for the rings.
bats_require_minimum_version 1.5.0

setup_file() {
	cd "$BATS_TEST_DIRNAME/../.."
	export out=$BATS_FILE_TMPDIR/out
	mkdir "$out"
	rc=0
	sh tests/guest.sh -t 200 -s 2 -b build/helpers/iorate -o "$out" tests/box/hotplug.sh >"$out/log" 2>&1 || rc=$?
	export rc
}

setup() {
	cd "$BATS_TEST_DIRNAME/../.."
	iorig=${IORIG:-$PWD/bin/iorig}
	. tests/events.bash
	[ "$rc" != 77 ] || skip "$(tail -1 "$out/log")"
	[ "$rc" = 0 ] || { cat "$out/log"; false; }
}

@test "a processor that comes later is recorded, and until it has a ring its events are counted" {
	cat "$out/err" "$out/seeks"
	[ "$(paste -sd' ' "$out/online")" = "0 0-1" ]
	first=$(awk '$1 == "0" { print $2 }' "$out/seeks")
	later=$(awk '$1 == "1" { print $2 }' "$out/seeks")
	got=$("$iorig" trace stat --json "$out/t.iotrace" | jq .op.lseek.count)
	lost=$("$iorig" trace info --json "$out/t.iotrace" | jq .lost)
	echo "seeks: $first and $later; recorded $got, lost $lost"
	[ "$lost" -gt 0 ]
	[ "$(cat "$out/status")" = 3 ]
	[[ $(cat "$out/err") == "iorig: /out/t.iotrace is incomplete: $lost of "*" events were lost"* ]]
	[ "$got" -gt $((first + later / 2)) ]
	[ $((first + later - got)) -le "$lost" ]
	[ "$(trailer "$out/t.iotrace" '.seen == .emitted + .filtered + .dropped and .lost == .dropped + .tasks_dropped')" = true ]
	# It is said where.
	elsewhere=$("$iorig" trace dump "$out/t.iotrace" | awk '/^loss / && !/ cpu=1( |$)/ { n++ } END { print n + 0 }')
	[ "$elsewhere" -le 1 ]
}

@test "rings that do not fit into the machine: one line with the sum" {
	[ "$(cat "$out/large.status")" = 1 ]
	[ "$(cat "$out/large.err")" = "iorig: cannot record: cannot have 2 rings of 1048576 KiB, 2048 MiB together: Cannot allocate memory; give a smaller --ring-size" ]
}
