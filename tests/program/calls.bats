#!/usr/bin/env bats
# Every call in every form: programs that say what they did, and recordings that must say the same.
bats_require_minimum_version 1.5.0

setup() {
	cd "$BATS_TEST_DIRNAME/../.."
	iorig=${IORIG:-$PWD/bin/iorig}
	. tests/events.bash
	. tests/recorder.bash
	dir=$(mktemp -d /var/tmp/iorig-calls.XXXXXX)
	trace=$dir/t.iotrace
}

teardown() {
	rm -rf "$dir"
}

# compare HELPER LINES: records the helper and compares line by line; it tells at least so many calls.
compare() {
	mkdir -p "$dir/w"
	run -0 timeout 60 "$iorig" capture -o "$trace" -- "build/helpers/$1" "$dir/w"
	cat >"$dir/want" <<<"$output"
	[ "$(wc -l <"$dir/want")" -ge "$2" ]
	events_in "$trace" "$dir/w" >"$dir/got"
	diff "$dir/want" "$dir/got"
	[ "$(trailer "$trace" '.seen == .emitted + .filtered + .dropped and .lost == 0 and .skipped == 0')" = true ]
}

@test "every call in every form, with its arguments, its file and its result" {
	need_recorder
	compare iocalls 200
	[ "$(trailer "$trace" '.paths_unreadable <= 1 and .requests_end_late == 1')" = true ]
}

@test "every request of io_uring that is about files is an event of its own" {
	need_recorder
	compare iouring 100
}

@test "calls of 32-bit programs are recorded as the calls that they are" {
	need_recorder
	compare iocompat 120
}

@test "a 32-bit program, and its way from and to 64-bit ones" {
	need_recorder
	cat >"$dir/p.c" <<-'END'
		static int call(int nr, int a, int b, int c)
		{
			int r;
			__asm__ volatile("int $0x80" : "=a"(r) : "a"(nr), "b"(a), "c"(b), "d"(c) : "memory");
			return r;
		}
		int start(void) __asm__("_start");
		int start(void)
		{
			static const char *const argv[] = {"/bin/cat", "narrow", 0};
			int fd = call(5, (int)"narrow", 0101, 0600);
			call(4, fd, (int)"12345", 5);
			call(6, fd, 0, 0);
			return call(11, (int)argv[0], (int)argv, 0);
		}
	END
	gcc -m32 -O1 -ffreestanding -fno-pie -fno-stack-protector -nostdlib -static -no-pie -o "$dir/p" "$dir/p.c"
	run -0 --separate-stderr timeout 30 "$iorig" capture -o "$trace" -- sh -c "cd $dir && exec ./p" 3>&-
	[ "$output" = 12345 ]
	[ -z "$stderr" ]
	run -0 events "$trace"
	[[ $output == *"execve path=\"$dir/./p\" = 0"* ]]
	[[ $output == *"open file=<$dir/narrow> path=\"$dir/narrow\" flags=O_WRONLY|O_CREAT mode=0600 bits=compat|created = 3"* ]]
	[[ $output == *"write fd=3 file=<$dir/narrow> offset=0 length=5 bits=compat = 5"* ]]
	[[ $output == *"close fd=3 file=<$dir/narrow> bits=compat = 0"* ]]
	[[ $output == *"execve path=\"/bin/cat\" = 0"* ]]
	[[ $output == *"read fd=3 file=<$dir/narrow> offset=0 length=131072 = 5"* ]]
	[ "$(trailer "$trace" '.seen == .emitted + .filtered + .dropped and .lost == 0 and .unpaired == 0')" = true ]
}

@test "descriptors of several processes: shared tables, tables of their own, exec, and those that arrive" {
	need_recorder
	mkdir "$dir/w"
	run -0 timeout 60 "$iorig" capture -o "$trace" -- build/helpers/iotables "$dir/w"
	cat >"$dir/want" <<<"$output"
	[ "$(wc -l <"$dir/want")" -ge 40 ]
	# Not said: processes that begin, and what a new program does until it is at main.
	events_in "$trace" "$dir/w" >"$dir/all"
	grep -Ev '^(clone|execve)|^[a-z0-9]+ .*(file=<|path=")/(etc|usr|lib)' "$dir/all" >"$dir/got"
	diff "$dir/want" "$dir/got"
	[ "$(sed -n 's/^clone flags=\(0x[0-9a-f]*\) .*/\1/p' "$dir/all" | paste -sd' ')" = "0x411 0x411 0x411 0x11 0x411 0x11 0x11 0x1200011" ]
	[[ $(grep ^clone3 "$dir/all") == "clone3 flags=0x3d0f00 = "* ]]
	[ "$(trailer "$trace" '.seen == .emitted + .filtered + .dropped and .lost == 0')" = true ]
}

