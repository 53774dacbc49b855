//! Reads from a process's control groups where it was started: by which unit, in which container.
//!
//! Knows nothing of processes. Invariant: an id is taken for a container's only when it is hexadecimal and of a
//! container id's length.

/// The length of a container id.
const CONTAINER_ID_LENGTH: usize = 64;

/// A container.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Container {
    /// Its id, where known.
    pub id: Option<String>,
    /// Such as `docker`.
    pub runtime: String,
}

/// Where a process was started.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Placement {
    /// The unit of the service manager.
    pub unit: Option<String>,
    /// The container.
    pub container: Option<Container>,
}

/// Reads `/proc/PID/cgroup`: `hierarchy:controllers:path` lines.
pub fn parse(text: &str) -> Placement {
    let mut found = Placement::default();
    for line in text.lines() {
        let Some(path) = line.splitn(3, ':').nth(2) else { continue };
        for segment in path.split('/') {
            if found.container.is_none() {
                found.container = container(segment, path);
            }
            if segment.ends_with(".service") && !segment.starts_with("user@") {
                found.unit = Some(segment.to_owned());
            }
        }
    }
    if found.container.is_some() {
        // The unit is then the container runtime's, and not the program's.
        found.unit = None;
    }
    found
}

/// `docker-<id>.scope`, `cri-containerd-<id>.scope`, `libpod-<id>.scope`, or a bare id below `/docker/` and the like.
fn container(segment: &str, path: &str) -> Option<Container> {
    let name = segment.strip_suffix(".scope").unwrap_or(segment);
    let (prefix, id) = name.rsplit_once(['-', ':']).unwrap_or(("", name));
    if !is_container_id(id) {
        return None;
    }
    let runtime = match prefix {
        "docker" => "docker",
        "libpod" | "libpod-conmon" => "podman",
        "crio" => "cri-o",
        _ if prefix.ends_with("containerd") => "containerd",
        _ if path.contains("/docker/") => "docker",
        _ if path.contains("libpod") => "podman",
        _ if path.contains("kubepods") => "containerd",
        _ => "unknown",
    };
    Some(Container { id: Some(id.to_owned()), runtime: runtime.to_owned() })
}

/// Whether this is a container's id.
pub fn is_container_id(text: &str) -> bool {
    text.len() == CONTAINER_ID_LENGTH && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

    #[test]
    fn units_and_containers() {
        let cases = [
            ("0::/system.slice/nginx.service\n".to_owned(), Some("nginx.service"), None),
            (
                "0::/system.slice/system-postgresql.slice/postgresql@15-main.service\n".to_owned(),
                Some("postgresql@15-main.service"),
                None,
            ),
            ("0::/user.slice/user-1000.slice/user@1000.service/app.slice/x.scope".to_owned(), None, None),
            (format!("0::/system.slice/docker-{ID}.scope"), None, Some("docker")),
            (format!("12:pids:/docker/{ID}\n1:name=systemd:/docker/{ID}\n"), None, Some("docker")),
            (
                format!("0::/kubepods.slice/kubepods-pod1.slice/cri-containerd-{ID}.scope"),
                None,
                Some("containerd"),
            ),
            (format!("0::/machine.slice/libpod-{ID}.scope/container"), None, Some("podman")),
            (
                format!("0::/system.slice/containerd.service/kubepods-pod1.slice:cri-containerd:{ID}"),
                None,
                Some("containerd"),
            ),
            ("0::/docker/0123".to_owned(), None, None),
            ("".to_owned(), None, None),
            (":::::\n\u{0}\n0:".to_owned(), None, None),
        ];
        for (text, unit, runtime) in cases {
            let found = parse(&text);
            assert_eq!(found.unit.as_deref(), unit, "{text}");
            assert_eq!(found.container.as_ref().map(|c| c.runtime.as_str()), runtime, "{text}");
        }
    }
}
