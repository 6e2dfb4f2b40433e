#!/usr/bin/env bats
# What the recorder tells besides calls: wake-ups, mapped access, the state of files and of the machine.
bats_require_minimum_version 1.5.0

setup() {
	cd "$BATS_TEST_DIRNAME/../.."
	iorig=${IORIG:-$PWD/bin/iorig}
	. tests/events.bash
	. tests/recorder.bash
	need_recorder
	dir=$(mktemp -d /var/tmp/iorig-more.XXXXXX)
	trace=$dir/t.iotrace
}

teardown() {
	end_started
	for cgroup in ${cgroups:-}; do rmdir "$cgroup/in" "$cgroup" 2>/dev/null || :; done
	[ -z "${dir:-}" ] || rm -rf "$dir"
}

@test "--wakeups: threads that hand over by futex, pipe and eventfd, in the right direction and number" {
	for kind in futex pipe eventfd; do
		run -0 timeout 60 "$iorig" capture -o "$trace" --wakeups -- build/helpers/handover $kind "$dir/f" 40
		"$iorig" trace dump "$trace" >"$dir/dump"
		writer=$(awk '$3 == "pwrite64" && / length=1 / { print $2; exit }' "$dir/dump")
		reader=$(awk '$3 == "pread64" && / length=1 / { print $2; exit }' "$dir/dump")
		[ "$writer" != "$reader" ]
		# In turns: the writer wakes after each write, the reader after each read.
		awk -v w="$writer" -v r="$reader" '
			$2 == w && $3 == "pwrite64" { last = "write" }
			$2 == r && $3 == "pread64" { last = "read" }
			/^wake / && $3 == "waker=" w && $4 == "wakee=" r { if (last == "write") there++; last = "" }
			/^wake / && $3 == "waker=" r && $4 == "wakee=" w { if (last == "read") back++; last = "" }
			END { print there, back }' "$dir/dump" >"$dir/got"
		[ "$(cat "$dir/got")" = "40 40" ]
		# The reader's end wakes the writer that joins it; nobody else wakes anybody.
		[ "$(grep -c '^wake ' "$dir/dump")" -le 81 ]
		[ "$(grep '^wake ' "$dir/dump" | cut -d' ' -f3- | sort -u | wc -l)" = 2 ]
	done
}

@test "--mmap-faults: exactly the pages that a program touches, read or written, and what that brought into the cache" {
	[ "$(stat -f -c %T "$dir")" != tmpfs ] || skip "tmpfs fills no page cache"
	head -c 1M /dev/urandom >"$dir/f"
	run -0 timeout 60 "$iorig" capture -o "$trace" --mmap-faults -- build/helpers/touch "$dir/f" r3 r100 w50 w200 r200 p7
	events "$trace" | awk -v f="file=<$dir/f>" '$2 == f && $1 ~ /^fault|^cache/ { sub(/offset=/, "", $3); print $1, $3 / 4096, $5 }' >"$dir/got"
	cat >"$dir/want" <<-END
		fault_read 3 via=fault
		cache_fill 3 via=fault
		fault_read 100 via=fault
		cache_fill 100 via=fault
		fault_write 50 via=fault
		cache_fill 50 via=fault
		fault_write 200 via=fault
		cache_fill 200 via=fault
		fault_read 7 via=fault
		cache_fill 7 via=fault
	END
	diff "$dir/want" "$dir/got"
	[ "$(trailer "$trace" '.seen == .emitted + .filtered + .dropped and .lost == 0')" = true ]
	# A call that reads what is not cached fills too, but no mapping was touched.
	run -0 timeout 60 "$iorig" capture -o "$trace" --mmap-faults -- dd if="$dir/f" of=/dev/null bs=4k count=1 skip=60 status=none
	[[ $(events "$trace") == *"cache_fill file=<$dir/f> offset=245760 length="*" bits=no-duration = 0"* ]]
	[[ $(events "$trace" | grep '^cache_fill file=<'"$dir/f") != *via=fault* ]]
}

