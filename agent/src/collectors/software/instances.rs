//! Puts processes together into software instances and gives each a name that stays.
//!
//! ```text
//!  processes ──recognise──→ product ──parents──→ families ──sockets──→ identity ──→ instances
//!                           (rules)   (a server and its workers)       (program, port, data, unit)
//! ```
//!
//! Knows nothing of claims. Invariant: an instance's key depends on what it is and on what it was called before,
//! never on process ids.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use super::catalogue::{Catalogue, Program, Role, Rule};
use super::names::{Candidate, Identity, NameMemory};
use super::paths::{self, Plain};
use super::processes::Process;
use super::sockets::{Activity, Namespaces, Protocol, Socket};
use crate::host::Host;

/// The most steps from a process to its first ancestor of the same family.
const ANCESTORS_MAX: usize = 64;

/// One software instance.
#[derive(Clone, Debug)]
pub struct Instance {
    /// The agent's key of it.
    pub key: String,
    /// Its product.
    pub product: String,
    /// The class of the item.
    pub class: String,
    /// What tells it from others of the product on this host; empty: nothing needs to.
    pub name: String,
    /// It has the product's plain name in its place: what a product has by default is meant to be its.
    pub is_plain: bool,
    /// Index of its first process.
    pub main: usize,
    /// The rule by which it was recognised.
    pub rule: Option<Rule>,
    /// Its main port.
    pub port: Option<u16>,
    /// All ports it listens on.
    pub ports: BTreeSet<u16>,
    /// Where its data lies.
    pub data_path: Option<String>,
}

/// The instances, and whose each socket is.
#[derive(Debug, Default)]
pub struct Instances {
    /// In the order of their keys.
    pub all: Vec<Instance>,
    /// Index of the instance that holds the socket with this inode.
    pub owner_of: HashMap<u64, usize>,
    /// Index of the instance that each process belongs to that made a connection since the last scan.
    pub of_process: HashMap<u32, usize>,
    /// The first processes of families that have connections now.
    pub connected: Vec<u32>,
}

/// What one process was recognised as.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
struct Kind {
    product: String,
    /// Of a runtime: what it runs.
    program: Option<String>,
    /// The container or network that it is in; `None`: the host's own.
    place: Option<String>,
}

/// A process and its descendants of the same kind.
#[derive(Debug)]
struct Family<'a> {
    kind: Kind,
    rule: Option<&'a Rule>,
    /// Index of the first process.
    main: usize,
    tcp_ports: BTreeSet<u16>,
    udp_ports: BTreeSet<u16>,
    has_sockets: bool,
    had_sockets: bool,
    data_path: Option<String>,
    unit: Option<String>,
}

/// Finds the instances. `active`: processes that made a connection since the last scan.
pub fn find(
    host: &Host,
    catalogue: &Catalogue,
    processes: &[Process],
    active: &HashSet<u32>,
    namespaces: &Namespaces,
    names: &mut NameMemory,
) -> Instances {
    let mut recognised = Vec::with_capacity(processes.len());
    for process in processes {
        recognised.push(recognise(host, catalogue, process, namespaces));
    }
    let first = first_of_family(processes, &recognised);
    let mut families: BTreeMap<usize, Family<'_>> = BTreeMap::new();
    for &main in &first {
        let (kind, rule) = &recognised[main];
        families.entry(main).or_insert_with(|| family(host, main, &processes[main], kind.clone(), *rule));
    }
    let holders = holders(processes, &first, namespaces, &families);
    for (socket, family) in &holders {
        take_socket(families.get_mut(family).expect("a holder is a family"), socket);
    }
    let is_active = |index: &usize| active.contains(&processes[*index].pid);
    for index in (0..processes.len()).filter(is_active) {
        families.get_mut(&first[index]).expect("a process is of a family").has_sockets = true;
    }
    families.retain(|_, family| is_reported(family));
    let connected = families.values().filter(|family| family.has_sockets);
    let connected = connected.map(|family| processes[family.main].pid).collect();
    let (all, instance_of) = name_all(families, processes, names);
    let owner_of = holders
        .into_iter()
        .filter_map(|(socket, family)| Some((socket.inode, *instance_of.get(&family)?)))
        .collect();
    let instance = |index: usize| Some((processes[index].pid, *instance_of.get(&first[index])?));
    let of_process = (0..processes.len()).filter(is_active).filter_map(instance).collect();
    Instances { all, owner_of, of_process, connected }
}

fn recognise<'a>(
    host: &Host,
    catalogue: &'a Catalogue,
    process: &Process,
    namespaces: &Namespaces,
) -> (Kind, Option<&'a Rule>) {
    let rule = catalogue.find(Program { executable: process.program_name(), arguments: &process.arguments });
    let place = place(host, process, namespaces);
    let kind = match rule {
        Some(rule) => Kind {
            product: rule.product.clone(),
            program: (rule.role == Role::Runtime)
                .then(|| paths::program(&host.root, process, place.is_some()))
                .flatten(),
            place,
        },
        None => Kind { product: process.program_name().to_ascii_lowercase(), program: None, place },
    };
    (kind, rule)
}

