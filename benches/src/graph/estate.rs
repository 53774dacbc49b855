//! A layered estate as plain lists: who needs whom, over what, in which group. The same seed and size give the same one.
//!
//! ```text
//! business service → application service → instance → database, queue, cache → virtual machine, container
//!   → cluster → hypervisor → rack, access switch, storage, power
//! ```
//!
//! What real estates have and random graphs lack: a few things that almost everything needs (resolvers, directories,
//! core switches), choices that follow a heavy tail, cycles among application services, and redundancy wherever
//! people build it. Numbers are given in no useful order, as items arrive in no useful order.

use std::sync::Arc;

use cmdb_core::graph::{Carries, Delta, EdgeState, GroupState};
use cmdb_core::model::{ItemId, Require, Status};

use crate::generator::Random;

/// Relationships in an estate, by item.
pub const RELATIONSHIPS_PER_ITEM: usize = 4;

/// A kind of item, and how many there are of a hundred thousand.
const LAYERS: [(&str, u64); 15] = [
    ("power_feed", 100),
    ("switch", 150),
    ("rack", 200),
    ("storage", 50),
    ("resolver", 2),
    ("directory", 1),
    ("hypervisor", 3_000),
    ("cluster", 500),
    ("virtual_machine", 27_000),
    ("container", 15_000),
    ("database_instance", 7_000),
    ("message_broker", 4_000),
    ("application", 28_000),
    ("application_service", 11_000),
    ("business_service", 3_997),
];

/// The relationship types that are used.
const KINDS: [&str; 8] = [
    "powered_by",
    "located_in",
    "depends_on",
    "virtualized_by",
    "hosted_on",
    "runs_on",
    "stored_on",
    "connects_to",
];

#[derive(Clone, Copy, PartialEq, Eq)]
enum Layer {
    Power,
    Switch,
    Rack,
    Storage,
    Resolver,
    Directory,
    Hypervisor,
    Cluster,
    Machine,
    Container,
    Database,
    Broker,
    Instance,
    Application,
    Business,
}

/// One relationship.
#[derive(Clone, Copy)]
pub struct Need {
    pub dependent: u32,
    pub provider: u32,
    kind: u8,
    /// The number of the group on the dependent.
    group: Option<u8>,
}

impl Need {
    fn is_weak(self) -> bool {
        KINDS[usize::from(self.kind)] == "connects_to"
    }
}

/// An estate.
pub struct Estate {
    /// The layer of each item.
    layers: Vec<u8>,
    pub needs: Vec<Need>,
    groups: Vec<(u32, u8, Require)>,
    /// The number of each item once they are shuffled.
    numbers: Vec<u32>,
}

/// Whether what the dependents spare is said.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Redundancy {
    /// Groups as they were made.
    Declared,
    /// Everybody needs everything.
    Ignored,
}

impl Estate {
    /// About `items` items and four times as many relationships.
    pub fn new(items: u64, seed: u64) -> Estate {
        let mut maker = Maker::new(items, seed);
        maker.infrastructure();
        maker.machines();
        maker.software();
        maker.services();
        maker.fill(items * RELATIONSHIPS_PER_ITEM as u64);
        maker.estate()
    }

    pub fn items(&self) -> usize {
        self.layers.len()
    }

    /// Items of each layer, from the bottom, by id.
    pub fn by_layer(&self) -> Vec<Vec<ItemId>> {
        let mut layers = vec![Vec::new(); LAYERS.len()];
        for (layer, number) in self.layers.iter().zip(&self.numbers) {
            layers[usize::from(*layer)].push(id(*number));
        }
        layers
    }

    /// What is asked about: the same number of each layer.
    pub fn questions(&self, seed: u64, count: usize) -> Vec<ItemId> {
        let mut random = Random::new(seed ^ 0x5eed);
        let layers = self.by_layer();
        let ids = (0..count).map(|question| {
            let layer = &layers[question % layers.len()];
            layer[usize::try_from(random.below(layer.len() as u64)).expect("an index of a list")]
        });
        ids.collect()
    }

