//! Reads the processes of the host from `/proc`.
//!
//! Knows nothing of products. Invariant: a process that ends while it is read is left out; one that may not be
//! looked into is kept with what is public, and counted.

mod ended;

use std::collections::BTreeMap;

use crate::host::cgroup::{self, Placement};
use crate::root::{ReadError, Root};

/// The most processes of one host.
pub const PROCESSES_MAX: usize = 65_536;
/// The most open files looked at in one process.
pub const FILES_PER_PROCESS_MAX: usize = 200_000;
/// More than the longest `socket:[inode]`.
const SOCKET_NAME_BYTES: usize = 32;
/// The most bytes of arguments that are read of one process; the rest is left out.
const ARGUMENTS_BYTES_MAX: usize = 128 << 10;
/// The most bytes of the other files of a process.
const FILE_BYTES_MAX: usize = 64 << 10;
/// The most lines of `/etc/passwd`.
const ACCOUNTS_MAX: usize = 100_000;
/// A program is read so many times before it is believed to be what it was: it may give itself another title when it
/// starts.
const TIMES_READ: u8 = 2;
/// It is read again after so many scans, whatever it seems to be.
const SCANS_BELIEVED: u64 = 12;
/// A program that had a connection is reported for so many scans without one, while it runs: a day's worth.
const SCANS_CONNECTED: u64 = 288;
/// PF_KTHREAD: a thread of the kernel.
const FLAG_KERNEL_THREAD: u64 = 0x0020_0000;

/// A network namespace: the inode that stands for it. 0: it could not be read.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct NamespaceId(pub u64);

/// One process.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Process {
    /// Its id.
    pub pid: u32,
    /// Its parent's id.
    pub parent: u32,
    /// When it was started, in the kernel's ticks since boot.
    pub started: u64,
    /// The kernel's short name for it.
    pub name: String,
    /// The program's path.
    pub executable: Option<String>,
    /// Its arguments, the program's name first. They may hold secrets.
    pub arguments: Vec<String>,
    /// Where it was started.
    pub placement: Placement,
    /// Its network.
    pub namespace: NamespaceId,
    /// The inodes of its sockets.
    pub sockets: Vec<u64>,
    /// It had a connection not long ago.
    pub was_connected: bool,
    /// It is gone, and was heard of because it made a connection.
    pub has_ended: bool,
}

impl Process {
    /// The file name by which the program is recognised.
    pub fn program_name(&self) -> &str {
        let named = |path: &str| !path.is_empty() && !path.contains(char::is_whitespace);
        match (&self.executable, self.arguments.first()) {
            (Some(path), _) => super::catalogue::file_name(path),
            (None, Some(first)) if named(first) => super::catalogue::file_name(first),
            _ => &self.name,
        }
    }

    /// Its directory in `/proc`.
    pub fn directory(&self) -> String {
        format!("/proc/{}", self.pid)
    }

    /// Whether it has written something of its own over its arguments, as servers do to show their state.
    pub fn is_retitled(&self) -> bool {
        self.arguments.first().is_some_and(|first| first.contains(' '))
            || self.arguments.first().is_some_and(|first| first.ends_with(':'))
    }
}

/// All processes, and what could not be seen of them.
#[derive(Debug, Default)]
pub struct Processes {
    /// In the order of their ids.
    pub all: Vec<Process>,
    ended: Vec<Process>,
    /// Processes whose open files may not be listed.
    pub closed: usize,
    /// What was left out, with the named limit.
    pub gaps: Vec<String>,
}

/// What one scan knows of the programs that the one before saw.
///
/// A program that has run through a few scans is believed to be what it was: its arguments, its place and its network
/// are settled when it starts. Another program in the process has another stack.
#[derive(Debug, Default)]
pub struct KnownPrograms {
    scan: u64,
    seen: BTreeMap<u32, SeenProgram>,
    /// Seen by the scan before, and gone since.
    gone: BTreeMap<u32, SeenProgram>,
}

#[derive(Debug)]
struct SeenProgram {
    program: ProgramId,
    parent: u32,
    /// The scan that last saw it connected.
    connected: Option<u64>,
    /// In how many scans before this one.
    times: u8,
    lasting: Lasting,
}

/// What tells one run of a program from another.
#[derive(PartialEq, Eq, Debug)]
struct ProgramId {
    started: u64,
    name: String,
    /// Where its stack begins: another place after each start of a program. 0: not told.
    stack_start: u64,
}

#[derive(Clone, Debug)]
struct Lasting {
    executable: Option<String>,
    arguments: Vec<String>,
    placement: Placement,
    namespace: NamespaceId,
}

