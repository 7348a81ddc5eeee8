//! The system calls of a process that reads maps, files and sockets (seccomp(2)). Any other one is
//! refused with EPERM; with it goes every way to run another program.

use std::{collections::BTreeMap, env::consts::ARCH, iter::once};

use anyhow::{Context as _, Result};
use libc::c_long;
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
    SeccompRule, TargetArch, apply_filter,
};

/// Files, memory, threads, time, signals and sockets.
#[rustfmt::skip]
const ALLOWED: &[c_long] = &[
    libc::SYS_read, libc::SYS_write, libc::SYS_readv, libc::SYS_writev, libc::SYS_pread64,
    libc::SYS_pwrite64, libc::SYS_close, libc::SYS_openat, libc::SYS_newfstatat, libc::SYS_fstat,
    libc::SYS_statx, libc::SYS_lseek, libc::SYS_getdents64, libc::SYS_readlinkat,
    libc::SYS_faccessat, libc::SYS_faccessat2, libc::SYS_fcntl, libc::SYS_ioctl, libc::SYS_dup,
    libc::SYS_dup3, libc::SYS_getcwd, libc::SYS_unlinkat, libc::SYS_mkdirat, libc::SYS_fchmod,
    libc::SYS_fchmodat, libc::SYS_fchown, libc::SYS_fchownat, libc::SYS_umask,
    libc::SYS_mmap, libc::SYS_munmap, libc::SYS_mprotect, libc::SYS_mremap, libc::SYS_madvise,
    libc::SYS_brk, libc::SYS_membarrier,
    libc::SYS_futex, libc::SYS_set_robust_list, libc::SYS_rseq, libc::SYS_set_tid_address,
    libc::SYS_sched_yield, libc::SYS_sched_getaffinity, libc::SYS_gettid, libc::SYS_getpid,
    libc::SYS_getppid, libc::SYS_getuid, libc::SYS_geteuid, libc::SYS_getgid, libc::SYS_getegid,
    libc::SYS_capget, libc::SYS_prctl, libc::SYS_exit, libc::SYS_exit_group,
    libc::SYS_restart_syscall, libc::SYS_tgkill, libc::SYS_sigaltstack, libc::SYS_rt_sigaction,
    libc::SYS_rt_sigprocmask, libc::SYS_rt_sigreturn, libc::SYS_getrusage, libc::SYS_prlimit64,
    libc::SYS_sysinfo, libc::SYS_uname, libc::SYS_getcpu, libc::SYS_getrandom,
    libc::SYS_clock_gettime, libc::SYS_clock_getres, libc::SYS_clock_nanosleep,
    libc::SYS_nanosleep, libc::SYS_gettimeofday,
    libc::SYS_socketpair, libc::SYS_bind, libc::SYS_connect, libc::SYS_listen, libc::SYS_accept4,
    libc::SYS_getsockname, libc::SYS_getpeername, libc::SYS_getsockopt, libc::SYS_setsockopt,
    libc::SYS_sendto, libc::SYS_recvfrom, libc::SYS_sendmsg, libc::SYS_recvmsg,
    libc::SYS_shutdown, libc::SYS_ppoll, libc::SYS_epoll_create1, libc::SYS_epoll_ctl,
    libc::SYS_epoll_pwait, libc::SYS_eventfd2, libc::SYS_pipe2,
];

/// The same, as older C libraries ask for them.
#[cfg(target_arch = "x86_64")]
#[rustfmt::skip]
const OLDER: &[c_long] = &[
    libc::SYS_open, libc::SYS_stat, libc::SYS_lstat, libc::SYS_access, libc::SYS_readlink,
    libc::SYS_poll, libc::SYS_epoll_wait, libc::SYS_unlink, libc::SYS_mkdir, libc::SYS_chmod,
    libc::SYS_arch_prctl, libc::SYS_time,
];
#[cfg(not(target_arch = "x86_64"))]
const OLDER: &[c_long] = &[];

