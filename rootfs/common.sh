# What the recipe scripts share; sourced, so that it prints nothing and changes nothing.
# shellcheck shell=sh

umask 022
export LC_ALL=C TZ=UTC
export PATH=/usr/local/sbin:/usr/sbin:/sbin:/usr/local/bin:/usr/bin:/bin

say()
{
	printf 'image: %s\n' "$*" >&2
}

die()
{
	say "$*"
	exit 1
}

# Where downloads are kept between builds.
cache_dir()
{
	if [ -n "${IORIG_CACHE:-}" ]; then
		printf '%s\n' "$IORIG_CACHE"
	elif mkdir -p /var/cache/iorig 2>/dev/null && [ -w /var/cache/iorig ]; then
		echo /var/cache/iorig
	else
		printf '%s\n' "${XDG_CACHE_HOME:-$HOME/.cache}/iorig"
	fi
}

# The entries of a list file: comments and blank lines dropped.
list_entries()
{
	sed -e 's/[[:space:]]*#.*//' -e '/^[[:space:]]*$/d' "$1"
}

# apt with package lists of our own in $cache (cache_dir), so that neither root nor the state of the host's lists matters.
apt_private()
{
	# shellcheck disable=SC2154 # the caller's
	mkdir -p "$cache/apt/lists/partial" "$cache/apt/archives/partial"
	apt-get -q -o "Dir::State::lists=$cache/apt/lists" -o "Dir::Cache=$cache/apt" -o APT::Sandbox::User="$(id -un)" \
		-o Dir::Etc::sourceparts="${apt_parts:-/etc/apt/sources.list.d}" \
		-o Dir::Etc::sourcelist="${apt_list:-/etc/apt/sources.list}" "$@"
}
