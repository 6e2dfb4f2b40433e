#!/usr/bin/env bats
# kill -9 of the runner at 40 random moments of small sweeps: the plan never changes, every run is done exactly once, the machine is as before.
bats_require_minimum_version 1.5.0

setup() {
	cd "$BATS_TEST_DIRNAME/../.."
	iorig=${IORIG:-$PWD/bin/iorig}
	t=$(mktemp -d /var/tmp/iorig-sweep-kill.XXXXXX)
	runner=
}

teardown() {
	[ -z "$runner" ] || kill -9 "$runner" 2>/dev/null || true
	[ ! -e "$t/d/runs.ndjson" ] || "$iorig" sweep resume "$t/d" >"$t/last" 2>&1 || cat "$t/last"
	rm -rf "$t"
}

machine() {
	flock /run/iorig.lock sysctl vm.dirty_ratio vm.dirty_background_ratio vm.swappiness vm.laptop_mode
	losetup -a | grep "$t" || true
	grep "$t" /proc/mounts || true
}

@test "40 kills at random moments" {
	[ "$(id -u)" = 0 ] || skip "needs root: makes loop devices and file systems"
	awk -v n=200 -v got=4096 -f "$BATS_TEST_DIRNAME/../creations.awk" | "$iorig" trace build - -o "$t/t.iotrace"
	cat >"$t/s.json" <<-'END'
	{ "schema": "iorig.sweep/1", "name": "kills", "trace": {"file": "t.iotrace"}, "box": {"disks": [{"loop_gib": 0.25}]},
	  "base": {"profile": "ext4-one", "set": {"block.nr_requests": 64, "vm.swappiness": 33, "vm.dirty_ratio": 17}},
	  "matrix": {"block.scheduler": ["mq-deadline", "none", "bfq"], "fs.atime": ["relatime", "noatime"]},
	  "plan": {"blocks": 4, "seed": 3, "warmup": false} }
	END
	before=$(machine)
	kills=0
	"$iorig" sweep run "$t/s.json" --out "$t/d" 2>"$t/log" &
	runner=$!
	until [ -s "$t/d/runs.ndjson" ]; do sleep 0.1; done
	sum=$(sha256sum "$t/d/plan.json" "$t/d/sweep.json")
	while [ $kills -lt 40 ]; do
		sleep "$((RANDOM % 4)).$((RANDOM % 10))"
		kill -9 $runner 2>/dev/null || break # it was faster
		wait $runner || true
		kills=$((kills + 1))
		[ "$(sha256sum "$t/d/plan.json" "$t/d/sweep.json")" = "$sum" ]
		# Now and then a line that the power cut off.
		[ $((RANDOM % 3)) != 0 ] || printf '{"t":"2026' >>"$t/d/runs.ndjson"
		"$iorig" sweep resume "$t/d" 2>>"$t/log" &
		runner=$!
	done
	wait $runner || { tail -5 "$t/log"; false; }
	runner=
	echo "$kills kills"
	[ "$kills" -ge 10 ]
	[ "$(sha256sum "$t/d/plan.json" "$t/d/sweep.json")" = "$sum" ]
	[ "$(jq -r 'select(.ev == "done").seq' "$t/d/runs.ndjson" | sort -n | tr '\n' ' ')" = "$(seq -s ' ' "$(jq '.runs | length' "$t/d/plan.json")") " ]
	[ "$(machine)" = "$before" ]
}
