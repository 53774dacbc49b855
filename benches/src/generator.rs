//! A layered estate from a seed: sites, racks, machines, virtual machines, software and services, with
//! redundancy as people build it. The same seed and size give the same claims.
//!
//! ```text
//! site ← rack ← hypervisor ─member_of→ cluster ← virtual machine ← software ← service
//!                    (3 to 8 a cluster, all but one needed)   └─ depends on 1 to 4 of the layer below,
//!                                                                half of them in redundancy groups
//! ```

use cmdb_core::claim::{Claim, ItemClaim, RedundancyClaim, Reference, RelationshipClaim, UnitKind};
use cmdb_core::model::Require;
use cmdb_core::model::value::{Attributes, Value};

/// Layers of software, from databases up to what users see.
const SOFTWARE_LAYERS: [&str; 4] = ["database_instance", "message_broker", "application", "web_server"];
const RACKS_PER_SITE: u64 = 20;
const HYPERVISORS_PER_RACK: u64 = 8;
const MACHINES_PER_HYPERVISOR: u64 = 12;
/// Parts of a hundred of software that stands in a pair behind a redundancy group.
const GROUPED_PERCENT: u64 = 50;

/// Claims of an estate with about `items` items.
pub fn estate(items: u64, seed: u64) -> Vec<Claim> {
    let mut estate = Estate { random: Random::new(seed), claims: Vec::new() };
    // Of a hundred items about 4 are hardware and places, 38 virtual machines, 50 software, 8 services.
    let machines = (items * 38 / 100).max(4);
    let hypervisors = machines.div_ceil(MACHINES_PER_HYPERVISOR);
    let clusters = estate.infrastructure(hypervisors);
    let machine_names = estate.machines(machines, clusters);
    let top = estate.software(items / 2, &machine_names);
    estate.services(items * 8 / 100, &top);
    estate.claims
}

struct Estate {
    random: Random,
    claims: Vec<Claim>,
}

impl Estate {
    fn infrastructure(&mut self, hypervisors: u64) -> u64 {
        let racks = hypervisors.div_ceil(HYPERVISORS_PER_RACK);
        for site in 0..racks.div_ceil(RACKS_PER_SITE) {
            self.claims.push(item("site", &format!("site-{site}")));
        }
        for rack in 0..racks {
            let mut claim = item("rack", &format!("rack-{rack}"));
            claim.relationships.push(needs("located_in", &format!("site-{}", rack / RACKS_PER_SITE)));
            self.claims.push(claim);
        }
        let mut clusters = 0;
        let mut hypervisor = 0;
        while hypervisor < hypervisors {
            let members = self.random.between(3, 8).min(hypervisors - hypervisor);
            let cluster = format!("cluster-{clusters}");
            let mut claim = item("cluster", &cluster);
            let needed = u32::try_from(members.saturating_sub(1).max(1)).expect("at most 8");
            claim.redundancies.push(group("hosts", Require::AtLeast(needed)));
            for _ in 0..members {
                let mut host = item("hypervisor", &format!("hypervisor-{hypervisor}"));
                host.relationships
                    .push(needs("located_in", &format!("rack-{}", hypervisor / HYPERVISORS_PER_RACK)));
                host.relationships.push(in_group(needs("member_of", &cluster), "hosts"));
                self.claims.push(host);
                hypervisor += 1;
            }
            self.claims.push(claim);
            clusters += 1;
        }
        clusters
    }

    fn machines(&mut self, machines: u64, clusters: u64) -> Vec<String> {
        (0..machines)
            .map(|machine| {
                let name = format!("vm-{machine}");
                let mut claim = item("virtual_machine", &name);
                let cluster = self.random.below(clusters);
                claim.relationships.push(needs("virtualized_by", &format!("cluster-{cluster}")));
                self.claims.push(claim);
                name
            })
            .collect()
    }

