# What the agent (box.sh) and its uploader (upload.sh) share; sourced. Everything comes from `iorig box` in IORIG_* variables.
# shellcheck shell=sh
# State below $IORIG_STATE: header (the token, for curl), pending (uploads that wait for the network), name (of the sweep),
# sweeps/NAME (the sweep directory), traces/SHA256.

uptime_s()
{
	read -r up rest </proc/uptime
	printf '%s\n' "${up%%.*}"
}

# Tells the watchdog's feeder that we are alive, and how long it may take until we say so again.
progress()
{
	[ -d "${IORIG_DEADLINE%/*}" ] || return 0
	printf '%s\n' "$(($(uptime_s) + IORIG_STALL_S))" >"$IORIG_DEADLINE.new" && mv "$IORIG_DEADLINE.new" "$IORIG_DEADLINE"
}

# On the image's own consoles: a line on the serial one, the whole page on the screen.
show()
{
	printf 'iorig %6ss  %s: %s\n' "$(uptime_s)" "$1" "$2"
	if [ -e /etc/iorig/manifest ] && [ -w /dev/tty1 ]; then
		{
			printf '\033[2J\033[H  iorig test box %s\n  server  %s\n  sweep   %s\n  up      %s s\n\n  %s\n  %s\n' \
				"$IORIG_BOX" "$IORIG_SERVER" "$(cat "$IORIG_STATE/name" 2>/dev/null)" "$(uptime_s)" "$1" "$2"
		} >/dev/tty1
	fi
}

# request TIMEOUT_S CURL-ARGUMENT...: prints the HTTP status, 000 when the server cannot be reached.
request()
{
	limit=$1
	shift
	curl -s -o /dev/null -w '%{http_code}' --connect-timeout 5 --max-time "$limit" -H "@$IORIG_STATE/header" -H 'Expect:' "$@" || :
}

# Writes the status document from a state and a message, for upload with other things.
write_status()
{
	jq -n --arg box "$IORIG_BOX" --arg sweep "$(cat "$IORIG_STATE/name" 2>/dev/null)" --arg state "$1" --arg message "$2" \
		--argjson uptime "$(uptime_s)" \
		'{schema: "iorig.status/1", box: $box, state: $state, message: $message, sweep: $sweep, uptime_s: $uptime}' \
		>"$IORIG_STATE/status.json"
}
