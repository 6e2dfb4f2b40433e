#!/bin/sh
# Size and CPU cost of an event in a trace, on real recordings of this host: git, sqlite, tar, fio, and the four together.
# The peer is the obvious way to store the same records: as they are in memory, 256 KiB pieces, zstd level 1.
#	trace_encode.sh [TRACE...]      these traces instead
set -eu
cd "$(dirname "$0")/../.."
rounds=${ROUNDS:-15}
dir=$(mktemp -d /var/tmp/iorig-bench-encode.XXXXXX)
trap 'rm -rf "$dir"' EXIT
gcc -O2 -std=gnu11 -D_GNU_SOURCE -Wall -Wextra -I. -o "$dir/encode" tests/bench/trace_encode.c build/release/libiorig.a \
	-lzstd -lxxhash -ljansson -lm

record() { # NAME COMMAND...: $dir/NAME.iotrace
	name=$1
	shift
	bin/iorig capture -o "$dir/$name.iotrace" -- "$@" >/dev/null 2>"$dir/said" || { cat "$dir/said" >&2; exit 1; }
}

if [ $# = 0 ]; then
	[ "$(id -u)" = 0 ] || { echo "recording needs root; give traces as arguments instead"; exit 77; }
	[ -r /sys/kernel/btf/vmlinux ] || { echo "this kernel has no type information (BTF); give traces as arguments instead"; exit 77; }
	cat >"$dir/git.sh" <<-'EOF'
		git init -q g && cd g && git config user.email a@b && git config user.name a
		mkdir -p $(seq -f d%g 1 40)
		for i in 1 2 3 4 5 6; do
			for d in d*; do for f in 1 2 3 4 5 6 7 8; do echo "$i $d $f" >>"$d/$f"; done; done
			git add -A && git commit -qm "$i" && git status >/dev/null && git log -p >/dev/null
		done
		git checkout -q HEAD~3 && git repack -qad && git gc -q && git fsck >/dev/null 2>&1
	EOF
	cat >"$dir/sqlite.sh" <<-'EOF'
		echo 'CREATE TABLE t(id INTEGER PRIMARY KEY, a TEXT);' | sqlite3 s.db
		awk 'BEGIN { for (i = 0; i < 1500; i++) printf "INSERT INTO t(a) VALUES(hex(randomblob(%d)));\nSELECT count(*) FROM t WHERE id > %d;\n", 20 + i % 500, i * 7 % 900 }' |
			sqlite3 s.db >/dev/null
		echo 'VACUUM;' | sqlite3 s.db
	EOF
	cat >"$dir/tar.sh" <<-'EOF'
		tar cf a.tar -C /usr/share/doc . && mkdir x && tar xf a.tar -C x && tar df a.tar -C x && find x -type f | wc -l && rm -r x
	EOF
	cat >"$dir/fio.sh" <<-'EOF'
		fio --name=a --size=64m --rw=randrw --bs=4k --io_size=64m --ioengine=psync --fsync=32 --output=/dev/null
	EOF
	for name in git sqlite tar fio; do
		mkdir "$dir/$name"
		record "$name" env -C "$dir/$name" sh -e "$dir/$name.sh"
		rm -rf "${dir:?}/$name"
	done
	set -- "$dir/git.iotrace" "$dir/sqlite.iotrace" "$dir/tar.iotrace" "$dir/fio.iotrace"
fi

printf '%-14s %9s | %10s %9s %9s | %10s %9s | %7s %7s\n' trace events 'B/event' 'encode ns' 'decode ns' 'raw B' 'raw ns' 'size x' 'CPU x'
for trace; do
	"$dir/encode" "$trace" "$rounds" | sed "s|^|$(basename "$trace" .iotrace) |"
done | awk '
	{ printf "%-14s %9d | %10.2f %9.1f %9.1f | %10.2f %9.1f | %7.2f %7.2f\n", $1, $2, $3, $4, $5, $6, $7, $3 / $6, $4 / $7
	  n += $2; b += $2 * $3; e += $2 * $4; d += $2 * $5; rb += $2 * $6; re += $2 * $7 }
	END { printf "%-14s %9d | %10.2f %9.1f %9.1f | %10.2f %9.1f | %7.2f %7.2f\n", "mix", n, b / n, e / n, d / n, rb / n, re / n, b / rb, e / re }'
