#!/bin/sh
fio --name=a --size=64m --rw=randrw --bs=4k --io_size=64m --ioengine=psync --fsync=32 --output=/dev/null
