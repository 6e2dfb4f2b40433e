#!/usr/bin/env bats
# The verbs of `iorig trace`: text to trace and back, what they say of good, lossy, cut, damaged and foreign files.
bats_require_minimum_version 1.5.0

setup() {
	cd "$BATS_TEST_DIRNAME/../.."
	iorig=${IORIG:-$PWD/bin/iorig}
	fixtures=$PWD/tests/fixtures
	cd "$BATS_TEST_TMPDIR"
}

build() { # NAME, text on stdin: makes NAME
	run -0 --separate-stderr "$iorig" trace build - -o "$1"
	[ -z "$output$stderr" ]
}

# LINE MESSAGE, text on stdin: building fails with it and leaves no file
refuse() {
	run -1 --separate-stderr "$iorig" trace build - -o refused.iotrace
	[ "$stderr" = "iorig: standard input:$1: $2" ] || { echo "$stderr"; false; }
	[ -z "$output" ]
	[ -z "$(ls refused.iotrace* 2>/dev/null)" ]
}

small() { # N: a trace of N reads of one file
	echo 'thread 1 tid=10 comm="cat"'
	echo 'file 1 dev=8:1 ino=5 mode=0100644 size=1G path="/data"'
	awk -v n="$1" 'BEGIN { for (i = 0; i < n; i++) printf "%d.5+0.000123 1 pread64 fd=3 file=1 offset=%d length=4096\n", i, i * 4096 }'
}

