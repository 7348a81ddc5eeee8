//! Is a program statically linked? The virtual machine has no libraries.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, ensure};

/// A program header that names the dynamic loader.
const PT_INTERP: u32 = 3;

pub(super) fn check_static(binary: &Path) -> Result<()> {
    let name = binary.display();
    let bytes = fs::read(binary).with_context(|| format!("read {name}"))?;
    let dynamic = needs_loader(&bytes).with_context(|| format!("{name} is no ELF64 program"))?;
    let flags = "-C target-feature=+crt-static --target x86_64-unknown-linux-gnu";
    ensure!(
        !dynamic,
        "{name} is not static; rustc makes it so with {flags}"
    );
    Ok(())
}

/// None where this is no little-endian ELF64 file.
fn needs_loader(elf: &[u8]) -> Option<bool> {
    const MAGIC: &[u8] = b"\x7fELF\x02\x01";
    elf.starts_with(MAGIC).then_some(())?;
    let table = usize::try_from(u64::from_le_bytes(array(elf, 32)?)).ok()?;
    let size = usize::from(u16::from_le_bytes(array(elf, 54)?));
    let count = usize::from(u16::from_le_bytes(array(elf, 56)?));
    let headers = (0..count).map(|index| {
        let offset = table.checked_add(index * size)?;
        Some(u32::from_le_bytes(array(elf, offset)?))
    });
    let kinds: Option<Vec<u32>> = headers.collect();
    Some(kinds?.contains(&PT_INTERP))
}

fn array<const N: usize>(bytes: &[u8], offset: usize) -> Option<[u8; N]> {
    bytes.get(offset..)?.first_chunk().copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An ELF64 header and program headers of these types.
    fn elf(types: &[u8]) -> Vec<u8> {
        let mut elf = vec![0; 64 + 56 * types.len()];
        elf[..6].copy_from_slice(b"\x7fELF\x02\x01");
        elf[32] = 64;
        elf[54] = 56;
        elf[56] = u8::try_from(types.len()).expect("few");
        for (index, &kind) in types.iter().enumerate() {
            elf[64 + 56 * index] = kind;
        }
        elf
    }

    #[test]
    fn a_program_with_an_interpreter_is_dynamic() {
        let truncated = elf(&[1, 3])[..120].to_vec();
        let rows = [
            (elf(&[1, 1, 2]), Some(false)),
            (elf(&[6, 3, 1]), Some(true)),
            (elf(&[]), Some(false)),
            (truncated, None),
            (b"#!/bin/sh\n".to_vec(), None),
            (Vec::new(), None),
        ];
        for (bytes, expected) in rows {
            assert_eq!(needs_loader(&bytes), expected, "{bytes:?}");
        }
    }
}
