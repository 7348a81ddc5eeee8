//! Fetched files: `kernels/VERSION` and `busybox`, each there in full or not at all.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use super::apt::Apt;
use super::versions;

pub(super) struct Cache {
    dir: PathBuf,
    apt: Apt,
    /// The package lists were read in this run.
    fresh: bool,
}

pub(super) struct Kernel {
    pub(super) version: String,
    pub(super) file: PathBuf,
}

impl Cache {
    /// `refresh` asks for new package lists even where the old ones would do.
    pub(super) fn open(dir: &Path, refresh: bool) -> Result<Self> {
        let mut cache = Self {
            dir: dir.to_owned(),
            apt: Apt::new(dir.join("apt")),
            fresh: false,
        };
        if refresh || cache.apt.names().is_err() {
            cache.update()?;
        }
        Ok(cache)
    }

    /// The kernel that fits best, fetched if need be.
    pub(super) fn kernel(&mut self, wanted: &str) -> Result<Kernel> {
        self.with_good_lists(|cache| cache.find_kernel(wanted))
    }

    pub(super) fn busybox(&mut self) -> Result<PathBuf> {
        self.with_good_lists(Self::find_busybox)
    }

    /// Suites replace their packages: the lists of last time may lack what is wanted or name
    /// what is gone, so a failure is tried again with new ones.
    fn with_good_lists<T>(&mut self, find: impl Fn(&Self) -> Result<T>) -> Result<T> {
        let found = find(self);
        if found.is_ok() || self.fresh {
            return found;
        }
        self.update()?;
        find(self)
    }

    fn find_busybox(&self) -> Result<PathBuf> {
        let file = self.dir.join("busybox");
        let places = ["bin/busybox".to_owned(), "usr/bin/busybox".to_owned()];
        self.fetch("busybox-static/trixie", &places, &file)?;
        Ok(file)
    }

    fn find_kernel(&self, wanted: &str) -> Result<Kernel> {
        let names = self.apt.names()?;
        let version = versions::choose(wanted, &names).with_context(|| {
            let series = versions::series(&names).join(" ");
            format!("no packaged kernel fits {wanted:?}; there are {series}")
        })?;
        // From 6.19 on the image package is a stub.
        let binary = format!("linux-binary-{version}");
        let package = match names.lines().any(|name| name == binary) {
            true => binary,
            false => format!("linux-image-{version}"),
        };
        let places = [
            format!("boot/vmlinuz-{version}"),
            format!("usr/lib/modules/{version}/vmlinuz"),
        ];
        let file = self.dir.join("kernels").join(version);
        self.fetch(&package, &places, &file)?;
        let version = version.to_owned();
        Ok(Kernel { version, file })
    }

    fn update(&mut self) -> Result<()> {
        self.apt.update()?;
        self.fresh = true;
        Ok(())
    }

    /// Fetches one file of a package: the first of `places` that it has.
    fn fetch(&self, package: &str, places: &[String], file: &Path) -> Result<()> {
        if file.exists() {
            return Ok(());
        }
        let tree = self.dir.join("unpack");
        fresh_dir(&tree)?;
        self.apt.unpack(package, &tree)?;
        let mut places = places.iter().map(|place| tree.join(place));
        let found = places.find(|place| place.exists());
        let found = found.with_context(|| format!("{package} has not the file that is needed"))?;
        fs::create_dir_all(file.parent().unwrap_or(&self.dir))?;
        fs::rename(found, file).with_context(|| format!("create {}", file.display()))?;
        Ok(fs::remove_dir_all(tree)?)
    }
}

/// Makes an empty directory, whatever was there.
pub(super) fn fresh_dir(dir: &Path) -> Result<()> {
    match fs::remove_dir_all(dir) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _ => fs::create_dir_all(dir),
    }
    .with_context(|| format!("empty {}", dir.display()))
}
