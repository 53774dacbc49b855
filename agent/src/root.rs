//! Reads files below a settable root, so that a fixture tree or a mounted host is read exactly as a live machine.
//!
//! Knows nothing of what the files mean. Invariant: nothing above the root is ever opened (absolute links are
//! followed *below* the root), no read is larger than its limit, and no open blocks.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read};
use std::path::{Component, Path, PathBuf};

use crate::platform;

/// The most bytes of an ordinary small file.
pub const SMALL_FILE_BYTES_MAX: usize = 1 << 20;
/// What is asked for at once of a file that is handed over whole.
const PIECE_BYTES: usize = 16 << 10;
/// The most symbolic links followed for one path.
const LINKS_MAX: usize = 40;

/// Why something could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// It is not there.
    #[error("{path} does not exist")]
    Missing {
        /// What was asked for.
        path: String,
    },
    /// This user may not read it.
    #[error("{path} may not be read by this user")]
    Denied {
        /// What was asked for.
        path: String,
    },
    /// It is larger than what is read of such files.
    #[error("{path} is larger than {limit} bytes")]
    TooLarge {
        /// What was asked for.
        path: String,
        /// The named limit.
        limit: usize,
    },
    /// Anything else that went wrong.
    #[error("{path} could not be read: {error}")]
    Failed {
        /// What was asked for.
        path: String,
        /// What the system said.
        error: io::Error,
    },
}

impl ReadError {
    fn new(path: &str, error: io::Error) -> Self {
        let path = path.to_owned();
        match error.kind() {
            // A process that ended while it was read is as good as one that was never there.
            io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => ReadError::Missing { path },
            io::ErrorKind::PermissionDenied => ReadError::Denied { path },
            #[cfg(unix)]
            _ if error.raw_os_error() == Some(libc::ESRCH) => ReadError::Missing { path },
            _ => ReadError::Failed { path, error },
        }
    }

    /// Nothing is there, which is an answer and not a failure.
    pub fn is_missing(&self) -> bool {
        matches!(self, ReadError::Missing { .. })
    }

    /// A capability would open it.
    pub fn is_denied(&self) -> bool {
        matches!(self, ReadError::Denied { .. })
    }
}

/// Tells whether a file is still the one that was read: inode, size and time of change.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Fingerprint(u64, u64, Option<std::time::SystemTime>);

/// Names in a directory, and whether there were more than the limit.
#[derive(Debug, Default)]
pub struct Names {
    /// In order.
    pub names: Vec<String>,
    /// There were more.
    pub truncated: bool,
}

/// The root below which everything is read.
#[derive(Clone, Debug)]
pub struct Root {
    path: PathBuf,
}

impl Root {
    /// A root at `path`; `/` is the live machine.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }

    /// Whether this is the machine that the agent runs on, so that system calls speak of it too.
    pub fn is_live(&self) -> bool {
        self.path == Path::new("/")
    }

