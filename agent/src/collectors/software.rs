//! Software instances, the endpoints they listen on, and what they are connected to.
//!
//! ```text
//!  processes ─┐                            ┌ connections ─┐
//!  sockets  ──┼→ instances → endpoints ────┼ pools ────────┼→ claims
//!  catalogue ─┘                            └ replication ──┘
//! ```
//!
//! Invariant: nothing that changes at every scan is said: no process ids, counts or uses of memory. Values of
//! arguments are not reported unless the product was allowed to.

pub mod catalogue;
mod connections;
mod endpoints;
mod instances;
pub mod memory;
mod name_servers;
pub mod names;
mod paths;
mod pools;
mod processes;
mod replication;
mod sockets;
mod stated;
mod version;

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::{Arc, Mutex, PoisonError};

use crate::claim::{Draft, Relation};
use crate::collector::{Collector, Scope, Section};
use crate::connections::{Gathered, Ladder, Standing};
use crate::host::{Host, OS_KEY};
pub use name_servers::depends_on_name_servers;

use catalogue::{Catalogue, Role};
use connections::{Connections, Places, Remote};
use instances::{Instance, Instances};
use memory::Memory;
use paths::Plain;
use processes::{KnownPrograms, Process, Processes};
use sockets::Namespaces;
use stated::Seen;

/// Bytes of the digest of arguments.
const ARGUMENTS_DIGEST_BYTES: usize = 16;

/// Reads processes and sockets.
#[derive(Debug)]
pub struct Software {
    catalogue: Catalogue,
    arguments_allowed: BTreeSet<String>,
    memory: Arc<Mutex<Memory>>,
    programs: KnownPrograms,
    ladder: Ladder,
}

impl Software {
    /// With the table of products, the products whose arguments may be reported, what was seen before, and how
    /// connections are learnt of.
    pub fn new(
        catalogue: Catalogue,
        arguments_allowed: BTreeSet<String>,
        memory: Arc<Mutex<Memory>>,
        ladder: Ladder,
    ) -> Self {
        Self { catalogue, arguments_allowed, memory, programs: KnownPrograms::default(), ladder }
    }
}

impl Collector for Software {
    fn scope(&self) -> Scope {
        Scope::Software
    }

    fn standing(&self) -> Option<Standing> {
        Some(self.ladder.standing())
    }

    fn collect(&mut self, host: &mut Host, section: &mut Section) {
        // First, so that who made a connection is most likely still there to be looked at.
        let gathered = self.ladder.gather();
        self.collect_with(host, gathered, section);
    }
}

impl Software {
    /// Reads what runs, and adds what was learnt of connections since the last scan.
    pub fn collect_with(&mut self, host: &mut Host, mut gathered: Gathered, section: &mut Section) {
        let mut remotes: BTreeSet<Remote> = name_servers::elsewhere(host).collect();
        match processes::read(&host.root, &mut self.programs) {
            Ok(mut processes) => {
                self.programs.add_ended(&mut gathered, &mut processes);
                self.collect_of(host, &processes, &gathered, section, &mut remotes);
            }
            Err(error) => section.gap(error.to_string()),
        }
        for remote in &remotes {
            section.add(remote.draft(&host.site));
        }
    }

    fn collect_of(
        &mut self,
        host: &mut Host,
        processes: &Processes,
        gathered: &Gathered,
        section: &mut Section,
        remotes: &mut BTreeSet<Remote>,
    ) {
        let namespaces = sockets::read(&host.root, &processes.all);
        let memory = Arc::clone(&self.memory);
        let mut memory = memory.lock().unwrap_or_else(PoisonError::into_inner);
        memory.begin();
        let names = &mut memory.names;
        let active: HashSet<u32> = gathered.flows.iter().map(|flow| flow.pid).collect();
        let instances = instances::find(host, &self.catalogue, &processes.all, &active, &namespaces, names);
        self.programs.note_connected(&instances.connected);
        let endpoints = endpoints::find(&namespaces, &instances);
        let addresses = host.addresses.clone();
        let places = Places::new(&namespaces, &addresses);
        let mut connections = connections::find(&namespaces, &instances, &endpoints, &places);
        let of_active = processes.all.iter().filter(|process| active.contains(&process.pid));
        let networks = of_active.map(|process| (process.pid, namespaces.of(process))).collect();
        connections.add_flows(&gathered.flows, &networks, &instances, &endpoints, &places);
        // Whose they were is not told: those of a server that one program only was ever seen to use are that one's.
        for target in connections::ended_at(&gathered.ended, &endpoints, &places) {
            if let Some(client) = memory.uses.only_client_of(&target) {
                memory.uses.see(&client, &target, memory::Manner::Short);
            }
        }
        note_gaps(processes, &namespaces, &connections, section);
        find_owners(host, &instances, &processes.all);

        let accounts = processes::accounts(&host.root);
        let seen = Seen { host, namespaces: &namespaces, endpoints: &endpoints, places: &places };
        let here: HashSet<&str> = endpoints.all.iter().map(|endpoint| endpoint.key.as_str()).collect();
        for (index, instance) in instances.all.iter().enumerate() {
            let process = &processes.all[instance.main];
            let configuration = configuration(host, instance, process);
            let draft = self.draft(host, instance, process, configuration.as_deref(), &accounts);
            let body = memory.settle(&instance.key, draft.to_body(), process.has_ended);
            let draft = Draft::from_body(&body).unwrap_or(draft);
            let stated = seen.stated(index, instance, process, configuration.as_deref(), section);
            let mut draft = stated.on(draft);
            for (target, manner) in connections.by_instance.get(&index).into_iter().flatten() {
                if !stated.speaks_of(target) {
                    memory.uses.see(&instance.key, target, *manner);
                }
            }
            for (target, relation, sure) in memory.uses.of(&instance.key) {
                if let Some(relation) = stated.relation(target, relation)
                    && stands(target, &here, remotes)
                {
                    draft = draft.infers(relation, target, sure);
                }
            }
            section.add(draft);
            remotes.extend(stated.placed.remotes);
        }
        let reported: HashSet<&str> = instances.all.iter().map(|instance| instance.key.as_str()).collect();
        for (key, passing) in memory.passing.iter().filter(|(key, _)| !reported.contains(key.as_str())) {
            let Some(mut draft) = Draft::from_body(&passing.body) else { continue };
            for (target, relation, sure) in memory.uses.of(key) {
                if stands(target, &here, remotes) {
                    draft = draft.infers(relation, target, sure);
                }
            }
            section.add(draft);
        }
        for endpoint in &endpoints.all {
            let provider = endpoint.provider.map(|index| instances.all[index].key.as_str());
            section.add(endpoint.draft(host, provider));
        }
    }

