#!/bin/sh
# tree.sh DIR: what is in DIR, a line an entry: type, permissions, then of files links and size, of links the target; and the name.
cd "$1" || exit
find . -mindepth 1 \( -type f -printf '%y %m %n %s %P\n' \) -o \( -type d -printf '%y %m %P\n' \) -o \( -type l -printf '%y %l %P\n' \) | LC_ALL=C sort
