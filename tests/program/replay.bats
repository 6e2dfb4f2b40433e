#!/usr/bin/env bats
# iorig replay: hand-written recordings whose every result is known, hostile ones, and what a run leaves behind.
bats_require_minimum_version 1.5.0

setup() {
	cd "$BATS_TEST_DIRNAME/../.."
	iorig=${IORIG:-$PWD/bin/iorig}
	[ "$(id -u)" = 0 ] || skip "the page cache can only be dropped by root"
	cd "$BATS_TEST_TMPDIR"
	export XDG_CACHE_HOME=$BATS_TEST_TMPDIR/cache-home
	mkdir root
}

teardown() {
	if mountpoint -q "$BATS_TEST_TMPDIR/small"; then umount "$BATS_TEST_TMPDIR/small"; fi
}

build() { # text on stdin: makes t.iotrace
	"$iorig" trace build - -o t.iotrace
}

replay() { # OPTIONS: replays t.iotrace in root, run.json in run/; dropping caches would slow everybody down
	rm -rf root run
	mkdir root
	run --separate-stderr timeout 60 "$iorig" replay t.iotrace --root root -o run --cache hot "$@"
}

# Every result as recorded, the final tree as implied.
good() {
	replay "$@"
	[ "$status" = 0 ] || { echo "$output$stderr"; jq -c '.mismatch.first[], .tree.first[]' run/run.json; false; }
	jq -e '.outcome == "ok" and .mismatch.count == 0 and .tree.differences == 0 and .coverage.ops_ratio == 1 and .coverage.contradictions == 0' \
		run/run.json >/dev/null || { jq -c '.mismatch, .tree, .coverage' run/run.json; false; }
}

names() { (cd root && find . -mindepth 1 | LC_ALL=C sort); }

# ---- what is replayed ------------------------------------------------------------------------------------------------------------

@test "a starting state is made, used and changed" {
	build <<-'EOF'
		thread 1 tid=10
		file 1 dev=8:1 ino=2 mode=0100640 size=10000 path="/srv/data/old"
		file 2 dev=8:1 ino=3 mode=0100600 bits=created path="/srv/data/new"
		1+0.001 1 openat fd=AT_FDCWD file=1 path="/srv/data/old" flags=O_RDONLY = 3
		2+0.001 1 read fd=3 file=1 offset=0 length=8192 = 8192
		3+0.001 1 read fd=3 file=1 offset=8192 length=8192 = 1808
		4+0.001 1 pread64 fd=3 file=1 offset=20000 length=100 = 0
		5+0.001 1 openat fd=AT_FDCWD file=2 path="/srv/data/new" flags=O_RDWR|O_CREAT|O_EXCL mode=0600 bits=created = 4
		6+0.001 1 write fd=4 file=2 offset=0 length=5000 = 5000
		7+0.001 1 fsync fd=4 file=2 = 0
		8+0.001 1 lseek fd=4 file=2 offset=-1000 arg=2 = 4000
		9+0.001 1 read fd=4 file=2 offset=4000 length=4096 = 1000
		10 1 close fd=3 file=1
		11 1 close fd=4 file=2
		12 1 openat fd=AT_FDCWD path="/srv/data/none" = -ENOENT
		13 1 newfstatat fd=AT_FDCWD path="/srv/data/old/x" = -ENOTDIR
		14 1 mkdir path="/srv/data" mode=0755 = -EEXIST
		15 1 rmdir path="/srv/data" = -ENOTEMPTY
		16 1 unlink path="/srv/data/old" file=1
		17 1 close fd=77 = -EBADF
	EOF
	good
	[ "$(names)" = "$(printf '%s\n' ./srv ./srv/data ./srv/data/new)" ]
	[ "$(stat -c '%s %a' root/srv/data/new)" = "5000 600" ]
	jq -e '.ops == 17 and .op.read.count == 4 and .op.read.bytes == 11000 and .op.write.bytes == 5000 and .op.fsync.count == 1
		and .op.all.errors == 5 and .op.read.recorded_lat_ns.p50 > 990000 and .op.read.recorded_lat_ns.p50 < 1010000
		and .recorded_elapsed_ns == 16000000000 and .elapsed_ns < 1000000000 and .bytes_read == 11000 and .trace.events == 17' run/run.json
}

@test "the starting state has its sizes, and data that cannot be compressed" {
	build <<-'EOF'
		thread 1 tid=10
		file 1 mode=0100644 size=3000000 path="/d/a"
		file 2 mode=0100644 size=4097 path="/d/b"
		file 3 mode=0100644 size=0 path="/d/c"
		1 1 newfstatat file=1 path="/d/a"
		2 1 newfstatat file=2 path="/d/b"
		3 1 newfstatat file=3 path="/d/c"
	EOF
	good
	[ "$(stat -c %s root/d/a root/d/b root/d/c | xargs)" = "3000000 4097 0" ]
	[ "$(zstd -q -c root/d/a | wc -c)" -gt 2950000 ]
	[ "$(tr -d '\0' <root/d/b | wc -c)" -gt 4000 ]
	[ "$(stat -c %b root/d/a)" -ge 5856 ]
}

@test "holes are holes, and data is as compressible as recorded" {
	build <<-'EOT'
		thread 1 tid=10
		file 1 ino=1 mode=0100644 size=8388608 path="/d/text"
		content file=1 sampled=1000000 zero=250000 stored=375000
		file 2 ino=2 mode=0100644 size=10485760 path="/d/sparse"
		hole file=2 offset=1048576 bytes=8388608
		file 3 ino=3 mode=0100644 size=67108864 path="/d/scattered"
		hole file=3 offset=0 bytes=67108864 data=8388608
		file 4 ino=4 mode=0100644 size=5000 path="/d/end"
		hole file=4 offset=4096 bytes=4096
		1 1 newfstatat file=1 path="/d/text"
		2 1 newfstatat file=2 path="/d/sparse"
		3 1 newfstatat file=3 path="/d/scattered"
		4 1 newfstatat file=4 path="/d/end"
	EOT
	run -0 "$iorig" replay t.iotrace --plan-only --json
	# 8 MiB, 2 of 10 MiB, 8 of 64 MiB, a page.
	jq -e '.need_bytes == (18 * 1048576 + 4096)' <<<"$output"
	good
	# A quarter of the pages are zeros; the rest halves.
	zero=$(split -b 4096 --filter 'tr -d "\0" | wc -c' root/d/text | grep -c '^0$')
	[ "$zero" -gt 430 ] && [ "$zero" -lt 600 ]
	packed=$(zstd -1 -q -c root/d/text | wc -c)
	[ "$packed" -gt 2900000 ] && [ "$packed" -lt 3500000 ]
	[ "$(stat -c %s root/d/sparse root/d/scattered root/d/end | xargs)" = "10485760 67108864 5000" ]
	# Many extents take a block of their own.
	allocated=$(stat -c %b root/d/sparse root/d/scattered root/d/end | awk '{ print int($1 / 128) }' | xargs)
	[ "$allocated" = "32 128 0" ] || { echo "$allocated"; false; }
}

@test "files that are only told of are there, with their size and without data" {
	build <<-'EOF'
		thread 1 tid=10
		file 1 ino=1 mode=040755 path="/d"
		file 2 ino=2 mode=0100600 size=5000000 path="/d/other"
		file 3 ino=3 mode=040700 path="/d/sub"
		file 4 ino=4 mode=0100644 size=10 bits=created path="/d/new"
		1 1 openat path="/d" file=1 flags=O_DIRECTORY = 3
		2 1 getdents64 fd=3 file=1 length=32768 = 96
		3 1 getdents64 fd=3 file=1 length=32768 = 0
	EOF
	good
	[ "$(names)" = "$(printf '%s\n' ./d ./d/other ./d/sub)" ]
	[ "$(stat -c '%s %b' root/d/other)" = "5000000 0" ]
}

@test "what the recording makes is not there before, and what it removes is" {
	build <<-'EOF'
		thread 1 tid=10
		1 1 newfstatat fd=AT_FDCWD path="/m/new/1" = -ENOENT
		2 1 rename path="/m/tmp/1" path2="/m/new/1"
		3 1 newfstatat fd=AT_FDCWD path="/m/new/1"
		4 1 newfstatat fd=AT_FDCWD path="/m/tmp/1" = -ENOENT
		5 1 unlink path="/m/new/1"
		6 1 rmdir path="/m/new"
	EOF
	run -0 "$iorig" replay t.iotrace --root root --prepare-only
	[ "$(names)" = "$(printf '%s\n' ./m ./m/new ./m/tmp ./m/tmp/1)" ]
	good
	[ "$(names)" = "$(printf '%s\n' ./m ./m/tmp)" ]
}

@test "what was only seen to be there is a directory when something is in it" {
	build <<-'EOF'
		thread 1 tid=10
		1 1 newfstatat path="/srv/mail"
		2 1 access path="/srv/other"
		3 1 openat path="/srv/mail/tmp/1" flags=O_CREAT|O_EXCL|O_WRONLY mode=0600 bits=created = 3
		4 1 rename path="/srv/mail/tmp/1" path2="/srv/mail/1"
	EOF
	good
	[ "$(names)" = "$(printf '%s\n' ./srv ./srv/mail ./srv/mail/1 ./srv/mail/tmp ./srv/other)" ]
}

@test "rename chains, exchanged names, directories moved with what is in them" {
	build <<-'EOF'
		thread 1 tid=10
		file 1 ino=1 mode=0100644 size=1 path="/a"
		file 2 ino=2 mode=0100644 size=2 path="/b"
		file 3 ino=3 mode=0100644 size=7 path="/d/s/f"
		1 1 rename path="/a" path2="/t" file=1
		2 1 rename path="/b" path2="/a" file=2
		3 1 rename path="/t" path2="/b" file=1
		4 1 renameat2 path="/a" path2="/b" file=2 file2=1 flags=2
		5 1 newfstatat path="/d/s/f" file=3
		6 1 rename path="/d" path2="/e"
		7 1 newfstatat path="/e/s/f" file=3
		8 1 newfstatat path="/d/s/f" = -ENOENT
		9 1 rename path="/e/s/f" path2="/f" file=3
		10 1 rename path="/none" path2="/x" = -ENOENT
		11 1 renameat2 path="/a" path2="/b" file=1 file2=2 flags=1 = -EEXIST
		12 1 renameat2 path="/f" path2="/white" file=3 flags=4
		13 1 newfstatat path="/f"
		14 1 rename path="/white" path2="/f" file=3
		15 1 mkdir path="/g" mode=0755
		16 1 rename path="/e" path2="/g"
		17 1 rename path="/g/s" path2="/e"
		18 1 mkdir path="/e/in" mode=0755
		19 1 rename path="/g" path2="/e" = -ENOTEMPTY
		20 1 rename path="/e/in" path2="/g"
		21 1 rename path="/g" path2="/e/s"
	EOF
	good
	[ "$(names)" = "$(printf '%s\n' ./a ./b ./e ./e/s ./f)" ]
	[ "$(stat -c %s root/a root/b root/f | xargs)" = "1 2 7" ]
}

@test "a forked process has its parent's descriptors, exec closes what is close-on-exec" {
	build <<-'EOF'
		thread 1 tid=10
		file 1 mode=0100644 size=100 path="/f"
		1 1 openat path="/f" file=1 = 3
		2 1 openat path="/f" file=1 flags=O_CLOEXEC = 4
		3 1 read fd=3 file=1 offset=0 length=10 = 10
		4 1 fork = 11
		thread 2 tid=11 parent=1
		5 2 read fd=3 file=1 offset=10 length=10 = 10
		6 1 close fd=3
		7 1 openat path="/f" file=1 = 3
		8 2 read fd=3 file=1 offset=20 length=100 = 80
		9 1 read fd=3 file=1 offset=0 length=50 = 50
		10 2 execve path="/bin/x" = 0
		11 2 read fd=4 length=5 = -EBADF
		12 2 lseek fd=3 file=1 offset=0 arg=1 = 100
		13 2 exit
		14 1 read fd=3 file=1 offset=50 length=100 = 50
		15 1 exit
	EOF
	good
}