/// What maps are read and stale entries are forgotten with (enum bpf_cmd): LOOKUP_ELEM,
/// DELETE_ELEM, GET_NEXT_KEY, OBJ_GET_INFO_BY_FD, LOOKUP_AND_DELETE_ELEM.
const MAP_READS: [u64; 5] = [1, 3, 4, 15, 21];
const FAMILIES: [i32; 4] = [
    libc::AF_INET,
    libc::AF_INET6,
    libc::AF_UNIX,
    libc::AF_NETLINK,
];

/// Restricts this thread and those it will start, for ever.
pub(super) fn apply() -> Result<()> {
    for filter in [without_clone3()?, allowed()?] {
        // It also says that no program gains privileges by being run (PR_SET_NO_NEW_PRIVS).
        apply_filter(&filter).context("install a seccomp filter")?;
    }
    Ok(())
}

fn allowed() -> Result<BpfProgram> {
    let whole = ALLOWED.iter().chain(OLDER).map(|call| (*call, Vec::new()));
    let mut rules: BTreeMap<c_long, Vec<SeccompRule>> = whole.collect();
    let families = FAMILIES.map(i32::cast_unsigned).map(u64::from);
    let newnet = u64::from(libc::CLONE_NEWNET.cast_unsigned());
    let thread = u64::from(libc::CLONE_THREAD.cast_unsigned());
    rules.insert(libc::SYS_bpf, equal(0, MAP_READS)?);
    rules.insert(libc::SYS_socket, equal(0, families)?);
    rules.insert(libc::SYS_setns, equal(1, [newnet])?);
    let is_thread = SeccompCmpOp::MaskedEq(thread);
    rules.insert(libc::SYS_clone, vec![rule(0, is_thread, thread)?]);
    // How clone3 is asked comes first: its answer wins.
    rules.insert(libc::SYS_clone3, Vec::new());
    let refused = SeccompAction::Errno(libc::EPERM.cast_unsigned());
    compile(rules, refused, SeccompAction::Allow)
}

/// Its flags are where no filter can read them. The C library then uses clone, whose flags are not.
fn without_clone3() -> Result<BpfProgram> {
    let rules = once((libc::SYS_clone3, Vec::new())).collect();
    let missing = SeccompAction::Errno(libc::ENOSYS.cast_unsigned());
    compile(rules, SeccompAction::Allow, missing)
}

fn equal<const N: usize>(argument: u8, values: [u64; N]) -> Result<Vec<SeccompRule>> {
    let rules = values.map(|value| rule(argument, SeccompCmpOp::Eq, value));
    rules.into_iter().collect()
}

fn rule(argument: u8, operator: SeccompCmpOp, value: u64) -> Result<SeccompRule> {
    let condition = SeccompCondition::new(argument, SeccompCmpArgLen::Dword, operator, value)?;
    Ok(SeccompRule::new(vec![condition])?)
}

fn compile(
    rules: BTreeMap<c_long, Vec<SeccompRule>>,
    otherwise: SeccompAction,
    matched: SeccompAction,
) -> Result<BpfProgram> {
    let arch = TargetArch::try_from(ARCH)?;
    let filter = SeccompFilter::new(rules, otherwise, matched, arch)?;
    Ok(filter.try_into()?)
}

#[cfg(test)]
mod tests {
    use std::{fs, net::UdpSocket, process::Command, thread};

    use socket2::{Domain, Socket, Type};

    use super::*;

    /// The filter holds for a thread and its children.
    #[test]
    fn what_we_do_is_allowed_and_no_program_is_run() {
        let confined = thread::spawn(|| {
            apply().expect("seccomp");
            assert!(fs::read_to_string("/proc/self/status").is_ok());
            assert!(UdpSocket::bind("127.0.0.1:0").is_ok());
            assert!(thread::spawn(|| 7).join().is_ok_and(|seven| seven == 7));
            let packets = Socket::new(Domain::PACKET, Type::RAW, None);
            let packets = packets.map(drop).expect_err("a raw socket");
            assert_eq!(packets.raw_os_error(), Some(libc::EPERM));
            let run = Command::new("true").status().expect_err("a program");
            assert_eq!(run.raw_os_error(), Some(libc::EPERM));
        });
        confined.join().expect("a confined thread");
        assert!(Command::new("true").status().is_ok(), "others are free");
    }
}
