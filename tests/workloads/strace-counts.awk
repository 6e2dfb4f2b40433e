# Counts what a log of strace -f -yy -s 0 says: the independent truth that a recording is held against.
#   LC_ALL=C awk -v recorded="open openat ..." -f strace-counts.awk LOG
# Prints, for the calls of the names in `recorded`, from the second execve of the log on (the first starts the gate, see both.sh):
#   calls NAME RESULT COUNT       RESULT is ok or an error's name
#   bytes read|write PATH COUNT   PATH as the kernel names it at the time of the call, without (deleted)
#
# What iorig leaves out by design is left out here by these rules, each on what strace shows:
#   R1 a descriptor that is a pipe, a socket, an anonymous inode or a device (strace -yy says so); memfd and shared memory are files
#   R2 a path, or a descriptor's path, in /proc, /sys or /dev (but /dev/shm). /proc/self/fd/N is what that descriptor leads to
#   R3 a stat that found a device, FIFO or socket
#   R4 mappings without a file, and munmap, mremap, madvise and msync of addresses where no file is mapped
#   R5 a call that never returned (= ?): exit, or killed in it. One that is restarted has returned, with ERESTART*
#   R6 a bind to an address that is no path
BEGIN {
	n = split(recorded, names, " ")
	for (i = 1; i <= n; i++) known[names[i]] = 1
	split("read pread64 readv preadv preadv2", names, " ")
	for (i in names) direction[names[i]] = "read"
	split("write pwrite64 writev pwritev pwritev2", names, " ")
	for (i in names) direction[names[i]] = "write"
	split("clone clone3 fork vfork sync close_range io_setup io_destroy io_submit io_getevents io_pgetevents io_uring_setup io_uring_enter io_uring_register", names, " ")
	for (i in names) form[names[i]] = "always"
	split("munmap mremap madvise msync", names, " ")
	for (i in names) form[names[i]] = "address"
	split("openat openat2 newfstatat statx faccessat faccessat2 readlinkat mkdirat renameat renameat2 linkat unlinkat mknodat fchmodat fchmodat2 fchownat futimesat utimensat execveat", names, " ")
	for (i in names) form[names[i]] = "at"
}

function hex(text,    value, i) {
	value = 0
	for (i = 3; i <= length(text); i++) value = value * 16 + index("0123456789abcdef", substr(text, i, 1)) - 1
	return value
}

# Octal escapes of strace become bytes.
function plain(text,    out, at) {
	out = ""
	while ((at = index(text, "\\")) > 0) {
		out = out substr(text, 1, at - 1)
		if (match(substr(text, at + 1), /^[0-7][0-7]?[0-7]?/)) {
			out = out sprintf("%c", octal(substr(text, at + 1, RLENGTH)))
			text = substr(text, at + 1 + RLENGTH)
		} else {
			out = out (substr(text, at + 1, 1) == "n" ? "\n" : substr(text, at + 1, 1) == "t" ? "\t" : substr(text, at + 1, 1))
			text = substr(text, at + 2)
		}
	}
	return out text
}

function octal(digits,    value, i) {
	value = 0
	for (i = 1; i <= length(digits); i++) value = value * 8 + substr(digits, i, 1)
	return value
}

# Cuts the next argument off `rest`. An annotated descriptor keeps its annotation, a text its quotes.
function argument(    token) {
	if (match(rest, /^"([^"\\]|\\.)*"(\.\.\.)?/)) {
	} else if (match(rest, /^(-?[0-9]+|AT_FDCWD)</)) {
		match(rest, />(\(deleted\))?(, |$)/)
		if (RSTART) RLENGTH = RSTART + RLENGTH - 1
		RSTART = 1
		token = substr(rest, 1, RLENGTH)
		sub(/, $/, "", token)
		rest = substr(rest, RLENGTH + 1)
		return token
	} else if (match(rest, /^\[/)) {
		match(rest, /\](, |$)/)
		RLENGTH = RSTART
	} else
		match(rest, /^[^,]*/)
	token = substr(rest, 1, RLENGTH)
	rest = substr(rest, RLENGTH + 1)
	sub(/^, /, "", rest)
	return token
}