@test "the dump of a built fixture is the fixture; building the dump gives the same file" {
	for text in "$fixtures"/*.trace.txt; do
		"$iorig" trace build "$text" -o a.iotrace
		"$iorig" trace dump a.iotrace >a.txt
		"$iorig" trace build a.txt -o b.iotrace
		"$iorig" trace dump b.iotrace | cmp - a.txt
		cmp a.iotrace b.iotrace
	done
	grep -v '^#' "$fixtures/every-record.trace.txt" | diff - <("$iorig" trace build "$fixtures/every-record.trace.txt" -o a.iotrace && "$iorig" trace dump a.iotrace)
}

@test "nothing that a terminal acts on leaves dump, info or stat" {
	for verb in dump info "info --json" stat "stat --json"; do
		"$iorig" trace build "$fixtures/every-record.trace.txt" -o $'h\e[31m.iotrace'
		run -0 "$iorig" trace $verb $'h\e[31m.iotrace'
		! LC_ALL=C grep -qP '[\x00-\x08\x0b-\x1f\x7f]|\xe2\x80\xae|\xff' <<<"$output" || { echo "$output" | cat -v; false; }
	done
}

@test "every byte in a name comes back" {
	printf 'thread 1 tid=1\nfile 1 path="' >bytes.txt
	for i in $(seq 1 255); do printf '\\x%02x' "$i"; done >>bytes.txt
	printf '"\n' >>bytes.txt
	run -0 "$iorig" trace build bytes.txt -o a.iotrace
	"$iorig" trace dump a.iotrace | sed -n 's/^file.*path="\(.*\)"$/\1/p' >dumped
	# printf understands the same escapes, but for the quote.
	printf "$(sed 's/\\"/\\x22/g; s/%/%%/g' dumped)" | od -An -v -tu1 -w1 | tr -d ' ' | diff - <(seq 1 255)
}

@test "what is left out has a default" {
	build a.iotrace <<-'EOF'
		thread 7 tid=10
		file 3 path="/a"
		fd pid=10 fd=3 file=3
		1 7 read fd=3 file=3 length=10
		2 7 fsync fd=3 file=3
		3.5+1 7 openat path="/a" flags=O_RDWR|0x8000 = -ENOENT
		file 9 size=4k
		4 7 close fd=1 file=9
	EOF
	run -0 "$iorig" trace dump a.iotrace
	diff - <(echo "$output") <<-'EOF'
		header {"schema":"iorig.trace/1","version":1}
		thread 1 tid=10 pid=10
		file 1 path="/a"
		fd pid=10 fd=3 file=1 flags=O_RDONLY pos=0 desc=0x8000000a00000003
		1.000000+0.000000 1 read fd=3 file=1 length=10 = 10
		2.000000+0.000000 1 fsync fd=3 file=1 = 0
		3.500000+1.000000 1 openat path="/a" flags=O_RDWR|O_LARGEFILE = -ENOENT
		file 2 size=4096
		4.000000+0.000000 1 close fd=1 file=2 = 0
	EOF
}

@test "an error in the text names its line and the reason, and writes nothing" {
	refuse 1 "a line begins with a time, header, file, thread, fd, wake, residency, content, hole, loss, trailer or #, not with 'flie'" <<<'flie 1'
	refuse 2 "the header must be the first record" <<<$'thread 1 tid=1\nheader {}'
	refuse 1 "header needs a JSON object: '[' or '{' expected near 'nonsense'" <<<'header nonsense'
	refuse 2 "the trailer must be the last record" <<<$'trailer {}\nthread 1 tid=1'
	refuse 1 "thread 4 is not defined above" <<<'1 4 sync'
	refuse 2 "file 1 is not defined above" <<<$'thread 1 tid=1\n1 1 fsync fd=3 file=1'
	refuse 2 "thread ids must rise: 1 comes after 1" <<<$'thread 1 tid=1\nthread 1 tid=2'
	refuse 1 "thread 1 is not defined above" <<<'thread 1 tid=1 parent=1'
	refuse 1 "'0' is no id of a file: a number from 1 is needed" <<<'file 0'
	refuse 2 "there is no operation 'raed'; iorig-syscalls(5) lists them" <<<$'thread 1 tid=1\n1 1 raed'
	refuse 2 "fsync has no key 'offset'" <<<$'thread 1 tid=1\n1 1 fsync offset=3'
	refuse 2 "fd= is given twice" <<<$'thread 1 tid=1\n1 1 fsync fd=3 fd=4'
	refuse 2 "fd= is out of range" <<<$'thread 1 tid=1\n1 1 fsync fd=2147483648'
	refuse 2 "length= has no valid value at '-1'" <<<$'thread 1 tid=1\n1 1 read length=-1'
	refuse 2 "length= has no valid value at '18446744073709551616'" <<<$'thread 1 tid=1\n1 1 read length=18446744073709551616'
	refuse 2 "length= is followed by 'x'" <<<$'thread 1 tid=1\n1 1 read length=5x'
	refuse 2 "'-ENOSUCH' is no error that this system knows" <<<$'thread 1 tid=1\n1 1 sync = -ENOSUCH'
	refuse 2 "the result must be a number or an error as in -ENOENT, not 'x'" <<<$'thread 1 tid=1\n1 1 sync = x'
	refuse 2 "the time must be SECONDS+SECONDS with at most nine digits behind the point" <<<$'thread 1 tid=1\n1.0000000001 1 sync'
	refuse 2 "the time must be SECONDS+SECONDS with at most nine digits behind the point" <<<$'thread 1 tid=1\n18446744073.709551616 1 sync'
	refuse 1 "a string must stand in double quotes" <<<'file 1 path=/a'
	refuse 1 "a string has no closing quote" <<<'file 1 path="/a'
	refuse 1 'a string has an escape other than \\ \" \n \t \xNN' <<<'file 1 path="\q"'
	refuse 1 "a string holds a NUL byte" <<<'file 1 path="\x00"'
	refuse 1 "there is a NUL byte in this line" < <(printf 'file 1\0\n')
}

@test "build leaves an existing file alone when it fails, and needs -o" {
	echo precious >kept
	run -1 "$iorig" trace build - -o kept <<<'flie'
	[ "$(cat kept)" = precious ]
	run -2 --separate-stderr "$iorig" trace build -
	[ "$stderr" = "iorig: trace build: -o FILE is needed" ]
	run -1 --separate-stderr "$iorig" trace build missing.txt -o x
	[ "$stderr" = "iorig: cannot read 'missing.txt': No such file or directory" ]
	run -1 --separate-stderr "$iorig" trace build /dev/null -o no/such/folder/x
	[ "$stderr" = "iorig: cannot create 'no/such/folder/x': No such file or directory" ]
}

@test "info counts what is there, and its sha256 is the file's" {
	small 1000 >a.txt
	"$iorig" trace build a.txt -o a.iotrace
	run -0 --separate-stderr "$iorig" trace info --json a.iotrace
	[ -z "$stderr" ]
	[ "$(jq -r '[.schema,.events,.lost,.duration_ns,.files,.lanes,.bytes_read,.state,.complete,.problem]|@csv' <<<"$output")" = \
		'"iorig.trace-info/1",1000,0,999000123000,1,1,4096000,"whole",true,' ]
	[ "$(jq -r .sha256 <<<"$output")" = "$(sha256sum a.iotrace | cut -d' ' -f1)" ]
	[ "$(jq '.bytes == .bytes_per_event * .events' <<<"$output")" = true ]
	[ "$(jq .bytes <<<"$output")" = "$(stat -c %s a.iotrace)" ]
	run -0 "$iorig" trace info a.iotrace
	[ "${lines[0]}" = '"a.iotrace" is whole' ]
	[ "${lines[1]}" = "events    1000, and 0 lost" ]
}

@test "stat gives count, errors, bytes and percentiles by operation and class, and the busiest files" {
	build a.iotrace <<-'EOF'
		thread 1 tid=1
		file 1 path="/hot"
		file 2 path="/cold"
		1+0.000001 1 read fd=3 file=1 length=100 = 100
		2+0.000001 1 read fd=3 file=1 length=100 = 50
		3+0.000001 1 pread64 fd=3 file=1 length=100 = -EIO
		4+0.000100 1 write fd=3 file=2 length=7
		5+0.000100 1 copy_file_range fd=3 fd2=4 file=1 file2=2 length=9 = 9
	EOF
	run -0 "$iorig" trace stat --json a.iotrace
	[ "$(jq -c '[.class.read|.count,.bytes,.errors,.lat_ns.max]' <<<"$output")" = "[3,150,1,1000]" ]
	[ "$(jq -c '[.op.pread64|.count,.bytes,.errors]' <<<"$output")" = "[1,0,1]" ]
	[ "$(jq -c '[.class.all|.count,.bytes,.errors,.lat_ns.max]' <<<"$output")" = "[5,166,1,100000]" ]
	[ "$(jq -c '[.files[]|.path,.events,.bytes_read,.bytes_written]' <<<"$output")" = '["/hot",4,159,0,"/cold",1,0,16]' ]
	[ "$("$iorig" trace stat --json --top 1 a.iotrace | jq '.files|length')" = 1 ]
	run -0 "$iorig" trace stat a.iotrace
	grep -Eq '^  pread64 +1 +1 +0 +1000 ns +1000 ns +1000 ns$' <<<"$output"
}

@test "lost events are told by info, stat and check" {
	build a.iotrace <<-'EOF'
		thread 1 tid=1
		1 1 sync
		loss count=12 first=1 last=2 cause=ring-full
		loss count=3 first=1 last=2 cause=skipped
	EOF
	run -0 "$iorig" trace check a.iotrace
	[ "$output" = "a.iotrace: good, 1 events; incomplete: 15 more events were lost while it was recorded" ]
	run -0 "$iorig" trace info a.iotrace
	[ "${lines[0]}" = '"a.iotrace" is whole, but events were lost while it was recorded' ]
	[ "${lines[1]}" = "events    1, and 15 lost" ]
	[ "$("$iorig" trace info --json a.iotrace | jq -c '[.lost,.lost_by_cause.ring_full,.lost_by_cause.skipped,.complete]')" = "[15,12,3,false]" ]
	run -0 "$iorig" trace stat a.iotrace
	[[ "$output" == *"15 more events happened but are not in the trace"* ]]
}

@test "four failures, four messages" {
	small 100000 | "$iorig" trace build - -o good.iotrace
	size=$(stat -c %s good.iotrace)

	echo "hello, this is text" >text
	for verb in check info dump stat; do
		run -1 --separate-stderr "$iorig" trace $verb text
		[ "$stderr" = "iorig: 'text': not an iorig trace: it does not start with the magic bytes" ]
		[ -z "$output" ]
	done

	cp good.iotrace flipped
	byte=$(od -An -tu1 -j$((size / 2)) -N1 flipped)
	printf "\\x$(printf %02x $((byte ^ 1)))" | dd of=flipped bs=1 seek=$((size / 2)) conv=notrunc status=none
	for verb in check info dump stat; do
		run -1 --separate-stderr "$iorig" trace $verb flipped
		[[ "$stderr" =~ ^"iorig: 'flipped': corrupt at byte "[0-9]+", after "[0-9]+" good events: the checksum of the block does not match"$ ]]
	done

	head -c $((size / 2)) good.iotrace >half
	for verb in check info dump stat; do
		run -3 --separate-stderr "$iorig" trace $verb half
		[[ "$stderr" =~ ^"iorig: 'half': truncated at byte $((size / 2)), after "[0-9]+" events: the recording or the copy was cut short"$ ]]
	done
	[ "$("$iorig" trace info --json half 2>/dev/null | jq -r .state)" = truncated ]
	[ "$("$iorig" trace dump half 2>/dev/null | grep -c pread64)" = "$("$iorig" trace info --json half 2>/dev/null | jq .events)" ]

	run -1 --separate-stderr "$iorig" trace check missing
	[ "$stderr" = "iorig: 'missing': cannot be read at byte 0: No such file or directory" ]
	run -1 --separate-stderr "$iorig" trace check .
	[ "$stderr" = "iorig: '.': cannot be read at byte 0: Is a directory" ]
}

@test "wrong usage is exit 2" {
	run -2 --separate-stderr "$iorig" trace
	[[ "$stderr" == "usage: iorig trace VERB"* ]]
	run -2 --separate-stderr "$iorig" trace frobnicate
	[ "$stderr" = "iorig: trace: there is no verb 'frobnicate'; see 'iorig trace -h'" ]
	for verb in info stat dump check; do
		run -2 --separate-stderr "$iorig" trace $verb
		[ "$stderr" = "iorig: trace $verb: exactly one file is needed; see 'iorig trace $verb -h'" ]
		run -2 "$iorig" trace $verb a b
	done
}

@test "the manual page names every option of every verb" {
	page=$BATS_TEST_DIRNAME/../../docs/iorig-trace.1
	run -0 "$iorig" trace -h
	for verb in $(sed -n 's/^  \([a-z]*\)  .*/\1/p' <<<"$output"); do
		grep -q "^.Nm iorig trace $verb$" "$page" || { echo "$verb is missing"; false; }
		for option in $("$iorig" trace "$verb" -h | sed -n 's/^ .*--\([a-z][a-z0-9-]*\).*/\1/p'); do
			grep -Eq "Fl (-|[a-z] , -)$option" "$page" || { echo "$verb --$option is missing"; false; }
		done
	done
}

