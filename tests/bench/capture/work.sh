#!/bin/sh
# One workload of tests/bench/capture.sh: prints its CPU time and its wall clock time in ns, for a call or (git, tar) for all of it.
#	work.sh WORKLOAD DIR [MILLISECONDS]
set -eu
what=$1 dir=$2 ms=${3:-150}
bin=$(cd "$(dirname "$0")/../../.." && pwd)/build/helpers

# The reads' own time, without fio's start.
fio_reads() {
	fio --name=r --filename="$dir/file" --size=16m --rw=randread --bs=4k --io_size=800m --ioengine=psync --invalidate=0 --thread --output-format=json |
		jq -r '.jobs[0] | "\((.usr_cpu + .sys_cpu) / 100 * .job_runtime * 1e6 / .read.total_ios) \(1e9 / .read.iops)"'
}

git_work() {
	rm -rf "$dir/clone"
	git clone -q "$dir/git" "$dir/clone"
	for _ in 1 2 3; do git -C "$dir/clone" status; done
	git -C "$dir/clone" log --stat
	grep -r iorig "$dir/clone"
}

tar_work() {
	rm -rf "$dir/copy"
	mkdir "$dir/copy"
	tar cf "$dir/copy.tar" -C "$dir/git" --exclude .git .
	for i in 1 2 3; do mkdir "$dir/copy/$i" && tar xf "$dir/copy.tar" -C "$dir/copy/$i"; done
	find "$dir/copy" -type f -newer "$dir/file"
	rm -r "$dir/copy"
}

case $what in
git-inside) git_work >/dev/null ;;
tar-inside) tar_work >/dev/null ;;
git | tar) "$bin/cputime" sh "$0" "$what-inside" "$dir" 2>&1 ;;
fio) fio_reads ;;
pread2) "$bin/ioloop" pread "$dir/file" "$ms" 2 ;;
*) "$bin/ioloop" "$what" "$dir/file" "$ms" ;;
esac