@test "--mmap-faults: what rg --mmap reads through its mapping" {
	command -v rg >/dev/null || skip "ripgrep is not installed"
	head -c 300k /dev/zero | tr '\0' 'a' >"$dir/f"
	echo needle >>"$dir/f"
	run -0 timeout 60 "$iorig" capture -o "$trace" --mmap-faults -- rg --mmap -c needle "$dir/f"
	[ "${lines[-1]}" = 1 ]
	# No call reads it; the faults, each with what the kernel maps around it, go over the whole file.
	! events "$trace" | grep -E "^p?read(64|v)? .*file=<$dir/f>"
	[ "$(events "$trace" | grep -c "^fault_read file=<$dir/f>")" -ge 4 ]
	[ "$(events "$trace" | grep "^fault_read file=<$dir/f>" | sed 's/.* offset=\([0-9]*\).*/\1/' | sort -n | tail -1)" -ge 245760 ]
}

@test "/proc/self/fd/N and /dev/stdin: told by the name of what they lead to, and replayed" {
	mkdir "$dir/w" "$dir/r"
	echo 'hello, world' >"$dir/w/in"
	run -0 timeout 60 "$iorig" capture -o "$trace" -- build/helpers/magiclinks "$dir/w" <"$dir/w/in"
	events_in "$trace" "$dir/w" | grep -E '^(linkat|open|chmod|setx|rename|trunc|readlink|write)' | sed "s|$dir/w|W|g; s/file=<[^>]*>/FILE/; s/fd=[0-9]\+/fd=N/; s/= [0-9]$/= N/" >"$dir/got"
	diff - "$dir/got" <<-'END'
		openat fd=AT_FDCWD FILE path="W/." flags=O_RDWR|O_TMPFILE mode=0640 bits=created = N
		write fd=N FILE offset=0 length=4096 = 4096
		linkat fd=N fd2=AT_FDCWD FILE path2="W/named" flags=AT_EMPTY_PATH = N
		openat fd=AT_FDCWD FILE path="W/named" flags=O_WRONLY|O_APPEND = N
		write fd=N FILE offset=4096 length=100 = 100
		chmod FILE path="W/named" mode=0604 = N
		setxattr FILE path="W/named" path2="user.note" length=8 = N
		rename FILE path="W/named" path2="W/moved" = N
		truncate FILE path="W/moved" length=77 = N
		openat fd=AT_FDCWD FILE path="W/in" = N
	END
	run -0 "$iorig" replay "$trace" --root "$dir/r" -o "$dir/run"
	[ "$(jq -r '[.mismatch.count, .coverage.ops_ratio, .coverage.contradictions, .tree.differences] | @tsv' "$dir/run/run.json" | paste -sd' ')" = "$(printf '0\t1\t0\t0')" ]
	[ "$(stat -c '%a %s %h' "$dir/r$dir/w/moved")" = "604 77 1" ]
}

@test "--mmap-faults does not go with --no-latency" {
	run -2 --separate-stderr "$iorig" capture -o "$trace" --mmap-faults --no-latency -- true
	[[ $stderr == "iorig: --mmap-faults needs the begin of calls"* ]]
	[ ! -e "$trace" ]
}

