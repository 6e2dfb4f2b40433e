#!/bin/sh
# In a guest: records workloads whose calls are known; everything that is needed to judge it is left in /out. See tests/long/kernels.bats.
uname -r >/out/kernel
mount -t debugfs none /sys/kernel/debug 2>/dev/null
cat /sys/kernel/debug/sched/preempt /sys/kernel/debug/sched_preempt >/out/preempt 2>/dev/null
nproc >/out/processors
iorig doctor >/out/doctor 2>&1
echo $? >/out/doctor.status
# Each says what it did; that a kernel cannot do it is 77.
tell() { # NAME COMMAND...
	name=$1
	shift
	mkdir -p /tmp/w
	iorig capture -o "/out/$name.iotrace" -- "$@" /tmp/w >"/out/$name.want" 2>"/out/$name.err"
	echo $? >"/out/$name.status"
	rm -rf /tmp/w
}
tell calls iocalls
tell uring iouring
tell compat iocompat
tell x32 iocompat -x
iorig capture -o /out/threads.iotrace --ring-size 64M -- iothreads /tmp/data 4 20000 >/out/threads.want 2>/out/threads.err
echo $? >/out/threads.status
