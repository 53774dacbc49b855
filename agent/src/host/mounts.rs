//! Reads the table of mounted file systems.
//!
//! Knows nothing of disks or sizes. Invariant: only the kernel's table is read, never the mounted file systems
//! themselves, so a dead network mount cannot hold the agent up.

use super::cgroup::{Container, is_container_id};
use crate::root::Root;

/// The most mounts of one host.
pub const MOUNTS_MAX: usize = 16_384;
/// The most bytes of the table.
const TABLE_BYTES_MAX: usize = 8 << 20;

/// One mounted file system.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Mount {
    /// Such as `254:0`.
    pub device_number: String,
    /// The directory of the file system that is mounted; `/` unless it is a bind mount.
    pub subtree: String,
    /// Where.
    pub point: String,
    /// Such as `ext4`.
    pub kind: String,
    /// Such as `/dev/vda`.
    pub source: String,
}

/// Reads `mountinfo` of the process whose view is the host's.
pub fn read(root: &Root) -> Vec<Mount> {
    let path = format!("{}/mountinfo", root.own_process());
    let content = root.read(&path, TABLE_BYTES_MAX).unwrap_or_default();
    parse(&String::from_utf8_lossy(&content))
}

/// `id parent major:minor subtree point options [optional]… - kind source super-options` lines.
pub fn parse(text: &str) -> Vec<Mount> {
    text.lines().take(MOUNTS_MAX).filter_map(parse_line).collect()
}

fn parse_line(line: &str) -> Option<Mount> {
    let (before, after) = line.split_once(" - ")?;
    let mut before = before.split(' ');
    let device_number = before.nth(2)?.to_owned();
    let subtree = unescape(before.next()?);
    let point = unescape(before.next()?);
    let mut after = after.split(' ');
    let kind = after.next().filter(|kind| !kind.is_empty())?.to_owned();
    let source = unescape(after.next().unwrap_or_default());
    Some(Mount { device_number, subtree, point, kind, source })
}

/// The kernel writes blanks and backslashes as `\040`.
fn unescape(text: &str) -> String {
    let bytes = text.as_bytes();
    if !bytes.contains(&b'\\') {
        return text.to_owned();
    }
    let mut plain = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let octal = (bytes[at] == b'\\')
            .then(|| bytes.get(at + 1..at + 4))
            .flatten()
            .and_then(|digits| std::str::from_utf8(digits).ok())
            .and_then(|digits| u8::from_str_radix(digits, 8).ok());
        match octal {
            Some(byte) => {
                plain.push(byte);
                at += 4;
            }
            None => {
                plain.push(bytes[at]);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&plain).into_owned()
}

/// What is mounted at `/`: the last one is on top.
pub fn root_of(mounts: &[Mount]) -> Option<&Mount> {
    mounts.iter().rev().find(|mount| mount.point == "/")
}

/// The container whose files are bound over `/etc`, as runtimes do inside a container.
pub fn container_of(mounts: &[Mount]) -> Option<Container> {
    let bound = mounts
        .iter()
        .filter(|mount| matches!(mount.point.as_str(), "/etc/hostname" | "/etc/hosts" | "/etc/resolv.conf"));
    for mount in bound {
        if let Some(id) = mount.subtree.split('/').find(|segment| is_container_id(segment)) {
            let runtime = match () {
                () if mount.subtree.contains("/docker/") => "docker",
                () if mount.subtree.contains("containers/storage")
                    || mount.subtree.contains("overlay-containers") =>
                {
                    "podman"
                }
                () if mount.subtree.contains("containerd") => "containerd",
                () => "unknown",
            };
            return Some(Container { id: Some(id.to_owned()), runtime: runtime.to_owned() });
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines() {
        let mounts = parse(
            "27 1 254:0 / / rw,relatime shared:1 master:2 - ext4 /dev/vda rw\n\
             30 27 0:45 / /srv/my\\040files rw - nfs4 nas:/x\\134y rw\n\
             broken line\n\
             31 27 0:46 / /x rw -\n\
             32 27\n",
        );
        assert_eq!(mounts.len(), 2);
        assert_eq!(
            (mounts[0].point.as_str(), mounts[0].kind.as_str(), mounts[0].source.as_str()),
            ("/", "ext4", "/dev/vda")
        );
        assert_eq!((mounts[1].point.as_str(), mounts[1].source.as_str()), ("/srv/my files", "nas:/x\\y"));
        assert_eq!(unescape("a\\04"), "a\\04");
        assert_eq!(unescape("a\\999b"), "a\\999b");
    }

    #[test]
    fn a_container_shows_in_what_is_bound_over_etc() {
        let id = "a".repeat(64);
        let line =
            format!("1 2 8:1 /var/lib/docker/containers/{id}/hosts /etc/hosts rw - ext4 /dev/sda1 rw\n");
        assert_eq!(container_of(&parse(&line)), Some(Container { id: Some(id), runtime: "docker".into() }));
        assert_eq!(
            container_of(&parse("1 2 8:1 /docker/short/hosts /etc/hosts rw - ext4 /dev/sda1 rw\n")),
            None
        );
    }
}
