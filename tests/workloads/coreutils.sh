#!/bin/bash
# shellcheck disable=SC2086,SC2094 # names without spaces; the order in time is what matters
# Sparse files, clones, hard links, backups, holes, direct and synced copies, trees moved and deleted.
# coreutils.sh setup|run, in $DATA
set -e
cd $DATA
case $1 in
setup)
	truncate -s 5M sp
	dd if=/dev/urandom of=sp bs=4k count=3 seek=100 conv=notrunc status=none
	mkdir t
	cp -r /usr/share/doc/bash /usr/share/doc/tar t/
	ln -s ../sp t/l
	head -c 3000000 /dev/urandom >big
	;;
run)
	cp --sparse=always sp a
	cp --sparse=never sp b
	cp --reflink=auto big c
	cp --reflink=never big d
	cp -a t u
	cp -al t v
	ln t/bash/copyright t/hard
	cat t/hard >/dev/null
	mv u w
	mv -T w x
	cp --backup=numbered big c
	find x -name '*.gz' -delete
	find x -depth -delete
	split -b 100k big part.
	cat part.* | cmp - big
	rm part.*
	truncate -s 100 d
	fallocate -l 1M e
	fallocate -p -o 4096 -l 8192 big
	ln -sf big t/l
	shred -u -n 1 c
	dd if=big of=dd.out bs=64k oflag=direct conv=fsync status=none
	tac t/bash/copyright >tac
	sort -S 100k --parallel=2 big >sorted
	sync sorted
	;;
esac
