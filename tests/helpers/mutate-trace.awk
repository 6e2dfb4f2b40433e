# Makes a hostile trace out of a good one in text form: about every RATE-th record gets an extreme number, a dangerous path, another
# operation or another result, or is doubled, dropped or left.
#	awk -v seed=N [-v rate=20] [-v canary=DIR] -f mutate-trace.awk good.txt
function pick(list, n, parts) { n = split(list, parts, " "); return parts[1 + int(rand() * n)] }
function number() { return pick("0 1 -1 2 7 4095 4096 65536 2147483647 2147483648 4294967295 4294967296 9223372036854775807 -9223372036854775808 18446744073709551615") }
function dangerous(i, text) {
	i = int(rand() * 8)
	if (i == 0) return "/../../../../../../../../.." canary "/f"
	if (i == 1) return canary "/f"
	if (i == 2) return "/"
	if (i == 3) return "/."
	if (i == 4) { text = "/"; for (i = 0; i < 255; i++) text = text "n"; return text }
	if (i == 5) { text = ""; for (i = 0; i < 1000; i++) text = text "/ab"; return text }
	if (i == 6) return "/proc/self/fd/3"
	return "/./a//b/../c/"
}
BEGIN { srand(seed); if (!rate) rate = 20 }
/^(header|trailer|#)/ { print; next }
{
	line = $0
	while (rand() < 1 / rate) {
		what = int(rand() * 7)
		if (what == 0) { if (match(line, /(fd2?|offset2?|length|arg|flags|mode|size|nlink|pos|pages?|ring)=[-0-9x]+/)) {
			key = substr(line, RSTART, RLENGTH); sub(/=.*/, "", key)
			line = substr(line, 1, RSTART - 1) key "=" number() substr(line, RSTART + RLENGTH) } }
		else if (what == 1) { if (match(line, /path2?="[^"]*"/)) {
			key = substr(line, RSTART, RLENGTH); sub(/=.*/, "", key)
			line = substr(line, 1, RSTART - 1) key "=\"" dangerous() "\"" substr(line, RSTART + RLENGTH) } }
		else if (what == 2) { if (line ~ /^[0-9]/) sub(/ = .*/, " = " pick("0 1 3 4096 -ENOENT -EEXIST -ENOTDIR -EBADF -EINVAL -ENOTEMPTY -ELOOP 2147483647 9223372036854775807 -9223372036854775808"), line) }
		else if (what == 3) { if (line ~ /^[0-9]/) {
			n = split(line, w, " "); w[3] = pick("read write openat close dup dup2 rename link unlink rmdir mkdir truncate ftruncate mmap munmap msync madvise fallocate lseek readv pwritev getdents64 flock fcntl fork execve exit recv_fd close_range fault_write copy_file_range sendfile setxattr fgetxattr symlink mknod chmod chown statx")
			line = w[1]; for (i = 2; i <= n; i++) line = line " " w[i] } }
		else if (what == 4) print line
		else if (what == 5) next
		else if (what == 6 && line ~ /^file/) sub(/mode=[0-7]+/, "mode=" pick("020666 060666 010644 0140777 0120777 040777 0104777 0"), line)
	}
	print line
}