# The path of an annotated descriptor; "" when it is none, or not of a file that is recorded (R1, R2).
function path_of(token) {
	if (!match(token, /<\//)) return ""
	token = substr(token, RSTART + 1)
	if (token ~ /<(char|block) [0-9]+:[0-9]+>>/) return ""
	sub(/>?\(deleted\)$/, "", token)
	sub(/>$/, "", token)
	sub(/ \(deleted\)$/, "", token)
	if (token ~ /\/#[0-9]+$/) return "(no name)" # made by O_TMPFILE
	return pseudo(token) ? "" : plain(token)
}

function pseudo(path) {
	return path ~ /^\/(proc|sys|dev)(\/|$)/ && path !~ /^\/dev\/shm(\/|$)/
}

function without_descriptor(token) { # so that nobody can say what it is: EBADF is recorded
	return outcome == "EBADF" && token !~ /</
}

function file_call(token) { return path_of(token) != "" || without_descriptor(token) }

# The path by which this process's descriptor was named last: what /proc/self/fd/N leads to.
function note_descriptors(text,    fd) {
	while (match(text, /(^|[( ])[0-9]+</)) {
		text = substr(text, RSTART)
		sub(/^[( ]/, "", text)
		fd = text + 0
		if (match(text, /^[0-9]+<[^>]*>/)) named[pid, fd] = substr(text, 1, RLENGTH)
		text = substr(text, RLENGTH + 1)
	}
}

function magic(path) {
	if (path !~ /^"\/proc\/self\/fd\/[0-9]+"$/ || path_of(named[pid, substr(path, 16) + 0]) == "") return 0
	if (name == "linkat") return rest ~ /AT_SYMLINK_FOLLOW/
	return name !~ /^(readlink|lstat|l[a-z]*xattr|lchown|link|rename|unlink|rmdir|mkdir|mknod|symlink)/ && rest !~ /_NOFOLLOW/
}

# An absolute or relative path argument: not in a pseudo file system, and its directory not either.
function path_call(directory, path) {
	if (magic(path)) return 1
	path = substr(path, 2)
	if (path ~ /^\//) { sub(/"$/, "", path); return !pseudo(path) }
	return !match(directory, /<\//) || !pseudo(substr(directory, RSTART + 1, length(directory) - RSTART - 1))
}

# R4: mapped files of an address space, as lists of intervals.
function map_add(space, begin, end,    n) {
	map_cut(space, begin, end)
	n = ++maps[space]
	map_begin[space, n] = begin
	map_end[space, n] = end
}

function map_cut(space, begin, end,    i, b, e) {
	for (i = 1; i <= maps[space]; i++) {
		b = map_begin[space, i]; e = map_end[space, i]
		if (e <= begin || b >= end) continue
		# What is left: a part before, a part behind, both (the second goes to the end of the list) or nothing (the last takes its place).
		if (b < begin) {
			map_end[space, i] = begin
			if (e > end) { map_begin[space, ++maps[space]] = end; map_end[space, maps[space]] = e }
		} else if (e > end)
			map_begin[space, i] = end
		else {
			map_begin[space, i] = map_begin[space, maps[space]]
			map_end[space, i] = map_end[space, maps[space]--]
			i--
		}
	}
}

function mapped(space, begin, end,    i) {
	for (i = 1; i <= maps[space]; i++)
		if (map_begin[space, i] < end && map_end[space, i] > begin) return 1
	return 0
}

# A new thread or process. Its own calls may come in the log before the clone has returned; then it is the child of one that is under way.
function adopt(child, parent, text) {
	parent_of[child] = parent
	if (text ~ /CLONE_THREAD/) space[child] = space_of(parent)
	else copy_space(space_of(parent), child)
}

function adopt_early(child,    p) {
	for (p in pending)
		if (pending[p] ~ /^(clone3?|v?fork)\(/) { adopt(child, p, pending[p]); return }
}

function space_of(pid) { return (pid in space) ? space[pid] : pid }

function copy_space(from, to,    i) {
	maps[to] = maps[from]
	for (i = 1; i <= maps[from]; i++) { map_begin[to, i] = map_begin[from, i]; map_end[to, i] = map_end[from, i] }
}

# A call on an address. True: a file is mapped there. A munmap counts from its begin on: another thread may get the address before it has returned.
function on_address(    address, size, size2, is) {
	address = hex(argument())
	size = argument() + 0
	size = int((size + 4095) / 4096) * 4096
	is = mapped(space_of(pid), address, address + size)
	if (name == "munmap" && outcome == "ok") map_cut(space_of(pid), address, address + size)
	if (name == "mremap" && outcome == "ok") {
		size2 = int((argument() + 4095) / 4096) * 4096
		map_cut(space_of(pid), address, address + size)
		if (is) map_add(space_of(pid), hex(result), hex(result) + size2)
	}
	return is
}

function unmap_early(text) {
	if (text !~ /^munmap\(/) return
	name = "munmap"
	outcome = "ok"
	rest = substr(text, 8)
	unmapped[pid] = on_address()
}

function on_mmap(    length_, flags, fd, is) {
	argument()
	length_ = int((argument() + 4095) / 4096) * 4096
	argument()
	flags = argument()
	fd = argument()
	is = flags !~ /MAP_ANONYMOUS/ && file_call(fd)
	if (outcome == "ok") {
		if (is) map_add(space_of(pid), hex(result), hex(result) + length_)
		else map_cut(space_of(pid), hex(result), hex(result) + length_)
	}
	return is
}

function moved(direction_, token) {
	if (outcome == "ok" && result > 0 && path_of(token) != "") bytes[direction_ " " path_of(token)] += result
}

function on_copy(from, to) {
	moved("read", from)
	moved("write", to)
	return file_call(from) || file_call(to)
}

function on_descriptor(first,    second) {
	if (name in direction) moved(direction[name], first)
	if (name == "dup2" || name == "dup3") {
		second = argument()
		return file_call(first) || path_of(second) != ""
	}
	return file_call(first)
}

# Whether the call is one that is recorded. `rest` holds its arguments.
function wanted(    first, second) {
	if (form[name] == "always") return 1
	if (name == "bind") return rest ~ /sun_path="/
	if (form[name] == "address") return on_address()
	if (name == "mmap") return on_mmap()
	if (name ~ /^execve/ && outcome == "ok") { delete space[pid]; maps[pid] = 0; executed[pid] = 1 }
	first = argument()
	if (name == "sendfile") { second = argument(); return on_copy(second, first) }
	if (name == "copy_file_range" || name == "splice") { argument(); second = argument(); return on_copy(first, second) }
	if (name ~ /^symlink/) { second = argument(); return name == "symlink" ? path_call("", second) : path_call(second, argument()) }
	if (first ~ /^"/) {
		if ((name == "open" || name == "creat") && outcome == "ok" && path_of(result) == "") return 0
		return path_call("", first) && !(rest ~ /st_mode=S_IF(CHR|BLK|IFO|SOCK)/)
	}
	if (form[name] != "at") return on_descriptor(first)
	second = argument()
	if (second == "NULL" || (second == "\"\"" && first !~ /^AT_FDCWD/)) return file_call(first) && rest !~ /st_mode=S_IF(CHR|BLK|IFO|SOCK)/
	if (name ~ /^openat/ && outcome == "ok" && path_of(result) == "") return 0
	return path_call(first, second) && rest !~ /st_mode=S_IF(CHR|BLK|IFO|SOCK)/ && rest !~ /stx_mode=S_IF(CHR|BLK|IFO|SOCK)/
}

function on_call(text,    at, tail, is) {
	at = index(text, "(")
	name = substr(text, 1, at - 1)
	text = substr(text, at + 1)
	if (name == "ioctl" && text ~ /, FICLONE/) name = "ficlonerange"
	if (!match(text, /\) += [^=]*$/) && !match(text, /\) += .*$/)) { print "not understood: " name " " text >"/dev/stderr"; return }
	rest = substr(text, 1, RSTART - 1)
	tail = substr(text, RSTART)
	sub(/^\) += /, "", tail)
	result = tail
	outcome = "ok"
	if (match(tail, /^-1 [A-Z0-9]+/)) outcome = substr(tail, 4, RLENGTH - 3)
	else if (match(tail, /^\? [A-Z_]+/)) outcome = substr(tail, 3, RLENGTH - 2)
	else if (tail ~ /^\?/) return # R5
	if (outcome == "ok" && match(tail, /^[0-9]+</)) result = tail
	else sub(/ .*/, "", result)
	note_descriptors(text)
	if (outcome == "ok" && name ~ /^(clone|clone3|fork|vfork)$/) {
		if (parent_of[result] != pid && !executed[result]) adopt(result, pid, text)
	}
	if (pid in unmapped) { is = unmapped[pid]; delete unmapped[pid] }
	else is = wanted()
	if (name in known && is) calls[name " " outcome]++
}

{
	pid = $1
	text = $0
	sub(/^[0-9]+ +/, "", text)
	if (!begun) {
		if (text ~ /^execve\(/ && ++execs == 2) begun = 1
		else next
	}
	if (text ~ /^\+\+\+ (exited|killed)/) {
		calls["exit ok"]++
		delete parent_of[pid]; delete executed[pid]; delete space[pid]; maps[pid] = 0
		next
	}
	if (text ~ /^(\+\+\+|---)/) next
	if (text ~ / <unfinished \.\.\.>$/) { sub(/ <unfinished \.\.\.>$/, "", text); pending[pid] = text; unmap_early(text); next }
	if (match(text, /^<\.\.\. [a-z0-9_]+ resumed>/)) {
		text = pending[pid] substr(text, RSTART + RLENGTH)
		delete pending[pid]
	}
	if (!(pid in parent_of)) { parent_of[pid] = 0; adopt_early(pid) }
	on_call(text)
}

END {
	for (key in calls) print "calls", key, calls[key]
	for (key in bytes) print "bytes", key, bytes[key]
}
