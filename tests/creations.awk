# A recording as text: N small files are created, written and synced, one after the other; each write
# returned GOT (4096 is all of it): awk -v n=N -v got=GOT -f creations.awk
BEGIN {
	print "header {\"recorder\":\"test\"}"
	print "file 1 dev=254:0 ino=2 mode=040755 seen=0 path=\"/srv\""
	print "thread 1 tid=100 pid=100 seen=0 comm=\"test\" cwd=\"/srv\""
	for (i = 1; i <= n; i++) {
		t = i / 1000
		printf "file %d dev=254:0 ino=%d mode=0100644 bits=created seen=%f path=\"/srv/f%d\"\n", i + 1, i + 10, t, i
		printf "%f+0.000010 1 openat fd=AT_FDCWD file=%d path=\"/srv/f%d\" flags=O_WRONLY|O_CREAT mode=0644 bits=created = 3\n", t, i + 1, i
		printf "%f+0.000010 1 write fd=3 file=%d offset=0 length=4096 = %d\n", t + 0.0001, i + 1, got
		printf "%f+0.000100 1 fsync fd=3 file=%d = 0\n", t + 0.0002, i + 1
		printf "%f+0.000010 1 close fd=3 file=%d = 0\n", t + 0.0004, i + 1
	}
}