@test "doctor and capture say in one line what is missing: privileges, type information" {
	chmod 755 "$dir"
	run -77 --separate-stderr setpriv --reuid 65534 --clear-groups --inh-caps=-all "$iorig" capture -o "$trace" -- true
	[ "$stderr" = "iorig: cannot record here: no CAP_BPF, CAP_PERFMON; run it as root" ]
	run -77 --separate-stderr setpriv --reuid 65534 --clear-groups --inh-caps=-all "$iorig" doctor
	[ -z "$stderr" ]
	[[ $output == *"NO        privileges           no CAP_BPF, CAP_PERFMON; run it as root"* ]]
	[ "${lines[-1]}" = "iorig capture does not work here" ]
	# A kernel without type information, as far as a process can see.
	run -77 --separate-stderr unshare -m sh -c "mount -t tmpfs none /sys/kernel/btf && exec $iorig capture -o $trace -- true"
	[ "$stderr" = "iorig: cannot record here: this kernel has no type information (/sys/kernel/btf/vmlinux); it needs CONFIG_DEBUG_INFO_BTF" ]
	run -77 --separate-stderr unshare -m sh -c "mount -t tmpfs none /sys/kernel/btf && exec $iorig doctor"
	[ -z "$stderr" ]
	[[ $output == *"NO        type information     no /sys/kernel/btf/vmlinux: the kernel needs CONFIG_DEBUG_INFO_BTF"* ]]
	[ ! -e "$trace" ]
}

@test "doctor: every hook fires here, the optional ones too" {
	run -0 "$iorig" doctor
	[ "$(grep -c '^ok  *s[cy][a-z_]* *fires$' <<<"$output")" = 6 ]
	[[ $output == *"ok        page_fault_user      fires"* ]]
	[ "$("$iorig" doctor --json | jq -c '[.checks[] | select(.name == "sched_waking") | .ok, .needed]')" = '[true,false]' ]
}

# record FILE...: as a program sees them that only opens them
opened() { timeout 60 "$iorig" capture -o "$trace" "$@"; "$iorig" trace dump "$trace" >"$dir/dump"; }
id_of() { sed -n "s|^file \([0-9]*\) .* path=\"$1\".*|\1|p" "$dir/dump"; }
records() { sed -n "s/^$1 file=$(id_of "$2") //p" "$dir/dump" | sed 's/ at=[0-9.]*//'; }

@test "holes of sparse files are told, up to a bound, and what is allocated" {
	truncate -s 1M "$dir/sparse"
	dd if=/dev/urandom of="$dir/sparse" bs=4k count=2 seek=10 conv=notrunc status=none
	truncate -s 4M "$dir/many"
	for i in $(seq 0 80); do dd if=/dev/urandom of="$dir/many" bs=4k count=1 seek=$((i * 2)) conv=notrunc status=none; done
	head -c 100k /dev/urandom >"$dir/full"
	sync "$dir/sparse" "$dir/many" "$dir/full"
	allocated=$(($(stat -c '%b * %B' "$dir/sparse")))
	opened -- head -q -c 1 "$dir/sparse" "$dir/many" "$dir/full" >/dev/null
	[[ $(grep "^file $(id_of "$dir/sparse") " "$dir/dump") == *" size=1048576 bits=allocation "*" allocated=$allocated path="* ]]
	diff - <(records hole "$dir/sparse") <<-END
		offset=0 bytes=40960
		offset=49152 bytes=999424
	END
	[ "$(records hole "$dir/many" | wc -l)" = 65 ]
	[ "$(records hole "$dir/many" | sed -n 64p)" = "offset=$(((63 * 2 + 1) * 4096)) bytes=4096" ]
	# 81 pages of data, 65 of them before the hole that tells of the rest; a file system may count some of its own.
	[[ $(records hole "$dir/many" | tail -1) =~ ^offset=$(((64 * 2 + 1) * 4096))\ bytes=$((4194304 - (64 * 2 + 1) * 4096))\ data=([0-9]+)$ ]]
	[ "${BASH_REMATCH[1]}" -ge $((16 * 4096)) ]
	[ "${BASH_REMATCH[1]}" -le $((20 * 4096)) ]
	[ -z "$(records hole "$dir/full")" ]
}

