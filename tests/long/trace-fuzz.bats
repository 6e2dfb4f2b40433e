#!/usr/bin/env bats
# Hostile traces and texts, under ASan and UBSan. FUZZ_SECONDS (default 600) for each target.
bats_require_minimum_version 1.5.0

setup() {
	cd "$BATS_TEST_DIRNAME/../.."
	make -s all fuzz
	corpus=$BATS_TEST_TMPDIR/corpus
	mkdir "$corpus"
}

fuzz() {
	run -0 timeout $((${FUZZ_SECONDS:-600} + 60)) "build/fuzz/$1" -max_total_time="${FUZZ_SECONDS:-600}" -rss_limit_mb=1500 \
		-artifact_prefix="$BATS_TEST_TMPDIR/" "$corpus"
	tail -n 1 <<<"$output"
}

@test "the reader survives whatever calls itself a trace, and what it delivers survives text and back" {
	for text in tests/fixtures/*.trace.txt; do
		bin/iorig trace build "$text" -o "$BATS_TEST_TMPDIR/t.iotrace"
		{ printf '\0'; cat "$BATS_TEST_TMPDIR/t.iotrace"; } >"$corpus/$(basename "$text").file"
		# The first block's payload behind its numbers of records and events: right checksums are put around it.
		header=$(od -An -tu4 -j12 -N4 "$BATS_TEST_TMPDIR/t.iotrace" | tr -d ' ')
		frame=$((24 + header + 8))
		numbers=$(od -An -tu4 -j$((frame + 4)) -N12 "$BATS_TEST_TMPDIR/t.iotrace")
		set -- $numbers
		[ "$3" -lt 256 ] || continue
		{ printf "\\x01\\x$(printf %02x "$3")\\x$(printf %02x "$2")"; tail -c +$((frame + 81)) "$BATS_TEST_TMPDIR/t.iotrace" | head -c "$1"; } \
			>"$corpus/$(basename "$text").payload"
	done
	fuzz fuzz_trace_reader
}

@test "text that builds comes back as it was" {
	cp tests/fixtures/*.trace.txt "$corpus"
	fuzz fuzz_trace_text
}

@test "10 000 mutated traces: no crash, no silence" {
	make -s VARIANT=sanitize
	bin/iorig trace build tests/fixtures/every-record.trace.txt -o "$BATS_TEST_TMPDIR/good"
	size=$(stat -c %s "$BATS_TEST_TMPDIR/good")
	silent=0
	for i in $(seq 1 "${MUTATIONS:-10000}"); do
		cp "$BATS_TEST_TMPDIR/good" "$BATS_TEST_TMPDIR/bad"
		at=$((RANDOM * 32768 % size + RANDOM % 64))
		printf "\\x$(printf %02x $((RANDOM % 256)))\\x$(printf %02x $((RANDOM % 256)))" |
			dd of="$BATS_TEST_TMPDIR/bad" bs=1 seek=$((at % size)) conv=notrunc status=none
		rc=0
		bin/iorig-sanitize trace check "$BATS_TEST_TMPDIR/bad" >/dev/null 2>"$BATS_TEST_TMPDIR/said" || rc=$?
		case $rc in
		0) cmp -s "$BATS_TEST_TMPDIR/good" "$BATS_TEST_TMPDIR/bad" || silent=$((silent + 1)) ;;
		1 | 3) [ "$(wc -l <"$BATS_TEST_TMPDIR/said")" = 1 ] || { cat "$BATS_TEST_TMPDIR/said"; false; } ;;
		*) cat "$BATS_TEST_TMPDIR/said"; false ;;
		esac
	done
	[ "$silent" = 0 ]
}
