#!/bin/sh
# The inputs that fuzz targets begin with: a folder for each below DIR. Needs bin/iorig and jq; where it may record, recordings too.
#   tests/fuzz/seeds.sh DIR
set -eu
[ $# = 1 ] || { echo "usage: seeds.sh DIR" >&2; exit 2; }
cd "$(dirname "$0")/../.."
out=$1
for target in tests/fuzz/fuzz_*.c; do
	mkdir -p "$out/$(basename "$target" .c)"
done

# A text with its first bytes, which choose what is done with it, to every target that takes one.
text_seed() {
	cp "$1" "$out/fuzz_trace_text/$2"
	for choice in '\002\000\000' '\000\000\001' '\003\000\004'; do
		{ printf '%b' "$choice"; cat "$1"; } >"$out/fuzz_trace_cut/$2$(printf %s "$choice" | tr -dc 0-9)"
	done
	{ printf '\003'; cat "$1"; } >"$out/fuzz_trace_anonymize/$2"
	for order in 0 1 2; do
		{ printf '%b' "\\00$order"; cat "$1"; } >"$out/fuzz_replay_compile/$2.$order"
	done
}

# The file as it is, and the payload of its first block behind its numbers of records and events: the target puts right checksums around that.
file_seed() {
	{ printf '\000'; cat "$1"; } >"$out/fuzz_trace_reader/$2.file"
	header=$(od -An -tu4 -j12 -N4 "$1" | tr -d ' ')
	frame=$((24 + header + 8))
	# shellcheck disable=SC2046 # three numbers
	set -- "$1" "$2" $(od -An -tu4 -j$((frame + 4)) -N12 "$1")
	[ "$5" -lt 256 ] || return 0
	{ printf '%b' "\\001\\0$(printf %o "$5")\\0$(printf %o "$4")"; tail -c +$((frame + 81)) "$1" | head -c "$3"; } >"$out/fuzz_trace_reader/$2.payload"
}

for text in tests/fixtures/*.trace.txt; do
	name=$(basename "$text" .trace.txt)
	bin/iorig trace build "$text" -o "$out/t.iotrace"
	text_seed "$text" "$name"
	file_seed "$out/t.iotrace" "$name"
done
rm -f "$out/t.iotrace"

if [ "$(id -u)" = 0 ] && [ -e build/helpers/maildir ]; then
	mkdir "$out/mail"
	if bin/iorig capture -o "$out/t.iotrace" -- build/helpers/maildir "$out/mail" 3 2 >/dev/null 2>&1; then
		bin/iorig trace dump "$out/t.iotrace" | grep -v '^header' | head -70 >"$out/t.txt"
		text_seed "$out/t.txt" maildir
		bin/iorig trace build "$out/t.txt" -o "$out/t.iotrace"
		file_seed "$out/t.iotrace" maildir
	fi
	rm -rf "$out/mail" "$out/t.iotrace" "$out/t.txt"
fi

# Documents: the files of a folder as one object.
sh tests/make-sweep.sh tests/sweeps/small.txt "$out/night"
(
	cd "$out/night"
	for file in plan.json sweep.json box.json runs/0001/*.json runs/0001/run.hist runs/0002/*.json runs/0002/run.hist runs/0003/run.json \
		runs/0003/run.hist runs/0004/run.json runs/0004/run.hist; do
		[ ! -e "$file" ] || jq -c --arg name "$file" '{($name): .}' "$file"
	done
	jq -cs '{"runs.ndjson": .}' runs.ndjson
) | jq -cs 'add' >"$out/fuzz_results/night"
jq -c '{"runs.ndjson", "plan.json"} + {"undo.ndjson": [{"id": 1, "boot": "boot", "undo": "write", "file": "/sys/x", "value": "0"},
	{"id": 2, "boot": "boot", "undo": "umount", "mount_point": "/mnt"}, {"done": 2}]}' "$out/fuzz_results/night" >"$out/fuzz_journals/night"
rm -rf "$out/night"
for sweep in sweeps/*.sweep.json; do
	for profile in ext4-safe raid10-pinned; do
		jq -cs '{"s.sweep.json": .[0], "p.profile.json": .[1]}' "$sweep" "profiles/$profile.profile.json" \
			>"$out/fuzz_sweep/$(basename "$sweep" .sweep.json).$profile"
	done
done
jq -cs '{"s.sweep.json": (.[0] | del(.trace)), "p.profile.json": .[1], "knobs.json": .[2]}' sweeps/host-quick.sweep.json profiles/ext4-one.profile.json \
	profiles/knobs.json >"$out/fuzz_sweep/knobs"
cp /proc/self/mountinfo "$out/fuzz_mountinfo/own"
printf '36 35 98:0 /a\\040b /mnt\\134 rw,noatime master:1 - ext3 /dev/root rw,errors=continue\n' >"$out/fuzz_mountinfo/escaped"
printf '\000\002\000\000\001\001' >"$out/fuzz_plan_file/edit"

# What was found once. A mount whose name is no UTF-8; the last number of all; processes that fork; a longer file; lengths within a file.
printf '36 35 98:0 / /mnt\377 rw - ext3 /dev/root rw\n' >"$out/fuzz_mountinfo/no-utf8"
echo '{"undo.ndjson": [{"id": 9223372036854775807, "boot": "boot", "undo": "write", "file": "/sys/x", "value": "0"}]}' >"$out/fuzz_journals/last-id"
printf '\003\000\000thread 1 tid=1 pid=1\nthread 2 tid=2 pid=2 parent=1\nthread 3 tid=3 pid=3 parent=2 seen=0.000001\n1.000000+0.000001 2 sync = 0\n' \
	>"$out/fuzz_trace_cut/forks"
printf '\002\000\000thread 1 tid=4294967295\nthread 2 tid=2147483647\nthread 3 tid=7 pid=0\n1.000000+0.000001 1 sync = 0\n2.000000+0.000001 2 sync = 0\n' \
	>"$out/fuzz_trace_cut/process-numbers"
printf '\000\001\000\000\000\001' >"$out/fuzz_plan_file/longer"
printf '\036\340\015$\036\340' >"$out/fuzz_plan_file/lengths"