    fn draft(
        &self,
        host: &Host,
        instance: &Instance,
        process: &Process,
        configuration: Option<&str>,
        accounts: &BTreeMap<u32, String>,
    ) -> Draft {
        let name = match instance.name.as_str() {
            "" => format!("{} on {}", instance.product, host.name),
            name => format!("{} {name} on {}", instance.product, host.name),
        };
        let in_container = is_in_container(host, process);
        let rule = instance.rule.as_ref();
        // What starts a client is a person or a script: account and arguments are another at each scan.
        let is_server = rule.is_none_or(|rule| rule.role != Role::Client);
        let user = processes::user(&host.root, process.pid)
            .map(|number| accounts.get(&number).cloned().unwrap_or_else(|| number.to_string()));
        Draft::new(&instance.key, &instance.class, &name)
            .within(OS_KEY)
            .set("product", &instance.product)
            .set("version", version::find(host, instance, process, in_container))
            .set("instance", &instance.name)
            .set("host_name", &host.name)
            .set("port", instance.port.map(i64::from))
            .set("ports", instance.ports.iter().map(|port| i64::from(*port)).collect::<Vec<_>>())
            .set("user", user.filter(|_| is_server))
            .set("executable", process.executable.as_deref())
            .set("configuration_path", configuration)
            .set("data_path", instance.data_path.as_deref())
            .set("unit", process.placement.unit.as_deref())
            .set("arguments_digest", is_server.then(|| arguments_digest(process)).flatten())
            .set("arguments", self.arguments(instance, process))
            .relates(Relation::RunsOn, OS_KEY)
    }

    fn arguments(&self, instance: &Instance, process: &Process) -> Option<String> {
        self.arguments_allowed.contains(&instance.product).then(|| process.arguments.join(" "))
    }
}

/// Whether what was used, perhaps some scans ago, is still spoken of: an endpoint of this host, or one elsewhere, which is
/// spoken of because it is used.
fn stands(target: &str, here: &HashSet<&str>, remotes: &mut BTreeSet<Remote>) -> bool {
    match Remote::of_key(target) {
        Some(remote) => {
            remotes.insert(remote);
            true
        }
        None => here.contains(target),
    }
}

/// Where the configuration of an instance lies.
fn configuration(host: &Host, instance: &Instance, process: &Process) -> Option<String> {
    let rule = instance.rule.as_ref()?;
    let plain = if instance.is_plain { Plain::Yes } else { Plain::No };
    paths::first(&host.root, process, &rule.configuration_path, is_in_container(host, process), plain)
}

/// A digest of the arguments, by which a change shows. None where the program writes its state over them.
fn arguments_digest(process: &Process) -> Option<String> {
    if process.arguments.len() < 2 || process.is_retitled() {
        return None;
    }
    let mut hasher = blake3::Hasher::new();
    for argument in &process.arguments {
        hasher.update(argument.as_bytes());
        hasher.update(&[0]);
    }
    Some(hasher.finalize().to_hex()[..2 * ARGUMENTS_DIGEST_BYTES].to_owned())
}

fn is_in_container(host: &Host, process: &Process) -> bool {
    process.placement.container.is_some() && process.placement.container != host.container
}

fn find_owners(host: &mut Host, instances: &Instances, processes: &[Process]) {
    // The packages of the host say nothing of the programs in a container.
    let own = instances.all.iter().filter(|instance| !is_in_container(host, &processes[instance.main]));
    let files: BTreeSet<String> =
        own.filter_map(|instance| version::packaged_file(instance, &processes[instance.main])).collect();
    host.packages.find_owners(&host.root, &files);
}

fn note_gaps(
    processes: &Processes,
    namespaces: &Namespaces,
    connections: &Connections,
    section: &mut Section,
) {
    for gap in processes.gaps.iter().chain(&namespaces.gaps) {
        section.gap(gap);
    }
    if processes.closed > 0 && connections.unowned > 0 {
        section.gap(
            "some sockets belong to programs that this agent may not look into: run as root, or give the agent \
             CAP_SYS_PTRACE and CAP_DAC_READ_SEARCH",
        );
    }
    if connections.truncated {
        section.gap(format!(
            "more than {} remote endpoints: the rest is left out",
            connections::REMOTE_ENDPOINTS_MAX
        ));
    }
}
