#!/bin/sh
# Fetches the kernel that Debian's linux-image-amd64 depends on and unpacks it into the cache. It is never installed: a package's
# postinst would touch the running system's /boot. Prints the directory, which holds boot/vmlinuz-* and lib/modules/*.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=rootfs/common.sh
. "$here/common.sh"
cache=$(cache_dir)
meta=linux-image-amd64

# The package and version that apt would take now; fails when apt knows none.
resolve()
{
	package=$("$@" depends --important "$meta" 2>/dev/null | sed -n 's/^ *Depends: *\(linux-image-.*\)/\1/p' | head -n 1)
	[ -n "$package" ] || return 1
	version=$("$@" policy "$package" 2>/dev/null | sed -n 's/^ *Candidate: *//p')
	[ -n "$version" ] && [ "$version" != '(none)' ]
}

newest_cached()
{
	find "$cache/kernel/" -maxdepth 2 -name .complete 2>/dev/null | sed 's|/.complete$||' | sort -V | tail -n 1
}

private_cache()
{
	apt-cache -o "Dir::State::lists=$cache/apt/lists" "$@"
}

# Downloads into the empty directory $work with the host's package lists, or with fresh ones of our own when those are missing or old.
download()
{
	if [ -n "$version" ] && (cd "$work" && apt-get -q -o APT::Sandbox::User="$(id -un)" download "$package=$version") >"$work/log" 2>&1; then
		return 0
	fi
	say "the host's package lists do not lead to a kernel; fetching fresh ones into $cache/apt"
	apt_private update >>"$work/log" 2>&1 || return 1
	resolve private_cache || return 1
	(cd "$work" && apt_private download "$package=$version") >>"$work/log" 2>&1
}

package='' version=''
resolve apt-cache || :
target=$cache/kernel/${package}_$version
if [ -z "$version" ] || [ ! -e "$target/.complete" ]; then
	mkdir -p "$cache/kernel"
	work=$(mktemp -d "$cache/kernel/.new.XXXXXX")
	trap 'rm -rf "$work"' EXIT
	say "fetching ${package:-the package that $meta depends on}"
	if ! download; then
		old=$(newest_cached)
		[ -n "$old" ] || die "cannot fetch a kernel: $(grep -m 1 -E '^(E:|Err|W: Failed)' "$work/log" || tail -n 1 "$work/log"); check the network and /etc/apt/sources.list.d"
		say "cannot fetch a kernel, taking the cached $(basename "$old")"
		printf '%s\n' "$old"
		exit 0
	fi
	target=$cache/kernel/${package}_$version
	mkdir "$work/tree"
	dpkg-deb -x "$work"/*.deb "$work/tree" || die "$package: the package does not unpack"
	chmod 755 "$work/tree"
	depmod -b "$work/tree" "$(ls "$work/tree/lib/modules")"
	touch "$work/tree/.complete"
	rm -rf "$target"
	# Two builds at once: the first one wins, both are the same.
	mv -T "$work/tree" "$target" 2>/dev/null || [ -e "$target/.complete" ] || die "$target: cannot move the unpacked kernel there"
fi
printf '%s\n' "$target"
