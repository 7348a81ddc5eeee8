//! Which hooks there are, which of them we cannot do without, and how each attaches.

use std::{collections::HashMap, fmt, os::fd::AsFd};

use anyhow::{Context as _, Result, anyhow};
use aya::{
    Ebpf,
    programs::{
        BtfTracePoint, CgroupAttachMode, CgroupSkb, CgroupSkbAttachType, Program, ProgramError,
        TracePoint,
    },
};

use super::{at_once::both, btf::KernelTypes, refusal::brief, tracefs::TcpEvent};

/// A hook, as metrics name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Hook {
    /// cgroup_skb on the root cgroup, incoming.
    Ingress,
    /// cgroup_skb on the root cgroup, outgoing.
    Egress,
    /// tcp_rcv_space_adjust.
    Recv,
    /// tcp_destroy_sock.
    Destroy,
    /// udp_fail_queue_rcv_skb.
    UdpDrop,
}

impl Hook {
    /// Whether we end without it.
    pub fn is_required(self) -> bool {
        match self {
            Self::Ingress | Self::Egress => true,
            Self::Recv | Self::Destroy | Self::UdpDrop => false,
        }
    }

    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::Ingress,
        Self::Egress,
        Self::Recv,
        Self::Destroy,
        Self::UdpDrop,
    ];

    /// The name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ingress => "ingress",
            Self::Egress => "egress",
            Self::Recv => "recv",
            Self::Destroy => "destroy",
            Self::UdpDrop => "udp_drop",
        }
    }

    /// What is not known without it.
    pub fn without(self) -> &'static str {
        match self {
            Self::Ingress | Self::Egress => "nothing is observed",
            Self::Recv => "the wait for the server process is not observed",
            Self::Destroy => "ends of connections are seen by their packets only",
            Self::UdpDrop => "datagrams that TFTP servers have no room for are not counted",
        }
    }
}

/// A hook and how it came out.
#[derive(Debug)]
pub struct Probe {
    /// The hook.
    pub hook: Hook,
    /// The program that is attached, or why none is.
    pub attached: Result<&'static str>,
    /// Instructions that the verifier walked, of the million it allows, where it tells (5.16).
    pub verified: Option<u32>,
}

impl fmt::Display for Probe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.hook.name();
        match &self.attached {
            Ok(program) => write!(f, "probe {name}: attached ({program})"),
            Err(error) => write!(
                f,
                "probe {name}: not attached, {}: {error:#}",
                self.hook.without()
            ),
        }
    }
}

impl Probe {
    fn new(hook: Hook, attached: Result<&'static str>, programs: &Ebpf) -> Self {
        let program = attached
            .as_ref()
            .ok()
            .and_then(|name| programs.program(name));
        let verified = program.and_then(|p| p.info().ok()?.verified_instruction_count());
        Self {
            hook,
            attached,
            verified,
        }
    }
}

/// Attaches all hooks: the packet hooks or an error, the tracepoints as well as they go.
pub(super) fn attach(
    programs: &mut Ebpf,
    cgroup: &impl AsFd,
    types: Result<KernelTypes>,
    records: Result<TcpEvent>,
) -> Result<Vec<Probe>> {
    let mut probes = packet_hooks(programs, cgroup)?;
    for tracepoint in &TRACEPOINTS {
        let attached = tracepoint.attach(programs, &types, &records);
        probes.push(Probe::new(tracepoint.hook, attached, programs));
    }
    for Probe {
        hook,
        attached,
        verified,
    } in &probes
    {
        match attached {
            Ok(program) => {
                tracing::debug!(hook = hook.name(), program, verified, "attached");
            }
            Err(error) => tracing::warn!(
                hook = hook.name(),
                "not attached, {}: {error:#}",
                hook.without()
            ),
        }
    }
    Ok(probes)
}

/// A packet hook with its programs: one that tells pipelined requests apart, and one for
/// kernels without `bpf_loop` (before 5.17).
const PACKET_HOOKS: [(Hook, [&str; 2], CgroupSkbAttachType); 2] = [
    (
        Hook::Ingress,
        ["ingress", "ingress_plain"],
        CgroupSkbAttachType::Ingress,
    ),
    (
        Hook::Egress,
        ["egress", "egress_plain"],
        CgroupSkbAttachType::Egress,
    ),
];

