#!/bin/sh
# Installs data files and manual pages below the given prefix, in the layout that lib/share.h looks for.
set -eu
cd "$(dirname "$0")/.."
prefix=$1
share=$prefix/share/iorig
for file in profiles/*.json sweeps/*.json sweeps/fio/*.fio rootfs/*; do
	[ -f "$file" ] || continue
	case $file in *.c | *.h | *.md) continue ;; esac
	mode=644
	[ ! -x "$file" ] || mode=755
	install -D -m $mode "$file" "$share/$file"
done
for page in docs/*.[1-8]; do
	[ -f "$page" ] || continue
	install -D -m 644 "$page" "$prefix/share/man/man${page##*.}/$(basename "$page")"
done