@test "--cache: what of a file was in the page cache at first sight, and at the end" {
	[ "$(stat -f -c %T "$dir")" != tmpfs ] || skip "tmpfs is all page cache"
	out() { dd of="$1" oflag=nocache conv=notrunc,fdatasync count=0 status=none; }
	cached() { fincore -nro PAGES "$dir/warm" "$dir/part" | xargs; }
	for f in cold warm part; do head -c 400k /dev/urandom >"$dir/$f"; done
	sync "$dir/cold" "$dir/warm" "$dir/part"
	# Somebody else on the machine may drop the page cache meanwhile: then again.
	for _ in 1 2 3 4 5; do
		rm -f "$dir/new"
		cat "$dir/warm" >/dev/null
		out "$dir/cold"
		out "$dir/part"
		build/helpers/touch "$dir/part" r0 r1 r40 # no read-ahead
		opened --cache -- sh -c "exec 3<$dir/cold; cat $dir/cold; exec 4<$dir/warm; exec 5<$dir/part; echo new >$dir/new" >/dev/null
		[ "$(cached)" != "100 3" ] || break
	done
	[ "$(records residency "$dir/cold")" = $'page=0 pages=0\npage=0 pages=100 bits=end' ]
	[ "$(records residency "$dir/warm")" = $'page=0 pages=100\npage=0 pages=100 bits=end' ]
	[ "$(records residency "$dir/part" | head -2)" = $'page=0 pages=2\npage=40 pages=1' ]
	[ "$(records residency "$dir/new")" = "page=0 pages=1 bits=end" ] # what is created has no first sight
	# Nobody asked.
	opened -- cat "$dir/warm" >/dev/null
	[ -z "$(records residency "$dir/warm")" ]
}

@test "--content: zeros and compressibility of files, and none of their data" {
	(head -c 200k /dev/zero; head -c 200k /dev/urandom) >"$dir/half"
	yes secret | head -c 500k >"$dir/text"
	truncate -s 10M "$dir/sparse"
	dd if=/dev/urandom of="$dir/sparse" bs=4k count=2 seek=1000 conv=notrunc status=none
	head -c 5M /dev/urandom >"$dir/large"
	opened --content -- sh -c "cat $dir/half $dir/text $dir/sparse $dir/large >/dev/null; head -c 9000 /dev/zero >$dir/new"
	[ "$(records content "$dir/half")" = "sampled=409600 zero=204800 stored=204800" ]
	[[ $(records content "$dir/text") =~ ^sampled=512000\ zero=0\ stored=([0-9]+)$ ]]
	[ "${BASH_REMATCH[1]}" -lt 5000 ]
	[ "$(records content "$dir/sparse")" = "sampled=8192 zero=0 stored=8192" ]
	[ "$(records content "$dir/large")" = "sampled=1048576 zero=0 stored=1048576" ]
	[ "$(records content "$dir/new")" = "sampled=9000 zero=9000 stored=0" ]
	! grep -q secret "$dir/dump"
}

# What a test script with mounts of its own does, in a namespace that ends with it.
in_mounts() { unshare -m --propagation private sh -euc "$1"; }

