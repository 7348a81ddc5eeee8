#!/bin/busybox sh
# Process 1 of a virtual machine of `cargo xtask kernels`: mounts, runs /start, reports, powers off.
/bin/busybox --install -s /bin
export PATH=/bin
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs dev /dev 2>/dev/null
mount -t cgroup2 cgroup2 /sys/fs/cgroup
mount -t bpf bpf /sys/fs/bpf
# LAB_TRACEFS comes from the kernel command line: the kernel hands what it does not know to process 1.
[ "$LAB_TRACEFS" = off ] || mount -t tracefs tracefs /sys/kernel/tracing
ip link set lo up
tainted() { cat /proc/sys/kernel/tainted; }

before=$(tainted)
dmesg -c >/dev/null   # what follows is about the program
echo "lab: begin tainted=$before"
/start </dev/null 2>&1
rc=$?
after=$(tainted)
[ "$rc $after" = "0 $before" ] || { echo; echo "lab: kernel messages meanwhile"; dmesg; }
# The empty line: the program's last one may lack its newline.
echo; echo "lab: end rc=$rc tainted=$after"
poweroff -f