    /// Whose failure takes whom down, redundancy ignored: provider and dependent, as often as there are relationships.
    pub fn hard_pairs(&self) -> Vec<(ItemId, ItemId)> {
        let hard = self.needs.iter().filter(|need| !need.is_weak());
        hard.map(|need| (self.id(need.provider), self.id(need.dependent))).collect()
    }

    /// What makes the live graph of it.
    pub fn deltas(&self, redundancy: Redundancy) -> Vec<Delta> {
        let classes = LAYERS.map(|(class, _)| Arc::<str>::from(class));
        let kinds = KINDS.map(Arc::<str>::from);
        let groups: Vec<Arc<str>> =
            (0..=u8::MAX).map(|number| Arc::from(format!("group-{number}"))).collect();
        let mut order: Vec<u32> = (0..u32::try_from(self.items()).expect("it is numbered")).collect();
        order.sort_unstable_by_key(|item| self.numbers[*item as usize]);
        let mut deltas = Vec::with_capacity(self.items() + self.needs.len() + self.groups.len());
        deltas.extend(order.iter().map(|item| Delta::Item {
            id: self.id(*item),
            class: Arc::clone(&classes[usize::from(self.layers[*item as usize])]),
            status: Status::Active,
        }));
        deltas.extend(self.needs.iter().map(|need| {
            let group = need.group.filter(|_| redundancy == Redundancy::Declared);
            Delta::Edge {
                dependent: self.id(need.dependent),
                provider: self.id(need.provider),
                kind: Arc::clone(&kinds[usize::from(need.kind)]),
                from_is_dependent: true,
                after: Some(EdgeState {
                    carries: if need.is_weak() { Carries::Weak } else { Carries::Hard },
                    group: group.map(|group| Arc::clone(&groups[usize::from(group)])),
                    weight: 1.0,
                    inferred: false,
                    confidence: 1.0,
                    status: Status::Active,
                }),
            }
        }));
        if redundancy == Redundancy::Declared {
            let of_one = self.groups.chunk_by(|one, other| one.0 == other.0);
            deltas.extend(of_one.map(|run| {
                Delta::Groups {
                    dependent: self.id(run[0].0),
                    groups: run
                        .iter()
                        .map(|(_, name, require)| state(&groups[usize::from(*name)], *require))
                        .collect(),
                }
            }));
        }
        deltas
    }

    fn id(&self, item: u32) -> ItemId {
        id(self.numbers[item as usize])
    }
}

fn id(number: u32) -> ItemId {
    ItemId(u64::from(number) + 1)
}

fn state(name: &Arc<str>, require: Require) -> GroupState {
    GroupState { name: Arc::clone(name), require, inferred: false, confidence: 1.0 }
}

struct Maker {
    random: Random,
    /// Where each layer begins; one more at the end.
    starts: Vec<u32>,
    needs: Vec<Need>,
    groups: Vec<(u32, u8, Require)>,
    /// Groups of the item at hand.
    named: u8,
}

impl Maker {
    fn new(items: u64, seed: u64) -> Maker {
        let mut starts = vec![0];
        for (_, share) in LAYERS {
            let before = *starts.last().expect("it begins with 0");
            let count =
                u32::try_from((items * share / 100_000).max(2)).expect("an estate that can be numbered");
            starts.push(before + count);
        }
        Maker { random: Random::new(seed), starts, needs: Vec::new(), groups: Vec::new(), named: 0 }
    }

    fn of(&self, layer: Layer) -> std::ops::Range<u32> {
        self.starts[layer as usize]..self.starts[layer as usize + 1]
    }

    fn count(&self, layer: Layer) -> u32 {
        self.of(layer).end - self.of(layer).start
    }

    /// Any of a layer, all alike.
    fn any(&mut self, layer: Layer) -> u32 {
        let count = u64::from(self.count(layer));
        self.of(layer).start + u32::try_from(self.random.below(count)).expect("below the count")
    }