/// Reads all processes.
pub fn read(root: &Root, known: &mut KnownPrograms) -> Result<Processes, ReadError> {
    known.scan += 1;
    let mut reader = Reader { root, content: Vec::new(), known, now: BTreeMap::new() };
    let found = reader.read();
    let now = std::mem::take(&mut reader.now);
    known.gone = std::mem::replace(&mut known.seen, now);
    found
}

impl KnownPrograms {
    /// These have connections now.
    pub fn note_connected(&mut self, pids: &[u32]) {
        for pid in pids {
            if let Some(seen) = self.seen.get_mut(pid) {
                seen.connected = Some(self.scan);
            }
        }
    }
}

impl Processes {
    /// The process with an id; they are in the order of these.
    pub fn find(&self, pid: u32) -> Option<&Process> {
        self.all.binary_search_by_key(&pid, |process| process.pid).ok().map(|index| &self.all[index])
    }
}

impl Reader<'_> {
    fn read(&mut self) -> Result<Processes, ReadError> {
        let mut found = Processes::default();
        let root = self.root;
        // Twice as many names as processes: /proc has others.
        let names = root.names("/proc", 2 * PROCESSES_MAX)?;
        let mut pids: Vec<u32> = names.names.iter().filter_map(|name| name.parse().ok()).collect();
        pids.sort_unstable();
        if names.truncated || pids.len() > PROCESSES_MAX {
            pids.truncate(PROCESSES_MAX);
            found.gaps.push(format!("more than {PROCESSES_MAX} processes: the rest is left out"));
        }
        for pid in pids {
            let Some(mut process) = self.process(pid) else { continue };
            match self.sockets(pid) {
                Ok((sockets, truncated)) => {
                    process.sockets = sockets;
                    if truncated {
                        found.gaps.push(format!(
                        "a process with more than {FILES_PER_PROCESS_MAX} open files: the rest is left out"
                    ));
                    }
                }
                Err(error) if error.is_missing() => {}
                Err(_) => found.closed += 1,
            }
            found.all.push(process);
        }
        Ok(found)
    }
}

struct Reader<'a> {
    root: &'a Root,
    content: Vec<u8>,
    known: &'a mut KnownPrograms,
    now: BTreeMap<u32, SeenProgram>,
}

impl Reader<'_> {
    fn process(&mut self, pid: u32) -> Option<Process> {
        let stat = parse_stat(self.file(pid, "stat")?)?;
        if stat.is_kernel_thread || stat.state == 'Z' || stat.state == 'X' {
            return None;
        }
        let lasting = self.lasting(pid, &stat);
        let was_connected = self.was_connected(pid);
        Some(Process {
            pid,
            parent: stat.parent,
            started: stat.started,
            name: stat.name,
            executable: lasting.executable,
            arguments: lasting.arguments,
            placement: lasting.placement,
            namespace: lasting.namespace,
            sockets: Vec::new(),
            was_connected,
            has_ended: false,
        })
    }

    fn was_connected(&self, pid: u32) -> bool {
        let connected = self.now.get(&pid).and_then(|seen| seen.connected);
        connected.is_some_and(|scan| self.known.scan.saturating_sub(scan) <= SCANS_CONNECTED)
    }

    /// What does not change while a program runs: read, unless it is known.
    fn lasting(&mut self, pid: u32, stat: &Stat) -> Lasting {
        let program =
            ProgramId { started: stat.started, name: stat.name.clone(), stack_start: stat.stack_start };
        let before = self.known.seen.remove(&pid).filter(|seen| seen.program == program);
        let connected = before.as_ref().and_then(|seen| seen.connected);
        let before = before.filter(|_| stat.stack_start != 0);
        let is_due = (self.known.scan + u64::from(pid)).is_multiple_of(SCANS_BELIEVED);
        let times = before.as_ref().map_or(0, |seen| seen.times.saturating_add(1));
        let lasting = match before {
            Some(seen) if seen.times >= TIMES_READ && !is_due => seen.lasting,
            _ => self.read_lasting(pid),
        };
        self.now.insert(
            pid,
            SeenProgram { program, parent: stat.parent, connected, times, lasting: lasting.clone() },
        );
        lasting
    }

    fn read_lasting(&mut self, pid: u32) -> Lasting {
        let placement = self.file(pid, "cgroup").map(|text| cgroup::parse(&text)).unwrap_or_default();
        let arguments = self.arguments(pid);
        let executable = self.root.link(&format!("/proc/{pid}/exe")).ok().map(|path| {
            // The program was replaced by a newer one while it runs.
            path.strip_suffix(" (deleted)").map_or(path.clone(), str::to_owned)
        });
        let executable = executable.or_else(|| arguments.first().filter(|first| is_path(first)).cloned());
        Lasting { executable, arguments, placement, namespace: namespace(self.root, &format!("/proc/{pid}")) }
    }

    fn file(&mut self, pid: u32, name: &str) -> Option<String> {
        let read =
            self.root.read_piece_into(&format!("/proc/{pid}/{name}"), FILE_BYTES_MAX, &mut self.content);
        match read {
            Ok(()) | Err(ReadError::TooLarge { .. }) => {
                Some(String::from_utf8_lossy(&self.content).into_owned())
            }
            Err(_) => None,
        }
    }

    fn arguments(&mut self, pid: u32) -> Vec<String> {
        let path = format!("/proc/{pid}/cmdline");
        match self.root.read_piece_into(&path, ARGUMENTS_BYTES_MAX, &mut self.content) {
            Ok(()) | Err(ReadError::TooLarge { .. }) => parse_arguments(&self.content),
            Err(_) => Vec::new(),
        }
    }

    fn sockets(&self, pid: u32) -> Result<(Vec<u64>, bool), ReadError> {
        let mut sockets = Vec::new();
        let mut note = |target: &[u8]| {
            sockets.extend(std::str::from_utf8(target).ok().and_then(|target| parse_inode("socket", target)));
        };
        let directory = format!("/proc/{pid}/fd");
        let truncated = self.root.links::<SOCKET_NAME_BYTES>(&directory, FILES_PER_PROCESS_MAX, &mut note)?;
        sockets.sort_unstable();
        sockets.dedup();
        Ok((sockets, truncated))
    }
}