@test "dup shares the position, a second open does not; dup2 closes what it replaces" {
	build <<-'EOF'
		thread 1 tid=10
		file 1 mode=0100644 size=100 path="/f"
		file 2 mode=0100644 size=50 path="/g"
		1 1 openat path="/f" file=1 = 3
		2 1 dup fd=3 file=1 = 4
		3 1 fcntl fd=3 file=1 flags=0 arg=10 = 10
		4 1 openat path="/f" file=1 = 5
		5 1 read fd=3 file=1 offset=0 length=30 = 30
		6 1 read fd=4 file=1 offset=30 length=30 = 30
		7 1 read fd=10 file=1 offset=60 length=30 = 30
		8 1 read fd=5 file=1 offset=0 length=30 = 30
		9 1 openat path="/g" file=2 = 6
		10 1 dup2 fd=6 fd2=3 file=2 = 3
		11 1 read fd=3 file=2 offset=0 length=100 = 50
		12 1 read fd=4 file=1 offset=90 length=30 = 10
		13 1 close fd=6
		14 1 lseek fd=3 file=2 offset=0 arg=1 = 50
	EOF
	good
}

@test "files that were open before, shared between processes, and one without a name" {
	build <<-'EOF'
		thread 1 tid=10
		thread 2 tid=20
		file 1 mode=0100644 size=1000 path="/log"
		file 2 mode=0100644 size=500 nlink=0
		fd pid=10 fd=7 file=1 flags=O_RDWR pos=100 desc=1
		fd pid=20 fd=8 file=1 flags=O_RDWR pos=100 desc=1
		fd pid=10 fd=9 file=2 flags=O_RDWR desc=2
		1 1 read fd=7 file=1 offset=100 length=100 = 100
		2 2 read fd=8 file=1 offset=200 length=100 = 100
		3 1 lseek fd=7 file=1 offset=0 arg=1 = 300
		4 1 pread64 fd=9 file=2 offset=0 length=4096 = 500
		5 1 close fd=7
		6 2 read fd=8 file=1 offset=300 length=1000 = 700
	EOF
	good
	[ "$(names)" = ./log ]
}

@test "a descriptor that nothing explains is opened by its file's name, and counted" {
	build <<-'EOF'
		thread 1 tid=10
		file 1 mode=0100644 size=1000 path="/log"
		1 1 pread64 fd=7 file=1 offset=100 length=100 = 100
		2 1 read fd=7 file=1 offset=900 length=1000 = 100
	EOF
	good
	jq -e '.coverage.opened_anew == 1' run/run.json
}

@test "a descriptor passed over a socket goes on where the sender was" {
	build <<-'EOF'
		thread 1 tid=10
		thread 2 tid=20
		file 1 mode=0100644 size=1000 path="/log"
		1 1 openat path="/log" file=1 = 3
		2 1 read fd=3 file=1 offset=0 length=100 = 100
		3 2 recv_fd file=1 = 5
		4 1 close fd=3
		5 2 read fd=5 file=1 offset=100 length=1000 = 900
	EOF
	good
}

@test "appends of several threads, each as long as it was" {
	{
		echo 'file 1 mode=0100644 size=100 path="/log"'
		for t in 1 2 3 4; do
			echo "thread $t tid=$t"
			echo "0.$t $t openat path=\"/log\" file=1 flags=O_WRONLY|O_APPEND = 3"
		done
		for i in $(seq 1 100); do for t in 1 2 3 4; do echo "$i.${t}+0.05 $t write fd=3 file=1 offset=100 length=$((t * 10)) = $((t * 10))"; done; done
	} | build
	good
	[ "$(stat -c %s root/log)" = 10100 ]
}

@test "hard links and symbolic links of the starting state and of the recording" {
	build <<-'EOF'
		thread 1 tid=10
		file 1 ino=1 mode=0100644 nlink=2 size=10 path="/a"
		file 2 ino=2 mode=0120777 size=4 path="/l" target="/dir"
		file 3 ino=3 mode=0100644 nlink=1 size=20 path="/dir/f"
		file 4 ino=4 mode=0100644 nlink=1 size=30 path="/usr/lib/libx.so.1.2"
		1 1 newfstatat path="/a" file=1
		2 1 newfstatat path="/b" file=1
		3 1 readlink path="/l" file=2 length=100 = 4
		4 1 newfstatat path="/l/f" file=3
		5 1 link path="/a" path2="/c"
		6 1 symlink path="../a" path2="/dir/up"
		7 1 openat path="/dir/up" file=1 flags=O_RDWR = 3
		8 1 write fd=3 file=1 offset=0 length=99 = 99
		9 1 unlink path="/a"
		10 1 openat path="/lib/libx.so.1" file=4 = 4
		11 1 read fd=4 file=4 offset=0 length=100 = 30
		12 1 openat path="/l" file=2 flags=O_NOFOLLOW = -ELOOP
	EOF
	good
	[ "$(stat -c '%s %h' root/b root/c | xargs)" = "99 2 99 2" ]
	[ "$(readlink root/l) $(readlink root/dir/up)" = "/dir ../a" ]
}

@test "a file without a name gets one by its descriptor, and another one later" {
	build <<-'EOF'
		thread 1 tid=10
		file 1 ino=1 mode=0100600 bits=created
		file 2 ino=2 mode=0100600 bits=created
		1 1 openat path="/d" file=1 flags=O_RDWR|O_TMPFILE mode=0600 bits=created = 3
		2 1 write fd=3 file=1 offset=0 length=100 = 100
		3 1 linkat fd=3 path2="/d/a" flags=AT_EMPTY_PATH
		4 1 linkat fd=3 path2="/d/a" flags=AT_EMPTY_PATH = -EEXIST
		5 1 openat path="/d" file=2 flags=O_RDWR|O_TMPFILE mode=0600 bits=created = 4
		6 1 write fd=4 file=2 offset=0 length=200 = 200
		7 1 linkat fd=4 path2="/d/b" flags=AT_SYMLINK_FOLLOW
		8 1 newfstatat path="/d/a" file=1
		9 1 unlink path="/d/a" file=1
		10 1 pread64 fd=3 file=1 offset=0 length=4096 = 100
	EOF
	good
	[ "$(names) $(stat -c %s root/d/b)" = "./d
./d/b 200" ]
}

@test "appends and a truncation that overlapped keep the order that their offsets tell" {
	# The append found the old end of the file and ended after the truncation; the other one began before it and found the new one.
	awk 'BEGIN { print "thread 1 tid=1\nthread 2 tid=2\nthread 3 tid=3\nfile 1 mode=0100600 size=0 path=\"/log\""
		for (t = 1; t <= 3; t++) printf "0.%d %d openat path=\"/log\" file=1 flags=O_WRONLY|O_APPEND = 3\n", t, t
		for (i = 1; i <= 500; i++) {
			printf "%.4f 2 write fd=3 file=1 offset=%d length=100 = 100\n", i, i == 1 ? 0 : 7
			printf "%.4f+0.002 1 ftruncate fd=3 file=1 length=0\n", i + 0.1
			printf "%.4f+0.003 2 write fd=3 file=1 offset=%d length=50 = 50\n", i + 0.1, i == 1 ? 100 : 107
			printf "%.4f+0.004 3 write fd=3 file=1 offset=0 length=7 = 7\n", i + 0.1
		} }' | build
	for i in 1 2 3; do
		good
		[ "$(stat -c %s root/log)" = 7 ]
	done
}

@test "sizes: truncate, fallocate, holes, vectors, copies" {
	build <<-'EOF'
		thread 1 tid=10
		file 1 ino=1 mode=0100644 size=10000 path="/a"
		file 2 ino=2 mode=0100644 bits=created path="/b"
		1 1 openat path="/a" file=1 flags=O_RDWR = 3
		2 1 openat path="/b" file=2 flags=O_RDWR|O_CREAT mode=0644 bits=created = 4
		3 1 ftruncate fd=3 file=1 length=5000
		4 1 pread64 fd=3 file=1 offset=4000 length=4096 = 1000
		5 1 preadv fd=3 file=1 offset=0 length=3000 arg=3 = 3000
		6 1 pwritev fd=4 file=2 offset=100000 length=5000 arg=7 = 5000
		7 1 pread64 fd=4 file=2 offset=0 length=4096 = 4096
		8 1 fallocate fd=4 file=2 offset=0 length=200000 flags=1
		9 1 fallocate fd=4 file=2 offset=0 length=150000
		10 1 copy_file_range fd=3 file=1 fd2=4 file2=2 offset=0 offset2=150000 length=5000 = 5000
		11 1 sendfile fd=3 file=1 fd2=9 offset=0 length=5000 = 5000
		12 1 truncate path="/a" file=1 length=7
		13 1 readv fd=3 file=1 offset=0 length=100 arg=2 = 7
		14 1 fadvise64 fd=3 file=1 offset=0 length=0 arg=3
		15 1 sync_file_range fd=4 file=2 offset=0 length=0 flags=2
		16 1 sync
		17 1 syncfs fd=4 file=2
	EOF
	good
	[ "$(stat -c %s root/a root/b | xargs)" = "7 155000" ]
}

@test "mapped files: mapped, dirtied, synced, unmapped" {
	build <<-'EOF'
		thread 1 tid=10
		file 1 ino=1 mode=0100644 size=40960 path="/a"
		1 1 openat path="/a" file=1 flags=O_RDWR = 3
		2 1 mmap fd=3 file=1 offset=0 offset2=0x7f0000000000 length=40960 flags=1 arg=3 = 0
		3 1 fault_read file=1 offset=4096 length=8192 via=fault
		4 1 fault_write file=1 offset=0 length=4096 via=fault
		5 1 msync file=1 offset2=0x7f0000000000 length=4096 flags=4
		6 1 madvise file=1 offset2=0x7f0000002000 length=4096 arg=3
		7 1 munmap file=1 offset2=0x7f0000001000 length=4096
		8 1 munmap file=1 offset2=0x7f0000000000 length=40960
		9 1 munmap file=1 offset2=0x7f0000000000 length=40960
	EOF
	good
	jq -e '.op.mmap.count >= 5' run/run.json
}

@test "extended attributes of user. are there and are set" {
	build <<-'EOF'
		thread 1 tid=10
		file 1 ino=1 mode=0100644 size=1 path="/a"
		1 1 getxattr path="/a" file=1 path2="user.x" length=100 = 17
		2 1 getxattr path="/a" file=1 path2="user.y" length=100 = -ENODATA
		3 1 setxattr path="/a" file=1 path2="user.y" length=5
		4 1 getxattr path="/a" file=1 path2="user.y" length=100 = 5
		5 1 removexattr path="/a" file=1 path2="user.x"
	EOF
	touch probe && setfattr -n user.t -v 1 probe 2>/dev/null || python3 -c 'import os; os.setxattr("probe", "user.t", b"1")'
	good
}

@test "requests of a ring that overlapped are replayed at the same time" {
	build <<-'EOF'
		thread 1 tid=10
		file 1 ino=1 mode=0100644 size=1000000 path="/a"
		0.5 1 openat path="/a" file=1 flags=O_RDWR = 3
		1.0+0.5 1 pread64 fd=3 file=1 offset=0 length=4096 via=uring ring=1 = 4096
		1.1+0.5 1 pread64 fd=3 file=1 offset=4096 length=4096 via=uring ring=1 = 4096
		1.2+0.5 1 pwrite64 fd=3 file=1 offset=999000 length=4096 via=uring ring=1 = 4096
		1.8+0.1 1 pread64 fd=3 file=1 offset=999000 length=9000 via=uring ring=1 = 4096
	EOF
	good
	jq -e '.self.threads == 2' run/run.json # the thread, and the ring
	# The file is open before its requests begin, whatever threads do among themselves.
	for i in 1 2 3; do
		replay --order thread --max-mismatch 100
		jq -e '.op.all.errors == 0' run/run.json
	done
}