@test "other mount namespaces: a path is what the host's mounts call the place; what is mounted only there is set apart" {
	[ -x /bin/busybox ] || skip "busybox-static is not installed"
	cat >"$dir/use.sh" <<-END
		cd $dir
		mkdir -p private shared c1/etc c1/bin c1/old c2/etc c2/bin c2/old lower upper work merged
		for c in c1 c2; do cp /bin/busybox \$c/bin/; echo \$c >\$c/etc/passwd; ln -s /etc/passwd \$c/etc/alias; done
		echo low >lower/f
		# A service with a private /tmp.
		unshare -m sh -c "mount --bind $dir/private $dir/shared; echo x >$dir/shared/file; cd $dir/shared; cat file; cat ../shared/file; sleep 0.4"
		# Two containers.
		for c in c1 c2; do
			unshare -m sh -c "mount --bind $dir/\$c $dir/\$c; cd $dir/\$c; pivot_root . old; exec busybox sh -c '
				busybox cat /etc/passwd; cd /etc; busybox cat passwd /etc/alias ../etc/passwd; busybox sleep 0.4'"
		done
		# File systems that the host does not see.
		unshare -m sh -c "mount -t tmpfs none $dir/shared; echo y >$dir/shared/only; mv $dir/shared/only $dir/shared/moved; sleep 0.4"
		unshare -m sh -c "mount -t overlay none -o lowerdir=$dir/lower,upperdir=$dir/upper,workdir=$dir/work $dir/merged
			cat $dir/merged/f; echo z >>$dir/merged/f; stat $dir/merged/f; sleep 0.4"
	END
	run -0 timeout 60 "$iorig" capture -o "$trace" -- sh "$dir/use.sh"
	events "$trace" | grep '^\(open\|rename\|statx\|newfst\).*path=' | grep -v ENOENT >"$dir/got"
	! grep "path=\"$dir/shared/file" "$dir/got"
	[ "$(grep -c "^openat .*file=<$dir/private/file> path=\"$dir/private/file\"" "$dir/got")" = 3 ] || { grep "$dir" "$dir/got"; false; }
	for c in c1 c2; do
		[ "$(grep -c "^openat .*file=<$dir/$c/etc/passwd> path=\"$dir/$c/etc/passwd\" = " "$dir/got")" = 4 ]
	done
	grep -q "^openat .*file=<\(/.mnt-[0-9]*$dir/shared/only\)> path=\"\1\" .*bits=created" "$dir/got"
	grep -q "^rename.* path=\"/.mnt-[0-9]*$dir/shared/only\" path2=\"/.mnt-[0-9]*$dir/shared/moved\"" "$dir/got"
	# The overlay's file is one, whether it is opened or looked at, and not the lower one.
	[ "$(grep -c "^\(openat\|statx\) .*file=<\(/.mnt-[0-9]*$dir/merged/f\)> path=\"\2\"" "$dir/got")" = 3 ] || { grep "$dir" "$dir/got"; false; }
	[ "$("$iorig" trace dump "$trace" | grep -c "^file .*path=\"/.mnt-[0-9]*$dir/merged/f\"")" = 1 ]
	# Threads keep their namespace.
	[ "$("$iorig" trace dump "$trace" | sed -n 's/^thread .* mntns=\([0-9]*\)$/\1/p' | sort -u | wc -l)" -ge 2 ]
	[ "$("$iorig" trace dump "$trace" | sed -n 's/^thread 1 .* mntns=//p')" = "$(stat -L -c %i /proc/self/ns/mnt)" ]
}

@test "another mount namespace's mounts are found though all that is recorded in it ends at once" {
	mkdir "$dir/shared"
	run -0 timeout 60 "$iorig" capture --comm touch -o "$trace" -- unshare -m sh -c "mount -t tmpfs none $dir/shared; touch $dir/shared/only; sleep 0.4"
	events "$trace" | grep "path=\"/.mnt-[0-9]*$dir/shared/only\"" || { events "$trace" | grep only; false; }
}

@test "a file system that nobody records, mounted over a directory that was recorded, is left out from then on" {
	local long
	long=$(printf 'x%.0s' $(seq 150))
	mkdir "$dir/over" "$dir/${long:0:100}"
	cat >"$dir/use.sh" <<-END
		stat $dir/over/${long}1
		mount -t proc none $dir/over
		cat $dir/use.sh >/dev/null
		sleep 0.2
		stat $dir/over/${long}2
		umount $dir/over
	END
	# The longest place of a mount stays what it is.
	run unshare -m --propagation private sh -c "mount -t tmpfs none $dir/${long:0:100}; exec timeout 60 $iorig capture -o $trace -- sh $dir/use.sh"
	[ "$status" = 0 ]
	events "$trace" | grep -q "path=\"$dir/over/${long}1\""
	! events "$trace" | grep "path=\"$dir/over/${long}2\""
}

