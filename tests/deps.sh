#!/bin/sh
# Installs the Debian packages of tests/packages (or of the lists that are named) that are missing. Needs root only when something is missing.
set -eu
cd "$(dirname "$0")/.."
[ $# -gt 0 ] || set -- tests/packages
missing=
# shellcheck disable=SC2013 # no spaces in names
for package in $(grep -hv "^#" "$@"); do
	case "$(dpkg-query -W -f '${Status}' "$package" 2>/dev/null || :)" in
	'install ok installed') ;;
	*) missing="$missing $package" ;;
	esac
done
[ -n "$missing" ] || exit 0
if [ "$(id -u)" != 0 ]; then
	echo "deps: missing:$missing" >&2
	echo "deps: run 'make deps' once as root" >&2
	exit 77
fi
echo "deps: installing$missing" >&2
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
# shellcheck disable=SC2086 # a list of package names
apt-get install -y -qq --no-install-recommends $missing >/dev/null
