#!/bin/sh
# The first process of a guest. ttyS0 is the console, ttyS1 carries what the
# command prints, ttyS2 a tar of /out with the exit status in it.
export PATH=/usr/sbin:/usr/bin TZ=UTC HOME=/root DROPWATCH_GUEST=1
busybox mkdir -p /proc /sys /dev /tmp /root /run /out
busybox mount -t proc proc /proc
busybox mount -t sysfs sys /sys
busybox mount -t devtmpfs dev /dev
busybox mount -t tmpfs tmp /tmp
busybox mount -t tracefs trace /sys/kernel/tracing
busybox mount -t debugfs debug /sys/kernel/debug
busybox mkdir -p /dev/pts /dev/shm /sys/fs/cgroup
busybox mount -t devpts pts /dev/pts
busybox mount -t cgroup2 cgroup /sys/fs/cgroup
busybox --install -s
chmod 1777 /tmp
echo 100000 >/proc/sys/net/core/netdev_max_backlog # a flood is to be lost where the test says
echo 1 >/sys/kernel/rcu_expedited # what is switched off waits for milliseconds, not for idle CPUs
hostname guest
ip link set lo up
stty -F /dev/ttyS1 raw
stty -F /dev/ttyS2 raw

cd /root
setsid sh /vmtest-command </dev/null >/dev/ttyS1 2>&1
echo $? >/out/.status
tar -C /out -c . >/dev/ttyS2
reboot -f