@test "a chroot: links and .. stay within it" {
	[ -x /bin/busybox ] || skip "busybox-static is not installed"
	mkdir -p "$dir/jail/etc" "$dir/jail/bin"
	cp /bin/busybox "$dir/jail/bin/"
	echo jailed >"$dir/jail/etc/passwd"
	ln -s /etc/passwd "$dir/jail/etc/alias"
	run -0 timeout 60 "$iorig" capture -o "$trace" -- chroot "$dir/jail" /bin/busybox cat /etc/alias /../../etc/passwd
	[ "$output" = $'jailed\njailed' ]
	[ "$(events "$trace" | grep -c "^open.*file=<$dir/jail/etc/passwd> path=\"$dir/jail/etc/passwd\"")" = 2 ]
}

@test "btrfs: files of two subvolumes with one inode number are two; renamed and deleted while open they stay what they are" {
	command -v mkfs.btrfs >/dev/null || skip "btrfs-progs is not installed"
	grep -q btrfs /proc/filesystems || skip "this kernel has no btrfs"
	truncate -s 128M "$dir/image"
	mkfs.btrfs -q "$dir/image"
	mkdir "$dir/m"
	cat >"$dir/use.sh" <<-END
		stat -c "%Hd:%Ld" $dir/m/sub/f $dir/m/f
		cat $dir/m/sub/f $dir/m/f
		exec 3<$dir/m/sub/f
		mv $dir/m/sub/f $dir/m/sub/g
		head -c 1 <&3 >/dev/null
		rm $dir/m/sub/g
		head -c 1 <&3 >/dev/null
	END
	run -0 in_mounts "mount -o loop $dir/image $dir/m; btrfs subvolume create $dir/m/sub >/dev/null
		echo one >$dir/m/sub/f; echo two >$dir/m/f
		[ \$(stat -c %i $dir/m/sub/f) = \$(stat -c %i $dir/m/f) ]
		timeout 60 $iorig capture -o $trace -m $dir/m -- sh $dir/use.sh"
	sub=${lines[-4]} top=${lines[-3]}
	[ "$sub" != "$top" ]
	"$iorig" trace dump "$trace" >"$dir/dump"
	grep -q "^file [0-9]* dev=$sub ino=257 .*path=\"$dir/m/sub/f\"" "$dir/dump"
	grep -q "^file [0-9]* dev=$top ino=257 .*path=\"$dir/m/f\"" "$dir/dump"
	[ "$(grep -c "^file .* path=\"$dir/m/.*[fg]\"" "$dir/dump")" = 2 ]
	events "$trace" >"$dir/got"
	[ "$(grep -c "^openat .*file=<$dir/m/f> path=\"$dir/m/f\"" "$dir/got")" = 1 ]
	grep -q "^renameat2 .*file=<$dir/m/sub/f> path=\"$dir/m/sub/f\" path2=\"$dir/m/sub/g\"" "$dir/got"
	# Through the descriptor, under its new name and under none.
	[ "$(grep -c "^read fd=0 file=<$dir/m/sub/f>" "$dir/got")" = 2 ]
	grep -q "^unlinkat .*file=<$dir/m/sub/f> path=\"$dir/m/sub/g\"" "$dir/got"
}

# Starts a recorder, waits until it records, runs the command, ends it.
recorded() { # OPTION... -- COMMAND
	options=""
	while [ "$1" != -- ]; do options="$options $1"; shift; done
	shift
	"$iorig" capture -o "$trace" $options 2>"$dir/err" 3>&- &
	started=$!
	for i in $(seq 600); do
		! grep -q '^iorig: recording into' "$dir/err" || break
		kill -0 $started || { cat "$dir/err"; return 1; }
		sleep 0.05
	done
	"$@" >/dev/null
	kill -INT $started
	wait $started
	started=
}

