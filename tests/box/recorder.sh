# In a guest: records two workloads whose calls are known; everything that is needed to judge it is left in /out. See tests/long/kernels.bats.
mkdir /tmp/w
uname -r >/out/kernel
mount -t debugfs none /sys/kernel/debug 2>/dev/null
cat /sys/kernel/debug/sched/preempt /sys/kernel/debug/sched_preempt >/out/preempt 2>/dev/null
nproc >/out/processors
iorig doctor >/out/doctor 2>&1
echo $? >/out/doctor.status
iorig capture -o /out/calls.iotrace -- iocalls /tmp/w >/out/calls.want 2>/out/calls.err
echo $? >/out/calls.status
iorig capture -o /out/threads.iotrace --ring-size 64M -- iothreads /tmp/data 4 20000 >/out/threads.want 2>/out/threads.err
echo $? >/out/threads.status
