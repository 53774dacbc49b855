//! Processes that made a connection and are gone: what they were, as the last scan saw them, else as the kernel told of them.

use super::{KnownPrograms, NamespaceId, Process, Processes};
use crate::connections::{Flow, Gathered};
use crate::host::cgroup::Placement;

/// The most steps from a process that ended to one that is known.
const ANCESTORS_MAX: usize = 16;

impl KnownPrograms {
    /// Adds the processes that made a connection and are gone: as the last scan saw them, else as the kernel told of them.
    pub fn add_ended(&self, gathered: &mut Gathered, processes: &mut Processes) {
        // Its number was given to another one since.
        let is_its = |process: &Process, flow: &Flow| process.started_ns() <= flow.first_ns;
        gathered.flows.retain(|flow| processes.find(flow.pid).is_none_or(|process| is_its(process, flow)));
        let mut last = None;
        for flow in &gathered.flows {
            if last.replace(flow.pid) == Some(flow.pid) || processes.find(flow.pid).is_some() {
                continue;
            }
            if let Some(process) = self.ended(flow.pid, gathered, processes, ANCESTORS_MAX) {
                processes.ended.push(process);
            }
        }
        let ended = std::mem::take(&mut processes.ended);
        processes.all.extend(ended);
    }

    fn ended(&self, pid: u32, gathered: &Gathered, now: &Processes, steps: usize) -> Option<Process> {
        if let Some(seen) = self.gone.get(&pid) {
            let (program, lasting) = (&seen.program, seen.lasting.clone());
            return Some(Process {
                pid,
                parent: seen.parent,
                name: program.name.clone(),
                executable: lasting.executable,
                arguments: lasting.arguments,
                placement: lasting.placement,
                namespace: lasting.namespace,
                ..Process::ended()
            });
        }
        let origin = gathered.programs.get(pid)?;
        let parent = match now.find(origin.parent) {
            Some(parent) => Some(parent.clone()),
            None => steps.checked_sub(1).and_then(|left| self.ended(origin.parent, gathered, now, left)),
        };
        let Some(name) = &origin.name else {
            // The same program as its parent.
            return Some(Process { pid, parent: origin.parent, sockets: Vec::new(), ..parent?.gone() });
        };
        let (placement, namespace) =
            parent.map(|parent| (parent.placement, parent.namespace)).unwrap_or_default();
        let (parent, name) = (origin.parent, name.clone());
        Some(Process { pid, parent, name, placement, namespace, ..Process::ended() })
    }
}

impl Process {
    fn ended() -> Self {
        Self {
            pid: 0,
            parent: 0,
            // After every one that runs.
            started: u64::MAX,
            name: String::new(),
            executable: None,
            arguments: Vec::new(),
            placement: Placement::default(),
            namespace: NamespaceId::default(),
            sockets: Vec::new(),
            was_connected: false,
            has_ended: true,
        }
    }

    /// When it was started, in nanoseconds since boot; at most a tick too early.
    fn started_ns(&self) -> u64 {
        self.started.saturating_mul(1_000_000_000 / crate::platform::ticks_per_second())
    }

    fn gone(self) -> Self {
        Self { started: u64::MAX, has_ended: true, ..self }
    }
}