@test "what somebody else made or removed meanwhile is made or removed, and counted" {
	build <<-'EOF'
		thread 1 tid=10
		file 1 ino=1 mode=0100644 size=500 path="/run/pid"
		1 1 newfstatat path="/run/pid" = -ENOENT
		2 1 openat path="/run/pid" file=1 = 3
		3 1 read fd=3 file=1 offset=0 length=4096 = 500
		4 1 unlink path="/run/sock" = -ENOENT
		5 1 chmod path="/run/sock" mode=0666
		6 1 mkdir path="/run/d" mode=0755
		7 1 mkdir path="/run/d" mode=0755
		8 1 openat path="/run/pid" flags=O_CREAT|O_EXCL|O_WRONLY mode=0644 = 4
	EOF
	replay
	[ "$status" = 0 ] || { jq -c '.mismatch.first[], .tree.first[]' run/run.json; false; }
	jq -e '.mismatch.count == 0 and .tree.differences == 0 and .ops == 8 and .coverage.contradictions == 4' run/run.json
	[ "$(names)" = "$(printf '%s\n' ./run ./run/d ./run/pid ./run/sock)" ]
}

# ---- order -----------------------------------------------------------------------------------------------------------------------

# Thread 1 writes a lot before it makes what thread 2 looks for at once.
dependent() {
	{
		echo 'thread 1 tid=1'
		echo 'thread 2 tid=2'
		echo 'file 1 mode=0100644 bits=created path="/big"'
		echo '0.1 1 openat path="/big" file=1 flags=O_RDWR|O_CREAT mode=0644 bits=created = 3'
		for i in $(seq 1 60); do echo "1.$((1000 + i)) 1 pwrite64 fd=3 file=1 offset=$((i << 20)) length=1048576 = 1048576"; done
		echo '2 1 mkdir path="/x" mode=0755'
		echo '3 2 mkdir path="/x/y" mode=0755'
		echo '4 2 pread64 fd=5 file=1 offset=62914560 length=1048576 = 1048576'
		echo '5 1 rmdir path="/x/y"'
		echo '6 1 ftruncate fd=3 file=1 length=10'
		echo '7 2 pread64 fd=5 file=1 offset=0 length=100 = 10'
	} | sed 's/^3 2 mkdir/2.5 2 openat path="\/big" file=1 = 5\n&/' | build
}

@test "threads that open files of their own do not wait for each other" {
	{
		for i in 1 2; do echo "thread $i tid=$i pid=$i"; done
		for i in 1 2 3 4 5 6; do echo "file $i mode=0100644 size=5 path=\"/f$i\""; done
		for i in 1 2 3 4 5 6; do
			t=$((2 - i % 2))
			echo "$i.1 $t openat path=\"/f$i\" file=$i = 3"
			echo "$i.2 $t read fd=3 file=$i offset=0 length=5 = 5"
			echo "$i.3 $t close fd=3 file=$i"
		done
	} | build
	run -0 "$iorig" replay t.iotrace --plan-only --json
	jq -e '.edges == 0' <<<"$output"
	good
}

@test "what a shell starts next begins when the command before it is done" {
	# The first command's call took 3 s in the recording, and takes none here.
	local begin='
		thread 1 tid=1
		thread 2 tid=2 pid=2 parent=1
		0.100 1 newfstatat path="/none1" = -ENOENT
		0.101 1 clone = 2
		0.102+3 2 newfstatat path="/none2" = -ENOENT' end='
		thread 3 tid=3 pid=3 parent=1 seen=3104000000
		3.110 3 newfstatat path="/none3" = -ENOENT'
	printf '%s\n' "$begin" '3.103 2 exit' '3.104 1 clone = 3' "$end" | build
	good --timing think
	jq -e '.elapsed_ns < 1e9 and .elapsed_ns > 8e6 and .lateness_ns.p50 < 1e6' run/run.json
	# A thread that was not its child woke it.
	printf '%s\n' "$begin" 'wake at=3.103 waker=2 wakee=1' '3.104 1 clone = 3' "$end" | build
	good --timing think
	jq -e '.elapsed_ns < 1e9 and .elapsed_ns > 8e6' run/run.json
	good --timing think --order thread
	jq -e '.elapsed_ns > 3e9' run/run.json
	# In the background: the next one has not waited for it, though it ended a while before.
	printf '%s\n' "$begin" '3.103 2 exit' "${end//3.110/9.110}" | sed 's/seen=[0-9]*/seen=9000000000/' | build
	good --timing think --speed 3
	jq -e '.elapsed_ns > 2.9e9' run/run.json
}

@test "a thread that was woken goes on after what its waker had done" {
	# Thread 2 looks at another file than the one that thread 1 was busy with; only the wake-up tells that it waited for it.
	{
		echo 'thread 1 tid=1'
		echo 'thread 2 tid=2'
		echo 'file 1 mode=0100644 bits=created path="/big"'
		echo '0.1 1 openat path="/big" file=1 flags=O_RDWR|O_CREAT mode=0644 bits=created = 3'
		echo '0.2 2 newfstatat path="/none1" = -ENOENT'
		for i in $(seq 1 60); do echo "1.$((1000 + i)) 1 pwrite64 fd=3 file=1 offset=$((i << 20)) length=1048576 = 1048576"; done
		echo 'wake at=2 waker=1 wakee=2'
		echo '3 2 newfstatat path="/none2" = -ENOENT'
	} | build
	run -0 "$iorig" replay t.iotrace --plan-only --json
	jq -e '.edges == 1' <<<"$output"
	good
	run -0 "$iorig" replay t.iotrace --plan-only --json --order thread
	jq -e '.edges == 0' <<<"$output"
}

# As good, and takes never less than so many ns and, once in five times, less than so many: others use the machine, too.
good_between() { # LEAST MOST [OPTION]...
	local least=$1 most=$2
	shift 2
	for _ in 1 2 3 4 5; do
		good "$@"
		jq -e ".elapsed_ns > $least" run/run.json
		if jq -e ".elapsed_ns < $most" run/run.json; then return; fi
	done
	return 1
}

@test "a pause counts from the waker even when the operation waits for others after it" {
	# Thread 1 was busy for 0.9 s and woke thread 2, whose file thread 3 had written shortly before.
	{
		for t in 1 2 3; do echo "thread $t tid=$t"; done
		echo '0.1+0.0001 1 mkdir path="/a" mode=0755'
		echo '0.1+0.0001 2 mkdir path="/b" mode=0755'
		echo '0.1+0.0001 3 mkdir path="/c" mode=0755'
		echo '0.2+0.0001 1 mkdir path="/d" mode=0755'
		echo '1.0+0.0001 3 mkdir path="/e" mode=0755'
		echo 'wake at=1.1 waker=1 wakee=2'
		echo '1.1001+0.0001 2 rmdir path="/e"'
	} | build
	good_between 0.9e9 1.5e9 --timing think
}

@test "an operation waits for what it needs from another thread, and only --order thread does not" {
	dependent
	for i in 1 2 3; do good; done
	good --order temporal
	replay --order thread
	[ "$status" = 1 ]
	jq -e '.outcome == "failed" and .mismatch.count > 0 and (.reason | test("unexpected"))' run/run.json
}

@test "a call that fails for a missing directory comes before the directory is made" {
	# PostgreSQL's parallel workers: both try, one makes the directory, both try again.
	awk 'BEGIN { for (t = 1; t <= 2; t++) print "thread " t " tid=" t
		print "0.1+0.00001 1 mkdir path=\"/d\" mode=0700"
		for (i = 1; i <= 1000; i++) {
			for (j = 0; j < 20; j++) printf "%.4f+0.00001 1 newfstatat path=\"/d\"\n", i - 0.1 + j / 1000
			printf "%.4f+0.00001 1 openat fd=AT_FDCWD path=\"/d/%d/f\" flags=O_RDWR|O_CREAT mode=0600 = -ENOENT\n", i, i
			printf "%.4f+0.00001 1 newfstatat path=\"/d/%d/g\" = -ENOENT\n", i + 0.1, i
			printf "%.4f+0.00001 2 mkdir path=\"/d/%d\" mode=0700\n%.4f+0.00001 2 mknod path=\"/d/%d/g\" mode=0100600\n", i + 0.2, i, i + 0.3, i
		} }' | build
	for i in 1 2 3; do good; done
}

@test "calls that overlapped keep the order that their results tell" {
	# A thousand races: thread 1 looks before thread 2 makes the file, and after thread 3 took one away; each pair overlapped.
	awk 'BEGIN { for (t = 1; t <= 3; t++) print "thread " t " tid=" t
		for (i = 1; i <= 1000; i++) printf "file %d ino=%d mode=0100600 path=\"/old%d\"\n", i, i, i
		for (i = 1; i <= 1000; i++) {
			printf "%.4f+0.002 1 newfstatat path=\"/new%d\" = -ENOENT\n%.4f+0.002 2 mknod path=\"/new%d\" mode=0100600\n", i, i, i + 0.001, i
			printf "%.4f+0.002 3 unlink path=\"/old%d\" file=%d\n%.4f+0.002 1 newfstatat path=\"/old%d\" = -ENOENT\n", i + 0.1, i, i, i + 0.101, i
		} }' | build
	for i in 1 2 3; do good; done
	good --order temporal
}

@test "calls that overlapped and ended the other way round keep the order that their results tell" {
	# As above, but the one that took effect first ended last: look-up and creation, removal and look-up, a look-up of what is still
	# being made, a directory made and removed, a rename seen from both its names.
	awk 'BEGIN { for (t = 1; t <= 3; t++) print "thread " t " tid=" t
		for (i = 1; i <= 400; i++) printf "file %d ino=%d mode=0100600 path=\"/old%d\"\nfile %d ino=%d mode=0100600 path=\"/from%d\"\n", 2*i, 2*i, i, 2*i+1, 2*i+1, i
		for (i = 1; i <= 400; i++) {
			printf "%.4f+0.002 2 mknod path=\"/new%d\" mode=0100600\n%.4f+0.003 1 newfstatat path=\"/new%d\" = -ENOENT\n", i, i, i, i
			printf "%.4f+0.002 2 unlink path=\"/old%d\" file=%d\n%.4f+0.003 1 openat path=\"/old%d\" file=%d = 3\n", i + 0.1, i, 2*i, i + 0.1, i, 2*i
			printf "%.4f 1 close fd=3 file=%d\n", i + 0.11, 2*i
			printf "%.4f+0.002 1 newfstatat path=\"/d%d\"\n%.4f+0.003 2 mkdir path=\"/d%d\" mode=0755\n", i + 0.2, i, i + 0.2, i
			printf "%.4f+0.002 1 mkdir path=\"/d%d\" mode=0700\n%.4f+0.003 3 rmdir path=\"/d%d\"\n", i + 0.3, i, i + 0.3, i
			printf "%.4f+0.002 3 rename path=\"/from%d\" path2=\"/to%d\" file=%d\n", i + 0.4, i, i, 2*i+1
			printf "%.4f+0.003 1 newfstatat path=\"/from%d\" file=%d\n%.4f+0.004 2 newfstatat path=\"/to%d\" = -ENOENT\n", i + 0.4, i, 2*i+1, i + 0.4, i
			printf "%.4f 2 unlink path=\"/to%d\" file=%d\n", i + 0.45, i, 2*i+1
		} }' | build
	for i in 1 2 3; do good; done
	[ "$(find root -mindepth 1 -type d -perm 700 | wc -l) $(find root -type f | wc -l)" = "400 400" ]
	good --order temporal
}