/// The container or network that a process is in, unless it is the agent's own.
fn place(host: &Host, process: &Process, namespaces: &Namespaces) -> Option<String> {
    let container =
        process.placement.container.as_ref().filter(|found| host.container.as_ref() != Some(*found));
    if let Some(id) = container.and_then(|container| container.id.as_deref()) {
        return Some(crate::claim::cut(id, 12).to_owned());
    }
    namespaces.all.get(&namespaces.of(process)).and_then(|namespace| namespace.label.clone())
}

/// For each process, the index of the first process of its family.
fn first_of_family(processes: &[Process], recognised: &[(Kind, Option<&Rule>)]) -> Vec<usize> {
    let index_of: HashMap<u32, usize> =
        processes.iter().enumerate().map(|(index, one)| (one.pid, index)).collect();
    let same_family = |parent: &Kind, child: &Kind| {
        parent.product == child.product
            && parent.place == child.place
            && (child.program.is_none() || parent.program == child.program)
    };
    (0..processes.len())
        .map(|start| {
            let mut first = start;
            for _ in 0..ANCESTORS_MAX {
                let parent = index_of.get(&processes[first].parent).copied();
                match parent.filter(|parent| same_family(&recognised[*parent].0, &recognised[first].0)) {
                    Some(parent) if parent != first => first = parent,
                    _ => break,
                }
            }
            first
        })
        .collect()
}

fn family<'a>(host: &Host, main: usize, process: &Process, kind: Kind, rule: Option<&'a Rule>) -> Family<'a> {
    let data_path = rule.and_then(|rule| {
        paths::first(&host.root, process, &rule.data_path, kind.place.is_some(), Plain::Yes)
    });
    Family {
        kind,
        rule,
        main,
        tcp_ports: BTreeSet::new(),
        udp_ports: BTreeSet::new(),
        has_sockets: false,
        had_sockets: process.was_connected,
        data_path,
        unit: process.placement.unit.clone(),
    }
}

/// Which family holds each socket. Where several do — a socket handed over by the init system, or inherited by a
/// helper — the one that is most likely meant: not the init system, a known product, the first to be started.
fn holders(
    processes: &[Process],
    first: &[usize],
    namespaces: &Namespaces,
    families: &BTreeMap<usize, Family<'_>>,
) -> Vec<(Socket, usize)> {
    let sockets = namespaces.all.values().flat_map(|namespace| &namespace.sockets);
    let by_inode: HashMap<u64, Socket> = sockets.map(|socket| (socket.inode, *socket)).collect();
    let mut held: HashMap<u64, usize> = HashMap::new();
    let rank = |family: usize| {
        let process = &processes[family];
        (process.pid == 1, families[&family].rule.is_none(), process.started, process.pid)
    };
    for (index, process) in processes.iter().enumerate() {
        let family = first[index];
        for inode in process.sockets.iter().filter(|inode| by_inode.contains_key(inode)) {
            let holder = held.entry(*inode).or_insert(family);
            if rank(family) < rank(*holder) {
                *holder = family;
            }
        }
    }
    let mut found: Vec<_> = held.into_iter().map(|(inode, family)| (by_inode[&inode], family)).collect();
    found.sort_unstable();
    found
}

fn take_socket(family: &mut Family<'_>, socket: &Socket) {
    family.has_sockets = true;
    if socket.activity == Activity::Listening {
        let ports = match socket.protocol {
            Protocol::Tcp => &mut family.tcp_ports,
            Protocol::Udp => &mut family.udp_ports,
        };
        ports.insert(socket.local.port());
    }
}

fn is_reported(family: &Family<'_>) -> bool {
    match family.rule.map(|rule| rule.role) {
        Some(Role::Server) => true,
        // An interpreter that is not connected is a script, of which every host has many.
        Some(Role::Client | Role::Runtime) | None => {
            (family.has_sockets || family.had_sockets) && !family.kind.product.is_empty()
        }
    }
}

impl Family<'_> {
    fn usual_port(&self) -> Option<u16> {
        let usual = self.rule.map(|rule| rule.ports.as_slice()).unwrap_or_default();
        usual.iter().copied().find(|port| self.tcp_ports.contains(port) || self.udp_ports.contains(port))
    }

    fn main_port(&self) -> Option<u16> {
        self.usual_port().or(self.tcp_ports.first().copied()).or(self.udp_ports.first().copied())
    }

    fn identity(&self) -> Identity {
        if let Some(program) = &self.kind.program {
            return Identity::Program(program.clone());
        }
        match (self.main_port(), &self.data_path, &self.unit) {
            (_, _, Some(unit)) if self.is_runtime() => Identity::Unit(unit.clone()),
            (Some(port), ..) => Identity::Port(port),
            (None, Some(path), _) => Identity::Data(path.clone()),
            (None, None, Some(unit)) => Identity::Unit(unit.clone()),
            (None, None, None) => Identity::Nothing,
        }
    }

    fn is_runtime(&self) -> bool {
        self.rule.is_some_and(|rule| rule.role == Role::Runtime)
    }

    fn is_client(&self) -> bool {
        self.rule.is_some_and(|rule| rule.role == Role::Client)
    }
}

