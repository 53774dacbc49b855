//! Why the agent stops, as far as it can tell: so that a planned stop is not taken for a failure.

use std::path::Path;

/// What is there while the system goes down: a shutdown that was asked for, and the note that nobody may log in.
const GOING_DOWN: [&str; 2] = ["/run/nologin", "/run/systemd/shutdown/scheduled"];
/// What the kernel adds to the name of a program that was replaced while it runs.
const REPLACED: &str = " (deleted)";

/// `reboot`, `upgrade` or `stop`.
pub fn reason() -> &'static str {
    let program = std::fs::read_link("/proc/self/exe").unwrap_or_default();
    reason_by(&program, |path| Path::new(path).exists())
}

fn reason_by(program: &Path, exists: impl Fn(&str) -> bool) -> &'static str {
    match () {
        () if GOING_DOWN.iter().any(|path| exists(path)) => "reboot",
        () if program.to_string_lossy().ends_with(REPLACED) => "upgrade",
        () => "stop",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons() {
        let program = Path::new("/usr/bin/cmdb-agent");
        let replaced = Path::new("/usr/bin/cmdb-agent (deleted)");
        assert_eq!(reason_by(program, |_| false), "stop");
        assert_eq!(reason_by(replaced, |_| false), "upgrade");
        assert_eq!(reason_by(replaced, |path| path == "/run/nologin"), "reboot");
    }
}
