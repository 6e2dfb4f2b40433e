# For tests whose assertions run inside a guest (tests/box/*.sh, booted by tests/guest.sh in setup_file): sourced. $out is what the guest
# printed, $rc its status.

need_guest() {
	[ "$rc" != 77 ] || skip "$(tail -1 "$out")"
}

# theme WORDS N: the guest's assertions of one theme are shown as one test, and none of the N may be missing.
theme() {
	run grep -c "^ok .*$1" "$out"
	[ "$output" -ge "$2" ] || { cat "$out"; false; }
}

ended_well() {
	[ "$rc" = 0 ] || { cat "$out"; false; }
	! grep '^not ok' "$out"
}