    /// Returns the names of the uppermost layer.
    fn software(&mut self, items: u64, machines: &[String]) -> Vec<String> {
        let layers = SOFTWARE_LAYERS.len() as u64;
        let mut below: Vec<String> = Vec::new();
        for (depth, class) in SOFTWARE_LAYERS.iter().enumerate() {
            let mut names = Vec::new();
            for number in 0..items / layers {
                let name = format!("{class}-{depth}-{number}");
                let mut claim = item(class, &name);
                claim.relationships.push(needs("runs_on", self.random.pick(machines)));
                self.dependencies(&mut claim, &below);
                self.claims.push(claim);
                names.push(name);
            }
            below = names;
        }
        below
    }

    fn services(&mut self, services: u64, software: &[String]) {
        for number in 0..services {
            let mut claim = item("business_service", &format!("service-{number}"));
            let criticality = i64::try_from(self.random.between(1, 4)).expect("at most 4");
            let about = claim.item.as_mut().expect("item() names an item");
            about.attributes.insert("business_criticality".to_owned(), Value::Integer(criticality));
            self.dependencies(&mut claim, software);
            self.claims.push(claim);
        }
    }

    /// One to four dependencies on the layer below; some of them a group of two, of which one is enough.
    fn dependencies(&mut self, claim: &mut Claim, below: &[String]) {
        if below.len() < 2 {
            return;
        }
        for number in 0..self.random.between(1, 4) {
            let first = self.random.below(below.len() as u64 - 1);
            let first = usize::try_from(first).expect("an index of a list");
            if self.random.below(100) >= GROUPED_PERCENT {
                push_once(claim, needs("depends_on", &below[first]));
                continue;
            }
            let name = format!("group-{number}");
            let pair = [&below[first], &below[first + 1]];
            let before = claim.relationships.len();
            for member in pair {
                push_once(claim, in_group(needs("depends_on", member), &name));
            }
            if claim.relationships.len() > before {
                claim.redundancies.push(group(&name, Require::Any));
            }
        }
    }
}

/// There is one relationship of a type between two items.
fn push_once(claim: &mut Claim, relationship: RelationshipClaim) {
    if !claim.relationships.iter().any(|known| known.to == relationship.to && known.kind == relationship.kind)
    {
        claim.relationships.push(relationship);
    }
}

/// One claim about an item that nothing depends on.
pub fn item(class: &str, key: &str) -> Claim {
    let about = ItemClaim { class: class.to_owned(), name: key.to_owned(), ..ItemClaim::default() };
    let mut claim = Claim {
        kind: UnitKind::Item,
        key: key.to_owned(),
        item: Some(about),
        relationships: Vec::new(),
        redundancies: Vec::new(),
    };
    describe(&mut claim, "as it was generated");
    claim
}

/// Gives the item another description.
pub fn describe(claim: &mut Claim, description: &str) {
    let about = claim.item.as_mut().expect("the claim is about an item");
    about.attributes.insert("description".to_owned(), Value::Text(description.to_owned()));
}

fn needs(kind: &str, to: &str) -> RelationshipClaim {
    RelationshipClaim {
        from: Reference::This,
        kind: kind.to_owned(),
        to: Reference::Key(to.to_owned()),
        group: String::new(),
        weight: 1.0,
        inferred: false,
        confidence: 1.0,
        denied: false,
        attributes: Attributes::new(),
    }
}

fn in_group(mut relationship: RelationshipClaim, group: &str) -> RelationshipClaim {
    relationship.group = group.to_owned();
    relationship
}

fn group(name: &str, require: Require) -> RedundancyClaim {
    RedundancyClaim {
        item: Reference::This,
        group: name.to_owned(),
        require,
        inferred: false,
        confidence: 1.0,
        evidence: String::new(),
        rejected: false,
    }
}

/// SplitMix64 (Steele, Lea, Flood 2014): small, and the same everywhere.
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Less than `limit`, which is above 0. The bias is below 2⁻³² for every size used here.
    pub fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }

    /// From `least` to `most`, both included.
    pub fn between(&mut self, least: u64, most: u64) -> u64 {
        least + self.below(most - least + 1)
    }

    pub fn pick<'a>(&mut self, names: &'a [String]) -> &'a str {
        let place = usize::try_from(self.below(names.len() as u64)).expect("an index of a list");
        &names[place]
    }
}
