//! The operating system instance.

use super::software::depends_on_name_servers;
use crate::claim::{Draft, Relation, TimestampUs};
use crate::collector::{Collector, Scope, Section};
use crate::host::{CONTAINER_KEY, Host, MACHINE_KEY, OS_KEY};
use crate::root::Root;

/// The moment of the start is computed by the kernel from two clocks and moves when one is set. A smaller
/// difference than this is not another start.
const BOOT_DIFFERENCE_US: i64 = 5_000_000;
/// `/proc/stat` has a line per processor and a very long one of interrupts.
const STAT_BYTES_MAX: usize = 16 << 20;

/// Reads the operating system's name, version, kernel and start.
#[derive(Debug, Default)]
pub struct Os {
    boot_at_us: Option<i64>,
}

impl Collector for Os {
    fn scope(&self) -> Scope {
        Scope::Os
    }

    fn collect(&mut self, host: &mut Host, section: &mut Section) {
        let root = &host.root;
        let fqdn = fqdn(&host.name, &root.text("/etc/hosts").unwrap_or_default());
        let domain =
            fqdn.as_deref().and_then(|fqdn| fqdn.split_once('.')).map(|(_, domain)| domain.to_owned());
        let architecture = root
            .text("/proc/sys/kernel/arch")
            .or_else(|| root.is_live().then(|| std::env::consts::ARCH.to_owned()));
        let runs_on = if host.container.is_some() { CONTAINER_KEY } else { MACHINE_KEY };
        let draft = Draft::new(OS_KEY, "operating_system", &host.name)
            .set("host_name", &host.name)
            .set("fqdn", fqdn)
            .set("domain", domain)
            .set("machine_id", machine_id(root))
            .set("os.id", host.distribution.id.clone())
            .set("os.name", host.distribution.name.clone())
            .set("os.version", host.distribution.version.clone())
            .set("os.title", host.distribution.title.clone())
            .set("kernel.name", root.text("/proc/sys/kernel/ostype"))
            .set("kernel.release", root.text("/proc/sys/kernel/osrelease"))
            .set("architecture", architecture)
            .set("boot_at", self.boot_at(root))
            .set("init", root.text("/proc/1/comm"))
            .relates(Relation::RunsOn, runs_on);
        section.add(depends_on_name_servers(draft, host));
    }
}

impl Os {
    fn boot_at(&mut self, root: &Root) -> Option<TimestampUs> {
        let content = root.read("/proc/stat", STAT_BYTES_MAX).ok()?;
        let now = parse_boot_at_us(&String::from_utf8_lossy(&content))?;
        let kept = self.boot_at_us.filter(|before| before.abs_diff(now) <= BOOT_DIFFERENCE_US.unsigned_abs());
        let settled = kept.unwrap_or(now);
        self.boot_at_us = Some(settled);
        Some(TimestampUs(settled))
    }
}

/// The `btime` line of `/proc/stat`: seconds since the epoch.
fn parse_boot_at_us(text: &str) -> Option<i64> {
    let seconds: i64 = text.lines().find_map(|line| line.strip_prefix("btime "))?.trim().parse().ok()?;
    seconds.checked_mul(1_000_000)
}

fn machine_id(root: &Root) -> Option<String> {
    ["/etc/machine-id", "/var/lib/dbus/machine-id"]
        .iter()
        .filter_map(|path| root.text(path))
        .find(|id| id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

/// The host's full name: its own if it has dots, else the one that `/etc/hosts` puts first beside it.
fn fqdn(name: &str, hosts: &str) -> Option<String> {
    if name.contains('.') {
        return Some(name.to_owned());
    }
    hosts
        .lines()
        .map(|line| line.split('#').next().unwrap_or_default())
        .find_map(|line| {
            let mut names = line.split_ascii_whitespace().skip(1);
            let first = names.next()?;
            let prefix = first.strip_prefix(name)?;
            (prefix.starts_with('.') && prefix.len() > 1).then(|| first.to_owned())
        })
        .filter(|fqdn| !fqdn.ends_with(".localdomain"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn full_names() {
        let hosts =
            "127.0.0.1 localhost\n# 10.0.0.1 web01.wrong\n10.0.0.5\tweb01.example.com web01 # x\n::1\n";
        assert_eq!(fqdn("web01", hosts).as_deref(), Some("web01.example.com"));
        assert_eq!(fqdn("web02", hosts), None);
        assert_eq!(fqdn("web", hosts), None);
        assert_eq!(fqdn("a.b.c", "").as_deref(), Some("a.b.c"));
        assert_eq!(fqdn("x", "127.0.1.1 x.localdomain x"), None);
    }

    #[test]
    fn start() {
        assert_eq!(parse_boot_at_us("cpu 1\nbtime 1700000000\nx"), Some(1_700_000_000_000_000));
        for text in ["", "btime", "btime x", "btime 99999999999999999999", "btime 9223372036854775807"] {
            assert_eq!(parse_boot_at_us(text), None, "{text}");
        }
    }

    #[test]
    fn a_clock_that_is_set_is_not_another_start() {
        let directory = tempfile::tempdir().unwrap();
        std::fs::create_dir(directory.path().join("proc")).unwrap();
        let root = Root::new(directory.path());
        let mut os = Os::default();
        let mut at = |seconds: i64| {
            std::fs::write(directory.path().join("proc/stat"), format!("btime {seconds}\n")).unwrap();
            os.boot_at(&root).unwrap().0 / 1_000_000
        };
        assert_eq!((at(1000), at(1004), at(1007)), (1000, 1000, 1007));
    }
}