    /// One of a layer, a few far more often than the rest.
    fn popular(&mut self, layer: Layer) -> u32 {
        let count = u64::from(self.count(layer));
        // The cube of an even share: a thousandth of a layer is chosen by a tenth.
        let share = self.random.below(1 << 20);
        let place = (((share * share) >> 20) * share * count) >> 40;
        self.of(layer).start + u32::try_from(place).expect("below the count")
    }

    fn needs(&mut self, dependent: u32, kind: u8, provider: u32) {
        self.push(dependent, kind, provider, None);
    }

    fn push(&mut self, dependent: u32, kind: u8, provider: u32, group: Option<u8>) {
        self.needs.push(Need { dependent, provider, kind, group });
    }

    fn group(&mut self, dependent: u32, kind: u8, require: Require, members: &[u32]) {
        let name = self.named;
        self.named = self.named.wrapping_add(1);
        self.groups.push((dependent, name, require));
        for member in members {
            self.push(dependent, kind, *member, Some(name));
        }
    }

    fn pair(&mut self, layer: Layer) -> [u32; 2] {
        let count = self.count(layer);
        let first = self.popular(layer) - self.of(layer).start;
        [self.of(layer).start + first, self.of(layer).start + (first + 1) % count]
    }

    fn infrastructure(&mut self) {
        // The first two switches are the core; racks have two feeds and two access switches.
        let core: Vec<u32> = self.of(Layer::Switch).take(2).collect();
        for switch in self.of(Layer::Switch).skip(2) {
            self.named = 0;
            self.group(switch, 2, Require::Any, &core);
        }
        for rack in self.of(Layer::Rack) {
            self.named = 0;
            let feeds = self.pair(Layer::Power);
            self.group(rack, 0, Require::Any, &feeds);
        }
        for storage in self.of(Layer::Storage) {
            self.named = 0;
            let (feeds, rack) = (self.pair(Layer::Power), self.any(Layer::Rack));
            self.group(storage, 0, Require::Any, &feeds);
            self.needs(storage, 1, rack);
        }
        for layer in [Layer::Resolver, Layer::Directory] {
            for item in self.of(layer) {
                let rack = self.any(Layer::Rack);
                self.needs(item, 1, rack);
            }
        }
        let (racks, switches) = (self.count(Layer::Rack), self.count(Layer::Switch));
        for (place, hypervisor) in self.of(Layer::Hypervisor).enumerate() {
            self.named = 0;
            let place = u32::try_from(place).expect("it is numbered") / 16;
            self.needs(hypervisor, 1, self.of(Layer::Rack).start + place % racks);
            let first = 2 + place % (switches.saturating_sub(2).max(1));
            let start = self.of(Layer::Switch).start;
            let pair = [start + first % switches, start + (first + 1) % switches];
            self.group(hypervisor, 2, Require::Any, &pair);
        }
        let hypervisors: Vec<u32> = self.of(Layer::Hypervisor).collect();
        for (cluster, members) in self.of(Layer::Cluster).zip(hypervisors.chunks(6)) {
            self.named = 0;
            let needed = u32::try_from(members.len().saturating_sub(1).max(1)).expect("at most six");
            self.group(cluster, 2, Require::AtLeast(needed), members);
            let storage = self.any(Layer::Storage);
            self.needs(cluster, 6, storage);
        }
    }

    fn machines(&mut self) {
        let resolvers: Vec<u32> = self.of(Layer::Resolver).take(2).collect();
        for machine in self.of(Layer::Machine) {
            self.named = 0;
            let (cluster, storage) = (self.any(Layer::Cluster), self.any(Layer::Storage));
            self.needs(machine, 3, cluster);
            if self.random.below(4) == 0 {
                self.needs(machine, 6, storage);
            }
            // A third resolves names by one server only.
            match self.random.below(3) {
                0 => self.needs(machine, 2, resolvers[0]),
                _ => self.group(machine, 2, Require::Any, &resolvers),
            }
        }
        for container in self.of(Layer::Container) {
            let machine = self.popular(Layer::Machine);
            self.needs(container, 4, machine);
        }
    }

