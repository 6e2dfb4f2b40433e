# Counts what a recording says, from the text of `iorig trace dump`, in the form of strace-counts.awk.
#   LC_ALL=C awk -f trace-counts.awk DUMP
# Files have the name that they had at the time of the call: as first seen, then as renames say. Of files with several names it is the one
# that was opened last.
# Requests of libaio and io_uring: requests uring|aio OPERATION RESULT COUNT, and bytes uring|aio-read|write PATH COUNT.
function text_of(key,    at, out) {
	at = index($0, " " key "=\"")
	if (!at) return ""
	out = substr($0, at + length(key) + 3)
	match(out, /^([^"\\]|\\.)*/)
	return plain(substr(out, 1, RLENGTH))
}

function plain(text,    out, at, c) {
	out = ""
	while ((at = index(text, "\\")) > 0) {
		out = out substr(text, 1, at - 1)
		c = substr(text, at + 1, 1)
		if (c == "x") {
			out = out sprintf("%c", index("0123456789abcdef", substr(text, at + 2, 1)) * 16 - 16 + index("0123456789abcdef", substr(text, at + 3, 1)) - 1)
			text = substr(text, at + 4)
		} else {
			out = out (c == "n" ? "\n" : c == "t" ? "\t" : c)
			text = substr(text, at + 2)
		}
	}
	return out text
}

function number_of(key) {
	return match($0, " " key "=[0-9]+") ? substr($0, RSTART + length(key) + 2, RLENGTH - length(key) - 2) + 0 : 0
}

function size_of(text) {
	return text ~ /k$/ ? text * 1024 : text ~ /M$/ ? text * 1048576 : text ~ /G$/ ? text * 1073741824 : text + 0
}

# Without . and .. and double slashes.
function normal(path,    part, n, i, kept, out) {
	n = split(path, part, "/")
	kept = 0
	for (i = 1; i <= n; i++) {
		if (part[i] == "" || part[i] == ".") continue
		if (part[i] == "..") { if (kept) kept--; continue }
		part[++kept] = part[i]
	}
	out = ""
	for (i = 1; i <= kept; i++) out = out "/" part[i]
	return out
}

function renamed(file, from, to,    f) {
	if (name[file] == from || !mode_directory[file]) { if (name[file] == from) name[file] = to }
	if (mode_directory[file])
		for (f in name)
			if (index(name[f], from "/") == 1) name[f] = to substr(name[f], length(from) + 1)
}

function moved(kind, file) {
	if (result > 0 && file) bytes[kind " " name[file]] += result
}

BEGIN {
	split("read pread64 readv preadv preadv2", names, " ")
	for (i in names) direction[names[i]] = "read"
	split("write pwrite64 writev pwritev pwritev2", names, " ")
	for (i in names) direction[names[i]] = "write"
	restart[-512] = "ERESTARTSYS"; restart[-513] = "ERESTARTNOINTR"; restart[-514] = "ERESTARTNOHAND"; restart[-516] = "ERESTART_RESTARTBLOCK"
}

/^thread / { parent[$2] = number_of("parent") }

/^file / {
	name[$2] = text_of("path")
	if (name[$2] == "") name[$2] = "(no name)"
	mode_directory[$2] = $0 ~ / mode=04/
}

/^[0-9]/ {
	op = $3
	if (op == "execve") begun = 1
	if (!begun) next
	result = outcome = "ok"
	# Without a result the read or write was complete.
	if (match($0, / = -?[0-9A-Za-z]+$/)) result = substr($0, RSTART + 3)
	else result = op in direction || op ~ /^(copy_file_range|sendfile|splice)$/ ? size_of(match($0, / length=[0-9kMG]+/) ? substr($0, RSTART + 8, RLENGTH - 8) : 0) : 0
	if (result ~ /^-E/) outcome = substr(result, 2)
	else if (result in restart) outcome = restart[result]
	else if (result ~ /[kMG]$/) result = size_of(result)
	via = match($0, / via=(uring|aio)/) ? substr($0, RSTART + 5, RLENGTH - 5) : ""
	if (via != "") requests[via " " op " " outcome]++
	else if (op == "exit") exits[$2] = 1
	else { calls[op " " outcome]++; made_calls[$2] = 1 }
	if (outcome != "ok") next
	file = number_of("file")
	file2 = number_of("file2")
	if (op in direction) moved((via == "" ? "" : via "-") direction[op], file)
	else if (op ~ /^(copy_file_range|sendfile|splice)$/) { moved("read", file); moved("write", file2) }
	else if (op ~ /^rename/) renamed(file, normal(text_of("path")), normal(text_of("path2")))
	else if (op ~ /^link/) linked[file] = 1
	else if (op ~ /^(open|creat)/ && linked[file]) name[file] = normal(text_of("path"))
}

END {
	# Workers and pollers of io_uring are threads that nobody forked and that call nothing; strace does not see them.
	for (thread in exits) calls["exit ok"] += parent[thread] || made_calls[thread] ? 1 : 0
	for (key in calls) print "calls", key, calls[key]
	for (key in requests) print "requests", key, requests[key]
	for (key in bytes) print "bytes", key, bytes[key]
}