/// Families of one product in one place that have the same identity are one instance.
fn name_all(
    families: BTreeMap<usize, Family<'_>>,
    processes: &[Process],
    names: &mut NameMemory,
) -> (Vec<Instance>, HashMap<usize, usize>) {
    let mut products: BTreeMap<(String, Option<String>), BTreeMap<Identity, Vec<Family<'_>>>> =
        BTreeMap::new();
    for family in families.into_values() {
        // Clients come and go; they are one item per product.
        let identity = if family.is_client() { Identity::Nothing } else { family.identity() };
        let product = (family.kind.product.clone(), family.kind.place.clone());
        products.entry(product).or_default().entry(identity).or_default().push(family);
    }
    let mut named: Vec<(Instance, Vec<usize>)> = Vec::new();
    for ((product, place), identities) in products {
        for (label, families) in label_all(&product, place.as_deref().unwrap_or_default(), identities, names)
        {
            named.push(instance(place.as_deref(), &label, &families, processes));
        }
    }
    named.sort_by(|(one, _), (other, _)| one.key.cmp(&other.key));
    let mut instance_of = HashMap::new();
    let mut all = Vec::with_capacity(named.len());
    for (index, (instance, mains)) in named.into_iter().enumerate() {
        instance_of.extend(mains.into_iter().map(|main| (main, index)));
        all.push(instance);
    }
    (all, instance_of)
}

/// The families of one product in one place, by the names of their instances.
fn label_all<'a>(
    product: &str,
    place: &str,
    mut identities: BTreeMap<Identity, Vec<Family<'a>>>,
    names: &mut NameMemory,
) -> BTreeMap<String, Vec<Family<'a>>> {
    let rest = identities.remove(&Identity::Nothing);
    let mut labelled: BTreeMap<String, Vec<Family<'a>>> = BTreeMap::new();
    let mut unnamed = Vec::new();
    for (identity, families) in identities {
        // What a runtime runs is worth a name even where there is one.
        let is_named = matches!(identity, Identity::Program(_))
            || matches!(identity, Identity::Unit(_)) && families.iter().any(Family::is_runtime);
        if is_named {
            labelled.entry(identity.label()).or_default().extend(families);
        } else {
            unnamed.push((candidate(identity, &families), families));
        }
    }
    let candidates: Vec<Candidate> = unnamed.iter().map(|(candidate, _)| candidate.clone()).collect();
    let labels = names.names_of(product, place, &candidates);
    for (label, (_, families)) in labels.into_iter().zip(unnamed) {
        labelled.entry(label).or_default().extend(families);
    }
    // What nothing tells apart belongs to the only instance, else to the one with the plain name: sessions that
    // outlived their server's restart, for one.
    if let Some(rest) = rest {
        let only = labelled.keys().next().filter(|_| labelled.len() == 1).cloned();
        labelled.entry(only.unwrap_or_default()).or_default().extend(rest);
    }
    labelled
}

fn candidate(identity: Identity, families: &[Family<'_>]) -> Candidate {
    let is_usual = |family: &Family<'_>| {
        let first = family.rule.and_then(|rule| rule.ports.first().copied());
        first.is_some() && family.main_port() == first
    };
    Candidate {
        identity,
        data_path: families.iter().find_map(|family| family.data_path.clone()),
        unit: families.iter().find_map(|family| family.unit.clone()),
        is_usual: families.iter().any(is_usual),
    }
}

fn instance(
    place: Option<&str>,
    label: &str,
    families: &[Family<'_>],
    processes: &[Process],
) -> (Instance, Vec<usize>) {
    let leading = families
        .iter()
        .min_by_key(|family| {
            let process = &processes[family.main];
            (family.main_port().is_none(), process.started, process.pid)
        })
        .expect("an identity has a family");
    let name =
        [place.unwrap_or_default(), label].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>();
    let name = crate::claim::clean(&name.join(":"));
    let product = leading.kind.product.clone();
    let key =
        if name.is_empty() { format!("software:{product}") } else { format!("software:{product}:{name}") };
    let instance = Instance {
        key,
        class: leading.rule.map_or("application", |rule| &rule.class).to_owned(),
        name,
        is_plain: label.is_empty(),
        main: leading.main,
        rule: leading.rule.cloned(),
        port: leading.main_port(),
        ports: families
            .iter()
            .flat_map(|family| family.tcp_ports.iter().chain(&family.udp_ports))
            .copied()
            .collect(),
        data_path: leading.data_path.clone(),
        product,
    };
    (instance, families.iter().map(|family| family.main).collect())
}
