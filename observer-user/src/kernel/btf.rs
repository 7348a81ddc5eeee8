//! What the running kernel's BTF says of what the BTF tracepoints read.

use anyhow::{Context as _, Result, bail};
use aya::Btf;
use btf_rs::{Backend, Struct, Type};

/// The type information that every kernel with CONFIG_DEBUG_INFO_BTF offers.
const VMLINUX: &str = "/sys/kernel/btf/vmlinux";

/// The fields we read: the programs' global that holds the offset, and the field's name
/// (include/net/sock.h).
const FIELDS: [(&str, &str); 8] = [
    ("SKC_COOKIE", "skc_cookie"),
    ("SKC_NUM", "skc_num"),
    ("SKC_DPORT", "skc_dport"),
    ("SKC_FAMILY", "skc_family"),
    ("SKC_DADDR", "skc_daddr"),
    ("SKC_RCV_SADDR", "skc_rcv_saddr"),
    ("SKC_V6_DADDR", "skc_v6_daddr"),
    ("SKC_V6_RCV_SADDR", "skc_v6_rcv_saddr"),
];

/// The kernel's types, as far as BTF tracepoints need them.
pub(super) struct KernelTypes {
    /// For aya, which resolves the tracepoints' own types.
    pub(super) btf: Btf,
    offsets: [u32; FIELDS.len()],
}

impl KernelTypes {
    pub(super) fn read() -> Result<Self> {
        let btf = Btf::from_sys_fs().with_context(|| format!("read {VMLINUX}"))?;
        let types = mapped().with_context(|| format!("read {VMLINUX}"))?;
        let sock = structure(&types, "sock_common")?;
        let mut offsets = [0; FIELDS.len()];
        for (offset, (_, field)) in offsets.iter_mut().zip(FIELDS) {
            *offset = bits_to(&types, &sock, field)
                .with_context(|| format!("struct sock_common has no {field}"))?
                / 8;
        }
        Ok(Self { btf, offsets })
    }

    /// The programs' globals and their values.
    pub(super) fn offsets(&self) -> impl Iterator<Item = (&'static str, &u32)> {
        FIELDS.iter().map(|(global, _)| *global).zip(&self.offsets)
    }
}

/// Where it lies, if the kernel allows that (6.16): of a hundred thousand types one is read.
fn mapped() -> Result<btf_rs::Btf> {
    let types = btf_rs::Btf::from_file_with_backend(VMLINUX, Backend::Mmap);
    Ok(types.or_else(|_| btf_rs::Btf::from_file(VMLINUX))?)
}

fn structure(types: &btf_rs::Btf, name: &str) -> Result<Struct> {
    let found = types.resolve_types_by_name(name);
    for found in found.with_context(|| format!("find struct {name}"))? {
        if let Type::Struct(structure) = found {
            return Ok(structure);
        }
    }
    bail!("the kernel's BTF has no struct {name}")
}

/// The offset of a field in bits, through members without a name.
fn bits_to(types: &btf_rs::Btf, within: &Struct, field: &str) -> Option<u32> {
    within.members.iter().find_map(|member| {
        let name = types.resolve_name(member).ok()?;
        if name == field {
            return Some(member.bit_offset());
        }
        if !name.is_empty() {
            return None;
        }
        let (Type::Struct(inner) | Type::Union(inner)) = types.resolve_chained_type(member).ok()?
        else {
            return None;
        };
        Some(member.bit_offset() + bits_to(types, &inner, field)?)
    })
}
