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
# The sum of a metric's series.
metric() {
    curl -sf http://127.0.0.1:10069/metrics | busybox awk -v name="$1" -v labels="$2" '
        $1 == name || index($1, name "{") == 1 && (labels == "" || index($1, labels)) { sum += $2 }
        END { printf "%d\n", sum }'
}
at_most() { [ "$2" -le "$3" ] || fail "$1: $2, more than $3"; }
near() {
    off=$(($(busybox date +%s) - $2))
    at_most "$1, seconds from now" "${off#-}" 300
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

mkdir -p /srv
busybox dd if=/dev/zero of=/srv/large bs=1M count=24 2>/dev/null
busybox httpd -p 80 -h /srv
started=$(metric process_start_time_seconds)
near "its start" "$started"
# An hour on, and one back from where it was; each while an answer is sent, more than buffers hold.
for step in 3600 -7200; do
    curl -sf --limit-rate 6M -o /tmp/large http://127.0.0.1/large &
    sleep 2
    busybox date -s "@$(($(busybox date +%s) + step))" >/dev/null || fail "set the clock"
    wait $! || fail "an answer while the clock is set"
    curl -sf http://127.0.0.1:10069/healthz || fail "healthz after the clock was set"
    [ "$(metric process_start_time_seconds)" = "$started" ] || fail "it began at another time"
    near "its last drain" "$(metric pxe_observer_last_drain_timestamp_seconds)"
    pxe-observer tail --no-follow --json >/tmp/ended || fail "tail"
    near "the last answer" "$(busybox sed -n '$s/.*"at_s":\([0-9]*\).*/\1/p' /tmp/ended)"
done
busybox grep -o '"at_s":[0-9.]*\|"duration_s":[0-9.]*' /tmp/ended
[ "$(metric http_requests_total)" = 2 ] || fail "requests: $(metric http_requests_total)"
sent=$(metric http_response_bytes_total)
[ "$sent" = $((48 << 20)) ] || fail "bytes: $sent"
for seconds in http_request_duration_seconds_sum http_requests_in_flight_seconds_total; do
    [ "$(metric $seconds)" -ge 2 ] || fail "the clock was set behind the answers"
    at_most $seconds "$(metric $seconds)" 120
done
at_most "ticks skipped" "$(metric pxe_observer_ticks_skipped_total)" 300
# Longer than the watchdog waits.
sleep 12
is $unit NRestarts 0
is $unit ActiveState active
echo "the clock was set: durations are what they were"

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

# As containers have it: a server of another user, in a network namespace of its own.
systemctl start container || fail "start a container"
server=$(of container MainPID)
ask_there() {
    busybox nsenter "--net=/proc/$server/ns/net" curl -sf -o /dev/null http://127.0.0.1:8081/large
}
systemctl start $unit || fail "start beside a container"
ask_there || fail "ask in a namespace of its own"
said() { journalctl --no-pager -o cat "_SYSTEMD_INVOCATION_ID=$(of $unit InvocationID)"; }
until_said() {
    for _ in $(busybox seq 1 30); do
        said | grep "$1" && return
        sleep 1
    done
    fail "it does not say: $1"
}
# By the kernel: that it cannot look, or that it cannot enter.
until_said 'may not be known\|they cannot be entered'
mkdir -p /etc/systemd/system/$unit.service.d
cp /usr/share/containers.conf /etc/systemd/system/$unit.service.d/override.conf
systemctl daemon-reload && systemctl restart $unit || fail "restart for containers"
ask_there || fail "ask in a namespace of its own"
# These kernels lack the module that answers: that is said once they were asked.
until_said 'queues cannot be read'
[ "$(metric pxe_observer_namespaces_unreachable)" = 0 ] || fail "namespaces are unreachable"
grep -E '^(CapEff|NoNewPrivs|Seccomp):' "/proc/$(of $unit MainPID)/status"
until_said 'port 8081: .*pid'
said | grep 'may not be known\|cannot be entered' && fail "with the drop-in something is not known"
systemctl stop $unit || fail "stop beside a container"
[ "$(left)" = 0 ] || fail "programs are left: $(bpftool prog show)"
systemctl stop container
echo "with the drop-in for containers: nothing is out of reach, and who serves has a name"

systemctl start pxe-wedged || fail "start to wedge"
until_is pxe-wedged NRestarts 1 60
journalctl --no-pager -u pxe-wedged | grep -i watchdog | busybox head -2
echo "wedged: started anew"
systemctl stop pxe-wedged || fail "stop"
echo "all as it has to be"
