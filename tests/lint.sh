#!/bin/sh
# Static checks: shellcheck over every shell script, mandoc over every manual page, cppcheck over the C.
set -eu
cd "$(dirname "$0")/.."
rc=0
git ls-files '*.sh' .ci/run | xargs -r shellcheck || rc=1 # each as its first line says
git ls-files 'docs/*.[1-8]' | xargs -r mandoc -T lint -W warning || rc=1
git ls-files '*.c' | grep -v '\.bpf\.c$' | xargs -r cppcheck -q --std=c11 -I. --enable=warning,portability --inline-suppr \
	--suppress=missingIncludeSystem --error-exitcode=1 || rc=1
exit $rc