/// The network namespace of a process, given its directory in `/proc`.
pub fn namespace(root: &Root, directory: &str) -> NamespaceId {
    let link = root.link(&format!("{directory}/ns/net")).unwrap_or_default();
    NamespaceId(parse_inode("net", &link).unwrap_or(0))
}

fn is_path(text: &str) -> bool {
    text.starts_with('/') && !text.contains(char::is_whitespace)
}

#[derive(Debug, PartialEq, Eq)]
struct Stat {
    name: String,
    state: char,
    parent: u32,
    started: u64,
    stack_start: u64,
    is_kernel_thread: bool,
}

/// `pid (name) state parent …`; the name may hold blanks and brackets, so its end is the last bracket.
fn parse_stat(text: String) -> Option<Stat> {
    let (before, after) = text.rsplit_once(')')?;
    let (_, name) = before.split_once('(')?;
    let fields: Vec<&str> = after.split_ascii_whitespace().collect();
    Some(Stat {
        name: name.to_owned(),
        state: fields.first()?.chars().next()?,
        parent: fields.get(1)?.parse().ok()?,
        is_kernel_thread: fields.get(6)?.parse::<u64>().ok()? & FLAG_KERNEL_THREAD != 0,
        started: fields.get(19)?.parse().ok()?,
        stack_start: fields.get(25).and_then(|field| field.parse().ok()).unwrap_or(0),
    })
}

/// The account that a process runs as.
pub fn user(root: &Root, pid: u32) -> Option<u32> {
    let mut content = Vec::new();
    root.read_piece_into(&format!("/proc/{pid}/status"), FILE_BYTES_MAX, &mut content).ok()?;
    parse_user(String::from_utf8_lossy(&content).into_owned())
}

/// The effective account in `/proc/PID/status`: the second number of the `Uid` line.
fn parse_user(text: String) -> Option<u32> {
    text.lines().find_map(|line| line.strip_prefix("Uid:"))?.split_ascii_whitespace().nth(1)?.parse().ok()
}

fn parse_arguments(content: &[u8]) -> Vec<String> {
    let content = content.strip_suffix(b"\0").unwrap_or(content);
    if content.is_empty() {
        return Vec::new();
    }
    let mut arguments: Vec<String> = content
        .split(|byte| *byte == 0)
        .map(|argument| String::from_utf8_lossy(argument).into_owned())
        .collect();
    // A program that gives itself a name leaves the rest of the old arguments as empty texts.
    while arguments.last().is_some_and(String::is_empty) {
        arguments.pop();
    }
    arguments
}

/// `kind:[123]`.
fn parse_inode(kind: &str, text: &str) -> Option<u64> {
    text.strip_prefix(kind)?.strip_prefix(":[")?.strip_suffix(']')?.parse().ok()
}

/// Account names by number, from `/etc/passwd`.
pub fn accounts(root: &Root) -> BTreeMap<u32, String> {
    parse_accounts(&root.text("/etc/passwd").unwrap_or_default())
}

