#!/bin/sh
# What the recorder does for an event, from the kernel's rings to the trace file: git, sqlite, tar, fio, and the four together. The peer
# stores the same records as they are, 256 KiB pieces, zstd level 1. CPU time, the median of the rounds; "cold" has the processor's caches taken
# away every 10 ms of recorded time, as between two visits of the drainer on a busy host.
#	drain.sh [ROUNDS]	default 9
set -eu
cd "$(dirname "$0")/../.."
rounds=${1:-9}
[ "$(id -u)" = 0 ] || { echo "drain.sh: recording needs root"; exit 77; }
[ -r /sys/kernel/btf/vmlinux ] || { echo "drain.sh: this kernel has no type information (BTF)"; exit 77; }
dir=$(mktemp -d /var/tmp/iorig-bench-drain.XXXXXX)
trap 'rm -rf "$dir"' EXIT INT TERM
gcc -O2 -static -std=gnu11 -D_GNU_SOURCE -Wall -Wextra -I. -o "$dir/drain" tests/bench/drain.c build/release/libiorig.a \
	-lbpf -lelf -lz -lzstd -lxxhash -ljansson -lm -lpthread

printf '%-8s %9s | %8s %8s %8s | %8s %8s | %6s %6s %6s\n' load events B/event ns 'cold ns' 'raw B' 'raw ns' 'size x' 'CPU x' 'cold x'
for name in git sqlite tar fio; do
	mkdir "$dir/$name"
	"$dir/drain" keep "$dir/tape" env -C "$dir/$name" sh -e "$PWD/tests/bench/mix/$name.sh" >/dev/null
	"$dir/drain" run "$dir/tape" "$rounds" "$dir" | sed "s|^|$name |"
	rm -rf "${dir:?}/$name" "$dir/tape"
done | awk '
	function row(name, n, b, ns, cold, rb, raw) {
		printf "%-8s %9d | %8.2f %8.1f %8.1f | %8.2f %8.1f | %6.2f %6.2f %6.2f\n", name, n, b, ns, cold, rb, raw, b / rb, ns / raw, cold / raw
	}
	{ row($1, $2, $3, $4, $5, $6, $7); n += $2; b += $2 * $3; d += $2 * $4; c += $2 * $5; rb += $2 * $6; raw += $2 * $7 }
	END { row("mix", n, b / n, d / n, c / n, rb / n, raw / n) }'
