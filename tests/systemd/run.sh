#!/bin/sh
# Runs the unit under a real systemd, in a virtual machine: start, scrape, reload, a clock that is
# set, a bad configuration, stop, the drop-in for containers, a drain loop that stands still.
#
#   tests/systemd/run.sh VMLINUZ PXE_OBSERVER
#
# VMLINUZ is a kernel with BTF, as `cargo xtask kernels` fetches them. systemd, curl, bpftool and
# busybox are this machine's; QEMU_ACCEL=kvm is faster where there is one. Exit status 0 if each
# step came out as it has to.
set -eu
here=$(dirname "$(realpath "$0")")
kernel=$(realpath "$1")
observer=$(realpath "$2")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
root=$work/root

# A program and what it is linked to.
program() {
    install -D "$1" "$root$1"
    ldd "$1" 2>/dev/null | grep -oE '/[^ ]+' | while read -r library; do
        install -D "$library" "$root$library"
    done
}

mkdir -p "$root/bin" "$root/dev" "$root/proc" "$root/sys" "$root/run" "$root/tmp" "$root/etc" \
    "$root/var" "$root/root" "$root/usr/bin" "$root/etc/systemd/system"
for one in /usr/lib/systemd/systemd /usr/lib/systemd/systemd-journald /usr/bin/systemctl \
    /usr/bin/journalctl /usr/bin/curl /usr/sbin/bpftool /usr/bin/busybox /usr/bin/kill; do
    program "$(realpath "$one")"
done
# Debian's /bin and /lib lead to /usr.
for link in sh mount cp switch_root cat grep sleep mkdir rm poweroff ls; do
    ln -sf /usr/bin/busybox "$root/usr/bin/$link"
done
for link in bin sbin lib lib64; do
    if [ -e "$root/$link" ]; then
        mkdir -p "$root/usr/$link"
        cp -a "$root/$link/." "$root/usr/$link/"
        rm -rf "${root:?}/$link"
    fi
    ln -s "usr/$link" "$root/$link"
done
[ -e "$root/usr/bin/kill" ] || ln -s /usr/bin/busybox "$root/usr/bin/kill"

units=/usr/lib/systemd/system
mkdir -p "$root$units"
for unit in sysinit basic sockets timers paths slices local-fs local-fs-pre swap multi-user \
    network-online network shutdown umount final sysinit poweroff; do
    cp "$units/$unit.target" "$root$units/"
done
cp "$units"/systemd-journald.service "$units"/systemd-journald*.socket "$units/systemd-poweroff.service" "$root$units/"
program /usr/lib/systemd/systemd-shutdown
printf 'root:x:0:0::/root:/bin/sh\npxe-observer:x:990:990::/:/bin/false\nnobody:x:65534:65534::/:/bin/false\n' >"$root/etc/passwd"
printf 'root:x:0:\npxe-observer:x:990:\n' >"$root/etc/group"
printf 'ID=lab\n' >"$root/etc/os-release"
printf '0123456789abcdef0123456789abcdef\n' >"$root/etc/machine-id"

install "$observer" "$root/usr/bin/pxe-observer"
program "$observer"
rm "$root$observer"
cp "$here/../../packaging/pxe-observer.service" "$root/etc/systemd/system/"
sed 's/ run$/ run --web.listen-address 127.0.0.1:10070 --wedge-after 5/' \
    "$here/../../packaging/pxe-observer.service" >"$root/etc/systemd/system/pxe-wedged.service"
# The drop-in for servers in containers, as docs/service.md has it.
mkdir -p "$root/usr/share"
sed -n '/^For servers in containers/,/^```$/p' "$here/../../docs/service.md" | sed '1,/^```ini$/d; /^```$/d' \
    >"$root/usr/share/containers.conf"
install "$here/check.sh" "$root/usr/bin/check"
cp "$here/check.service" "$here/check.target" "$here/container.service" "$root/etc/systemd/system/"
ln -s /etc/systemd/system/check.target "$root/etc/systemd/system/default.target"
install "$here/init.sh" "$root/init"

(cd "$root" && find . | busybox cpio -o -H newc 2>/dev/null) >"$work/initramfs"
timeout --foreground "${QEMU_TIMEOUT:-300}" qemu-system-x86_64 -machine q35 -accel "${QEMU_ACCEL:-tcg,thread=multi}" \
    -cpu max -smp 2 -m 1536 -display none -nodefaults -no-reboot -serial "file:$work/serial.log" \
    -kernel "$kernel" -initrd "$work/initramfs" \
    -append "console=ttyS0 panic=-1 quiet loglevel=3 systemd.show_status=0" || true
tr -d '\r' <"$work/serial.log"
grep -q '^all as it has to be' "$work/serial.log"
