#!/usr/bin/env bats
# PostgreSQL, recorded from outside and replayed from a cold start: every result as recorded, and a tree with the types, permissions and sizes that the
# server left.
bats_require_minimum_version 1.5.0

setup() {
	cd "$BATS_TEST_DIRNAME/../.."
	iorig=$PWD/bin/iorig
	tests=$PWD/tests
	. tests/recorder.bash
	need_recorder
	bin=$(echo /usr/lib/postgresql/*/bin)
	[ -x "$bin/initdb" ] && id postgres >/dev/null || skip "needs the package postgresql"
	dir=$(mktemp -d /var/tmp/iorig-postgres.XXXXXX)
	chmod 755 "$dir"
	mkdir "$dir/w" "$dir/root"
	chown postgres "$dir/w"
	cd "$dir/w"
}

teardown() {
	as_postgres "$bin/pg_ctl" -D "$dir/w/data" -m immediate stop >/dev/null 2>&1 || :
	end_started
	rm -rf "$dir"
}

as_postgres() { runuser -u postgres -- env PATH="$bin:/usr/bin:/bin" PGHOST="$dir/w" PGDATABASE=postgres "$@"; }

begin_work='initdb -D data -A trust >initdb.log 2>&1 && pg_ctl -D data -o "-k $PWD -h \"\"" -l log -w start >/dev/null'
work='pgbench -i -q >/dev/null 2>&1 && pgbench -c4 -T3 >pgbench.log 2>&1 && psql -qc checkpoint && pg_ctl -D data -w -m fast stop >/dev/null'

# Replays the recording. Names that no call has met are not in it; what is there is as the server left it.
as_left() {
	run -0 "$iorig" replay "$dir/t.iotrace" --root "$dir/root" --cache cold --plan-cache none -o "$dir/run"
	jq -c '.mismatch.first[], .tree.first[], .coverage' "$dir/run/run.json"
	jq -e '.mismatch.count == 0 and .tree.differences == 0 and .coverage.contradictions == 0 and .coverage.ops_ratio > 0.999 and .trace.lost == 0' \
		"$dir/run/run.json"
	sh "$tests/workloads/tree.sh" "$dir/w" >"$dir/left"
	sh "$tests/workloads/tree.sh" "$dir/root/$dir/w" >"$dir/replayed"
	diff "$dir/left" "$dir/replayed" >"$dir/differences" || :
	! grep '^>' "$dir/differences"
}

@test "initdb, pgbench, a checkpoint and a stop" {
	run -0 "$iorig" capture -o "$dir/t.iotrace" -- runuser -u postgres -- env PATH="$bin:/usr/bin:/bin" PGHOST="$dir/w" PGDATABASE=postgres \
		sh -c "umask 022; $begin_work && $work"
	as_left
	[ ! -s "$dir/differences" ] || { head "$dir/differences"; false; }
	[ "$(wc -l <"$dir/left")" -gt 900 ]
	[ "$(stat -c %a "$dir/root/$dir/w/data" "$dir/root/$dir/w/data/base" | xargs)" = "700 700" ]
}

@test "a server that runs already" {
	as_postgres sh -c "$begin_work"
	record -u postgres -o "$dir/t.iotrace"
	as_postgres sh -c "$work"
	kill -INT "$recorder"
	wait "$recorder"
	as_left
	[ "$(wc -l <"$dir/replayed")" -gt 80 ]
	[ "$(stat -c %a "$dir/root/$dir/w/data" "$dir/root/$dir/w/data/base" | xargs)" = "700 700" ]
}