@test "appends that overlapped a truncation are before or after it as their offsets tell, whatever the order of their ends" {
	build <<-'EOF'
		thread 1 tid=10
		thread 2 tid=11
		thread 3 tid=12
		file 1 mode=0100644 bits=created path="/log"
		1 1 openat file=1 path="/log" flags=O_WRONLY|O_CREAT|O_APPEND mode=0644 bits=created = 3
		1.1 2 openat file=1 path="/log" flags=O_WRONLY|O_APPEND = 3
		1.2 3 openat file=1 path="/log" flags=O_WRONLY|O_APPEND = 3
		2 1 write fd=3 file=1 offset=0 length=100 = 100
		3+0.004 3 ftruncate fd=3 file=1 length=0 = 0
		3.001+0.004 1 write fd=3 file=1 offset=150 length=50 = 50
		3.0005+0.0055 2 write fd=3 file=1 offset=100 length=50 = 50
		4 1 write fd=3 file=1 offset=0 length=70 = 70
		5.001+0.001 1 write fd=3 file=1 offset=0 length=30 = 30
		5.0005+0.0025 2 write fd=3 file=1 offset=70 length=20 = 20
		5+0.004 3 ftruncate fd=3 file=1 length=0 = 0
		6 3 fstat fd=3 file=1
	EOF
	good
	[ "$(stat -c %s root/log)" = 30 ]
	good --timing think
}

@test "a removal that ended after its name was made again comes before those that did not find it" {
	build <<-'EOF'
		thread 1 tid=10
		thread 2 tid=11
		file 1 ino=1 mode=0100644 size=10 path="/n"
		0.1 1 newfstatat file=1 path="/n"
		1.3 1 rename path="/n" path2="/m" = -ENOENT
		file 2 ino=2 mode=0100644 bits=created path="/n"
		1.4 1 openat file=2 path="/n" flags=O_WRONLY|O_CREAT|O_EXCL mode=0644 bits=created = 3
		1.5 1 newfstatat file=2 path="/n"
		1+0.6 2 unlink file=2 path="/n"
		2 1 newfstatat file=2 path="/n"
	EOF
	good
	[ "$(names)" = ./n ]
}

@test "a link made its name when what it had met was gone, had another name only, or was replaced" {
	build <<-'EOT'
		thread 1 tid=10
		thread 2 tid=11
		file 1 ino=1 mode=0100644 size=10 path="/d/a"
		file 2 ino=2 mode=0100644 size=20 path="/d/t"
		0.1 1 newfstatat file=1 path="/d/a"
		0.2 1 newfstatat file=2 path="/d/t"
		0.3 1 link file=1 path="/d/a" path2="/d/b"
		1.001+0.001 2 unlink path="/d/a"
		1.003+0.001 2 unlink path="/d/t"
		1+0.01 1 link path="/d/a" path2="/d/t"
		2 1 newfstatat file=1 path="/d/t"
	EOT
	good
	[ "$(stat -c '%h %s' root/d/b root/d/t | xargs)" = "2 10 2 10" ]
	build <<-'EOT'
		thread 1 tid=10
		thread 2 tid=11
		file 1 ino=1 mode=0100644 size=10 path="/d/a"
		file 2 ino=2 mode=0100644 size=20 path="/d/c"
		0.1 1 newfstatat file=1 path="/d/a"
		0.2 1 newfstatat file=2 path="/d/c"
		1.001+0.001 2 rename path="/d/c" path2="/d/a"
		1+0.01 1 link path="/d/a" path2="/d/n" = -ENOENT
		2 1 newfstatat file=2 path="/d/a"
	EOT
	good
	build <<-'EOT'
		thread 1 tid=10
		thread 2 tid=11
		file 1 ino=1 mode=0100644 size=10 path="/d/a"
		0.1 1 newfstatat file=1 path="/d/a"
		0.2 1 newfstatat path="/d/t" = -ENOENT
		1.001+0.001 2 unlink path="/d/a"
		1.003+0.001 2 mknod path="/d/t" mode=0100600
		1+0.01 1 link path="/d/a" path2="/d/t" = -EEXIST
		2 1 newfstatat path="/d/a" = -ENOENT
	EOT
	good
}

@test "what a later look met decides between two orders that both explain the calls" {
	for met in 1 2; do
		build <<-EOT
			thread 1 tid=10
			thread 2 tid=11
			file 1 ino=1 mode=0100644 size=10 path="/d/a"
			file 2 ino=2 mode=0100644 size=20 path="/d/b"
			0.1 1 newfstatat file=1 path="/d/a"
			0.2 1 newfstatat file=2 path="/d/b"
			1.001+0.002 2 rename path="/d/b" path2="/d/n"
			1+0.01 1 rename path="/d/a" path2="/d/n"
			3 1 newfstatat file=$met path="/d/n"
		EOT
		good
		[ "$(stat -c %s root/d/n)" = "${met}0" ]
	done
}

@test "an open that could have made its file met the one that is there" {
	build <<-'EOT'
		thread 1 tid=10
		file 1 dev=8:1 ino=1 gen=7 mode=0100600 bits=created path="/d/a"
		file 2 dev=8:1 ino=2 gen=8 mode=0100600 bits=created path="/d/b"
		file 3 dev=8:1 ino=2 gen=8 mode=0100600 bits=created path="/d/b"
		1 1 mknodat path="/d/a" mode=0100600
		2 1 openat file=1 path="/d/a" flags=O_WRONLY|O_CREAT mode=0644 = 3
		3 1 openat file=2 path="/d/b" flags=O_WRONLY|O_CREAT|O_EXCL mode=0600 bits=created = 4
		4 1 write fd=4 file=2 offset=0 length=10 = 10
		5 1 openat file=3 path="/d/b" flags=O_RDWR|O_CREAT mode=0644 = 5
		6 1 read fd=5 file=3 offset=0 length=100 = 10
	EOT
	good
}

@test "a directory that was missing when something was to be made in it is missing at the start" {
	build <<-'EOT'
		thread 1 tid=10
		file 1 ino=1 mode=040755 path="/d"
		file 2 ino=2 mode=040755 path="/d/e"
		file 3 ino=3 mode=040755 path="/d/g"
		1 1 mkdir path="/d/f" mode=0755
		2 1 symlink path="x" path2="/d/e/s" = -ENOENT
		3 1 openat path="/d/g/new" flags=O_WRONLY|O_CREAT mode=0644 = -ENOENT
		4 1 symlink path="x" path2="/d/f/s"
		5 1 rename file2=2 path="/d/f" path2="/d/e"
		6 1 renameat2 path="/d/e" path2="/d/g" flags=0x6 = -EINVAL
		7 1 rename file2=3 path="/d/e" path2="/d/g"
	EOT
	good
	[ "$(names)" = "$(printf '%s\n' ./d ./d/g ./d/g/s)" ]
}

@test "what the recorded host refused is left out, and counted by its reason" {
	build <<-'EOT'
		thread 1 tid=10
		file 1 ino=1 mode=0100644 size=10 path="/d/fixed"
		1 1 newfstatat file=1 path="/d/fixed"
		2 1 unlink path="/d/fixed" = -EPERM
		3 1 openat path="/d/fixed" flags=O_WRONLY = -EPERM
		4 1 mkdir path="/d/new" mode=0755 = -ENOSPC
		5 1 openat path="/d/none" = -ENOENT
	EOT
	replay
	[ "$status" = 0 ]
	jq -e '.mismatch.count == 0 and .coverage.refused == {"EPERM": 2, "ENOSPC": 1} and .coverage.skipped == {"unlink": 1, "openat": 1, "mkdir": 1}' run/run.json
	[ -e root/d/fixed ]
}

@test "the end that a seek found is before or after a write that overlapped" {
	{
		printf '%s\n' 'thread 1 tid=10' 'thread 2 tid=11' 'file 1 mode=0100644 bits=created path="/d"' \
			'0.1 1 openat file=1 path="/d" flags=O_RDWR|O_CREAT mode=0644 bits=created = 3' '0.2 2 openat file=1 path="/d" flags=O_RDWR = 4'
		awk 'BEGIN { for (i = 0; i < 1000; i++) {
			printf "%.6f+0.0001 2 lseek fd=4 file=1 offset=0 arg=2 = %d\n%.6f+0.0005 1 pwrite64 fd=3 file=1 offset=%d length=8192 = 8192\n",
				1.0001 + i / 1000, 8192 * (i + i % 2), 1 + i / 1000, 8192 * i } }'
	} | build
	for i in 1 2 3; do good; done
}

@test "a close that ends after another thread got its number closes the old file" {
	build <<-'EOF'
		file 1 mode=0100644 size=100 path="/a"
		file 2 mode=0100644 size=200 path="/b"
		thread 1 tid=1 pid=1
		thread 2 tid=2 pid=1
		1.0 1 openat path="/a" file=1 = 3
		2.1+0.1 2 openat path="/b" file=2 = 3
		2.0+0.3 1 close fd=3 file=1
		3.0 2 read fd=3 file=2 offset=0 length=4096 = 200
		4.0 2 close fd=3 file=2
	EOF
	for i in 1 2 3; do good; done
	jq -e '.coverage.opened_anew == 0' run/run.json
}

@test "a close that ends after a copy got its number closes the old file" {
	for copy in 'dup fd=4' 'fcntl fd=4 flags=0'; do
		build <<-EOF
			file 1 mode=0100644 size=100 path="/a"
			file 2 mode=0100644 size=200 path="/b"
			thread 1 tid=1 pid=1
			thread 2 tid=2 pid=1
			1.0 1 openat path="/a" file=1 = 3
			1.1 1 openat path="/b" file=2 = 4
			2.1+0.1 2 $copy file=2 = 3
			2.0+0.3 1 close fd=3 file=1
			3.0 2 read fd=3 file=2 offset=0 length=4096 = 200
			4.0 2 close fd=3 file=2
			5.0 2 close fd=4 file=2
		EOF
		for i in 1 2 3; do good; done
		jq -e '.coverage.opened_anew == 0' run/run.json
	done
}

@test "four threads deliver 2000 messages: as many left as there were, at every order" {
	awk 'BEGIN {
		for (t = 1; t <= 4; t++) { print "thread " t " tid=" t; print "0.00" t " " t " mkdir path=\"/m" t "\" mode=0755"
			print "0.01" t " " t " mkdir path=\"/m" t "/tmp\" mode=0755"; print "0.02" t " " t " mkdir path=\"/m" t "/new\" mode=0755" }
		for (i = 0; i < 500; i++) for (t = 1; t <= 4; t++) {
			f++; b = 1 + i * 0.01 + t * 0.001; d = "/m" (t % 4 + 1)
			printf "file %d ino=%d mode=0100600 bits=created path=\"%s/tmp/%d\"\n", f, f, d, f
			printf "%.7f %d openat path=\"%s/tmp/%d\" file=%d flags=O_CREAT|O_EXCL|O_WRONLY mode=0600 bits=created = 3\n", b, t, d, f, f
			printf "%.7f %d write fd=3 file=%d offset=0 length=%d = %d\n", b + 0.0001, t, f, 100 + i, 100 + i
			printf "%.7f %d close fd=3 file=%d\n", b + 0.0002, t, f
			printf "%.7f %d rename path=\"%s/tmp/%d\" path2=\"%s/new/%d\" file=%d\n", b + 0.0003, t, d, f, d, f, f
			o = t % 4 + 1
			printf "%.7f %d openat path=\"%s/new/%d\" file=%d = 4\n", b + 0.0005, o, d, f, f
			printf "%.7f %d read fd=4 file=%d offset=0 length=4096 = %d\n", b + 0.0006, o, f, 100 + i
			printf "%.7f %d close fd=4 file=%d\n", b + 0.0007, o, f
			if (i % 2) printf "%.7f %d unlink path=\"%s/new/%d\" file=%d\n", b + 0.0008, t, d, f, f
		} }' >mail.txt
	(grep -v '^[0-9]' mail.txt; grep '^[0-9]' mail.txt | LC_ALL=C sort -n -s -k1,1) >sorted.txt
	build <sorted.txt
	for i in 1 2 3; do
		good
		[ "$(find root -type f | wc -l)" = 1000 ]
	done
	good --order temporal
	[ "$(find root -type f | wc -l)" = 1000 ]
}