    /// The process whose view of mounts and network is the host's: the agent itself, or the first process of
    /// a tree that is looked at from outside.
    pub fn own_process(&self) -> &'static str {
        if self.is_live() { "/proc/self" } else { "/proc/1" }
    }

    /// The whole of a file of at most `limit` bytes.
    pub fn read(&self, path: &str, limit: usize) -> Result<Vec<u8>, ReadError> {
        let mut content = Vec::new();
        self.read_into(path, limit, &mut content)?;
        Ok(content)
    }

    /// As [`Root::read`], into a buffer that is used again.
    pub fn read_into(&self, path: &str, limit: usize, content: &mut Vec<u8>) -> Result<(), ReadError> {
        content.clear();
        let mut file = self.open(path)?;
        // Read by way of the stack: what is kept takes as much room as it needs and no more.
        let mut piece = [0; PIECE_BYTES];
        loop {
            match file.read(&mut piece) {
                Ok(0) => return Ok(()),
                Ok(read) => content.extend_from_slice(&piece[..read]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(ReadError::new(path, error)),
            }
            if content.len() > limit {
                content.truncate(limit);
                return Err(ReadError::TooLarge { path: path.to_owned(), limit });
            }
        }
    }

    /// As [`Root::read_into`], with half the system calls, for files that the kernel hands over whole as long as there is
    /// room: regular ones, and those of one process. A piece that leaves room is all of it.
    pub fn read_piece_into(&self, path: &str, limit: usize, content: &mut Vec<u8>) -> Result<(), ReadError> {
        let mut file = self.open(path)?;
        content.clear();
        content.resize(PIECE_BYTES, 0);
        let first = loop {
            match file.read(content) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                first => break first,
            }
        };
        let first = first.map_err(|error| {
            content.clear();
            ReadError::new(path, error)
        })?;
        content.truncate(first);
        if first == PIECE_BYTES {
            let most = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
            let most = most.saturating_sub(u64::try_from(first).unwrap_or(u64::MAX));
            file.take(most).read_to_end(content).map_err(|error| ReadError::new(path, error))?;
        }
        if content.len() > limit {
            content.truncate(limit);
            return Err(ReadError::TooLarge { path: path.to_owned(), limit });
        }
        Ok(())
    }

    /// A small file as text, trimmed; `None` when it is not there, not readable or empty.
    pub fn text(&self, path: &str) -> Option<String> {
        let content = self.read(path, SMALL_FILE_BYTES_MAX).ok()?;
        let text = String::from_utf8_lossy(&content);
        let text = text.trim_matches(|c: char| c.is_whitespace() || c == '\0');
        (!text.is_empty()).then(|| text.to_owned())
    }

    /// A small file as a number.
    pub fn number(&self, path: &str) -> Option<i64> {
        self.text(path)?.parse().ok()
    }

    /// Opens a file for reading without ever waiting for a writer.
    pub fn open(&self, path: &str) -> Result<File, ReadError> {
        let resolved = self.resolve(path, LastLink::Follow).map_err(|error| ReadError::new(path, error))?;
        let mut options = OpenOptions::new();
        options.read(true);
        #[cfg(unix)]
        {
            use std::os::unix::fs::OpenOptionsExt;
            options.custom_flags(libc::O_NONBLOCK | libc::O_CLOEXEC | libc::O_NOCTTY);
        }
        options.open(resolved).map_err(|error| ReadError::new(path, error))
    }

    /// The names in a directory, in order. Names that are not UTF-8 are left out: nothing here has such.
    pub fn names(&self, path: &str, limit: usize) -> Result<Names, ReadError> {
        let resolved = self.resolve(path, LastLink::Follow).map_err(|error| ReadError::new(path, error))?;
        let entries = fs::read_dir(resolved).map_err(|error| ReadError::new(path, error))?;
        let mut names = Names::default();
        for entry in entries {
            let entry = entry.map_err(|error| ReadError::new(path, error))?;
            let Ok(name) = entry.file_name().into_string() else { continue };
            if names.names.len() == limit {
                names.truncated = true;
                break;
            }
            names.names.push(name);
        }
        names.names.sort_unstable();
        Ok(names)
    }

    /// Where a symbolic link points, as written.
    pub fn link(&self, path: &str) -> Result<String, ReadError> {
        let resolved = self.resolve(path, LastLink::Keep).map_err(|error| ReadError::new(path, error))?;
        let target = fs::read_link(resolved).map_err(|error| ReadError::new(path, error))?;
        Ok(target.to_string_lossy().into_owned())
    }

    /// Where the symbolic links in a directory point, `TARGET_BYTES` of each; what is gone meanwhile is left out. Whether
    /// there were more than `limit`.
    pub fn links<const TARGET_BYTES: usize>(
        &self,
        path: &str,
        limit: usize,
        each: &mut dyn FnMut(&[u8]),
    ) -> Result<bool, ReadError> {
        let resolved = self.resolve(path, LastLink::Follow).map_err(|error| ReadError::new(path, error))?;
        let mut denied = None;
        let truncated = platform::links::<TARGET_BYTES>(&resolved, limit, &mut |target| match target {
            Ok(target) => each(target),
            // The list may be readable where what it names is not.
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => denied = Some(error),
            Err(_) => {}
        });
        match denied {
            Some(error) => Err(ReadError::new(path, error)),
            None => truncated.map_err(|error| ReadError::new(path, error)),
        }
    }

    /// Whether something is there.
    pub fn exists(&self, path: &str) -> bool {
        self.resolve(path, LastLink::Follow).is_ok_and(|resolved| resolved.exists())
    }

    /// Whether a directory is there.
    pub fn is_directory(&self, path: &str) -> bool {
        self.resolve(path, LastLink::Follow).is_ok_and(|resolved| resolved.is_dir())
    }

    /// What tells one directory or file from another, whatever path leads to it.
    pub fn place(&self, path: &str) -> Option<(u64, u64)> {
        let metadata = fs::metadata(self.resolve(path, LastLink::Follow).ok()?).ok()?;
        #[cfg(unix)]
        {
            use std::os::unix::fs::MetadataExt;
            Some((metadata.dev(), metadata.ino()))
        }
        #[cfg(not(unix))]
        {
            let _ = metadata;
            None
        }
    }

    /// What tells whether the file has changed since.
    pub fn fingerprint(&self, path: &str) -> Option<Fingerprint> {
        let metadata = fs::metadata(self.resolve(path, LastLink::Follow).ok()?).ok()?;
        #[cfg(unix)]
        let inode = std::os::unix::fs::MetadataExt::ino(&metadata);
        #[cfg(not(unix))]
        let inode = 0;
        Some(Fingerprint(inode, metadata.len(), metadata.modified().ok()))
    }

    /// The real path of `path` below the root.
    fn resolve(&self, path: &str, last: LastLink) -> io::Result<PathBuf> {
        if self.is_live() {
            return Ok(PathBuf::from(path));
        }
        let mut waiting: Vec<PathBuf> = vec![PathBuf::from(path)];
        let mut below = PathBuf::new();
        let mut links = 0;
        while let Some(next) = waiting.pop() {
            let mut components = next.components();
            let Some(first) = components.next() else { continue };
            let rest = components.as_path().to_path_buf();
            let is_last = rest.as_os_str().is_empty() && waiting.is_empty();
            if !rest.as_os_str().is_empty() {
                waiting.push(rest);
            }
            match first {
                Component::RootDir | Component::Prefix(_) => below = PathBuf::new(),
                Component::CurDir => {}
                Component::ParentDir => {
                    below.pop();
                }
                Component::Normal(name) => {
                    let candidate = self.path.join(&below).join(name);
                    let target = match (is_last, last) {
                        (true, LastLink::Keep) => None,
                        _ => fs::read_link(&candidate).ok(),
                    };
                    match target {
                        Some(target) => {
                            links += 1;
                            if links > LINKS_MAX {
                                return Err(io::Error::other("too many symbolic links"));
                            }
                            waiting.push(target);
                        }
                        None => below.push(name),
                    }
                }
            }
        }
        Ok(self.path.join(below))
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum LastLink {
    Follow,
    Keep,
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    fn tree() -> (tempfile::TempDir, Root) {
        let directory = tempfile::tempdir().unwrap();
        fs::create_dir_all(directory.path().join("etc/deep")).unwrap();
        fs::write(directory.path().join("etc/name"), "inside\n").unwrap();
        let root = Root::new(directory.path());
        (directory, root)
    }

    #[test]
    fn absolute_links_stay_below_the_root() {
        let (directory, root) = tree();
        symlink("/etc/name", directory.path().join("etc/deep/link")).unwrap();
        symlink("../../../../../../etc/name", directory.path().join("etc/deep/up")).unwrap();
        assert_eq!(root.text("/etc/deep/link").as_deref(), Some("inside"));
        assert_eq!(root.text("/etc/deep/up").as_deref(), Some("inside"));
        assert_eq!(root.link("/etc/deep/link").unwrap(), "/etc/name");
    }

    #[test]
    fn the_links_of_a_directory() {
        let (directory, root) = tree();
        for (name, target) in [("1", "socket:[7]"), ("2", "/a/path/that/is/long"), ("3", "pipe:[8]")] {
            symlink(target, directory.path().join("etc/deep").join(name)).unwrap();
        }
        fs::write(directory.path().join("etc/deep/no-link"), "").unwrap();
        symlink("/etc/deep", directory.path().join("etc/other")).unwrap();
        let all = |path: &str, limit| {
            let mut found = Vec::new();
            let truncated = root.links::<12>(path, limit, &mut |target| {
                found.push(String::from_utf8_lossy(target).into_owned());
            });
            found.sort();
            truncated.map(|truncated| (found, truncated))
        };
        let expected = ["/a/path/that", "pipe:[8]", "socket:[7]"].map(str::to_owned).to_vec();
        assert_eq!(all("/etc/deep", 9).unwrap(), (expected.clone(), false));
        assert_eq!(all("/etc/other", 4).unwrap(), (expected, false));
        assert!(all("/etc/deep", 2).unwrap().1);
        assert!(all("/etc/none", 9).unwrap_err().is_missing());
    }

    #[test]
    fn a_circle_of_links_is_an_error() {
        let (directory, root) = tree();
        symlink("/etc/b", directory.path().join("etc/a")).unwrap();
        symlink("/etc/a", directory.path().join("etc/b")).unwrap();
        assert!(matches!(root.read("/etc/a", 10), Err(ReadError::Failed { .. })));
    }

    #[test]
    fn a_file_above_its_limit_is_an_error_that_names_the_limit() {
        let (_directory, root) = tree();
        let error = root.read("/etc/name", 3).unwrap_err();
        assert_eq!(error.to_string(), "/etc/name is larger than 3 bytes");
        assert_eq!(root.read("/etc/name", 7).unwrap(), b"inside\n");
    }

    #[test]
    fn a_file_read_by_the_piece_is_the_whole_file() {
        let (directory, root) = tree();
        let mut content = vec![7; 100];
        for bytes in [0, 1, PIECE_BYTES - 1, PIECE_BYTES, PIECE_BYTES + 1, 3 * PIECE_BYTES] {
            fs::write(directory.path().join("etc/long"), vec![b'x'; bytes]).unwrap();
            root.read_piece_into("/etc/long", bytes, &mut content).unwrap();
            assert_eq!(content, vec![b'x'; bytes]);
            if bytes > 0 {
                let short = root.read_piece_into("/etc/long", bytes - 1, &mut content);
                assert!(matches!(short, Err(ReadError::TooLarge { .. })), "{bytes}");
            }
        }
        assert!(root.read_piece_into("/etc", 10, &mut content).is_err(), "a directory");
        assert!(root.read_piece_into("/etc/none", 10, &mut content).unwrap_err().is_missing());
    }

    #[test]
    fn names_are_in_order_and_bounded() {
        let (_directory, root) = tree();
        assert_eq!(root.names("/etc", 10).unwrap().names, ["deep", "name"]);
        assert!(root.names("/etc", 1).unwrap().truncated);
        assert!(root.names("/nowhere", 1).unwrap_err().is_missing());
    }
}
