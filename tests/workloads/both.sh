#!/bin/sh
# both.sh OUT CMD...: runs CMD while iorig records it and strace looks on: both see the very same run.
# OUT gets trace, strace, stdout, stderr, capture.err. Ends with CMD's status, or 125 when the recorder failed. IORIG names the recorder.
#
# CMD waits behind a gate until the recorder has found it; in the strace log it begins with the second execve.
set -eu
out=$1
shift
mkdir -p "$out"
mkfifo "$out/gate"
# shellcheck disable=SC2016 # for the shell that is started
strace -f -yy -s 0 -e 'abbrev=!io_submit' -o "$out/strace" \
	sh -c 'out=$1; shift; echo $$ >"$out/pid"; read -r x <"$out/gate"; exec "$@"' gate "$out" "$@" >"$out/stdout" 2>"$out/stderr" </dev/null &
strace=$!
until [ -s "$out/pid" ]; do sleep 0.05; done
"$IORIG" capture -o "$out/trace" -p "$(cat "$out/pid")" 2>"$out/capture.err" &
capture=$!
until grep -qs 'recording into' "$out/capture.err"; do
	kill -0 $capture || { kill $strace; cat "$out/capture.err" >&2; exit 125; }
	sleep 0.05
done
echo go >"$out/gate"
rc=0
wait $strace || rc=$?
kill -INT $capture
wait $capture || rc=125
exit $rc
