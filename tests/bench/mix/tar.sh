#!/bin/sh
tar cf a.tar -C /usr/share/doc . && mkdir x && tar xf a.tar -C x && tar df a.tar -C x && find x -type f | wc -l && rm -r x