@test "a full disk under the output is an error" {
	small 10 | "$iorig" trace build - -o a.iotrace
	for verb in dump info stat check; do
		run -1 sh -c "'$iorig' trace $verb a.iotrace >/dev/full"
	done
}

# A trace with names in every place.
named() {
	cat <<-'EOF'
		header {"hostname":"bigbank","kernel":"6.1","mounts":[{"path":"/srv/customers","options":"rw,lowerdir=/secret/lower","type":"ext4"}],"command":["backup.sh","--all"]}
		thread 1 tid=10 comm="payrolld" cwd="/srv/customers"
		file 1 dev=8:1 ino=5 mode=0100644 size=5 path="/srv/customers/Miller & Sons/invoice.2024.pdf"
		file 2 dev=8:1 ino=6 mode=0120777 path="/srv/customers/latest" target="../customers/Miller & Sons"
		1.000000+0.000001 1 openat fd=AT_FDCWD file=1 path="/srv/customers/Miller & Sons/invoice.2024.pdf" flags=O_RDWR = 3
		2.000000+0.000001 1 renameat2 fd=AT_FDCWD fd2=AT_FDCWD file=1 path="/srv/customers/./.bashrc" path2="/srv/customers/../archive" = 0
		3.000000+0.000001 1 fsetxattr fd=3 file=1 path2="user.accountant" length=7 = 0
		trailer {"seen":3,"cgroup":"/system.slice/payroll.service"}
	EOF
}

