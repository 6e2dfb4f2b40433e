#!/bin/sh
# Installs data files and manual pages below the given prefix, in the layout that lib/share.h looks for.
set -eu
cd "$(dirname "$0")/.."
prefix=$1
share=$prefix/share/iorig
find profiles/*.json sweeps/*.json sweeps/fio/*.fio rootfs -type f ! -name '*.[ch]' ! -name '*.md' 2>/dev/null | while read -r file; do
	mode=644
	[ ! -x "$file" ] || mode=755
	install -D -m $mode "$file" "$share/$file"
done
for page in docs/*.[1-8]; do
	[ -f "$page" ] || continue
	install -D -m 644 "$page" "$prefix/share/man/man${page##*.}/$(basename "$page")"
done
install -D -m 644 docs/iorig-capture.service "$prefix/share/doc/iorig/iorig-capture.service"
