//! A program that does nothing, beside ours on both packet hooks: what the kernel's counting and
//! the call cost is what it costs.

use std::{fs, os::fd::AsFd as _, os::fd::AsRawFd as _};

use anyhow::{Context as _, Result};
use aya::{
    Ebpf,
    programs::{CgroupAttachMode, CgroupSkb, CgroupSkbAttachType},
};
use object::{
    Architecture, BinaryFormat, Endianness, SectionKind, SymbolFlags, SymbolKind, SymbolScope,
    write::{Object, Symbol, SymbolSection},
};
use observer_user::kernel;

/// `r0 = 1; exit`: lets every packet pass (linux/bpf.h, `struct bpf_insn`).
const PASS: [[u8; 8]; 2] = [[0xb7, 0, 0, 0, 1, 0, 0, 0], [0x95, 0, 0, 0, 0, 0, 0, 0]];
const NAMES: [(&str, &str, CgroupSkbAttachType); 2] = [
    (
        "ingress",
        "cgroup_skb/ingress",
        CgroupSkbAttachType::Ingress,
    ),
    ("egress", "cgroup_skb/egress", CgroupSkbAttachType::Egress),
];

/// Attached until dropped.
pub(super) struct Empty(Ebpf);

impl Empty {
    pub(super) fn attach() -> Result<Self> {
        let mut programs = Ebpf::load(&elf()?).context("load programs that do nothing")?;
        let root = kernel::root_cgroup()?;
        for (name, _, direction) in NAMES {
            let program: &mut CgroupSkb = programs
                .program_mut(name)
                .with_context(|| format!("no program {name}"))?
                .try_into()?;
            program.load()?;
            program.attach(&root, direction, CgroupAttachMode::Single)?;
        }
        Ok(Self(programs))
    }

    /// Runs and nanoseconds so far, of both hooks.
    pub(super) fn totals(&self) -> Result<(u64, u64)> {
        let mut totals = (0, 0);
        for (name, _, _) in NAMES {
            let program = self.0.program(name).context("a program")?;
            let number = program.fd()?.as_fd().as_raw_fd();
            let info = fs::read_to_string(format!("/proc/self/fdinfo/{number}"))?;
            totals.0 += field(&info, "run_cnt:")?;
            totals.1 += field(&info, "run_time_ns:")?;
        }
        Ok(totals)
    }
}

/// A number in a file of procfs, by what stands before it; a unit behind it is passed over.
pub(super) fn field(info: &str, name: &str) -> Result<u64> {
    let value = info.lines().find_map(|line| line.strip_prefix(name));
    let value = value.with_context(|| format!("no {name}"))?;
    Ok(value.trim().trim_end_matches(" kB").parse()?)
}

fn elf() -> Result<Vec<u8>> {
    let mut object = Object::new(BinaryFormat::Elf, Architecture::Bpf, Endianness::Little);
    let license = object.add_section(Vec::new(), b"license".to_vec(), SectionKind::Data);
    object.append_section_data(license, b"GPL\0", 1);
    for (name, section, _) in NAMES {
        let id = object.add_section(Vec::new(), section.as_bytes().to_vec(), SectionKind::Text);
        let value = object.append_section_data(id, PASS.as_flattened(), 8);
        object.add_symbol(Symbol {
            name: name.as_bytes().to_vec(),
            value,
            size: PASS.as_flattened().len() as u64,
            kind: SymbolKind::Text,
            scope: SymbolScope::Linkage,
            weak: false,
            section: SymbolSection::Section(id),
            flags: SymbolFlags::None,
        });
    }
    object.write().context("write an ELF object")
}
