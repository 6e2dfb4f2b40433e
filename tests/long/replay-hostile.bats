#!/usr/bin/env bats
# Hostile traces: mutations of a recording (numbers at their limits, paths that want out, operations and results exchanged, records
# lost and doubled) replayed by the sanitizer build. Each is refused in one line or contained; nothing outside the root changes.
#   SEEDS=200 bats tests/long/replay-hostile.bats
bats_require_minimum_version 1.5.0

setup() {
	cd "$BATS_TEST_DIRNAME/../.."
	[ "$(id -u)" = 0 ] || skip "replay needs root here"
	make -s VARIANT=sanitize >/dev/null
	iorig=${IORIG:-$PWD/bin/iorig}
	sanitized=$PWD/bin/iorig-sanitize
	mutate=$PWD/tests/helpers/mutate-trace.awk
	cd "$BATS_TEST_TMPDIR"
}

# A recording with something of everything: processes, threads, links, locks, mappings.
base() {
	gcc -O1 -pthread -o maildir "$BATS_TEST_DIRNAME/../helpers/maildir.c"
	mkdir work
	cat >work.sh <<-'EOF'
		cd "$1"
		sqlite3 t.db 'pragma journal_mode=wal; create table t(a); insert into t values(1),(2); select * from t;'
		mkdir -p a/b && for i in 1 2 3 4 5; do echo $i >a/f$i; done
		ln a/f1 a/hard; ln -s f2 a/soft; cat a/soft; mv a c; rm c/f3; rmdir c/b; tar cf x.tar c; truncate -s 100 x.tar
	EOF
	"$iorig" capture -o base.iotrace -- bash work.sh "$PWD/work" >/dev/null
	mkdir mail
	"$iorig" capture -o mail.iotrace -- ./maildir "$PWD/mail" 40 4 >/dev/null
	"$iorig" trace dump base.iotrace | grep -v '^header' >base.txt
	"$iorig" trace dump mail.iotrace | grep -v '^header' >mail.txt
}

# FILE: makes t.iotrace of it; lines that the text form itself refuses are left out.
build() {
	local n
	for _ in $(seq 200); do
		"$iorig" trace build "$1" -o t.iotrace 2>err && return
		n=$(sed -n 's/^iorig: [^:]*:\([0-9]*\):.*/\1/p' err)
		[ -n "$n" ] || { cat err; return 1; }
		sed -i "${n}d" "$1"
	done
	return 1
}

@test "mutated traces are contained" {
	base
	mkdir -p canary/d
	echo keep >canary/f
	before=$(find canary -printf '%p %s %m %T@\n' | sort)
	ran=0
	for seed in $(seq "${SEEDS:-200}"); do
		text=base.txt
		[ $((seed % 2)) = 0 ] || text=mail.txt
		awk -v seed="$seed" -v rate=$((10 + seed % 50)) -v canary="$PWD/canary" -f "$mutate" "$text" >t.txt
		build t.txt || continue
		ran=$((ran + 1))
		rm -rf root
		mkdir root
		rc=0
		ASAN_OPTIONS=detect_leaks=0 timeout 120 "$sanitized" replay t.iotrace --root root -o run --cache hot --max-mismatch 100 >out 2>err || rc=$?
		case $rc in
		0) ;;
		1) [ "$(grep -vc '^iorig: warning: ' err)" = 1 ] && grep -q '^iorig: ' err || { echo "seed $seed:"; head -40 err; false; } ;;
		*) echo "seed $seed: status $rc"; head -40 err; false ;;
		esac
		[ "$(find canary -printf '%p %s %m %T@\n' | sort)" = "$before" ] || { echo "seed $seed: the canary changed"; false; }
		[ -z "$(find root -type b -o -type c)" ] || { echo "seed $seed: a device was made"; false; }
	done
	echo "# $ran traces" >&3
	[ "$ran" -gt $((${SEEDS:-200} * 3 / 4)) ]
}
