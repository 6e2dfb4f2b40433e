# For tests that compare a recording with what a program has done: sourced. $iorig is the program.

# The events of a trace without times and threads, with <path> instead of file numbers.
events() {
	"$iorig" trace dump "$1" | awk '
		/^file / {
			p = ""
			if (match($0, / path="/)) { p = substr($0, RSTART + 7); sub(/"( target=.*)?$/, "", p) }
			path[$2] = p
		}
		/^[0-9]/ {
			$1 = $2 = ""; sub(/^ +/, "")
			while (match($0, / file2?=[0-9]+/)) {
				split(substr($0, RSTART, RLENGTH), a, "=")
				$0 = substr($0, 1, RSTART - 1) a[1] "=<" path[a[2]] ">" substr($0, RSTART + RLENGTH)
			}
			print
		}'
}

# Those between the chdir to DIR and the end of the program.
events_in() {
	events "$1" | awk -v d="chdir file=<$2>" 'on && !/^exit/ { print } index($0, d) == 1 { on = 1 }'
}

trailer() { "$iorig" trace dump "$1" | sed -n 's/^trailer //p' | jq "$2"; }