@test "a thousand processes one after the other, each with what its parent had open" {
	awk 'BEGIN { print "file 1 mode=0100644 size=1000 path=\"/f\""; print "thread 1 tid=1"; print "0.5 1 openat path=\"/f\" file=1 = 3"; t = 1
		for (p = 2; p <= 1001; p++) { printf "%.6f 1 fork = %d\nthread %d tid=%d parent=1\n", t, p, p, p
			printf "%.6f %d read fd=3 file=1 offset=%d length=1 = %d\n", t + 0.001, p, p - 2, 1
			printf "%.6f %d exit\n%.6f 1 newfstatat path=\"/f\" file=1\n", t + 0.002, p, t + 0.003; t += 0.01 } }' | build
	good
	# Sleepers are woken one by one: a thousand times all of them would take a minute.
	jq -e '.self.threads == 1001 and .elapsed_ns < 10e9' run/run.json
}

# ---- pace ------------------------------------------------------------------------------------------------------------------------

paced() {
	build <<-'EOF'
		thread 1 tid=1
		thread 2 tid=2
		file 1 mode=0100644 size=100 path="/f"
		0.0+0.1 1 openat path="/f" file=1 = 3
		0.2+0.1 1 pread64 fd=3 file=1 offset=0 length=10 = 10
		0.5+0.1 2 newfstatat path="/f" file=1
		0.4+0.6 1 pread64 fd=3 file=1 offset=0 length=10 = 10
	EOF
}

@test "think keeps the pauses between operations, schedule their times, --speed divides both" {
	paced
	# Thread 1 pauses 0.1 s twice; thread 2 begins after 0.5 s.
	good_between 0.5e9 3e9 --timing think
	jq -e '.lateness_ns.p50 < 1e8' run/run.json
	good_between 0.5e9 3e9 --timing schedule
	good_between 0.05e9 0.45e9 --timing think --speed 10
	good_between 0 0.3e9
	jq -e '.lateness_ns == null' run/run.json
}

@test "a total order keeps the pauses and the times, too, and --speed divides them" {
	paced
	for timing in think schedule; do
		good_between 0.5e9 3e9 --timing $timing --order temporal
		jq -e '.options.order == "temporal"' run/run.json
		good_between 0.05e9 0.45e9 --timing $timing --order temporal --speed 10
		jq -e '.options.speed == 10' run/run.json
	done
	# Two threads in turns, 1 ms apart: neither pause nor time is waited for twice when the other thread had to be waited for.
	{
		printf 'thread 1 tid=1\nthread 2 tid=2\nfile 1 mode=0100644 size=4096 path="/f"\n'
		awk 'BEGIN { for (i = 0; i < 400; i++) printf "%.6f+0.0000%02d %d newfstatat path=\"/f\" file=1\n", i / 1000, 10 + i % 7, 1 + i % 2 }'
	} | build
	for timing in think schedule; do
		good_between 0.397e9 0.6e9 --timing $timing --order temporal
		good_between 0.099e9 0.36e9 --timing $timing --order temporal --speed 4
		good_between 0.79e9 1.2e9 --timing $timing --order temporal --speed 0.5
	done
}

@test "think leaves out of the pauses what the recorder measured of itself, by the call before" {
	local events='thread 1 tid=1
		file 1 mode=0100644 size=4096 path="/f"
		0+0.0001 1 openat path="/f" file=1 = 3
		0.0002+0.0001 1 access path="/f" = 0
		0.0004+0.0001 1 newfstatat path="/f" = 0
		0.0006+0.0001 1 rename path="/none" path2="/other" = -ENOENT
		0.0008+0.0001 1 lseek fd=3 file=1 offset=0 = 0
		0.0010+0.0001 1 openat path="/f" file=1 = 4
		0.00114+0.0001 1 close fd=4 file=1
		0.1 1 close fd=3 file=1'
	build <<<"$events"
	good --timing think
	jq -e '.pauses | .count == 8 and .recorded_ns == 500000 + 40000 + 98760000 and .recorder_ns == 0' run/run.json
	printf '%s\n' "$events" 'trailer {"call_gap_ns":50000,"call_gaps_ns":{"path":70000,"stat":80000,"paths":75000,"open":90000}}' | build
	good --timing think
	# The first open meets the file, the second does not; of the pause after that there is less than it should have had: a later one pays.
	jq -e '.pauses | .recorder_ns == 90000 + 70000 + 80000 + 75000 + 50000 + 40000 + 50000 and .recorder_ns_per_op * 8 == .recorder_ns and
		.repaid_ns >= 30000' run/run.json
	good --timing schedule
	jq -e '.pauses == null' run/run.json
	# Twice as fast: of what is left of the pauses.
	good --timing think --speed 2
	jq -e '.pauses.recorder_ns == 90000 + 70000 + 80000 + 75000 + 50000 + 40000 + 50000 and .elapsed_ns > 0.0492e9' run/run.json
	# Not measured: the next simpler kind. Nonsense: nothing.
	printf '%s\n' "$events" 'trailer {"call_gap_ns":50000,"call_gaps_ns":{"stat":1e9,"open":-1}}' | build
	good --timing think
	jq -e '.pauses.recorder_ns == 5 * 50000 + 40000 + 50000' run/run.json
}

@test "9 ms of recording take 9 ms" {
	awk 'BEGIN { print "thread 1 tid=1"; for (i = 0; i < 10; i++) printf "%.3f+0.000001 1 newfstatat path=\"/f\"\n", i / 1000 }' | build
	good_between 9e6 200e6 --timing schedule
}

@test "how well a schedule is kept is told: on a terminal every second, in the summary, in run.json and run.hist" {
	{
		echo 'thread 1 tid=10'
		echo 'file 1 mode=0100644 size=4096 path="/f"'
		echo '1 1 openat path="/f" file=1 = 3'
		awk 'BEGIN { for (i = 0; i < 1400; i++) printf "%.6f 1 pread64 fd=3 file=1 offset=0 length=4096 = 4096\n", 1.5 + i / 500 }'
	} | build
	run -0 --separate-stderr script -qec "'$iorig' replay t.iotrace --root root --cache hot --timing schedule -o run" /dev/null
	[[ $output =~ "iorig: replay: "[0-9]+"/1401 ("[0-9]+" %), ETA 0:0"[0-9]", "[0-9]+" ops/s, p99 "[0-9.]+" "[num]s", "[0-9.]+" "[num]s" late, 0 unexpected" ]]
	[[ $output =~ ("kept up"|"saturated")": half of the operations began less than "[0-9.]+" "[num]?s" late, 99 % less than "[0-9.]+" "[num]?s", the last one "[0-9.]+" "[num]?s ]]
	jq -e '.lateness_ns | .p50 <= .p90 and .p90 <= .p99 and .p99 <= .max and .end <= .max and (.verdict == "kept up" or .verdict == "saturated")' run/run.json
	jq -e '[.lateness_ns[][1]] | add == 1401' run/run.hist
	jq -e '.elapsed_ns > 3298000000' run/run.json
}

@test "against a schedule that cannot be kept, latency counts from the intended begin" {
	{
		echo 'thread 1 tid=1'
		echo 'file 1 mode=0100644 bits=created path="/f"'
		echo '0.000001 1 openat path="/f" file=1 flags=O_CREAT|O_RDWR mode=0644 bits=created = 3'
		for i in $(seq 1 60); do printf '0.%06d 1 pwrite64 fd=3 file=1 offset=%d length=4194304 = 4194304\n' $((i + 1)) $((i << 22)); done
	} | build
	good --timing schedule
	# All were asked for in the first 61 us: the last one waited for all others.
	jq -e '.op.write.lat_ns.max > .elapsed_ns * 0.8 and .service_lat_ns.p50 < .op.write.lat_ns.p50 / 4 and .lateness_ns.verdict == "saturated"' run/run.json
	paced
	for _ in 1 2 3 4 5; do # others use the machine, too
		good --timing schedule
		if jq -e '.lateness_ns.verdict == "kept up"' run/run.json; then break; fi
	done
	jq -e '.lateness_ns.verdict == "kept up"' run/run.json
	good --timing think
	jq -e '.service_lat_ns == null' run/run.json
}

# ---- the sandbox -----------------------------------------------------------------------------------------------------------------

@test "nothing leaves the root: dots, absolute and relative links, links that change" {
	mkdir -p outside/d
	echo canary >outside/f
	out=$PWD/outside
	build <<-EOF
		thread 1 tid=1
		1 1 openat path="/../../../../../../../..$out/f" flags=O_RDWR|O_TRUNC = 3
		2 1 openat path="/..$out/new" flags=O_RDWR|O_CREAT mode=0644 bits=created = 4
		3 1 symlink path="$out" path2="/abs"
		4 1 symlink path="../../../../../../../../../../../..$out" path2="/rel"
		5 1 mkdir path="/d" mode=0755
		6 1 openat path="/abs/f" flags=O_WRONLY|O_TRUNC = 5
		7 1 write fd=5 offset=0 length=100 = 100
		8 1 unlink path="/rel/f"
		9 1 rename path="/abs/d" path2="/abs/e"
		10 1 mkdir path="/rel/g" mode=0777
		11 1 unlink path="/abs"
		12 1 rename path="/d" path2="/abs"
		13 1 openat path="/abs/../../$out/h" flags=O_RDWR|O_CREAT mode=0644 bits=created = 6
		14 1 truncate path="/rel/../outside/f" length=0
		15 1 chmod path="/rel" mode=0777
		16 1 link path="/rel/new" path2="/hard"
		17 1 rmdir path="/rel/e"
		18 1 openat path="/proc/self/root$out/f" flags=O_RDWR|O_TRUNC = 7
	EOF
	before=$(find outside -printf '%p %s %m %T@\n' | sort; cat outside/f)
	replay
	[ "$status" = 0 ] || [ "$status" = 1 ]
	[ "$(find outside -printf '%p %s %m %T@\n' | sort; cat outside/f)" = "$before" ]
	[ -f run/run.json ]
}

