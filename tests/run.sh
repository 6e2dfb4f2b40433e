#!/bin/sh
# The test runner. Builds, runs every unit test (tests/unit/*.c) and every program test (tests/program/*.bats), shows failures and
# skips with their reasons, and closes with 'N passed, N failed, N skipped'.
#   run.sh          the suite of `make test`
#   run.sh long     also tests/long/*.bats
#   run.sh FILE...  only these
# VARIANT=sanitize or tsan: the same with the program and the unit tests of that build; what a sanitizer reports is a failure.
# IORIG_STRICT=1 (set in CI): a skip is a failure.
set -eu
cd "$(dirname "$0")/.."
packages=tests/packages
[ "${1:-}" != long ] || packages="tests/packages tests/packages-long"
# shellcheck disable=SC2086 # a list
sh tests/deps.sh $packages || [ "$(id -u)" != 0 ]
variant=${VARIANT:-release}
unset VARIANT # tests build what they need
make -s -j"$(nproc)" all units
log=build/tests
if [ "$variant" != release ]; then
	make -s -j"$(nproc)" VARIANT="$variant" all units
	log=build/tests-$variant
	export IORIG="$PWD/bin/iorig-$variant"
	# Reports go to files: a test may have no use for what its program says. Leaks are not errors of programs that end.
	export ASAN_OPTIONS="detect_leaks=0:log_path=$PWD/$log/sanitizer-report" UBSAN_OPTIONS="print_stacktrace=1:log_path=$PWD/$log/sanitizer-report"
	export TSAN_OPTIONS="log_path=$PWD/$log/sanitizer-report:halt_on_error=1"
fi
rm -rf "$log"
mkdir -p "$log"
case "${1:-}" in
'') set -- tests/unit/*.c tests/program/*.bats ;;
long) set -- tests/unit/*.c tests/program/*.bats tests/long/*.bats ;;
esac

for file; do
	[ -e "$file" ] || continue
	name=$(basename "$file")
	out=$log/$name.tap
	started=$(date +%s)
	rc=0
	case $file in
	*.c) CMOCKA_MESSAGE_OUTPUT=TAP "build/$variant/tests/${name%.c}" >"$out" 2>"$out.err" || rc=$? ;;
	*.bats) bats --tap "$file" >"$out" 2>"$out.err" </dev/null || rc=$? ;;
	esac
	# A test program that died before it said "not ok" is a failure of its own.
	if [ "$rc" != 0 ] && ! grep -q '^not ok' "$out"; then
		echo "not ok 0 - $name ended with status $rc" >>"$out"
	fi
	grep -Eq '^(not )?ok' "$out" || echo "not ok 0 - $name ran no test" >>"$out"
	printf '%-34s %4d s  %d ok, %d failed, %d skipped\n' "$name" $(($(date +%s) - started)) \
		"$(grep '^ok' "$out" | grep -vic '# skip' || :)" "$(grep -c '^not ok' "$out" || :)" "$(grep '^ok' "$out" | grep -ic '# skip' || :)"
	if grep -q '^not ok' "$out"; then
		sed -n '/^not ok/,/^ok/p' "$out" | grep -v '^ok' | sed 's/^/    /' | head -60
		sed 's/^/    stderr: /' "$out.err" | tail -20
	fi
	grep -i '^ok.*# skip' "$out" | sed 's/^ok [0-9]* /    skipped: /' || :
done

for report in "$log"/sanitizer-report.*; do
	[ -e "$report" ] || continue
	echo "not ok 0 - a sanitizer's report: $report" >>"$log/sanitizer.tap"
	sed 's/^/    /' "$report" | head -40
done

passed=$(cat "$log"/*.tap | grep '^ok' | grep -vic '# skip' || :)
failed=$(cat "$log"/*.tap | grep -c '^not ok' || :)
skipped=$(cat "$log"/*.tap | grep '^ok' | grep -ic '# skip' || :)
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" = 0 ] || exit 1
[ "$passed" != 0 ] || exit 1
if [ "$skipped" != 0 ] && [ "${IORIG_STRICT:-0}" = 1 ]; then
	echo "run.sh: in CI nothing may be skipped" >&2
	exit 1
fi