@test "-g: a cgroup of version 2 or 1, and those below it" {
	for kind in cgroup2 cgroup; do
		# Of version 1 the tree of a controller.
		root=$(awk -v t=$kind '$3 == t && (t == "cgroup2" || $4 ~ /pids/) { print $2; exit }' /proc/mounts)
		if [ -z "$root" ] || ! mkdir -p "$root/iorig.$$/in"; then
			[ $kind = cgroup ] || { echo "no $kind"; return 1; }
			echo "# this host has no cgroup of version 1" >&3
			continue
		fi
		cgroups="${cgroups:-} $root/iorig.$$"
		work() {
			cat /etc/hostname
			sh -c "echo \$\$ >$root/iorig.$$/cgroup.procs; cat /etc/passwd"
			sh -c "echo \$\$ >$root/iorig.$$/in/cgroup.procs; cat /etc/group"
		}
		for name in "$root/iorig.$$" "${root#/sys/fs/cgroup/}/iorig.$$"; do
			recorded -g "${name#unified/}" -- work
			[ "$(events "$trace" | sed -n 's,^openat .* path="/etc/\(hostname\|passwd\|group\)".*,\1,p' | paste -sd' ')" = "passwd group" ]
		done
		recorded -g "$root/iorig.$$/in" -- work
		[ "$(events "$trace" | sed -n 's,^openat .* path="/etc/\(hostname\|passwd\|group\)".*,\1,p' | paste -sd' ')" = group ]
	done
}

@test "filters: wrong values, one line and exit 2 each" {
	wrong() { # MESSAGE OPTION...
		message=$1
		shift
		run -2 --separate-stderr "$iorig" capture -o "$trace" "$@"
		[ "$stderr" = "iorig: $message" ] || { echo "$stderr"; false; }
		[ ! -e "$trace" ]
	}
	wrong "--pid 0: not a process id" -p 0
	wrong "--pid x: not a process id" -p x
	wrong "--uid nobody-at-all: there is no such user in /etc/passwd" -u nobody-at-all
	wrong "--cgroup nope: there is no such cgroup below /sys/fs/cgroup" -g nope
	wrong "--cgroup /etc: there is no such cgroup below /sys/fs/cgroup" -g /etc
	wrong "--mount $dir/none: No such file or directory" -m "$dir/none"
	wrong "--mount /proc: not on a file system that can be recorded" -m /proc
	many=()
	for i in 1 2 3 4 5 6 7 8 9; do many+=(-c "c$i"); done
	wrong "at most 8 times --comm" "${many[@]}"
	if [ -d /sys/fs/cgroup/systemd ]; then
		wrong "--cgroup systemd: it has no controller; give one of memory, cpu, pids or the like" -g systemd
	fi
}

@test "the header tells the machine: processor, memory, mounts, disks with their queues, settings; and what was not visible" {
	run -0 timeout 30 "$iorig" capture -o "$trace" --wakeups --mmap-faults -- true
	"$iorig" trace info --json "$trace" | jq .header >"$dir/header"
	[ "$(jq -r .kernel "$dir/header")" = "$(uname -r)" ]
	[ "$(jq -r .cpu_model "$dir/header")" = "$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -1)" ]
	[ "$(jq .cpus "$dir/header")" = "$(nproc)" ]
	[ "$(jq '.memory_bytes / 1024 / 1024 | floor' "$dir/header")" -ge "$(($(sed -n 's/^MemTotal: *\([0-9]*\).*/\1/p' /proc/meminfo) / 1024))" ]
	[ "$(jq '.mitigations | length' "$dir/header")" = "$(grep -Lx 'Not affected' /sys/devices/system/cpu/vulnerabilities/* | wc -l)" ]
	[ "$(jq -r '.sysctl["vm/dirty_ratio"]' "$dir/header")" = "$(cat /proc/sys/vm/dirty_ratio)" ]
	[ "$(jq .mount_namespace "$dir/header")" = "$(stat -L -c %i /proc/self/ns/mnt)" ]
	# Each disk with what its queue is set to, and the root file system's mount.
	for disk in /sys/block/*; do
		case $disk in */loop*|*/ram*) continue ;; esac
		[ "$(jq -r --arg d "${disk##*/}" '.block[$d] | .dev, .read_ahead_kb, .scheduler' "$dir/header")" = \
			"$(cat "$disk/dev"; cat "$disk/queue/read_ahead_kb"; cat "$disk/queue/scheduler" 2>/dev/null || echo null)" ]
	done
	[ "$(jq -r '[.mounts[] | select(.path == "/") | .type][0]' "$dir/header")" = "$(awk '$2 == "/" { print $3; exit }' /proc/mounts)" ]
	[ "$(jq -c '.besides_calls | .wakeups, .page_faults, .cache_fills' "$dir/header" | paste -sd' ')" = "true true true" ]
	[ "$(jq '.besides_calls.invisible | length' "$dir/header")" = 4 ]
}

