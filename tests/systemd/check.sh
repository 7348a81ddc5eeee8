#!/bin/sh
# Runs in the virtual machine: each step says what it saw, the first that is wrong ends it.
unit=pxe-observer

fail() {
    echo "WRONG: $*"
    journalctl --no-pager -n 40
    exit 1
}
of() { systemctl show "$1" --property "$2" --value; }
is() { [ "$(of "$1" "$2")" = "$3" ] || fail "$1: $2 is $(of "$1" "$2"), not $3"; }
until_is() {
    for _ in $(busybox seq 1 "$4"); do
        [ "$(of "$1" "$2")" = "$3" ] && return
        sleep 1
    done
    fail "$1: $2 is $(of "$1" "$2"), not $3"
}
# Objects of ours that the kernel has.
left() { bpftool prog show | grep -cE ' name (ingress|egress|recv|destroy|udp_drop|retransmit)'; }

echo "systemd $(systemctl --version | busybox head -1), Linux $(busybox uname -r)"
systemctl start $unit || fail "start"
is $unit ActiveState active
echo "started: $(of $unit StatusText)"
curl -sf http://127.0.0.1:10069/metrics >/tmp/metrics || fail "scrape"
grep '^pxe_observer_probe_attached' /tmp/metrics
curl -sf http://127.0.0.1:10069/healthz || fail "healthz"
pid=$(of $unit MainPID)
grep -E '^(Uid|CapEff|CapPrm|NoNewPrivs|Seccomp):' "/proc/$pid/status"
[ "$(left)" -ge 2 ] || fail "programs are not found"

# The signal is sent when this returns, and the daemon says itself when it is done: the unit may be
# active still, and again.
systemctl reload $unit || fail "reload"
for _ in $(busybox seq 1 10); do
    curl -sf 'http://127.0.0.1:10069/healthz?verbose' | grep -q 'configuration reloaded' && break
    sleep 1
done
until_is $unit ActiveState active 10
curl -sf 'http://127.0.0.1:10069/healthz?verbose' | grep 'configuration reloaded' || fail "reloaded"

mkdir -p /etc/pxe-observer
echo 'http_prot = [80]' >/etc/pxe-observer/config.toml
systemctl restart $unit && fail "a bad configuration is taken"
until_is $unit ActiveState failed 20
sleep 8
is $unit NRestarts 0
is $unit ExecMainStatus 2
echo "bad configuration: status 2, not tried again"
rm /etc/pxe-observer/config.toml

systemctl start $unit || fail "start again"
kill -9 "$(of $unit MainPID)"
until_is $unit NRestarts 1 30
until_is $unit ActiveState active 30
echo "killed: started anew"
systemctl stop $unit || fail "stop"
is $unit Result success
sleep 1
[ "$(left)" = 0 ] || fail "programs are left: $(bpftool prog show)"
echo "stopped: nothing is left"

systemctl start pxe-wedged || fail "start to wedge"
until_is pxe-wedged NRestarts 1 60
journalctl --no-pager -u pxe-wedged | grep -i watchdog | busybox head -2
echo "wedged: started anew"
systemctl stop pxe-wedged || fail "stop"
echo "all as it has to be"
