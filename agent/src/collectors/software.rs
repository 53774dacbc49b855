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

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use crate::claim::{Draft, Relation};
use crate::collector::{Collector, Scope, Section};
use crate::host::{Host, OS_KEY};
pub use name_servers::depends_on_name_servers;

use catalogue::{Catalogue, Role};
use connections::{Connections, Places, Remote};
use instances::{Instance, Instances};
use memory::{Memory, Use};
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
}

impl Software {
    /// With the table of products, the products whose arguments may be reported, and what was seen before.
    pub fn new(
        catalogue: Catalogue,
        arguments_allowed: BTreeSet<String>,
        memory: Arc<Mutex<Memory>>,
    ) -> Self {
        Self { catalogue, arguments_allowed, memory, programs: KnownPrograms::default() }
    }
}

impl Collector for Software {
    fn scope(&self) -> Scope {
        Scope::Software
    }

    fn collect(&mut self, host: &mut Host, section: &mut Section) {
        let mut remotes: BTreeSet<Remote> = name_servers::elsewhere(host).collect();
        match processes::read(&host.root, &mut self.programs) {
            Ok(processes) => self.collect_of(host, &processes, section, &mut remotes),
            Err(error) => section.gap(error.to_string()),
        }
        for remote in &remotes {
            section.add(remote.draft());
        }
    }
}

impl Software {
    fn collect_of(
        &self,
        host: &mut Host,
        processes: &Processes,
        section: &mut Section,
        remotes: &mut BTreeSet<Remote>,
    ) {
        let namespaces = sockets::read(&host.root, &processes.all);
        let mut memory = self.memory.lock().unwrap_or_else(PoisonError::into_inner);
        memory.begin();
        let names = &mut memory.names;
        let instances = instances::find(host, &self.catalogue, &processes.all, &namespaces, names);
        let endpoints = endpoints::find(&namespaces, &instances);
        let places = Places::new(&namespaces);
        let connections = connections::find(&namespaces, &instances, &endpoints, &places);
        note_gaps(processes, &namespaces, &connections, section);
        find_owners(host, &instances, &processes.all);

        let accounts = processes::accounts(&host.root);
        let seen = Seen { host, namespaces: &namespaces, endpoints: &endpoints, places: &places };
        for (index, instance) in instances.all.iter().enumerate() {
            let process = &processes.all[instance.main];
            let configuration = configuration(host, instance, process);
            let draft = self.draft(host, instance, process, configuration.as_deref(), &accounts);
            let stated = seen.stated(index, instance, process, configuration.as_deref(), section);
            let mut draft = stated.on(draft);
            for (target, relation) in connections.by_instance.get(&index).into_iter().flatten() {
                let Some(relation) = stated.relation(target, *relation) else { continue };
                let one = Use { client: instance.key.clone(), target: target.clone(), relation };
                draft = draft.infers(relation, target, memory.uses.see(one));
            }
            section.add(draft);
            remotes.extend(stated.placed.remotes);
        }
        for endpoint in &endpoints.all {
            let provider = endpoint.provider.map(|index| instances.all[index].key.as_str());
            section.add(endpoint.draft(host, provider));
        }
        remotes.extend(connections.remotes);
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
