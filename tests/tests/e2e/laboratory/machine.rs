//! Machines of the laboratory: each with a network, processes, mounts and a name of its own, all on one kernel.
//!
//! What an agent reads of its machine is really that machine's: `/proc` shows its processes, `/sys` its interfaces, `/etc` its
//! machine-id and name servers. Disks and packages are those of the machine below, and no firmware is shown. Invariant: a machine
//! ends with its guard, and everything that runs on it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use crate::harness::{Guarded, clean_environment, wait_for};

/// Gives the machine its own view of the kernel's files, then waits for ever.
const INIT: &str = r#"
set -e
hostname "$1"
mount -t sysfs sysfs /sys
if [ -d /sys/class/dmi/id/ ]; then mount -t tmpfs tmpfs /sys/class/dmi/id/; fi
mount -t tmpfs -o mode=755 tmpfs /run
for file in machine-id hostname hosts resolv.conf; do mount --bind "$2/$file" "$(readlink -f /etc/$file)"; done
ip link set lo up
touch "$2/ready"
exec sleep infinity
"#;

/// A machine.
pub struct Machine {
    pub name: String,
    directory: PathBuf,
    init: u32,
    _process: Guarded,
}

impl Machine {
    /// Starts a machine that asks `name_server`, with its files below `place`.
    pub fn start(name: &str, number: usize, name_server: &str, place: &Path) -> Self {
        let directory = place.join(name);
        fs::create_dir_all(&directory).expect("a folder");
        for (file, text) in [
            ("machine-id", format!("{:032x}\n", 0x5ca1_ab1e_0000_0000_u128 + number as u128)),
            ("hostname", format!("{name}\n")),
            ("hosts", "127.0.0.1 localhost\n".to_owned()),
            ("resolv.conf", format!("nameserver {name_server}\n")),
        ] {
            fs::write(directory.join(file), text).expect("a file");
        }
        let mut command = Command::new("unshare");
        command.args([
            "--fork",
            "--kill-child",
            "--pid",
            "--mount",
            "--uts",
            "--ipc",
            "--net",
            "--cgroup",
            "--mount-proc",
        ]);
        command.args(["sh", "-c", INIT, "sh", name]).arg(&directory);
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        let mut process = Guarded(child.expect("unshare is executable"));
        wait_for("a machine", || {
            let ended = process.0.try_wait().expect("our own child");
            assert!(ended.is_none(), "the machine {name} could not be made: {ended:?}");
            directory.join("ready").exists().then_some(())
        });
        let init = child_of(process.0.id()).expect("the machine has a first process");
        Self { name: name.to_owned(), directory, init, _process: process }
    }

    /// Connects the machine to a switch.
    pub fn plug(&self, switch: &Switch, interface: &str, address: &str) {
        let port = port(&self.name, interface);
        let init = self.init.to_string();
        switch.ip(&["link", "add", &port, "type", "veth", "peer", "name", interface, "netns", &init]);
        switch.ip(&["link", "set", &port, "master", "br0", "up"]);
        self.must(&["ip", "address", "add", address, "dev", interface]);
        self.must(&["ip", "link", "set", interface, "up"]);
    }

    /// A command that will run on the machine.
    pub fn command(&self, program: &str) -> Command {
        let mut command = Command::new("nsenter");
        clean_environment(&mut command);
        command.args(["--target", &self.init.to_string(), "--all", "--", program]);
        command.stdin(Stdio::null());
        command
    }

    /// Runs a command to its end, which must be a good one.
    pub fn must(&self, words: &[&str]) -> String {
        let output = self.command(words[0]).args(&words[1..]).output().expect("nsenter is executable");
        said(&format!("{} on {}", words.join(" "), self.name), &output)
    }

    /// Starts a program that stays; its log is `NAME.log` in the machine's folder.
    pub fn serve(&self, name: &str, words: &[&str]) {
        let log = fs::File::create(self.directory.join(format!("{name}.log"))).expect("a log file");
        let mut command = self.command("sh");
        command.args(["-c", "echo $$ > \"$1\"; shift; exec \"$@\"", "sh"]).arg(self.pid_file(name));
        command.args(words).stdout(log.try_clone().expect("a second handle")).stderr(log);
        // It goes with the machine.
        let child = command.spawn().expect("nsenter is executable");
        drop(child);
        wait_for(name, || self.pid_file(name).exists().then_some(()));
    }

    /// Ends a program that was started with [`Machine::serve`].
    pub fn end(&self, name: &str) {
        let file = self.pid_file(name);
        let pid = wait_for(name, || fs::read_to_string(&file).ok().filter(|pid| pid.ends_with('\n')));
        self.must(&["kill", pid.trim()]);
        let is_gone = || {
            let left = self.command("kill").args(["-0", pid.trim()]).output().expect("nsenter is executable");
            (!left.status.success()).then_some(())
        };
        wait_for("a program to end", is_gone);
        fs::remove_file(file).expect("our own file");
    }

    /// Writes a file into the machine's folder; its path.
    pub fn write(&self, name: &str, text: &str) -> String {
        let path = self.directory.join(name);
        fs::write(&path, text).expect("a file");
        path.to_str().expect("a plain path").to_owned()
    }

    pub fn directory(&self) -> &Path {
        &self.directory
    }

    pub fn log(&self, name: &str) -> String {
        fs::read_to_string(self.directory.join(format!("{name}.log"))).unwrap_or_default()
    }

    fn pid_file(&self, name: &str) -> PathBuf {
        self.directory.join(format!("{name}.pid"))
    }
}

/// A network that machines are plugged into.
pub struct Switch(Machine);

impl Switch {
    pub fn start(name: &str, address: &str, place: &Path) -> Self {
        let switch = Self(Machine::start(name, 0, "127.0.0.1", place));
        switch.ip(&["link", "add", "br0", "type", "bridge"]);
        switch.ip(&["address", "add", address, "dev", "br0"]);
        switch.ip(&["link", "set", "br0", "up"]);
        switch
    }

    /// A place on the network beside the machines.
    pub fn machine(&self) -> &Machine {
        &self.0
    }

    /// Cuts or heals the connection of a machine.
    pub fn set(&self, machine: &Machine, interface: &str, state: &str) {
        self.ip(&["link", "set", &port(&machine.name, interface), state]);
    }

    /// In the switch's network, but with everybody's process numbers.
    fn ip(&self, words: &[&str]) {
        let init = self.0.init.to_string();
        let output =
            Command::new("nsenter").args(["--target", &init, "--net", "--", "ip"]).args(words).output();
        said(&format!("ip {}", words.join(" ")), &output.expect("nsenter is executable"));
    }
}

/// The switch's end of a machine's cable; the kernel takes 15 letters.
fn port(name: &str, interface: &str) -> String {
    format!("{name}-{interface}")
}

fn said(what: &str, output: &Output) -> String {
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{what}: {}\n{out}{err}", output.status);
    out.into_owned()
}

/// The first process that another one started.
fn child_of(parent: u32) -> Option<u32> {
    let is_child = |pid: &u32| {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        let after = stat.rsplit_once(')').map(|(_, after)| after.to_owned()).unwrap_or_default();
        after.split_whitespace().nth(1).and_then(|text| text.parse().ok()) == Some(parent)
    };
    let all = fs::read_dir("/proc").ok()?.flatten();
    all.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).find(is_child)
}