@test "anonymize leaves the calls and takes every name" {
	named | "$iorig" trace build - -o a.iotrace
	echo "my key" >key
	run -0 --separate-stderr "$iorig" trace anonymize -k key -o anonymous.iotrace a.iotrace
	[ -z "$output$stderr" ]
	"$iorig" trace dump anonymous.iotrace >dump
	for name in bigbank customers Miller Sons invoice 2024 pdf latest payroll archive bashrc accountant backup secret lower slice; do
		! grep -qi "$name" dump || { echo "$name is still there"; cat dump; false; }
	done
	# Without strings and the documents, nothing has changed.
	strip() { grep -v '^header\|^trailer' | sed 's/"[^"]*"/""/g'; }
	diff <(named | "$iorig" trace build - -o b && "$iorig" trace dump b | strip) <(strip <dump)
	# Equal names have equal pseudonyms, and what means something to the kernel stays.
	[ "$(grep -o 'path="[^"]*"' dump | sed -n 1p)" = "$(grep -o 'path="[^"]*"' dump | sed -n 3p)" ]
	grep -q 'target="\.\./' dump
	grep -q 'path2="user\.[0-9a-f]*"' dump
	grep -q 'path="/[0-9a-f]*/[0-9a-f]*/\./[0-9a-f]*"' dump
	grep -q '"kernel":"6.1"' dump
	grep -q '"options":"rw"' dump
	grep -q 'comm="[0-9a-f]\{14\}"' dump
}