fn parse_accounts(text: &str) -> BTreeMap<u32, String> {
    let mut accounts = BTreeMap::new();
    for line in text.lines().take(ACCOUNTS_MAX) {
        let mut fields = line.split(':');
        let (Some(name), Some(number)) = (fields.next(), fields.nth(1)) else { continue };
        if let Ok(number) = number.parse() {
            accounts.entry(number).or_insert_with(|| name.to_owned());
        }
    }
    accounts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_a_process_may_hold_anything() {
        let rest = "S 1 2 3 4 5 4194560 6 7 8 9 10 11 12 13 14 15 16 17 1234 19";
        for name in ["nginx", "tmux: server", "a) S 9 (b", ") (", ""] {
            let stat = parse_stat(format!("42 ({name}) {rest}")).unwrap();
            assert_eq!(
                (stat.name.as_str(), stat.parent, stat.started, stat.is_kernel_thread),
                (name, 1, 1234, false)
            );
        }
        let kernel =
            parse_stat("2 (kthreadd) S 0 0 0 0 -1 2129984 0 0 0 0 0 0 0 0 20 0 1 0 5 0".into()).unwrap();
        assert!(kernel.is_kernel_thread);
        for text in ["", "1", "1 (", "1 (x)", "1 (x) S", "1 (x) S a b c d e f g h i j k l m n o p q r s t u"]
        {
            assert_eq!(parse_stat(text.into()), None, "{text}");
        }
    }

    #[test]
    fn a_program_that_runs_on_is_not_read_again_and_another_one_is() {
        let directory = tempfile::tempdir().unwrap();
        let put = |name: &str, text: String| {
            let path = directory.path().join("proc/7").join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        let root = Root::new(directory.path());
        let mut known = KnownPrograms::default();
        let mut look = |title: &str, stack: u64| {
            put("stat", format!("7 (x) S 1 7 7 0 -1 0 0 0 0 0 0 0 0 0 0 0 0 0 {} 0 0 0 0 0 {stack}", 100));
            put("cmdline", format!("{title}\0"));
            read(&root, &mut known).unwrap().all[0].arguments[0].clone()
        };
        // It takes another title soon after its start.
        assert_eq!(
            (look("x", 5), look("x: main", 5), look("x: main", 5)),
            ("x".into(), "x: main".into(), "x: main".into())
        );
        assert_eq!(look("x: later", 5), "x: main", "it is believed");
        let seen: Vec<String> = (0..SCANS_BELIEVED).map(|_| look("x: later", 5)).collect();
        assert_eq!(seen.last().unwrap(), "x: later", "but not for ever: {seen:?}");
        assert_eq!(look("y", 6), "y", "another program in the same process");
        assert_eq!(
            (look("a", 0), look("b", 0), look("c", 0), look("d", 0)).3,
            "d",
            "not told: read every time"
        );
    }

    #[test]
    fn arguments_of_every_kind() {
        let cases: [(&[u8], &[&str]); 6] = [
            (b"/usr/sbin/x\0-a\0b c\0", &["/usr/sbin/x", "-a", "b c"]),
            (b"nginx: master\0\0\0\0\0", &["nginx: master"]),
            (b"x\0\0y\0", &["x", "", "y"]),
            (b"", &[]),
            (b"\0\0\0", &[]),
            (b"\xff\xfe\0a", &["\u{fffd}\u{fffd}", "a"]),
        ];
        for (content, expected) in cases {
            assert_eq!(parse_arguments(content), expected, "{content:?}");
        }
    }

    #[test]
    fn inodes() {
        assert_eq!(parse_inode("socket", "socket:[123]"), Some(123));
        for text in ["socket:[", "socket:[x]", "pipe:[1]", "socket:[99999999999999999999]", ""] {
            assert_eq!(parse_inode("socket", text), None, "{text}");
        }
    }

    #[test]
    fn account_names() {
        let accounts =
            parse_accounts("root:x:0:0::/root:/bin/sh\ntoor:x:0:0\nbad\na:b:c\npostgres:x:113:1::\n");
        assert_eq!(accounts.get(&0).map(String::as_str), Some("root"));
        assert_eq!(accounts.get(&113).map(String::as_str), Some("postgres"));
        assert_eq!(accounts.len(), 2);
    }

    #[test]
    fn the_effective_account() {
        assert_eq!(parse_user("Name:\tx\nUid:\t0\t33\t33\t33\n".into()), Some(33));
        assert_eq!(parse_user("Uid:\tx".into()), None);
    }
}
