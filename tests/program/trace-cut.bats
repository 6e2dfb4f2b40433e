#!/usr/bin/env bats
# A part of a trace is a trace that replays: what had been opened, made, written and renamed before comes along.
bats_require_minimum_version 1.5.0

setup() {
	cd "$BATS_TEST_DIRNAME/../.."
	iorig=${IORIG:-$PWD/bin/iorig}
	dir=$(mktemp -d /var/tmp/iorig-cut.XXXXXX)
	cat >"$dir/text" <<-'END'
		thread 1 tid=100 comm="shell" cwd="/w"
		file 1 dev=8:1 ino=1 mode=040755 path="/w"
		file 2 dev=8:1 ino=2 mode=0100644 size=10 path="/w/old"
		fd pid=100 fd=3 file=2 flags=O_RDWR pos=0 desc=7
		1.0+0.1 1 read fd=3 file=2 offset=0 length=4 = 4
		file 3 dev=8:1 ino=3 mode=0100644 bits=created seen=1.5 path="/w/new"
		1.5+0.1 1 openat fd=AT_FDCWD path="/w/new" file=3 flags=O_RDWR|O_CREAT mode=0644 bits=created = 4
		1.7+0.1 1 write fd=4 file=3 offset=0 length=6 = 6
		2.0+0.1 1 mkdir path="/w/d" mode=0755 = 0
		2.2+0.1 1 rename path="/w/new" path2="/w/d/moved" file=3 = 0
		2.4+0.1 1 dup fd=3 file=2 = 5
		2.5+0.1 1 close fd=3 file=2 = 0
		file 4 dev=8:1 ino=4 mode=0100644 size=3 seen=2.6 path="/w/gone"
		2.6+0.1 1 unlink path="/w/gone" file=4 = 0
		thread 2 tid=200 parent=1 comm="child" seen=3.5
		3.4+0.2 1 fork = 200
		4.0+0.1 2 read fd=5 file=2 offset=4 length=6 = 6
		4.2+0.1 2 pread64 fd=4 file=3 offset=0 length=6 = 6
		4.4+0.1 2 openat fd=AT_FDCWD path="/w/d/moved" file=3 flags=O_RDONLY = 6
		4.6+0.1 2 openat fd=AT_FDCWD path="/w/gone" flags=O_RDONLY = -ENOENT
		5.0+0.1 1 close fd=4 file=3 = 0
	END
	"$iorig" trace build "$dir/text" -o "$dir/t"
}

teardown() { [ -z "${dir:-}" ] || rm -rf "$dir"; }

cut() { run -0 --separate-stderr "$iorig" trace cut "$@" -o "$dir/c" "$dir/t"; "$iorig" trace check "$dir/c"; "$iorig" trace dump "$dir/c" >"$dir/got"; }

events() { grep -c '^[0-9]' "$dir/got"; }

@test "--from: descriptors, sizes, names and directories as they were then; times from the cut on" {
	cut --from 3s
	[ "$(events)" = 6 ]
	grep -q '^file [0-9]* dev=8:1 ino=3 mode=0100644 size=6 path="/w/d/moved"$' "$dir/got" # no longer created here
	grep -q '^file [0-9]* mode=040755 path="/w/d"$' "$dir/got"
	! grep -q '/w/gone"$' <(grep '^file' "$dir/got")
	! grep -q '^fd .* fd=3 ' "$dir/got"
	[[ $(grep '^fd pid=100 fd=5 ' "$dir/got") == *" flags=O_RDWR pos=4"* ]]
	[[ $(grep '^fd pid=100 fd=4 ' "$dir/got") == *" flags=O_RDWR pos=6"* ]]
	! grep -q '^fd pid=200' "$dir/got" # made in the cut, by a fork that is in it
	grep -qE '^1\.0+\+0\.10* 2 read fd=5 ' "$dir/got"
	[ "$("$iorig" trace info --json "$dir/c" | jq -c .header.cut)" = '{"from_ns":3000000000}' ]
}

@test "a cut of the middle, of a process, of a name, of a path" {
	cut --from 4.1s --to 4.5s
	[ "$(events)" = 2 ]
	grep -q '^fd pid=200 fd=5 ' "$dir/got" # inherited from a parent that is not in it
	cut --pid 200
	[ "$(events)" = 4 ]
	[[ $(grep '^fd pid=200 fd=5 ' "$dir/got") == *" pos=4"* ]]
	cut --comm shell --to 2s
	[ "$(events)" = 3 ]
	cut --path /w/old
	[ "$(grep '^[0-9]' "$dir/got" | awk '{ print $3 }' | paste -sd' ')" = "read dup close fork read" ]
	run -0 "$iorig" trace cut --path /w -o "$dir/c" "$dir/t"
}

