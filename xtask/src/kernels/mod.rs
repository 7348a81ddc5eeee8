//! `cargo xtask kernels`: a static program, as root, on kernels other than this machine's.
//!
//! Each kernel is one virtual machine without disk and network: Debian's kernel, busybox and
//! the program. The program's exit code is the verdict.

mod apt;
mod cache;
mod elf;
mod initramfs;
mod qemu;
mod request;
mod versions;

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::Instant;
use std::{fs, thread};

use anyhow::{Context as _, Result, ensure};

use self::cache::{Cache, Kernel, fresh_dir};
use self::qemu::{Machine, Verdict};
pub(crate) use self::request::{Args, KernelsRequest};
use crate::{build, packages};

/// What runs where nobody asks for more: the oldest kernel that is supported, one whose verifier
/// counts the stack of callbacks to the hook's, and the newest.
const DEFAULT: [&str; 3] = ["5.10", "6.1", versions::NEWEST];
/// The first and the last of them.
const ENDS: [&str; 2] = ["5.10", versions::NEWEST];
/// Machines at once: emulation takes a core each, and timing suffers beyond that.
const AT_ONCE: usize = 2;

/// Fetches the kernels, runs the program on each and prints a verdict for each. The error
/// says how many failed.
pub(crate) fn run(request: &KernelsRequest) -> Result<()> {
    elf::check_static(&request.binary)?;
    packages::install(&[("qemu-system-x86_64", "qemu-system-x86")])?;
    let dir = lab_dir()?;
    let _lock = lock(&dir)?;
    let mut cache = Cache::open(&dir, request.refresh)?;
    let kernels = kernels(&mut cache, &request.versions)?;
    let initramfs = initramfs(&cache.busybox()?, request)?;
    let failed = each_at_once(&kernels, |kernel| {
        let out = dir.join("out").join(&kernel.version);
        let passed = report(kernel, request, &out, &initramfs);
        passed.unwrap_or_else(|error| {
            println!("kernel {}: FAILED: {error:#}", kernel.version);
            false
        })
    });
    ensure!(failed == 0, "{failed} of {} kernels failed", kernels.len());
    Ok(())
}

/// The oldest and the newest kernel.
pub(crate) fn ends() -> Result<Vec<PathBuf>> {
    let dir = lab_dir()?;
    let _lock = lock(&dir)?;
    let mut cache = Cache::open(&dir, false)?;
    let kernels = kernels(&mut cache, &ENDS.map(str::to_owned))?;
    Ok(kernels.into_iter().map(|kernel| kernel.file).collect())
}

fn lab_dir() -> Result<PathBuf> {
    Ok(std::path::absolute(build::target_dir())?.join("lab"))
}

/// Makes a second run on the same cache wait for the first; held until the file is closed.
fn lock(dir: &Path) -> Result<File> {
    fs::create_dir_all(dir).with_context(|| format!("create {}", dir.display()))?;
    let file = File::create(dir.join("lock"))?;
    file.lock().context("lock the cache")?;
    Ok(file)
}

/// The kernels that the versions mean, each once.
fn kernels(cache: &mut Cache, versions: &[String]) -> Result<Vec<Kernel>> {
    let mut wanted: Vec<&str> = versions.iter().map(String::as_str).collect();
    if wanted.is_empty() {
        wanted.extend(DEFAULT);
    }
    let mut kernels: Vec<Kernel> = Vec::new();
    for wanted in wanted {
        let kernel = cache.kernel(wanted)?;
        if kernels.iter().all(|known| known.version != kernel.version) {
            kernels.push(kernel);
        }
    }
    Ok(kernels)
}

fn initramfs(busybox: &Path, request: &KernelsRequest) -> Result<Vec<u8>> {
    let files = std::iter::once(&request.binary).chain(&request.files);
    let files: Vec<&Path> = files.map(PathBuf::as_path).collect();
    initramfs::archive(&initramfs::layout(busybox, &files, &request.args)?)
}

/// Runs `job` on all kernels, a few at a time; returns how many were not passed.
fn each_at_once(kernels: &[Kernel], job: impl Fn(&Kernel) -> bool + Sync) -> usize {
    let queue = Mutex::new(kernels.iter());
    let next = || queue.lock().ok()?.next();
    let worker = || {
        let results = std::iter::from_fn(next).map(&job);
        results.filter(|passed| !passed).count()
    };
    thread::scope(|scope| {
        let workers: Vec<_> = (0..AT_ONCE).map(|_| scope.spawn(worker)).collect();
        let failed = workers.into_iter().map(|worker| worker.join().unwrap_or(1));
        failed.sum()
    })
}

/// One machine, its verdict, and its log if it failed.
fn report(kernel: &Kernel, request: &KernelsRequest, out: &Path, initramfs: &[u8]) -> Result<bool> {
    fresh_dir(out)?;
    let archive = out.join("initramfs");
    fs::write(&archive, initramfs).with_context(|| format!("write {}", archive.display()))?;
    let begun = Instant::now();
    let verdict = qemu::boot(&Machine {
        vmlinuz: &kernel.file,
        initramfs: &archive,
        out,
        tracefs: request.tracefs,
        timeout: request.timeout,
    })?;
    let passed = verdict == Verdict::Passed;
    let seconds = begun.elapsed().as_secs_f32();
    let text = match passed {
        true => format!("ok in {seconds:.1} s\n"),
        false => format!("FAILED in {seconds:.1} s: {verdict}\n{}", logs(out)),
    };
    // One call, so that the two machines' logs do not mix.
    print!("kernel {}: {text}", kernel.version);
    if passed && !request.keep {
        fs::remove_dir_all(out)?;
    }
    Ok(passed)
}

fn logs(out: &Path) -> String {
    let log = |name: &str| {
        let file = out.join(name);
        let text = fs::read(&file).unwrap_or_default();
        let text = String::from_utf8_lossy(&text).replace('\r', "");
        match text.trim_end() {
            "" => String::new(),
            text => format!("--- {}\n{text}\n", file.display()),
        }
    };
    ["serial.log", "qemu.log"].map(log).concat()
}
