#!/bin/sh
echo 'CREATE TABLE t(id INTEGER PRIMARY KEY, a TEXT);' | sqlite3 s.db
awk 'BEGIN { for (i = 0; i < 1500; i++) printf "INSERT INTO t(a) VALUES(hex(randomblob(%d)));\nSELECT count(*) FROM t WHERE id > %d;\n", 20 + i % 500, i * 7 % 900 }' |
	sqlite3 s.db >/dev/null
echo 'VACUUM;' | sqlite3 s.db
