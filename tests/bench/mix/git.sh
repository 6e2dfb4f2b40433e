#!/bin/sh
git init -q g && cd g && git config user.email a@b && git config user.name a
mkdir -p $(seq -f d%g 1 40)
for i in 1 2 3 4 5 6; do
	for d in d*; do for f in 1 2 3 4 5 6 7 8; do echo "$i $d $f" >>"$d/$f"; done; done
	git add -A && git commit -qm "$i" && git status >/dev/null && git log -p >/dev/null
done
git checkout -q HEAD~3 && git repack -qad && git gc -q && git fsck >/dev/null 2>&1
