#!/bin/sh
# Runs in a guest (tests/guest.sh) whose kernel is locked down: what capture and doctor say, into /out.
mount -t securityfs none /sys/kernel/security
iorig capture -o /tmp/t -- true 2>/out/capture.err
echo $? >/out/capture.status
iorig doctor >/out/doctor
echo $? >/out/doctor.status
grep -q '\[confidentiality\]' /sys/kernel/security/lockdown
