#!/bin/sh
# In a guest of two processors: one is off when the recording begins and comes later; and rings that the machine has no room for. See
# tests/long/hotplug.bats.
echo 0 >/sys/devices/system/cpu/cpu1/online
cat /sys/devices/system/cpu/online >/out/online
iorig capture -o /out/t.iotrace -- sh -c '
	iorate /tmp/data 0 2000 1
	echo 1 >/sys/devices/system/cpu/cpu1/online
	iorate /tmp/data 1 2000 6' >/out/seeks 2>/out/err
echo $? >/out/status
cat /sys/devices/system/cpu/online >>/out/online
iorig capture -o /out/large.iotrace --ring-size 1G -- true 2>/out/large.err
echo $? >/out/large.status
