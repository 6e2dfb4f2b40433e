#!/bin/bash
# shellcheck disable=SC2086,SC2094 # names without spaces; the order in time is what matters
# Compiled modules, archives, a journal written through a mapping, trees copied and moved, files without a name.
# python.sh setup|run, in $DATA
set -e
cd $DATA
case $1 in
setup)
	mkdir p
	cp -r /usr/lib/python3.11/json /usr/lib/python3.11/email /usr/lib/python3.11/logging p/
	find p -name __pycache__ -prune -exec rm -r {} +
	;;
run)
	/usr/bin/python3 -m compileall -q -j 2 p
	/usr/bin/python3 -m zipfile -c z.zip p
	/usr/bin/python3 -m zipfile -e z.zip out
	/usr/bin/python3 - <<'P'
import mmap,os,tempfile,shutil,sqlite3,dbm.dumb,pickle,shelve
f=open('journal','w+b'); f.truncate(8<<20); m=mmap.mmap(f.fileno(),8<<20)
for i in range(0,8<<20,65536): m[i:i+16]=b'x'*16
m.flush(0,1<<20); os.posix_fallocate(f.fileno(),8<<20,1<<20); m.flush(); m.close(); os.rename('journal','journal.old')
d=tempfile.mkdtemp(dir='.'); shutil.copytree('p',d+'/c',symlinks=True); shutil.move(d+'/c','moved'); shutil.rmtree(d)
s=shelve.open('shelf'); 
for i in range(100): s[str(i)]=i
s.close(); t=tempfile.TemporaryFile(dir='.'); t.write(b'a'*10000); t.flush(); t.close()
P
	;;
esac