@test "calls that the recording's begin or end falls into are counted, and told as far as they are known" {
	need_recorder
	# One waits for a lock when the recording begins and gets it, one begins to wait and never gets it.
	mkfifo "$dir/go"
	exec 8>"$dir/first" 9>"$dir/second"
	flock 8
	flock 9
	flock "$dir/first" true 3>&- 8>&- 9>&- &
	early=$!
	sh -c "read x <$dir/go; exec flock $dir/second true" 3>&- 8>&- 9>&- &
	late=$!
	"$iorig" capture -o "$trace" -p $early -p $late 2>"$dir/err" 3>&- 8>&- 9>&- &
	recorder=$!
	until grep -qs 'recording into' "$dir/err"; do sleep 0.05; done
	exec 8>&-
	wait $early
	: >"$dir/go"
	until grep -q "^[0-9]*: -> .* $late " /proc/locks; do sleep 0.05; done
	sleep 0.2
	kill -INT $recorder
	wait $recorder
	exec 9>&-
	wait $late
	[[ $(events "$trace" | grep "^flock .*first") == "flock fd="[0-9]" file=<$dir/first> flags=0x2 bits=no-duration = 0" ]]
	[ -z "$(events "$trace" | grep "^flock .*second")" ]
	[ "$(trailer "$trace" '[.unpaired, .calls_unfinished, .lost, .seen == .emitted + .filtered + .dropped]' | jq -c .)" = '[1,{"flock":1},0,true]' ]
}

@test "a call that a signal ends has the result EINTR; one that begins again is an event of its own" {
	need_recorder
	exec 9>"$dir/lock"
	flock 9
	cat >"$dir/use.pl" <<-'END'
		open(my $f, "<", $ARGV[0]) or die;
		$SIG{ALRM} = sub { };
		alarm(1);
		flock($f, 2);
	END
	run -0 timeout 30 "$iorig" capture -o "$trace" -- perl "$dir/use.pl" "$dir/lock"
	[[ $(events "$trace" | grep "^flock ") == "flock fd="[0-9]" file=<$dir/lock> flags=0x2 = -EINTR" ]]
	[ "$(trailer "$trace" '.seen == .emitted + .filtered + .dropped and .lost == 0')" = true ]
	exec 9>&-
}

@test "threads that are killed in a call leave nothing uncounted" {
	need_recorder
	run -0 timeout 60 "$iorig" capture -o "$trace" -- sh -c "for i in 1 2 3 4 5; do build/helpers/iothreads $dir/data 4 1000000 & p=\$!; sleep 0.2; kill -9 \$p; wait \$p; done 2>/dev/null; true"
	[ "$(trailer "$trace" '[.lost, .calls_unfinished, .seen == .emitted + .filtered + .dropped]' | jq -c .)" = '[0,{},true]' ]
	[ "$(events "$trace" | grep -c '^exit arg=9')" -ge 5 ]
}

@test "the program for older kernels records the same" {
	need_recorder
	export IORIG_OLD_PROGRAM=1
	compare iocalls 200
	rm -rf "$dir/w"
	compare iouring 100
	rm -rf "$dir/w"
	compare iocompat 120
}

@test "every system call that the C library knows is recorded, or is on the list of those that are not" {
	sed -n 's/^#define __NR_\([a-z0-9_]*\) .*/\1/p' /usr/include/x86_64-linux-gnu/asm/unistd_64.h | sort >"$dir/all"
	{ sed -n 's/^	ROW(\([a-z0-9_]*\),.*/\1/p' capture/calls.c; sed -n 's/^\([a-z0-9_]*\).*/\1/p' tests/fixtures/other-calls.txt; } | sort >"$dir/known"
	[ "$(wc -l <"$dir/all")" -gt 300 ]
	[ -z "$(uniq -d "$dir/known")" ]
	[ -z "$(comm -23 "$dir/all" "$dir/known")" ]
}

@test "a polling kernel thread, registered files and buffers: the requests are fio's own numbers" {
	need_recorder
	for extra in "--sqthread_poll=1" "--registerfiles=1 --fixedbufs=1" "--nonvectored=0" "--sqthread_poll=1 --registerfiles=1"; do
		run -0 timeout 60 "$iorig" capture -o "$trace" -- fio --name=x --filename="$dir/f" --size=2m --bs=4k --rw=randrw --ioengine=io_uring \
			$extra --iodepth=8 --fsync=64 --randseed=7 --output-format=json --output="$dir/json"
		want=$(jq -r '.jobs[0] | "\(.read.total_ios) \(.write.total_ios)"' "$dir/json")
		events "$trace" >"$dir/got"
		[ "$(awk '/ via=uring/ { n[$1]++ } END { print n["pread64"] + n["preadv2"], n["pwrite64"] + n["pwritev2"] }' "$dir/got")" = "$want" ]
		# Each one whole: 4096 of 4096 bytes of that file, in ring 1.
		grep ' via=uring' "$dir/got" | grep -v '^fsync' >"$dir/requests"
		[ "$(grep -cE "^p[a-z0-9]+ fd=[0-9]+ file=<$dir/f> .*offset=[0-9]+ length=4096 .*via=uring ring=1 .*= 4096$" "$dir/requests")" = 512 ]
		all=$(wc -l <"$dir/requests") none=0
		case $extra in *sqthread*) polled=$all ;; *) polled=$none ;; esac
		case $extra in *registerfiles* | *sqthread*) files=$all ;; *) files=$none ;; esac # fio polls with registered files
		case $extra in *fixedbufs*) buffers=$all ;; *) buffers=$none ;; esac
		[ "$all $(grep -c sqpoll "$dir/requests") $(grep -c fixed-file "$dir/requests") $(grep -c fixed-buffer "$dir/requests")" = "512 $polled $files $buffers" ]
		[ "$(trailer "$trace" '.lost + .requests_unknown + .requests_early')" = 0 ]
	done
}