@test "names that are no UTF-8: of a command, of a mount; all of them are told" {
	mkdir "$dir/"$'m\xff'
	mount -t tmpfs none "$dir/"$'m\xff'
	run timeout 60 "$iorig" capture -o "$trace" -c $'t\xfe' -- true $'a\xffb' 'ö'
	umount "$dir/"$'m\xff'
	[ "$status" = 0 ] || { echo "$output"; false; }
	told=$("$iorig" trace info --json "$trace" | jq -c --arg d "$dir" '.header | [.command[1:3], .filters.comm, [.mounts[].path | select(startswith($d))]]')
	echo "$told"
	[ "$told" = '[["a\\xffb","ö"],["t\\xfe"],["'"$dir"'/m\\xff"]]' ]
}

@test "overlayfs gives no generations: a number that is used again is another file all the same" {
	mkdir "$dir/lower" "$dir/upper" "$dir/work" "$dir/m"
	run -0 in_mounts "mount -t overlay none -o lowerdir=$dir/lower,upperdir=$dir/upper,workdir=$dir/work $dir/m
		timeout 30 $iorig capture -o $trace -- sh -c 'cd $dir/m; for i in 1 2 3; do echo \$i >f; ls -i f; rm f; done'"
	"$iorig" trace dump "$trace" >"$dir/dump"
	[ "$(cut -d' ' -f1 <<<"$output" | sort -u | wc -l)" -lt 3 ] || skip "no number was used again"
	[ "$(grep -c "^file .*bits=created.* path=\"$dir/m/f\"" "$dir/dump")" = 3 ]
	[ "$(awk '/ openat .*\/m\/f" .*bits=created/ { sub(/.* file=/, ""); sub(/ .*/, ""); print }' "$dir/dump" | sort -u | wc -l)" = 3 ]
}

@test "a file that is only looked at carries its real mode and size; a number that is used again is another file" {
	echo 12345 >"$dir/seen"
	chmod 640 "$dir/seen"
	run -0 timeout 30 "$iorig" capture -o "$trace" -- sh -c "stat $dir/seen; cd $dir; for i in 1 2 3; do echo \$i >again; rm again; done"
	"$iorig" trace dump "$trace" >"$dir/dump"
	[[ $(grep "^file .*path=\"$dir/seen\"" "$dir/dump") == *" mode=0100640 nlink=1 size=6 seen="* ]]
	# Every program and library too.
	! grep '^file .* mode=0100000' "$dir/dump"
	! grep '^file .* nlink=1 .*size-late' "$dir/dump" | grep -v created
	# Three files of that name, whatever their inode number was.
	[ "$(grep -c "^file .*path=\"$dir/again\"" "$dir/dump")" = 3 ]
	[ "$(grep "^file .*path=\"$dir/again\"" "$dir/dump" | grep -c bits=created)" = 3 ]
}
