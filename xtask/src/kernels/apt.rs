//! A private apt directory: packages of other Debian releases, without a trace on the system.
//!
//! Its sources are the mirror that this machine already uses, with other suites.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};

use crate::packages::{self, os_release, require};
use crate::sh;

/// Where kernels are: a release has its first ones, `-security` and `-backports` later ones.
const SUITES: [&str; 6] = [
    "bullseye",
    "bookworm",
    "bookworm-backports",
    "trixie",
    "trixie-backports",
    "sid",
];
const SECURITY: [&str; 3] = ["bullseye-security", "bookworm-security", "trixie-security"];
const KEYS: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";

pub(super) struct Apt {
    dir: PathBuf,
}

impl Apt {
    /// `dir` is absolute: apt resolves relative ones against its own idea of a root.
    pub(super) fn new(dir: PathBuf) -> Self {
        Self { dir }
    }

    /// The kernel packages' names as of the last update, one a line.
    pub(super) fn names(&self) -> Result<String> {
        let file = self.dir.join("names");
        fs::read_to_string(&file).with_context(|| format!("read {}", file.display()))
    }

    /// Reads the package lists. A suite that is not there is reported by apt and left out:
    /// releases end in an archive that few mirrors have.
    pub(super) fn update(&self) -> Result<()> {
        require(&[("apt-get", "apt"), ("dpkg-deb", "dpkg")])?;
        for dir in [
            "state/lists/partial",
            "cache/archives/partial",
            "etc/preferences.d",
        ] {
            fs::create_dir_all(self.dir.join(dir)).context("create the private apt directory")?;
        }
        fs::write(self.dir.join("etc/sources.list"), sources()?)?;
        fs::write(self.dir.join("apt.conf"), configuration(&self.dir))?;
        if let Err(error) = sh::run(self.command("apt-get").args(["update", "-qq"])) {
            eprintln!("xtask: going on with the package lists there are: {error:#}");
        }
        let names = sh::output(self.command("apt-cache").args(["pkgnames", "linux-"]))?;
        ensure!(
            !names.is_empty(),
            "apt could not read a single package list"
        );
        Ok(fs::write(self.dir.join("names"), names)?)
    }

    /// Downloads a package and unpacks it below `tree`, an empty directory.
    pub(super) fn unpack(&self, package: &str, tree: &Path) -> Result<()> {
        packages::unpack(self.command("apt-get"), package, tree)
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.arg("-c").arg(self.dir.join("apt.conf"));
        command
    }
}

/// Our suites on this machine's mirrors, as a `sources.list`.
fn sources() -> Result<String> {
    ensure!(
        os_release("ID")? == "debian",
        "kernels are fetched through Debian's apt"
    );
    let release = os_release("VERSION_CODENAME")?;
    let query = [
        "--format",
        "$(CODENAME) $(REPO_URI)",
        "Created-By: Packages",
    ];
    let targets = sh::output(Command::new("apt-get").arg("indextargets").args(query))?;
    sources_list(&targets, &release)
        .with_context(|| format!("this machine's apt sources have no Debian {release}"))
}

fn sources_list(targets: &str, release: &str) -> Option<String> {
    let mirror = |suite: &str| {
        let mut targets = targets.lines().filter_map(|line| line.split_once(' '));
        targets.find_map(|(name, uri)| (name == suite).then_some(uri))
    };
    let lines = |suites: &[&str], uri: &str| -> String {
        // Only the lists of packages: no translations, no icons.
        let line = |suite| {
            format!("deb [arch=amd64 signed-by={KEYS} target=Packages] {uri} {suite} main\n")
        };
        suites.iter().map(line).collect()
    };
    let main = lines(&SUITES, mirror(release)?);
    let security = mirror(&format!("{release}-security"));
    let security = security
        .map(|uri| lines(&SECURITY, uri))
        .unwrap_or_default();
    Some(main + &security)
}

/// Moves all that apt reads and writes below `dir`. The system's settings are read before
/// this: its proxy stays, its hooks (they clean the system's own cache) must not run.
fn configuration(dir: &Path) -> String {
    let dir = dir.display();
    format!(
        r##"Dir::State "{dir}/state";
Dir::State::status "/dev/null";
Dir::Cache "{dir}/cache";
Dir::Cache::pkgcache "pkgcache.bin";
Dir::Cache::srcpkgcache "";
Dir::Etc "{dir}/etc";
#clear APT::Update::Pre-Invoke;
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
APT::Architecture "amd64";
APT::Sandbox::User "";
Acquire::Check-Valid-Until "false";
"##
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_are_our_suites_on_the_machines_mirrors() {
        let targets = "x http://x/\nbookworm http://m/debian/\nbookworm http://n/\n\
                       bookworm-security http://s/\n";
        let list = sources_list(targets, "bookworm").expect("a mirror");
        assert_eq!(list.lines().count(), SUITES.len() + SECURITY.len());
        assert!(list.contains("] http://m/debian/ sid main\n"), "{list}");
        assert!(
            list.contains("] http://s/ bullseye-security main\n"),
            "{list}"
        );
    }

    #[test]
    fn a_machine_may_lack_security_but_not_its_release() {
        let list = sources_list("forky http://m/\n", "forky").expect("a mirror");
        assert_eq!(list.lines().count(), SUITES.len());
        assert_eq!(sources_list("forky http://m/\n", "trixie"), None);
    }
}