@test "a name in an open directory is looked for there, wherever that is by then" {
	mkdir outside
	echo canary >outside/f
	build <<-EOF
		thread 1 tid=1
		thread 2 tid=2 pid=2 parent=1
		file 1 mode=040755 path="/d"
		file 2 mode=0100644 size=5 path="/d/f"
		1 1 openat path="/d" file=1 flags=O_DIRECTORY = 3
		2 1 newfstatat fd=3 path="/d/f" file=2
		3 1 openat fd=3 path="/d/new" flags=O_RDWR|O_CREAT|O_EXCL mode=0600 bits=created = 4
		4 1 mkdirat fd=3 path="/d/sub" mode=0755
		5 1 rename path="/d" path2="/e"
		6 1 statx fd=3 path="/e/f" file=2
		7 1 openat fd=3 path="/e/f" file=2 = 5
		8 1 read fd=5 file=2 offset=0 length=5 = 5
		9 1 unlinkat fd=3 path="/e/new"
		10 1 newfstatat fd=3 path="/e/new" = -ENOENT
		11 1 clone = 2
		12 2 faccessat fd=3 path="/e/f" file=2 mode=4
		13 2 symlink path="$PWD/outside/f" path2="/e/out"
		14 2 openat fd=3 path="/e/out" flags=O_WRONLY|O_TRUNC = -ENOENT
		15 2 openat fd=3 path="/e/out" flags=O_PATH|O_NOFOLLOW = 6
		16 2 symlink path="f" path2="/e/in"
		17 2 openat fd=3 path="/e/in" flags=O_WRONLY|O_TRUNC = 7
		18 2 newfstatat fd=3 path="/e/in" flags=AT_SYMLINK_NOFOLLOW
		19 1 utimensat fd=3 path="/e/sub"
		20 1 fchmodat fd=3 path="/e/sub" mode=0700
		21 1 unlinkat fd=3 path="/e/sub" flags=AT_REMOVEDIR
		22 1 newfstatat fd=3 path="/x" = -ENOENT
	EOF
	good
	[ "$(cat outside/f)" = canary ]
	# The way to it is gone by then: only who begins in the directory finds it.
	build <<-EOF
		thread 1 tid=1
		file 1 mode=040755 path="/d"
		file 2 mode=0100644 size=5 path="/d/f"
		1 1 openat path="/d" file=1 flags=O_DIRECTORY = 3
		3 1 newfstatat fd=3 path="/d/f" file=2
	EOF
	rm -rf root run && mkdir root
	"$iorig" replay t.iotrace --root root -o run --cache hot --timing schedule >/dev/null 2>&1 &
	until readlink "/proc/$!/task/"*/fd/* | grep -q "/root/d\$"; do kill -0 $!; sleep 0.01; done
	mv root/d root/elsewhere
	wait $! || true
	jq -e '.op.stat.errors == 0' run/run.json
}

@test "hostile numbers and names are refused or contained" {
	long=$(printf 'x%.0s' $(seq 300))
	deep=$(printf '/d%.0s' $(seq 1500))
	build <<-EOF
		thread 1 tid=4294967295 pid=4294967295
		file 1 mode=0100644 size=100 path="/f"
		file 2 mode=0020666 path="/dev/sda"
		file 3 mode=0010644 path="/fifo"
		1 1 openat path="/$long" = -ENAMETOOLONG
		2 1 openat path="$deep/f" flags=O_CREAT|O_RDWR mode=0644 bits=created = 1048999
		3 1 openat path="/f" file=1 flags=O_RDWR = 2147483647
		4 1 pread64 fd=2147483647 file=1 offset=9223372036854775807 length=18446744073709551615 = -EINVAL
		5 1 openat path="/f" file=1 flags=O_RDWR = 3
		6 1 pwrite64 fd=3 file=1 offset=9223372036854775800 length=18446744073709551615 = -EFBIG
		7 1 ftruncate fd=3 file=1 length=9223372036854775807 = -EFBIG
		8 1 openat path="/dev/sda" file=2 flags=O_RDWR = 4
		9 1 write fd=4 file=2 offset=0 length=512 = 512
		10 1 openat path="/fifo" file=3 = 5
		11 1 read fd=5 file=3 offset=0 length=512 = 512
		12 1 mknod path="/null" mode=020666 arg=259
		13 1 mmap fd=3 file=1 offset=0 offset2=0x7f0000000000 length=18446744073709551615 flags=0x11 arg=7 = 0
		14 1 munmap file=1 offset2=0x7f0000000000 length=18446744073709551615
		15 1 munmap file=1 offset2=0 length=18446744073709551615
		16 1 chmod path="/f" file=1 mode=06777
		17 1 read fd=-5 length=10 = 10
		18 1 readv fd=3 file=1 offset=0 length=100 arg=18446744073709551615 = 100
		19 1 lseek fd=3 file=1 offset=-9223372036854775808 arg=99 = -EINVAL
	EOF
	replay --max-mismatch 100
	[ "$status" = 0 ] || { echo "$stderr"; false; }
	jq -e '.coverage.ops_ratio < 1 and .coverage.skipped.write == 1' run/run.json
	[ -z "$(find root ! -type f ! -type d ! -type p)" ]
	[ -z "$(find root -perm /7000)" ]
}

@test "a size that cannot be is refused before anything is written" {
	build <<-'EOF'
		thread 1 tid=1
		file 1 mode=0100644 size=9223372036854775807 path="/f"
		1 1 newfstatat path="/f" file=1
	EOF
	replay
	[ "$status" = 1 ]
	[[ $stderr == "iorig: --root root: the starting state needs "*" MiB are free; give a larger file system" ]]
	[ -z "$(ls -A root)" ]
	[ ! -e run ]
}

@test "more files than there are inodes are refused before anything is written" {
	awk 'BEGIN { print "thread 1 tid=1"; for (i = 1; i <= 200; i++) print "file " i " ino=" i " mode=0100644 size=10 path=\"/f" i "\"\n" i " 1 newfstatat path=\"/f" i "\" file=" i }' | build
	mkdir small
	mount -t tmpfs -o size=10M,nr_inodes=100 none small
	run -1 --separate-stderr "$iorig" replay t.iotrace --root small -o run
	[[ $stderr == "iorig: --root small: the starting state needs 200 inodes and "*" are free; give a larger file system" ]] || { echo "$stderr"; false; }
	[ -z "$(ls -A small)" ]
	[ ! -e run ]
}

@test "/ and a directory that is not empty are refused with exit 5" {
	paced
	run -5 --separate-stderr "$iorig" replay t.iotrace --root /
	[[ $stderr == "iorig: --root / is the root of this system;"* ]]
	touch root/precious
	run -5 --separate-stderr "$iorig" replay t.iotrace --root root
	[ "$stderr" = "iorig: --root root is not empty; give an empty directory, --prepared when an earlier run prepared it, or --reset to undo one" ]
	[ "$(ls -A root)" = precious ]
	run -1 --separate-stderr "$iorig" replay t.iotrace --root nowhere
	[ "$stderr" = "iorig: --root nowhere: No such file or directory" ]
}

# ---- failures --------------------------------------------------------------------------------------------------------------------

@test "over the mismatch limit the run has failed, and says what differed" {
	build <<-'EOF'
		thread 1 tid=1
		file 1 mode=0100644 size=100 path="/f"
		1 1 openat path="/f" file=1 = 3
		2 1 ftruncate fd=3 file=1 length=5
		3 1 fsync fd=3 file=1
	EOF
	# The kernel refuses to truncate a file that is open for reading.
	replay
	[ "$status" = 1 ]
	[ "$stderr" = "iorig: the run failed: 1 of 3 results were unexpected, the limit is 0.1 %" ]
	jq -e '.outcome == "failed" and .mismatch.count == 1 and .mismatch.by_class == {"truncate": 1}
		and .mismatch.first == [{"event": 1, "thread": 1, "op": "ftruncate", "path": "/f", "wanted": 0, "got": "EINVAL"}]' run/run.json
	replay --max-mismatch 100
	[ "$status" = 0 ]
	jq -e '.outcome == "ok" and .reason == null and .tree.differences == 1' run/run.json
}

@test "of a thousand calls in a row each is counted, and the one that differs is found" {
	{
		echo 'thread 1 tid=1'
		echo 'file 1 mode=0100644 size=8192 path="/f"'
		echo '1 1 openat path="/f" file=1 = 3'
		awk 'BEGIN {
			for (i = 1; i <= 1000; i++)
				# It is open for reading only.
				print 1 + i / 1e5, 1, i == 600 ? "pwrite64 fd=3 file=1 offset=0 length=100 = 100" : \
					i % 3 ? "pread64 fd=3 file=1 offset=4096 length=1000 = 1000" : "fstat fd=3 file=1"
		}'
	} | build
	replay --max-mismatch 100
	[ "$status" = 0 ]
	jq -e '.mismatch.first == [{"event": 600, "thread": 1, "op": "pwrite64", "path": "/f", "wanted": 100, "got": "EBADF"}] and .mismatch.count == 1
		and (.op | del(.all) | map_values({count, bytes, errors})) == {"open": {"count": 1, "bytes": 0, "errors": 0}, "read": {"count": 667, "bytes": 667000, "errors": 0},
			"stat": {"count": 332, "bytes": 0, "errors": 0}, "write": {"count": 1, "bytes": 0, "errors": 1}}' run/run.json
}

@test "a file system that fills up is a failed run with its reason" {
	awk 'BEGIN { print "thread 1 tid=1\nfile 1 mode=0100644 bits=created path=\"/f\""
		print "0.1 1 openat path=\"/f\" file=1 flags=O_CREAT|O_RDWR mode=0644 bits=created = 3"
		for (i = 0; i < 100; i++) printf "%d 1 pwrite64 fd=3 file=1 offset=%d length=65536 = 65536\n", i + 1, i * 65536 }' | build
	mkdir small
	mount -t tmpfs -o size=2M none small
	run -1 --separate-stderr "$iorig" replay t.iotrace --root small -o run
	[[ $stderr == "iorig: the run failed: "*" results were unexpected, the limit is 0.1 %" ]]
	jq -e '[.mismatch.first[].got] | index("ENOSPC")' run/run.json
}

@test "SIGINT ends a run at once and leaves no run document" {
	{
		echo 'thread 1 tid=1'
		echo '1 1 newfstatat path="/f"'
		echo '3000 1 newfstatat path="/f"'
	} | build
	"$iorig" replay t.iotrace --root root -o run --timing think 2>err &
	pid=$!
	sleep 1
	kill -INT "$pid"
	rc=0
	wait "$pid" || rc=$?
	[ "$rc" = 1 ]
	[ "$(cat err)" = "iorig: interrupted by signal 2; no run document was written" ]
	[ ! -e run/run.json ] && [ ! -e run/run.hist ]
}

@test "a trace that is cut is replayed up to there; a damaged one and a foreign file are not" {
	awk 'BEGIN { print "thread 1 tid=1"; for (i = 0; i < 200000; i++) printf "%d.%06d 1 newfstatat path=\"/f%d\"\n", i, i % 1000, i % 100 }' | build
	cp t.iotrace whole
	head -c $(($(stat -c %s whole) / 2)) whole >t.iotrace
	replay
	[ "$status" = 0 ]
	[[ $stderr == "iorig: warning: t.iotrace: "*"; what is there is replayed" ]]
	jq -e '.ops > 1000 and .ops < 200000' run/run.json
	cp whole t.iotrace
	printf '\xff\xff\xff\xff' | dd of=t.iotrace bs=1 seek=$(($(stat -c %s whole) / 2)) conv=notrunc status=none
	replay
	[ "$status" = 1 ]
	[ ! -e run ] && [ -z "$(ls -A root)" ]
	echo hello >t.iotrace
	replay
	[ "$status" = 1 ]
	[[ $stderr == "iorig: t.iotrace: "* ]]
}

@test "wrong options are usage errors" {
	paced
	for bad in "--timing fast" "--order none" "--cache warm" "--engine fio" "--speed 0" "--max-mismatch 101" "--prepare-only --prepared" "--reset --prepared"; do
		run -2 --separate-stderr "$iorig" replay t.iotrace --root root $bad
		[ -z "$output" ]
	done
	run -2 --separate-stderr "$iorig" replay t.iotrace
	[ "$stderr" = "iorig: replay needs --root DIR, an empty directory to work in" ]
}

# ---- documents and phases --------------------------------------------------------------------------------------------------------

@test "--prepare-only and --prepared are the two halves of a run; a changed starting state is found" {
	build <<-'EOF'
		thread 1 tid=1
		file 1 mode=0100644 size=5000 path="/d/f"
		1 1 newfstatat path="/d/g" = -ENOENT
		2 1 unlink path="/d/f" file=1
	EOF
	run -0 --separate-stderr "$iorig" replay t.iotrace --root root --prepare-only
	[ "$(stat -c %s root/d/f)" = 5000 ]
	touch root/d/g
	run -1 --separate-stderr "$iorig" replay t.iotrace --root root --prepared
	[ "$stderr" = "iorig: --root root: must not exist at the start: /d/g: File exists" ]
	rm root/d/g
	truncate -s 4999 root/d/f
	run -1 --separate-stderr "$iorig" replay t.iotrace --root root --prepared
	[[ $stderr == *"has another size than in the starting state: /d/f"* ]]
	truncate -s 5000 root/d/f
	chmod 600 root/d/f
	run -1 --separate-stderr "$iorig" replay t.iotrace --root root --prepared
	[[ $stderr == *"has another mode than in the starting state: /d/f: Invalid argument" ]]
	chmod 644 root/d/f
	run -0 --separate-stderr "$iorig" replay t.iotrace --root root --prepared --cache hot -o run
	[ "$(names)" = ./d ]
	run -0 --separate-stderr "$iorig" replay t.iotrace --root "$(mkdir c && echo c)" --clean
	[ -z "$(ls -A c)" ]
}

@test "--reset undoes what a replay did, and touches nothing else" {
	build <<-'EOF'
		thread 1 tid=1
		file 1 ino=1 mode=0100644 size=5000 path="/d/read"
		file 2 ino=2 mode=0100644 size=5000 path="/d/written"
		file 3 ino=3 mode=0100644 size=5000 path="/d/moved"
		file 4 ino=4 mode=0100644 size=5000 nlink=2 path="/d/linked"
		file 5 ino=5 mode=0100644 size=5000 path="/sub/deep/f"
		file 6 ino=6 mode=0100600 size=5000 path="/d/mode"
		file 7 ino=7 mode=0100644 size=5000 path="/d/attribute"
		0.5 1 newfstatat path="/sub/deep/f" file=5
		1 1 openat path="/d/read" file=1 = 3
		2 1 openat path="/d/written" file=2 flags=O_RDWR = 4
		3 1 pwrite64 fd=4 file=2 offset=0 length=10 = 10
		4 1 rename path="/d/moved" path2="/d/elsewhere" file=3
		5 1 newfstatat path="/d/other-name" file=4
		6 1 unlink path="/d/linked" file=4
		7 1 rename path="/sub" path2="/bus"
		8 1 mkdir path="/d/new" mode=0755
		9 1 symlink path="x" path2="/d/new/link"
		10 1 chmod path="/d/mode" file=6 mode=0644
		11 1 newfstatat path="/d/attribute" file=7
		12 1 setxattr path="/d/attribute" file=7 path2="user.a" length=5
		13 1 newfstatat path="/none" = -ENOENT
	EOF
	good
	inode=$(stat -c %i root/d/read)
	run -0 --separate-stderr "$iorig" replay t.iotrace --root root --reset --prepare-only
	[ "$(names)" = "$(printf '%s\n' ./d ./d/attribute ./d/linked ./d/mode ./d/moved ./d/other-name ./d/read ./d/written ./sub ./sub/deep ./sub/deep/f)" ]
	[ "$(stat -c %i root/d/read)" = "$inode" ]
	[ "$(stat -c '%a %h' root/d/mode root/d/linked root/d/other-name | xargs)" = "600 1 644 2 644 2" ]
	[ -z "$(getfattr -d root/d/attribute 2>/dev/null)" ]
	[ "$(head -c 10 root/d/written | od -An -c)" != "$(head -c 10 root/d/read | od -An -c)" ]
	# Again and again, also when a run was cut short or somebody added something.
	for i in 1 2 3; do
		rm -rf root/d/linked run
		mkdir -p root/added/by && echo somebody >root/added/by/f
		run -0 --separate-stderr "$iorig" replay t.iotrace --root root --reset --cache hot -o run
		jq -e '.mismatch.count == 0 and .tree.differences == 0' run/run.json
	done
	# What no replay of this trace has prepared is nobody's to reset.
	mkdir mine && touch mine/precious
	run -5 --separate-stderr "$iorig" replay t.iotrace --root mine --reset
	[ "$stderr" = "iorig: --root mine was not prepared by a replay of this trace: there is nothing to reset; give an empty directory without --reset" ]
	paced
	run -5 --separate-stderr "$iorig" replay t.iotrace --root root --reset
	[ -e mine/precious ] && [ -e root/d/read ]
}

@test "--plan-only says what a replay will do and need, and touches nothing" {
	dependent
	run -0 --separate-stderr "$iorig" replay t.iotrace --plan-only
	[ "${lines[0]}" = "68 events become 68 operations in 2 lanes, which wait for each other at 5 points; the plan takes 0.0 MiB" ] || { echo "$output"; false; }
	[ "${lines[1]}" = "coverage 100.00 % of operations, 100.00 % of bytes" ]
	run -0 --separate-stderr "$iorig" replay t.iotrace --plan-only --json
	jq -e '.schema == "iorig.plan/1" and .trace.events == 68 and .lanes == 2 and .ops_ratio == 1 and .need_bytes == 0
		and .compile.peak_rss_bytes > 1e6' <<<"$output"
	[ -z "$(ls -A root)" ]
}

@test "a plan is compiled once for a trace and its options; a damaged or foreign one is compiled again" {
	dependent
	plan() { "$iorig" replay t.iotrace --plan-only --json --plan-cache cache "$@" >plan.json && jq -e .compile.cached plan.json; }
	run -1 plan
	run -0 plan
	good --plan-cache cache
	cp run/run.json first.json
	good --plan-cache none
	jq -e --slurpfile a first.json '.op.all.count == $a[0].op.all.count and .op.write.recorded_lat_ns == $a[0].op.write.recorded_lat_ns
		and .coverage == $a[0].coverage and .tree == $a[0].tree' run/run.json
	run -1 plan --order temporal
	[ "$(ls cache | wc -l)" = 2 ]
	# A byte changed anywhere, a part cut, one that others may write: never used, and replaced.
	for part in meta op event args edge; do
		for damage in 'printf "\377\376\375" | dd of=$f bs=1 seek=$(($(stat -c %s $f) / 2)) conv=notrunc status=none' 'truncate -s -1 $f' 'chmod 666 $f'; do
			f=$(ls -d cache/*-resource-*)/$part
			eval "$damage"
			run -1 plan
			run -0 plan
		done
	done
	f=$(ls -d cache/*-resource-*)
	rm -r "$f/op"
	run -1 plan
	good --plan-cache cache
	# Another trace, and the oldest of them go when they take more than they may.
	sleep 0.01
	paced
	IORIG_PLAN_CACHE_BYTES=1 run -1 plan
	[ -z "$(ls -A cache)" ]
	run -1 plan
	IORIG_PLAN_CACHE_BYTES=3000000 run -0 plan
	dependent
	sleep 0.01
	bytes=$(find cache -type f -printf '%s\n' | awk '{ n += $1 } END { print n }')
	IORIG_PLAN_CACHE_BYTES=$bytes run -1 plan
	[ "$(ls cache | wc -l)" = 1 ]
	[ -z "$(find cache -name '.new*')" ]
	# Where nothing can be kept, nothing is.
	run -0 --separate-stderr "$iorig" replay t.iotrace --plan-only --plan-cache /proc/none
	[ -z "$stderr" ]
}

@test "cold is cold and hot is hot" {
	awk 'BEGIN { print "thread 1 tid=1"; for (i = 1; i <= 20; i++) print "file " i " ino=" i " mode=0100644 size=200000 path=\"/f" i "\"\n" i " 1 newfstatat path=\"/f" i "\" file=" i }' | build
	[ "$(stat -f -c %T root)" != tmpfs ] || skip "the test directory is on tmpfs, which cannot be cold"
	good --cache cold
	jq -e '.cache.requested == "cold" and .cache.achieved_resident_ratio == 0' run/run.json
	good --cache hot
	jq -e '.cache.achieved_resident_ratio == 1' run/run.json
}

@test "the cache as traced: the pages that were there, and as many where nobody knows which" {
	[ "$(stat -f -c %T root)" != tmpfs ] || skip "the test directory is on tmpfs, which cannot be cold"
	build <<-'EOF'
		thread 1 tid=1
		file 1 ino=1 mode=0100644 size=4096000 path="/half"
		residency file=1 page=500 pages=500
		file 2 ino=2 mode=0100644 size=4096000 path="/gaps"
		residency file=2 page=0 pages=1000 absent=750
		file 3 ino=3 mode=0100644 size=4096000 path="/none"
		residency file=3 page=0 pages=1000 bits=end
		file 4 ino=4 mode=0100644 size=4096000 path="/cold"
		1 1 newfstatat path="/half" file=1
		2 1 newfstatat path="/gaps" file=2
		3 1 newfstatat path="/none" file=3
		4 1 newfstatat path="/cold" file=4
	EOF
	good --cache traced
	# 500 and 250 of 4000 pages.
	jq -e '.cache.requested == "traced" and .cache.achieved_resident_ratio > 0.185 and .cache.achieved_resident_ratio < 0.195' run/run.json ||
		{ jq .cache run/run.json; false; }
}

@test "run.hist holds every operation, in histograms and cells; percentiles come from it" {
	dependent
	good
	jq -e --slurpfile run run/run.json '
		. as $h | $run[0] as $r | .schema == "iorig.hist/1" and .bits == 6
		and ([.op | keys[]] == ([$r.op | keys[]] - ["all"]))
		and all(.op | keys[]; . as $c | ([$h.op[$c].lat_ns[][1]] | add) == $r.op[$c].count
			and ([$h.cells.op[$c][][2]] | add) == $r.op[$c].count
			and ([$h.op[$c].recorded_lat_ns[][1]] | add) == $r.op[$c].count)
		and (.exemplars | length > 5 and all(.lat_ns > 0 and (.path | startswith("/"))))
		and (.exemplars[0].lat_ns == $r.op.all.lat_ns.max)' run/run.hist
	jq -e '.schema == "iorig.run/1" and .self.threads == 2 and .self.ns_per_op > 1 and .self.ns_per_op < 2000 and .self.rss_bytes > 1e6
		and (.started | test("^20..-..-..T")) and .op.all.count == .ops and .options.timing == "asap" and (.trace.sha256 | length == 64)
		and (.op.write.lat_ns | .p50 <= .p90 and .p90 <= .p99 and .p99 <= .p999 and .p999 <= .max)' run/run.json
	[ "$(jq -r .trace.sha256 run/run.json)" = "$(sha256sum <t.iotrace | cut -d' ' -f1)" ]
	run -0 --separate-stderr "$iorig" replay t.iotrace --root "$(mkdir j && echo j)" --json
	jq -e '.outcome == "ok"' <<<"$output"
}

# ---- with a real recorder --------------------------------------------------------------------------------------------------------

# DIR COMMAND...: records the command, which works in DIR, and replays it with DIR's state of before; compares the trees.
again() {
	dir=$1
	shift
	run --separate-stderr timeout 120 "$iorig" capture -o t.iotrace -- "$@"
	[ "$status" = 0 ] || { echo "$stderr"; false; }
	good
	jq -e '.coverage.bytes_ratio == 1 and .ops > 20' run/run.json
	# As the original left it: names, types, sizes, targets of links.
	diff <(cd "$dir" && find . -type d -printf '%P d\n' -o -type l -printf '%P l %l\n' -o -printf '%P %y %s\n' | LC_ALL=C sort) \
		<(cd "root$dir" && find . -type d -printf '%P d\n' -o -type l -printf '%P l %l\n' -o -printf '%P %y %s\n' | LC_ALL=C sort)
}

@test "sqlite over several connections, recorded and replayed: no unexpected result, the same tree" {
	mkdir db
	sqlite3 db/old.db "create table o(x); insert into o values(zeroblob(100000));"
	cat >work.sh <<-'EOF'
		cd "$1"
		sqlite3 t.db 'pragma journal_mode=wal; create table t(a integer primary key, b);' >/dev/null
		for i in 1 2 3 4 5; do
			(for k in $(seq 1 40); do echo "pragma busy_timeout=20000; insert into t(b) values(randomblob(500)); select sum(length(b)) from t;"; done | sqlite3 t.db >/dev/null) &
		done
		wait
		sqlite3 roll.db 'create table r(x); begin; insert into r select hex(randomblob(50)) from generate_series(1,500); commit; vacuum;' 2>/dev/null ||
			sqlite3 roll.db 'create table r(x); insert into r values(1); vacuum;'
		sqlite3 old.db 'update o set x = zeroblob(5000); vacuum;'
		mkdir small && for i in $(seq 1 50); do echo "$i" >small/$i; done
		mv small/1 small/one; rm small/2 small/3; ln small/4 small/four; ln -s 5 small/five; cat small/five >>small/4; ls -lR . >/dev/null
	EOF
	again "$PWD/db" bash work.sh "$PWD/db"
}

@test "tar, cp and a small git history, recorded and replayed" {
	mkdir -p w/src/a/b
	for i in $(seq 1 60); do head -c $((i * 300)) /dev/urandom >w/src/a/f$i; done
	ln w/src/a/f1 w/src/a/b/hard
	ln -s ../f2 w/src/a/b/soft
	cat >work.sh <<-'EOF'
		cd "$1"
		tar cf src.tar src && mkdir out && tar xf src.tar -C out
		cp -a src copy && rm -r copy/a/b && gzip -k src.tar && mv copy moved
		export HOME=$1 GIT_CONFIG_NOSYSTEM=1
		git init -q repo && cd repo && git config user.email a@b && git config user.name a
		for i in 1 2 3; do cp ../src/a/f$i . && echo $i >>log && git add -A && git commit -qm $i; done
		git log --stat >/dev/null && git gc -q && git status --porcelain
	EOF
	again "$PWD/w" bash work.sh "$PWD/w"
}

@test "the maildir workload, recorded and replayed six times: as many messages are left" {
	gcc -O1 -pthread -o maildir "$BATS_TEST_DIRNAME/../helpers/maildir.c"
	mkdir mail
	again "$PWD/mail" ./maildir "$PWD/mail" 500 4
	for i in 1 2 3 4; do good; done
	left=$(find mail -type f | wc -l)
	[ "$left" -gt 200 ] && [ "$left" -lt 300 ]
	[ "$(find "root$PWD/mail" -type f | wc -l)" = "$left" ]
	good --order temporal --cache cold
	good --timing think
}

# Names of hard links, holes and attributes too.
same_details() {
	diff <(cd "$1" && find . -type f -links +1 -printf '%n %P\n' | LC_ALL=C sort) <(cd "root$1" && find . -type f -links +1 -printf '%n %P\n' | LC_ALL=C sort)
}

@test "what is hard to replay, recorded and replayed: descriptors passed, appends, holes, attributes, files without names, renames, links" {
	make -s -C "$BATS_TEST_DIRNAME/../.." build/helpers/fsops
	for case in pass append sparse attributes deleted nameless renames links; do
		rm -rf w
		mkdir w
		case $case in
		sparse) truncate -s 3M w/old && printf x | dd of=w/old bs=1 seek=1100000 conv=notrunc status=none ;;
		attributes) touch w/old && python3 -c 'import os; os.setxattr("w/old", "user.there", b"1" * 77)' ;;
		deleted | links) head -c 3000 /dev/urandom >w/old ;;
		esac
		echo "$case:"
		again "$PWD/w" "$BATS_TEST_DIRNAME/../../build/helpers/fsops" $case "$PWD/w"
		same_details "$PWD/w"
		good --order temporal
	done
}

@test "a file that had been opened without a name is open at the start, and directories on the way have their modes" {
	build <<-'EOF'
		thread 1 tid=10 pid=10
		file 1 ino=1 mode=0100600 size=10
		fd pid=10 fd=3 file=1 flags=0x410002 pos=0 desc=0x7
		file 2 ino=2 mode=0100640 size=10 path="/d/e/f"
		file 3 ino=3 mode=040700 path="/d"
		file 4 ino=4 mode=040710 path="/d/e"
		1 1 read fd=3 file=1 offset=0 length=100 = 10
		2 1 newfstatat file=2 path="/d/e/f"
		3 1 newfstatat file=4 path="/d/e"
	EOF
	good
	[ "$(cd root && stat -c '%a' d d/e d/e/f | xargs)" = "700 710 640" ]
}

@test "clones are clones or copies, a copy that a signal cut short is as short, and a handle is a name" {
	build <<-'EOF'
		thread 1 tid=10
		file 1 ino=1 mode=0100644 size=100000 path="/d/a"
		file 2 ino=2 mode=0100644 bits=created path="/d/b"
		1 1 openat file=1 path="/d/a" flags=O_RDONLY = 3
		2 1 openat file=2 path="/d/b" flags=O_RDWR|O_CREAT mode=0644 bits=created = 4
		3 1 ficlonerange fd=3 fd2=4 file=1 file2=2 offset=4096 offset2=0 length=8192 = 0
		4 1 ficlonerange fd=3 fd2=4 file=1 file2=2 offset=90112 offset2=8192 = 0
		5 1 ficlonerange fd=3 fd2=4 file=1 file2=2 offset=0 offset2=65536 length=4096 = -EOPNOTSUPP
		6 1 copy_file_range fd=3 fd2=4 file=1 file2=2 offset=0 offset2=20000 length=90000 = 5000
		7 1 open_by_handle_at fd=9 file=1 flags=O_RDONLY = 5
		8 1 pread64 fd=5 file=1 offset=99000 length=2000 = 1000
		9 1 preadv fd=5 file=1 offset=-2 length=100 arg=1 = -EINVAL
	EOF
	good
	[ "$(stat -c %s root/d/b)" = 25000 ]
	tail -c +4097 root/d/a | head -c 8192 | cmp - <(head -c 8192 root/d/b)
	tail -c +90113 root/d/a | cmp - <(tail -c +8193 root/d/b | head -c 9888)
}

@test "permissions are what chmod and access control lists make of them, and compared at the end" {
	build <<-'EOF'
		thread 1 tid=10
		file 1 ino=1 mode=0100644 size=10 path="/d/a"
		file 2 ino=2 mode=0100644 size=10 path="/d/b"
		file 3 ino=3 mode=0100640 size=10 path="/d/c"
		1 1 chmod file=1 path="/d/a" mode=0600
		2 1 setxattr file=2 path="/d/b" path2="system.posix_acl_access" length=28 mode=01751
		3 1 setxattr file=3 path="/d/c" path2="system.posix_acl_access" length=28
		4 1 openat file=3 path="/d/c" flags=O_RDWR = 3
		5 1 fchmod fd=3 file=3 mode=0444
		6 1 mkdir path="/e" mode=0777
	EOF
	good
	[ "$(stat -c %a root/d/a root/d/b root/d/c root/e | xargs)" = "600 751 444 777" ]
	build <<-'EOF'
		thread 1 tid=10
		file 3 ino=3 mode=0100640 size=10 path="/d/c"
		1 1 setxattr file=3 path="/d/c" path2="system.posix_acl_access" length=28
	EOF
	good
	[ "$(stat -c %a root/d/c)" = 640 ]
}

@test "positions of a description that processes share are those of the recording, also when calls overlapped" {
	{
		printf '%s\n' 'thread 1 tid=10 pid=10' 'thread 2 tid=11 pid=11' 'file 1 ino=1 mode=0100644 size=5000000 path="/d/a"' \
			'fd pid=10 fd=3 file=1 flags=O_RDONLY pos=0 desc=0x1' 'fd pid=11 fd=3 file=1 flags=O_RDONLY pos=0 desc=0x1'
		awk 'BEGIN { for (i = 0; i < 2000; i++) {
			printf "%.6f+0.000100 1 read fd=3 file=1 offset=%d length=1000 = 1000\n", 1 + i / 1000, at; at += 1000
			printf "%.6f+0.000100 2 read fd=3 file=1 offset=%d length=1500 = 1500\n", 1.00005 + i / 1000, at; at += 1500
		} printf "4 1 read fd=3 file=1 offset=%d length=1000 = 0\n", at }'
	} | build
	for i in 1 2 3; do good; done
}

@test "a socket that was bound to a path is a name" {
	build <<-'EOF'
		thread 1 tid=10
		1 1 mkdir path="/d" mode=0755
		2 1 bind fd=3 path="/d/s" mode=0140750
		3 1 bind fd=4 path="/d/s" mode=0140750 = -EADDRINUSE
		4 1 bind fd=4 path="/d/no/s" mode=0140750 = -ENOENT
		5 1 chmod path="/d/s" mode=0700
		6 1 rename path="/d/s" path2="/d/t"
		7 1 bind fd=5 path="/d/s" mode=0140750
		8 1 unlink path="/d/s"
	EOF
	good
	[ "$(stat -c '%s %a' root/d/t)" = "0 700" ]
	[ ! -e root/d/s ]
}

@test "FIFOs and sockets are made, before and by the recording, undone, and never waited for; devices are files" {
	build <<-'EOF'
		thread 1 tid=10
		file 1 ino=1 mode=010640 path="/d/old"
		file 2 ino=2 mode=0140700 path="/d/socket"
		file 3 ino=3 mode=020600 path="/d/null"
		1 1 newfstatat file=1 path="/d/old"
		2 1 newfstatat file=2 path="/d/socket"
		3 1 newfstatat file=3 path="/d/null"
		4 1 mknodat fd=AT_FDCWD path="/d/new" mode=010600
		5 1 mknodat fd=AT_FDCWD path="/d/new" mode=010600 = -EEXIST
		6 1 mknod path="/d/zero" mode=020666 arg=0x105
		7 1 chmod path="/d/new" mode=0644
		8 1 link path="/d/new" path2="/d/also"
		9 1 rename path="/d/old" path2="/d/moved" file=1
		10 1 unlink path="/d/socket" file=2
	EOF
	good
	[ "$(cd root/d && stat -c '%n %F %a' * | tr '\n' ',')" = \
		"also fifo 644,moved fifo 640,new fifo 644,null regular empty file 600,zero regular empty file 666," ]
	run -0 --separate-stderr "$iorig" replay t.iotrace --root root -o run --reset --cache hot
	jq -e '.outcome == "ok" and .mismatch.count == 0 and .tree.differences == 0' run/run.json
	build <<-'EOF'
		thread 1 tid=10
		1 1 mknod path="/d/p" mode=010600
		2 1 openat path="/d/p" flags=O_RDONLY = -ENOENT
		3 1 openat path="/d/p" flags=O_WRONLY = -ENOENT
		4 1 openat path="/d/f" flags=O_RDWR|O_CREAT|O_APPEND mode=0600 bits=created = 3
		5 1 write fd=3 offset=0 length=10 = 10
	EOF
	replay
	[ "$status" = 1 ]
	jq -e '.mismatch.count == 2 and (.mismatch.first[0].got | type) == "number" and .mismatch.first[1].got == "ENXIO"' run/run.json
}

@test "a look during a rename met what the kernel says that it met" {
	for seen in 'file=1 path="/d/b"' 'file=2 path="/d/b"' 'file=1 path="/d/a"'; do
		for flags in 0 0x2; do
			build <<-EOT
				thread 1 tid=10
				thread 2 tid=11
				file 1 ino=1 mode=0100644 size=10 path="/d/a"
				file 2 ino=2 mode=0100644 size=20 path="/d/b"
				0.1 1 newfstatat file=1 path="/d/a"
				0.2 1 newfstatat file=2 path="/d/b"
				1.005+0.001 2 newfstatat $seen
				1+0.01 1 renameat2 file=1 file2=2 path="/d/a" path2="/d/b" flags=$flags
				2 1 newfstatat file=1 path="/d/b"
			EOT
			good
			build <<-EOT
				thread 1 tid=10
				thread 2 tid=11
				file 1 ino=1 mode=0100644 size=10 path="/d/a"
				file 2 ino=2 mode=0100644 size=20 path="/d/b"
				0.1 1 newfstatat file=1 path="/d/a"
				0.2 1 newfstatat file=2 path="/d/b"
				1.005+0.001 1 renameat2 file=1 file2=2 path="/d/a" path2="/d/b" flags=$flags
				1+0.01 2 newfstatat $seen
				2 1 newfstatat file=1 path="/d/b"
			EOT
			good
		done
	done
}

@test "renames and links of four threads among the same names, and reads against truncation: as recorded, again and again" {
	make -s -C "$BATS_TEST_DIRNAME/../.." build/helpers/fsops
	for case in storm linkstorm truncate; do
		rm -rf w
		mkdir w
		echo "$case:"
		again "$PWD/w" "$BATS_TEST_DIRNAME/../../build/helpers/fsops" $case "$PWD/w"
		for i in 1 2 3; do good; done
	done
}
