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
	for name in git sqlite tar fio; do
		mkdir "$dir/$name"
		record "$name" env -C "$dir/$name" sh -e "$PWD/tests/bench/mix/$name.sh"
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