    fn software(&mut self) {
        for layer in [Layer::Database, Layer::Broker] {
            for item in self.of(layer) {
                let machine = self.any(Layer::Machine);
                self.needs(item, 5, machine);
            }
        }
        let directory = self.of(Layer::Directory).start;
        for instance in self.of(Layer::Instance) {
            self.named = 0;
            let host =
                if self.random.below(2) == 0 { self.any(Layer::Machine) } else { self.any(Layer::Container) };
            self.needs(instance, 5, host);
            match self.random.below(10) {
                0..=4 => {
                    let pair = self.pair(Layer::Database);
                    self.group(instance, 2, Require::Any, &pair);
                }
                5..=7 => {
                    let database = self.popular(Layer::Database);
                    self.needs(instance, 2, database);
                }
                _ => {}
            }
            if self.random.below(2) == 0 {
                let broker = self.popular(Layer::Broker);
                let kind = if self.random.below(3) == 0 { 7 } else { 2 };
                self.needs(instance, kind, broker);
            }
            if self.random.below(5) == 0 {
                self.needs(instance, 2, directory);
            }
        }
    }

    fn services(&mut self) {
        let instances: Vec<u32> = self.of(Layer::Instance).collect();
        for (service, members) in self.of(Layer::Application).zip(instances.chunks(2)) {
            self.named = 0;
            self.group(service, 2, Require::Any, members);
            // Among application services anybody may need anybody: cycles come of it.
            let other = self.popular(Layer::Application);
            if other != service && self.random.below(3) == 0 {
                self.needs(service, 2, other);
            }
            if self.random.below(20) == 0 {
                let of = self.of(Layer::Application);
                let after = |step: u32| of.start + (service - of.start + step) % (of.end - of.start);
                for step in 0..3 {
                    self.needs(after(step), 2, after((step + 1) % 3));
                }
            }
        }
        for service in self.of(Layer::Business) {
            for _ in 0..self.random.between(2, 6) {
                let other = self.any(Layer::Application);
                self.needs(service, 2, other);
            }
        }
    }

    /// More of what software uses, until there are as many relationships as were asked for.
    fn fill(&mut self, relationships: u64) {
        while (self.needs.len() as u64) < relationships {
            let instance = self.any(Layer::Instance);
            match self.random.below(12) {
                0..=3 => {
                    let other = self.any(Layer::Database);
                    self.needs(instance, 7, other);
                }
                4..=7 => {
                    let other = self.popular(Layer::Broker);
                    self.needs(instance, 2, other);
                }
                8..=10 => {
                    let other = self.popular(Layer::Database);
                    self.needs(instance, 2, other);
                }
                _ => {
                    // An instance behind a load balancer: of three, two are enough.
                    let (service, first) = (self.any(Layer::Business), self.any(Layer::Application));
                    let start = self.of(Layer::Application).start;
                    let count = self.count(Layer::Application);
                    let trio = [0, 1, 2].map(|step| start + (first - start + step) % count);
                    self.named = u8::try_from(self.random.below(256)).expect("below 256");
                    self.group(service, 2, Require::AtLeast(2), &trio);
                }
            }
        }
    }

    fn estate(mut self) -> Estate {
        self.needs.sort_unstable_by_key(|need| (need.dependent, need.provider, need.kind));
        self.needs.dedup_by_key(|need| (need.dependent, need.provider, need.kind));
        self.groups.sort_by_key(|(dependent, name, _)| (*dependent, *name));
        self.groups.dedup_by_key(|(dependent, name, _)| (*dependent, *name));
        let mut layers = Vec::new();
        for (layer, bounds) in (0..).zip(self.starts.windows(2)) {
            layers.resize(bounds[1] as usize, layer);
        }
        let mut numbers: Vec<u32> = (0..*self.starts.last().expect("it has an end")).collect();
        for place in (1..numbers.len()).rev() {
            let other = self.random.below(place as u64 + 1);
            numbers.swap(place, usize::try_from(other).expect("below the place"));
        }
        Estate { layers, needs: self.needs, groups: self.groups, numbers }
    }
}
