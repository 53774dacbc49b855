//! Mounted file systems: those that keep data, local or on the network.
//!
//! The size is asked for local ones only: asking a network mount whose server is gone would never return.

use std::collections::BTreeMap;

use crate::claim::{Draft, Relation};
use crate::collector::{Collector, Scope, Section};
use crate::host::mounts::{MOUNTS_MAX, Mount};
use crate::host::{Host, OS_KEY};

/// Reads the mounted file systems.
#[derive(Debug)]
pub struct Filesystems;

impl Collector for Filesystems {
    fn scope(&self) -> Scope {
        Scope::Filesystems
    }

    fn collect(&mut self, host: &mut Host, section: &mut Section) {
        if host.mounts.is_empty() {
            return section.gap(format!("{}/mountinfo could not be read", host.root.own_process()));
        }
        if host.mounts.len() == MOUNTS_MAX {
            section.gap(format!("more than {MOUNTS_MAX} mounts: the rest is left out"));
        }
        for (mount, kind) in that_keep_data(&host.mounts) {
            section.add(file_system(host, mount, kind));
        }
    }
}

fn file_system(host: &Host, mount: &Mount, kind: Kind) -> Draft {
    let size = (kind == Kind::Local && host.root.is_live())
        .then(|| crate::platform::file_system_bytes(&mount.point))
        .flatten();
    let mut draft = Draft::new(&format!("filesystem:{}", mount.point), "file_system", &mount.point)
        .within(OS_KEY)
        .set("mount_point", &mount.point)
        .set("device", &mount.source)
        .set("type", &mount.kind)
        .set("size_bytes", size.filter(|bytes| *bytes > 0))
        .related_from(OS_KEY, Relation::Contains);
    if host.has_machine {
        for carrier in host.devices.carriers_of(&mount.device_number, &mount.source) {
            draft = draft.relates(Relation::StoredOn, &carrier.key());
        }
    }
    draft
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Kind {
    /// On disks of this machine.
    Local,
    /// On another machine, or served by a program: never touched.
    Remote,
    /// The kernel's own, or in memory.
    Passing,
}

fn kind_of(name: &str) -> Kind {
    match name {
        "ext2" | "ext3" | "ext4" | "xfs" | "btrfs" | "zfs" | "f2fs" | "jfs" | "reiserfs" | "bcachefs"
        | "vfat" | "exfat" | "ntfs" | "ntfs3" | "hfsplus" | "ubifs" | "overlay" | "aufs" => Kind::Local,
        "nfs" | "nfs4" | "cifs" | "smb3" | "smbfs" | "ceph" | "glusterfs" | "lustre" | "gpfs" | "afs"
        | "9p" | "virtiofs" | "beegfs" | "ocfs2" | "gfs2" | "orangefs" | "vboxsf" => Kind::Remote,
        "fuse.gvfsd-fuse" | "fuse.portal" | "fuse.lxcfs" | "fusectl" => Kind::Passing,
        _ if name.starts_with("fuse.") || name == "fuse" || name == "fuseblk" => Kind::Remote,
        _ => Kind::Passing,
    }
}

/// The mounts that keep data: the last one at each place, without what is bound from elsewhere and without the
/// layers of containers.
fn that_keep_data(mounts: &[Mount]) -> Vec<(&Mount, Kind)> {
    let mut at: BTreeMap<&str, (&Mount, Kind)> = BTreeMap::new();
    for mount in mounts {
        let kind = kind_of(&mount.kind);
        let layered = matches!(mount.kind.as_str(), "overlay" | "aufs") && mount.point != "/";
        // A subvolume of btrfs is mounted like a bound directory, but is a file system of its own.
        let bound =
            mount.subtree != "/" && mount.point != "/" && mount.kind != "btrfs" && kind == Kind::Local;
        if kind == Kind::Passing || layered || bound {
            continue;
        }
        at.insert(&mount.point, (mount, kind));
    }
    at.into_values().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::mounts;

    #[test]
    fn only_what_keeps_data() {
        let mounts = mounts::parse(
            "1 0 8:1 / / rw - ext4 /dev/sda1 rw\n\
             2 1 0:5 / /proc rw - proc proc rw\n\
             3 1 0:6 / /srv rw - nfs4 nas:/srv rw\n\
             4 1 8:1 /etc/x /etc/hosts rw - ext4 /dev/sda1 rw\n\
             5 1 0:7 / /var/lib/docker/overlay2/a/merged rw - overlay overlay rw\n\
             6 1 0:8 /@home /home rw - btrfs /dev/sdb rw\n\
             7 1 0:9 / /mnt/ssh rw - fuse.sshfs me@host: rw\n\
             8 1 8:2 / /srv rw - xfs /dev/sda2 rw\n",
        );
        let shown: Vec<_> = that_keep_data(&mounts)
            .into_iter()
            .map(|(mount, kind)| format!("{} {} {kind:?}", mount.point, mount.kind))
            .collect();
        assert_eq!(
            shown,
            ["/ ext4 Local", "/home btrfs Local", "/mnt/ssh fuse.sshfs Remote", "/srv xfs Local"]
        );
    }
}
