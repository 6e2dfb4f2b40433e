#!/usr/bin/env bats
# The report page in a real browser: it draws every part, says nothing on the console, and hostile names stay text.
bats_require_minimum_version 1.5.0

setup_file() {
	cd "$BATS_TEST_DIRNAME/../.."
	export iorig=${IORIG:-$PWD/bin/iorig} spec=$PWD/tests/sweeps make=$PWD/tests/make-sweep.sh
	command -v chromium >/dev/null || skip "chromium is not installed (apt-get install chromium)"
}

setup() {
	command -v chromium >/dev/null || skip "chromium is not installed (apt-get install chromium)"
	cd "$BATS_TEST_TMPDIR"
}

# open FRAGMENT: page.html as the browser has it afterwards, in dom.html; what it said, in console.
open_page() {
	timeout 120 chromium --headless --no-sandbox --disable-gpu --user-data-dir="$BATS_TEST_TMPDIR/profile" --enable-logging=stderr --v=0 \
		--virtual-time-budget=20000 --window-size=1320,2000 --dump-dom "file://$BATS_TEST_TMPDIR/page.html#$1" >dom.html 2>stderr
	grep CONSOLE stderr >console || :
	cat console
	[ ! -s console ]
	grep -q 'data-drawn="yes"' dom.html
	! grep -q 'class="fail"' dom.html
}

@test "every part is drawn, in every view, and no operation is lost" {
	sh "$make" "$spec/night.txt" d
	"$iorig" report d --format html -o page.html
	open_page ''
	for title in 'Results matrix' 'Throughput, latency, risk' 'Main effects' 'Every run' 'Latency over time' 'Latency by percentile' 'Would fio have' 'Checks' \
		'Settings, as' 'Machine and method'; do
		grep -q "<h2>$title" dom.html || { echo "$title is missing"; false; }
	done
	grep -q 'Every operation is in the picture: cells and overflow add up to 1,200 and 1,200' dom.html
	for view in 'crop=1&y=lin&shade=log' 'crop=5&rows=1&hue=one&shade=linear' 'crop=0.1&rows=3&only=2' 'a=c000000003&b=c000000005&sort=p99_ns&risk=0&find=bfq' \
		'box=10,20,100,200' 'box=x,y&a=nobody&sort=nothing&rows=99'; do
		open_page "$view"
	done
	open_page 'crop=1'
	grep -Eq '▲ [0-9]+ \([0-9.]+%\) above' dom.html
	open_page 'box=0,60,0,400'
	grep -q 'ops in box' dom.html
	grep -q 'Slowest recorded examples' dom.html
}

@test "hostile names are inert" {
	cat >spec.txt <<-'END'
		sweep hostile
		blocks 3
		ops 100
		class read 1 90000 0.9
		cell a D0 1.0 1.0 x=1
		cell b D0 0.7 0.7 x=2
		name-file /srv/</script><img src=x onerror=document.title='owned'>
	END
	sh "$make" spec.txt d
	jq -c '.cells[1].label = "</script><script>document.title=\"owned\"</script><img src=x onerror=document.title=1>\u2028\u202e"' d/plan.json >p && mv p d/plan.json
	"$iorig" report d --format html -o page.html
	open_page 'box=0,60,0,400'
	grep -q '<title>hostile - iorig</title>' dom.html
	! grep -q '<img' dom.html
	grep -q '&lt;/script&gt;&lt;script&gt;' dom.html
	grep -q '/srv/&lt;/script&gt;&lt;img src=x' dom.html
}

@test "a script that is not ours is refused by the policy" {
	sh "$make" "$spec/night.txt" d
	"$iorig" report d --format html | sed 's|</main>|<script>document.title="owned"</script></main>|' >page.html
	run open_page ''
	grep -q 'Refused to execute inline script\|violates the following Content Security Policy' console
	grep -q '<title>mail-night - iorig</title>' dom.html
}

@test "an empty and a killed sweep have a page too" {
	{ cat "$spec/night.txt"; echo 'stop 9'; } >spec.txt
	sh "$make" spec.txt d
	"$iorig" report d --format html -o page.html
	open_page ''
	: >d/runs.ndjson
	"$iorig" report d --format html -o page.html
	open_page ''
	grep -q 'No verdict' dom.html
}