@test "a cut replays without a difference" {
	for range in "--from 3s" "--from 4.1s" "--to 3s" "--from 1.6s --to 4.5s" "--pid 200"; do
		cut $range
		mkdir "$dir/root"
		run -0 "$iorig" replay "$dir/c" --root "$dir/root" -o "$dir/run"
		[ "$(jq .mismatch.count "$dir/run/run.json")" = 0 ]
		rm -rf "$dir/root" "$dir/run"
	done
}

@test "a recording, cut in the middle, replays without a difference" {
	[ "$(id -u)" = 0 ] || skip "recording needs root"
	[ -r /sys/kernel/btf/vmlinux ] || skip "this kernel has no type information (BTF)"
	mkdir "$dir/w"
	cat >"$dir/use.sh" <<-END
		cd $dir/w
		exec 5>log
		for i in 1 2 3 4 5 6 7 8; do
			mkdir d\$i; echo \$i >d\$i/a; mv d\$i/a d\$i/b; ln d\$i/b l\$i; cat l1 d1/b >/dev/null; echo \$i >&5
		done
		rm -r d3 l3; mv d4 e4; cat e4/b l4 >/dev/null; ls -lR . >/dev/null; wc -c log
	END
	timeout 60 "$iorig" capture -o "$dir/t" -- sh "$dir/use.sh"
	all=$("$iorig" trace info --json "$dir/t" | jq .duration_ns)
	for part in 3 5 7; do
		cut --from $((all * part / 10000000))us
		[ "$(events)" -gt 20 ]
		mkdir "$dir/root"
		run -0 "$iorig" replay "$dir/c" --root "$dir/root" -o "$dir/run"
		[ "$(jq .mismatch.count "$dir/run/run.json")" = 0 ]
		rm -rf "$dir/root" "$dir/run"
	done
}

@test "process numbers that no system has: no time and no memory by their size" {
	printf '%s\n' 'thread 1 tid=4294967295' 'thread 2 tid=2147483647' 'thread 3 tid=7 pid=0' '1+0.1 1 sync = 0' '2+0.1 2 sync = 0' '3+0.1 3 sync = 0' >"$dir/text"
	"$iorig" trace build "$dir/text" -o "$dir/t"
	# A sanitizer's program has a huge address space of its own.
	[ -n "${IORIG:-}" ] || ulimit -v 1000000
	run -0 timeout 60 "$iorig" trace cut --from 1s --to 1h -o "$dir/c" "$dir/t"
	run -0 "$iorig" trace dump "$dir/c"
	[ "$(grep -c sync <<<"$output")" = 3 ]
}

@test "cut: usage, an empty cut, a trace that is cut short" {
	run -2 --separate-stderr "$iorig" trace cut --from 1s "$dir/t"
	[ "$stderr" = "iorig: trace cut: -o FILE is needed" ]
	run -2 --separate-stderr "$iorig" trace cut -o "$dir/c" "$dir/t"
	[ "$stderr" = "iorig: trace cut: which part? Give --from, --to, --pid, --comm or --path" ]
	run -2 --separate-stderr "$iorig" trace cut --from 2s --to 1s -o "$dir/c" "$dir/t"
	[ "$stderr" = "iorig: trace cut: --from and --to are times since the start (90s, 5m), the first before the second" ]
	run -2 --separate-stderr "$iorig" trace cut --path w -o "$dir/c" "$dir/t"
	[ "$stderr" = "iorig: --path w: not an absolute path" ]
	run -2 --separate-stderr "$iorig" trace cut --pid x -o "$dir/c" "$dir/t"
	[ "$stderr" = "iorig: --pid x: not a process id" ]
	run -1 --separate-stderr "$iorig" trace cut --from 1h -o "$dir/c" "$dir/t"
	[ "$stderr" = "iorig: '$dir/t' has no event that was asked for; nothing was written" ]
	[ ! -e "$dir/c" ]
	head -c -20 "$dir/t" >"$dir/short"
	run -3 --separate-stderr "$iorig" trace cut --from 3s -o "$dir/c" "$dir/short"
	[[ $stderr == "iorig: '$dir/short': truncated at byte "* ]]
	run -0 "$iorig" trace check "$dir/c"
}
