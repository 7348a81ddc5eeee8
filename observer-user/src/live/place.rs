//! Where the socket is: who may open it, and whose it is when it is there already.

use std::{
    fs::{self, DirBuilder, File, Permissions},
    io::{self, ErrorKind},
    os::unix::{
        fs::{DirBuilderExt as _, FileTypeExt as _, MetadataExt as _, PermissionsExt as _, chown},
        net::{UnixListener, UnixStream},
    },
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, bail};
use rustix::fs::{FlockOperation, flock};
use socket2::{Domain, SockAddr, Socket, Type};

/// Where it is unless another place is named.
pub const DEFAULT: &str = "/run/pxe-observer/live.sock";
/// Whose members may look, if there is such a group.
const GROUP: &str = "pxe-observer";
/// Read and write for the owner and the group: connecting takes both.
const MODE: u32 = 0o660;
/// Viewers that wait to be taken.
const BACKLOG: i32 = 32;

/// A socket that is listened on. Dropped, its file is removed.
#[derive(Debug)]
pub struct Place {
    path: PathBuf,
    /// Device and inode: what another observer made there is not ours to remove.
    identity: (u64, u64),
}

impl Place {
    /// Takes the place; one that an observer left behind when it died is taken over.
    pub fn take(path: &Path) -> Result<(Self, UnixListener)> {
        let folder = path
            .parent()
            .filter(|folder| !folder.as_os_str().is_empty());
        let folder = folder.unwrap_or(Path::new("."));
        // Its parent is there: a path that is mistyped is not made.
        match DirBuilder::new().mode(0o755).create(folder) {
            Err(error) if error.kind() != ErrorKind::AlreadyExists => {
                return Err(error).with_context(|| format!("make {}", folder.display()));
            }
            _ => {}
        }
        // Two that begin at once do not take the place from each other.
        let lock = File::open(folder).with_context(|| format!("open {}", folder.display()))?;
        if flock(&lock, FlockOperation::NonBlockingLockExclusive).is_err() {
            bail!("{}", in_use(path));
        }
        clear(path)?;
        let listener = listen(path).with_context(|| format!("listen at {}", path.display()))?;
        let found = fs::symlink_metadata(path)?;
        let place = Self {
            path: path.to_owned(),
            identity: (found.dev(), found.ino()),
        };
        Ok((place, listener))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let found = fs::symlink_metadata(&self.path);
        if found.is_ok_and(|found| (found.dev(), found.ino()) == self.identity)
            && let Err(error) = fs::remove_file(&self.path)
        {
            tracing::warn!("{} stays behind: {error}", self.path.display());
        }
    }
}

/// Makes room where nobody listens any more.
fn clear(path: &Path) -> Result<()> {
    let Ok(found) = fs::symlink_metadata(path) else {
        return Ok(());
    };
    if !found.file_type().is_socket() {
        bail!(
            "{} is there and is no socket: remove it, or name another place with --live-socket",
            path.display()
        );
    }
    match UnixStream::connect(path) {
        Err(error) if error.kind() == ErrorKind::ConnectionRefused => fs::remove_file(path)
            .with_context(|| format!("remove {}, which nobody listens at", path.display())),
        _ => bail!("{}", in_use(path)),
    }
}

fn in_use(path: &Path) -> String {
    format!(
        "{} is in use by another pxe-observer: stop it, or name another place with --live-socket",
        path.display()
    )
}

/// Nobody connects before it says who may: until it listens, none can.
fn listen(path: &Path) -> io::Result<UnixListener> {
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    socket.bind(&SockAddr::unix(path)?)?;
    fs::set_permissions(path, Permissions::from_mode(MODE))?;
    if let Some(group) = group() {
        // Without the right to, it is for its owner.
        if let Err(error) = chown(path, None, Some(group)) {
            tracing::debug!("{} is not given to group {GROUP}: {error}", path.display());
        }
    }
    socket.listen(BACKLOG)?;
    socket.set_nonblocking(true)?;
    Ok(socket.into())
}

/// The group's number, of a system's own groups (group(5)).
fn group() -> Option<u32> {
    let groups = fs::read_to_string("/etc/group").ok()?;
    number(&groups, GROUP)
}

fn number(groups: &str, name: &str) -> Option<u32> {
    let mut lines = groups.lines();
    lines.find_map(|line| {
        let mut fields = line.split(':');
        let found = fields.next() == Some(name);
        fields.nth(1).filter(|_| found)?.parse().ok()
    })
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;

    fn refusal(path: &Path) -> String {
        Place::take(path).expect_err("refused").to_string()
    }

    #[test]
    fn a_place_is_taken_once_and_left_empty() {
        let folder = TempDir::new().expect("a folder");
        let path = folder.path().join("new").join("live.sock");
        let (place, listener) = Place::take(&path).expect("taken");
        let mode = fs::metadata(&path).expect("there").mode();
        assert_eq!(mode & 0o777, MODE);
        assert!(refusal(&path).contains("in use by another pxe-observer"));
        UnixStream::connect(&path).expect("it is listened on");
        drop((place, listener));
        assert!(!path.exists());
    }

    #[test]
    fn what_was_left_behind_is_taken_over() {
        let folder = TempDir::new().expect("a folder");
        let path = folder.path().join("live.sock");
        // A socket that nobody listens at, as one that was killed leaves it.
        drop(UnixListener::bind(&path).expect("bind"));
        assert!(path.exists());
        let (former, _listener) = Place::take(&path).expect("taken over");
        // It is another's by now.
        fs::remove_file(&path).expect("remove");
        let (_place, _other) = Place::take(&path).expect("taken");
        drop(former);
        UnixStream::connect(&path).expect("it is there still");
    }

    #[test]
    fn what_is_no_socket_is_left_alone() {
        let folder = TempDir::new().expect("a folder");
        let path = folder.path().join("live.sock");
        fs::write(&path, "precious").expect("write");
        assert!(refusal(&path).contains("is no socket: remove it"));
        assert_eq!(fs::read(&path).expect("read"), b"precious");
        let nowhere = folder.path().join("no/such/live.sock");
        assert!(refusal(&nowhere).starts_with("make "));
    }

    #[test]
    fn a_groups_number_is_found_by_its_name() {
        let groups = "root:x:0:\npxe-observer-x:x:7:\npxe-observer:x:993:a,b\n";
        assert_eq!(number(groups, GROUP), Some(993));
        assert_eq!(number("pxe-observer\n", GROUP), None);
    }
}