@test "anonymize: the key decides, and what is to stay stays" {
	named | "$iorig" trace build - -o a.iotrace
	echo one >key1
	echo two >key2
	"$iorig" trace anonymize -k key1 -o 1.iotrace a.iotrace
	"$iorig" trace anonymize -k key1 -o 1again.iotrace a.iotrace
	"$iorig" trace anonymize -k key2 -o 2.iotrace a.iotrace
	"$iorig" trace anonymize -o random1.iotrace a.iotrace
	"$iorig" trace anonymize -o random2.iotrace a.iotrace
	cmp 1.iotrace 1again.iotrace
	[ "$(sha256sum 1.iotrace 2.iotrace random1.iotrace random2.iotrace | cut -d' ' -f1 | sort -u | wc -l)" = 4 ]
	"$iorig" trace anonymize --keep-extensions --keep-directories -o kept.iotrace a.iotrace
	"$iorig" trace dump kept.iotrace >dump
	grep -q 'file 1 .* path="/srv/[0-9a-f]*/[0-9a-f]*/[0-9a-f]*\.pdf"' dump
	! grep -q "bashrc\|2024" dump
}

@test "anonymize refuses an empty key, a missing -o and a trace that is cut short, and writes nothing" {
	named | "$iorig" trace build - -o a.iotrace
	: >empty
	run -1 --separate-stderr "$iorig" trace anonymize -k empty -o x a.iotrace
	[ "$stderr" = "iorig: cannot read the key in 'empty': it is empty" ]
	run -2 --separate-stderr "$iorig" trace anonymize a.iotrace
	[ "$stderr" = "iorig: trace anonymize: -o FILE is needed" ]
	head -c 500 a.iotrace >half
	run -3 --separate-stderr "$iorig" trace anonymize -o x half
	[[ "$stderr" == "iorig: 'half': truncated at byte 500, after 0 events"* ]]
	[ -z "$(ls x* 2>/dev/null)" ]
}

@test "anonymize: what readlink returned is as long as the new target" {
	"$iorig" trace build - -o links.iotrace <<-'TEXT'
		thread 1 tid=1
		file 1 ino=1 mode=0120777 size=6 path="/old" target="README"
		0.1+0.1 1 readlink file=1 path="/old" length=100 = 6
		0.2+0.1 1 readlink file=1 path="/old" length=3 = 3
		0.3+0.1 1 symlink path="abc" path2="/new"
		0.4+0.1 1 readlink path="/new" length=4 = 3
	TEXT
	"$iorig" trace anonymize -o hidden.iotrace links.iotrace
	run -0 "$iorig" trace dump hidden.iotrace
	diff <(sed -E 's/"[^"]+"/NAME/g; s/^[^ ]+ //' <<<"$output" | grep -E 'readlink|size') - <<-'END'
		1 ino=1 mode=0120777 size=16 path=NAME target=NAME
		1 readlink file=1 path=NAME length=100 = 16
		1 readlink file=1 path=NAME length=3 = 3
		1 readlink path=NAME length=17 = 16
	END
	mkdir replayed
	run -0 "$iorig" replay hidden.iotrace --root replayed --json
	[ "$(jq .mismatch.count <<<"$output")" = 0 ]
}

@test "a block of few events a second is compressed harder" {
	local name

	for name in 0.01-quiet 0.00001-busy; do
		{ echo 'thread 1 tid=10 comm="cat"'
		awk -v step="${name%-*}" 'BEGIN { for (i = 0; i < 500; i++)
			printf "%.6f+0.000001 1 stat path=\"/srv/%d/part-%d/of-%d\" = -ENOENT\n", i * step, i % 7, i * i % 31, i * 7919 % 1009 }'; } >"$name"
		build "$name.chosen" <"$name"
		for level in 1 3; do "$iorig" trace build "$name" --level $level -o "$name.$level"; done
	done
	run -1 cmp -s 0.01-quiet.1 0.01-quiet.3
	cmp 0.01-quiet.chosen 0.01-quiet.3
	cmp 0.00001-busy.chosen 0.00001-busy.1
}
