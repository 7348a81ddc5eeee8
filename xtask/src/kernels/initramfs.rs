//! The virtual machine's file system: a list of what is in it, written as a cpio archive.
//!
//! The kernel takes the archive uncompressed and needs nothing but busybox, so neither
//! `cpio` nor `xz` has to be installed.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};

use crate::sh;

#[derive(Debug, PartialEq)]
pub(super) struct Entry {
    path: String,
    content: Content,
}

#[derive(Debug, PartialEq)]
enum Content {
    Directory,
    Link(&'static str),
    Text(String),
    Copy(PathBuf),
}

/// What is in the archive: busybox, `/init`, `/start` and the files under test in `/test`,
/// where `/start` runs the first of them.
pub(super) fn layout(busybox: &Path, test: &[&Path], args: &[String]) -> Result<Vec<Entry>> {
    let directories = ["bin", "dev", "proc", "sys", "tmp", "run", "etc", "test"];
    let mut entries: Vec<Entry> = directories.map(|dir| entry(dir, Content::Directory)).into();
    entries.push(entry("bin/busybox", Content::Copy(busybox.into())));
    entries.push(entry("bin/sh", Content::Link("busybox")));
    entries.push(entry("init", Content::Text(include_str!("init.sh").into())));
    let mut names = Vec::new();
    for file in test {
        let name = file.file_name().and_then(|name| name.to_str());
        let name = name.with_context(|| format!("{}: not a file name", file.display()))?;
        ensure!(!names.contains(&name), "two files are named {name}");
        names.push(name);
        let path = format!("test/{name}");
        entries.push(entry(&path, Content::Copy(file.into())));
    }
    let program = names.first().context("no program to run")?;
    entries.push(entry("start", Content::Text(start(program, args))));
    Ok(entries)
}

/// The entries as a cpio archive in the "newc" format (kernel: `buffer-format.rst`).
pub(super) fn archive(entries: &[Entry]) -> Result<Vec<u8>> {
    let mut archive = Vec::new();
    for (inode, Entry { path, content }) in (1..).zip(entries) {
        let (mode, data) = match content {
            Content::Directory => (0o040_755, Vec::new()),
            Content::Link(target) => (0o120_777, target.as_bytes().to_vec()),
            Content::Text(text) => (0o100_755, text.as_bytes().to_vec()),
            Content::Copy(file) => {
                let data = fs::read(file).with_context(|| format!("read {}", file.display()))?;
                (0o100_755, data)
            }
        };
        append(&mut archive, inode, mode, path, &data)?;
    }
    append(&mut archive, 0, 0, "TRAILER!!!", &[])?;
    Ok(archive)
}

fn entry(path: &str, content: Content) -> Entry {
    let path = path.to_owned();
    Entry { path, content }
}

fn start(program: &str, args: &[String]) -> String {
    let program = format!("./{program}");
    let words: Vec<_> = std::iter::once(&program)
        .chain(args)
        .map(|word| sh::quote(word))
        .collect();
    format!("#!/bin/sh\ncd /test\nexec {}\n", words.join(" "))
}

fn append(archive: &mut Vec<u8>, inode: u32, mode: u32, path: &str, data: &[u8]) -> Result<()> {
    let size = u32::try_from(data.len()).with_context(|| format!("{path} is too large"))?;
    let name = u32::try_from(path.len() + 1)?;
    // inode mode uid gid links mtime size device(2) special(2) name check
    let fields = [inode, mode, 0, 0, 1, 0, size, 0, 0, 0, 0, name, 0];
    let header: String = fields.iter().map(|field| format!("{field:08x}")).collect();
    archive.extend(b"070701");
    archive.extend(header.as_bytes());
    archive.extend(path.as_bytes());
    archive.push(0);
    pad(archive);
    archive.extend(data);
    pad(archive);
    Ok(())
}

fn pad(archive: &mut Vec<u8>) {
    archive.resize(archive.len().next_multiple_of(4), 0);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paths(test: &[&str]) -> Result<Vec<String>> {
        let test: Vec<&Path> = test.iter().map(Path::new).collect();
        let entries = layout(Path::new("busybox"), &test, &[])?;
        Ok(entries.into_iter().map(|entry| entry.path).collect())
    }

    #[test]
    fn the_layout_puts_every_test_file_beside_the_program() {
        let system = "bin dev proc sys tmp run etc test bin/busybox bin/sh init";
        let rows: [(&[&str], &str); 2] = [
            (&["a/probe"], "test/probe start"),
            (&["a/probe", "b/object.o"], "test/probe test/object.o start"),
        ];
        for (files, expected) in rows {
            let paths = paths(files).expect("layout").join(" ");
            assert_eq!(paths, format!("{system} {expected}"));
        }
    }

    #[test]
    fn the_layout_refuses_what_would_overwrite_itself() {
        let rows: [(&[&str], &str); 3] = [
            (&["a/probe", "b/probe"], "two files are named probe"),
            (&[], "no program to run"),
            (&["a/.."], "a/..: not a file name"),
        ];
        for (files, expected) in rows {
            let error = paths(files).expect_err(expected);
            assert_eq!(error.to_string(), expected);
        }
    }

    #[test]
    fn the_program_gets_its_arguments_unchanged() {
        let args = ["--x=1", "a b", "it's"].map(str::to_owned);
        let expected = "#!/bin/sh\ncd /test\nexec ./probe --x=1 'a b' 'it'\\''s'\n";
        assert_eq!(start("probe", &args), expected);
    }

    #[test]
    fn the_archive_is_newc() {
        let entries = [
            entry("d", Content::Directory),
            entry("d/t", Content::Text("hello".into())),
        ];
        let archive = archive(&entries).expect("archive");
        let zeros = |n| "00000000".repeat(n);
        let header = |inode, mode, size, name| {
            let (two, four) = (zeros(2), zeros(4));
            format!(
                "070701{inode:08x}{mode:08x}{two}00000001{}{size:08x}{four}{name:08x}{}",
                zeros(1),
                zeros(1)
            )
        };
        let expected = [
            header(1, 0o040_755, 0, 2),
            "d\0".into(),
            header(2, 0o100_755, 5, 4),
            "d/t\0\0\0hello\0\0\0".into(),
            header(0, 0, 0, 11),
            "TRAILER!!!\0\0\0\0".into(),
        ];
        assert_eq!(String::from_utf8(archive).expect("text"), expected.concat());
    }
}
