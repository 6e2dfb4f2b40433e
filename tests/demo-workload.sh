#!/bin/sh
# The real program of the demo: demo-workload.sh DIR. sqlite3 keeps a mail index (one connection inserts and updates in transactions with
# full durability, two others query at the same time), then a batch of small files is written, archived, searched, renamed and deleted.
# More than 20 000 I/O calls, a few seconds. The same calls every time, but for how the three connections meet.
set -eu
dir=$1
transactions=70 queries=700

# A pseudo-random but repeatable order of keys.
writer_sql()
{
	awk -v n="$transactions" 'BEGIN {
		print ".timeout 60000\nPRAGMA journal_mode=DELETE; PRAGMA synchronous=FULL; PRAGMA cache_size=-400;"
		for (i = 1; i <= n; i++) {
			print "BEGIN IMMEDIATE;"
			for (k = 0; k < 4; k++)
				printf "INSERT INTO mail(box, subject, body) VALUES(%d, \"subject %d\", printf(\"%%.*c\", %d, \"x\"));\n", \
					(i * 7 + k) % 40, i * 4 + k, 300 + (i * 37 + k * 211) % 1500
			printf "UPDATE mail SET seen = 1 WHERE id = %d;\n", 1 + (i * 7919) % 4000
			print "COMMIT;"
		}
	}'
}

reader_sql()
{
	awk -v n="$queries" -v seed="$1" 'BEGIN {
		print ".timeout 60000\nPRAGMA cache_size=-200; PRAGMA mmap_size=0;"
		for (i = 1; i <= n; i++)
			printf "SELECT count(*), max(length(body)) FROM mail WHERE id BETWEEN %d AND %d;\n", \
				1 + (i * 7919 * seed) % 3900, 10 + (i * 7919 * seed) % 3900
	}'
}

mkdir -p "$dir/sql" "$dir/spool"
writer_sql >"$dir/sql/writer"
reader_sql 1 >"$dir/sql/reader1"
reader_sql 3 >"$dir/sql/reader2"
sqlite3 -batch "$dir/mail.db" >/dev/null <<'SQL'
PRAGMA page_size=4096; PRAGMA journal_mode=DELETE; PRAGMA synchronous=OFF;
CREATE TABLE mail(id INTEGER PRIMARY KEY, box INTEGER, subject TEXT, body TEXT, seen INTEGER DEFAULT 0);
CREATE INDEX by_box ON mail(box, seen);
BEGIN;
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 4000)
	INSERT INTO mail(box, subject, body) SELECT i % 40, 'subject ' || i, printf('%.*c', 300 + i * 37 % 1500, 'x') FROM n;
COMMIT;
SQL

sqlite3 -batch "$dir/mail.db" <"$dir/sql/reader1" >"$dir/reader1.out" &
sqlite3 -batch "$dir/mail.db" <"$dir/sql/reader2" >"$dir/reader2.out" &
sqlite3 -batch "$dir/mail.db" <"$dir/sql/writer" >"$dir/writer.out"
wait
sqlite3 -batch "$dir/mail.db" 'SELECT count(*) FROM mail;' >"$dir/count.out"

# Small files: 300 of them, twice, then half of them moved and all of the first ones gone.
cd "$dir/spool"
mkdir in out
seq 1 36000 | split -a 3 -l 120 - in/msg.
tar cf ../spool.tar in
tar xf ../spool.tar -C out
grep -rl 7777 out >../found
mv out/in/msg.a[a-f]* .
rm -r in
sync -f ../spool.tar
