#!/bin/sh
# Builds a static fio (2.9 MB) from Debian's source package into the cache and prints its name. Debian's binary package needs 85 MB of
# libraries for cluster file systems; it is the fallback when the source cannot be fetched or built.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=rootfs/common.sh
. "$here/common.sh"
cache=$(cache_dir)
version=3.33
orig_sha256=d2410e13e0f379d061d077cc5ae325835bb7c6186aa7bafc1df954cbc9b014fc
debian_sha256=796ef40f7f1de5b4d3698024b4c56eb1b7b86fb1fef58ec41c966deebbafd515
target=$cache/fio/fio-$version-$(printf %.12s "$debian_sha256")

[ ! -x "$target" ] || { printf '%s\n' "$target"; exit 0; }
mkdir -p "$cache/fio"
work=$(mktemp -d "$cache/fio/.new.XXXXXX")
trap 'rm -rf "$work"' EXIT

# The archives are pinned by their sums: apt's signed index says where they are, the sums say what they are.
fetch()
{
	cache=$work # lists of the source index are of no use later
	apt_list=$work/src.list apt_parts=/dev/null
	mirror=$(apt-cache policy 2>/dev/null | sed -n 's|^ *[0-9]* \(http[^ ]*debian\) bookworm/main .*|\1|p' | head -n 1)
	echo "deb-src [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] ${mirror:-http://deb.debian.org/debian} bookworm main" >"$apt_list"
	cd "$work" &&
		apt_private update &&
		apt_private source --download-only fio &&
		printf '%s  %s\n' "$orig_sha256" "fio_$version.orig.tar.gz" "$debian_sha256" "fio_$version-3.debian.tar.xz" | sha256sum -c
}

# --disable-native: no instructions of this CPU only, the box may have an older one.
build()
{
	cd "$work" && tar xf "fio_$version.orig.tar.gz" && cd "fio-$version" && tar xf "../fio_$version-3.debian.tar.xz" || return 1
	while read -r patch; do
		patch -p1 -s <"debian/patches/$patch" || return 1
	done <debian/patches/series
	./configure --disable-rdma --disable-rados --disable-rbd --disable-http --disable-gfapi --disable-libnfs --disable-pmem \
		--disable-xnvme --disable-libzbc --disable-tcmalloc --disable-dfs --disable-numa --disable-native --build-static &&
		make -j2 EXTFLAGS="-ffile-prefix-map=$work=." fio && strip -o fio.stripped fio && ./fio.stripped --version
}

say "building fio $version from Debian's source package (once, about 30 s)"
if (fetch) >"$work/log" 2>&1 && (build) >>"$work/log" 2>&1; then
	mv "$work/fio-$version/fio.stripped" "$target"
	printf '%s\n' "$target"
	exit 0
fi
cp "$work/log" "$cache/fio/last.log"
fio=$(command -v fio) || die "fio's source cannot be built ($cache/fio/last.log has the reason) and no fio is installed; apt-get install fio"
say "warning: fio's source cannot be built ($cache/fio/last.log has the reason); taking $fio, the image grows by 24 MB"
printf '%s\n' "$fio"
