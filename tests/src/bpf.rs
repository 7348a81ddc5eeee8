//! What a process holds of the kernel's eBPF objects, and which of them still exist.

use std::{collections::BTreeSet, fs, process::Command};

use anyhow::{Context as _, Result};
use rustix::process::Pid;

use crate::process::run;

/// A kind as bpftool names it, and its id.
pub type Object = (&'static str, u64);

/// As fdinfo names them, and as bpftool does.
const KINDS: [(&str, &str); 3] = [
    ("prog_id:", "prog"),
    ("map_id:", "map"),
    ("link_id:", "link"),
];

/// What the process holds now; what it closes meanwhile is left out.
pub fn held_by(pid: Pid) -> BTreeSet<Object> {
    let folder = format!("/proc/{}/fdinfo", pid.as_raw_nonzero());
    let files = fs::read_dir(folder).into_iter().flatten().flatten();
    let texts = files.filter_map(|file| fs::read_to_string(file.path()).ok());
    texts.flat_map(|text| objects(&text)).collect()
}

fn objects(text: &str) -> Vec<Object> {
    let object = |line: &str| {
        let (_, kind) = KINDS
            .into_iter()
            .find(|(field, _)| line.starts_with(field))?;
        let id = line.split_whitespace().nth(1)?.parse().ok()?;
        Some((kind, id))
    };
    text.lines().filter_map(object).collect()
}

/// Which of these the kernel still has.
pub fn existing(of: &BTreeSet<Object>) -> Result<BTreeSet<Object>> {
    let mut found = BTreeSet::new();
    for (_, kind) in KINDS {
        let list = run(Command::new("bpftool").args(["--json", kind, "show"]))?;
        let list: serde_json::Value = serde_json::from_str(&list).context("bpftool's list")?;
        let ids = list.as_array().into_iter().flatten();
        let ids = ids.filter_map(|one| one["id"].as_u64());
        found.extend(ids.map(|id| (kind, id)));
    }
    Ok(found.intersection(of).copied().collect())
}