/// Both of one kind: what one direction finds pipelined, the other has to follow.
fn packet_hooks(programs: &mut Ebpf, cgroup: &impl AsFd) -> Result<Vec<Probe>> {
    let mut kind = 0;
    if let Err(error) = load_packet_hooks(programs, kind) {
        tracing::info!("pipelined requests are counted, not told apart: {error:#}");
        kind = 1;
        load_packet_hooks(programs, kind)?;
    }
    let mut probes = Vec::new();
    for (hook, names, direction) in PACKET_HOOKS {
        let program: &mut CgroupSkb = program(programs, names[kind])?;
        // A bpf_link is always one of many; AllowMultiple on top of it is refused.
        program
            .attach(cgroup.as_fd(), direction, CgroupAttachMode::Single)
            .with_context(|| format!("attach cgroup_skb/{} to the root cgroup", hook.name()))?;
        probes.push(Probe::new(hook, Ok(names[kind]), programs));
    }
    Ok(probes)
}

/// The verifier walks both at once, if it may: it takes most of the time until we observe.
fn load_packet_hooks(programs: &mut Ebpf, kind: usize) -> Result<()> {
    let mut programs: HashMap<&str, &mut Program> = programs.programs_mut().collect();
    let mut packet_program = |name| -> Result<&mut CgroupSkb> {
        let program = programs.remove(name);
        Ok(program.with_context(|| missing(name))?.try_into()?)
    };
    let [(ingress, names, _), (egress, others, _)] = PACKET_HOOKS;
    let (one, other) = (packet_program(names[kind])?, packet_program(others[kind])?);
    let (one, other) = both(
        || load_packet_hook(ingress, one),
        || load_packet_hook(egress, other),
    );
    one.and(other)
}

fn load_packet_hook(hook: Hook, program: &mut CgroupSkb) -> Result<()> {
    program.load().map_err(brief).with_context(|| {
        let program = hook.name();
        format!("cgroup_skb/{program}, without which nothing is observed")
    })
}

/// A tracepoint with a program for each way to attach.
struct Tracepoint {
    hook: Hook,
    name: &'static str,
    btf: &'static str,
    /// In tracefs under `tcp`, if there is a program for it.
    classic: Option<&'static str>,
}

const TRACEPOINTS: [Tracepoint; 3] = [
    Tracepoint {
        hook: Hook::Recv,
        name: "tcp_rcv_space_adjust",
        btf: "recv_btf",
        classic: Some("recv_classic"),
    },
    Tracepoint {
        hook: Hook::Destroy,
        name: "tcp_destroy_sock",
        btf: "destroy_btf",
        classic: Some("destroy_classic"),
    },
    Tracepoint {
        hook: Hook::UdpDrop,
        name: "udp_fail_queue_rcv_skb",
        btf: "udp_drop_btf",
        classic: None,
    },
];

impl Tracepoint {
    /// By BTF, which needs no tracefs and runs under lockdown; else the classic way.
    fn attach(
        &self,
        programs: &mut Ebpf,
        types: &Result<KernelTypes>,
        records: &Result<TcpEvent>,
    ) -> Result<&'static str> {
        let by_btf = types
            .as_ref()
            .map_err(|error| anyhow!("{error:#}"))
            .and_then(|types| self.attach_btf(programs, types));
        let Err(by_btf) = by_btf else {
            return Ok(self.btf);
        };
        let Some(program) = self.classic else {
            return Err(by_btf.context(format!("tracepoint {}", self.name)));
        };
        let classic = records
            .as_ref()
            .map_err(|error| anyhow!("{error:#}"))
            .and_then(|_| self.attach_classic(programs, program));
        match classic {
            Ok(()) => Ok(program),
            Err(classic) => Err(anyhow!(
                "tracepoint {}: as BTF tracepoint: {by_btf:#}; as classic one: {classic:#}",
                self.name
            )),
        }
    }

    fn attach_btf(&self, programs: &mut Ebpf, types: &KernelTypes) -> Result<()> {
        let program: &mut BtfTracePoint = program(programs, self.btf)?;
        program.load(self.name, &types.btf).map_err(brief)?;
        program.attach().context("attach")?;
        Ok(())
    }

    fn attach_classic(&self, programs: &mut Ebpf, name: &str) -> Result<()> {
        let program: &mut TracePoint = program(programs, name)?;
        program.load().map_err(brief)?;
        program.attach("tcp", self.name).context("attach")?;
        Ok(())
    }
}

fn missing(name: &str) -> String {
    format!("the eBPF object has no program {name}")
}

fn program<'a, P>(programs: &'a mut Ebpf, name: &str) -> Result<P>
where
    P: TryFrom<&'a mut Program, Error = ProgramError>,
{
    let program = programs.program_mut(name).with_context(|| missing(name))?;
    program
        .try_into()
        .with_context(|| format!("program {name}"))
}
