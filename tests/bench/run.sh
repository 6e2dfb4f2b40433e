#!/bin/sh
# Runs every benchmark of this folder (or the named ones). Each prints ratios against a peer that it measured in the same run,
# interleaved, with median and spread; none asserts an absolute time. Exit 77: not possible here, with the reason.
set -eu
cd "$(dirname "$0")/../.."
sh tests/deps.sh tests/packages tests/bench/packages
make -s -j"$(nproc)" all
[ $# -gt 0 ] || set -- tests/bench/*.sh
rc=0
for bench; do
	case $bench in */run.sh) continue ;; esac
	echo "== $(basename "$bench" .sh)"
	"$(sed -n "1s/^#!//p" "$bench")" "$bench" || { status=$?; [ $status = 77 ] || rc=1; echo "   exit $status"; }
done
exit $rc
