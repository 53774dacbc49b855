//! What the files of an instance say of other software: pools of servers, and whom a replica copies.
//!
//! What a file states is no guess and goes with the file; that servers stand in for one another is concluded from it.
//! Invariant: an endpoint is related to an instance in one way, whether it is read of, seen, or both.

use std::collections::BTreeSet;

use super::connections::{Places, Target};
use super::endpoints::Endpoints;
use super::instances::Instance;
use super::pools::files::Files;
use super::pools::{self, Place, Placed, Stands};
use super::processes::Process;
use super::replication::{self, Role};
use super::sockets::{Namespaces, Protocol};
use super::{is_in_container, paths};
use crate::claim::{Draft, Relation};
use crate::collector::Section;
use crate::host::Host;

/// What the scan has seen so far.
pub struct Seen<'a> {
    /// The host.
    pub host: &'a Host,
    /// Its networks.
    pub namespaces: &'a Namespaces,
    /// Where its programs listen.
    pub endpoints: &'a Endpoints,
    /// Which addresses are its own.
    pub places: &'a Places<'a>,
}

/// What the files of an instance say of others.
#[derive(Default)]
pub struct Stated {
    /// By its pools of servers.
    pub placed: Placed,
    is_replica: bool,
    /// Keys of the endpoints that may be its primary.
    primaries: BTreeSet<String>,
}

impl Stated {
    /// The instance with what is stated of it.
    pub fn on(&self, mut draft: Draft) -> Draft {
        for (group, members) in &self.placed.groups {
            draft = draft.relates_in(Relation::DependsOn, members, group);
        }
        for (relation, keys) in
            [(Relation::DependsOn, &self.placed.alone), (Relation::ConnectsTo, &self.placed.spare)]
        {
            for key in keys {
                draft = draft.relates(relation, key);
            }
        }
        // Of several, which one answers as primary is not written anywhere.
        if let Some(primary) = self.primaries.first().filter(|_| self.primaries.len() == 1) {
            draft = draft.related_from(primary, Relation::ReplicatesTo);
        }
        if self.is_replica { draft.set("role", "replica") } else { draft }
    }

    /// Whether the files say how an endpoint is used.
    pub fn speaks_of(&self, target: &str) -> bool {
        self.placed.speaks_of(target)
    }

    /// How a use that was seen is stated, unless the files say it already. A replica goes on without its primary.
    pub fn relation(&self, target: &str, seen: Relation) -> Option<Relation> {
        if self.speaks_of(target) {
            return None;
        }
        Some(if self.primaries.contains(target) { Relation::ConnectsTo } else { seen })
    }
}

impl Seen<'_> {
    /// What the files of an instance say.
    pub fn stated(
        &self,
        index: usize,
        instance: &Instance,
        process: &Process,
        configuration: Option<&str>,
        section: &mut Section,
    ) -> Stated {
        let stands_at = |place: &Place| self.stands_at(index, process, place);
        let mut stated = Stated::default();
        if instance.product == "postgresql" {
            self.note_primaries(instance, process, configuration, &mut stated, section);
        } else if let Some(configuration) = configuration {
            let below = paths::inside(process, "", is_in_container(self.host, process));
            let mut files = Files::new(&self.host.root, below);
            stated.placed =
                pools::place(pools::read(&instance.product, &mut files, configuration), &stands_at);
            if files.denied {
                section.gap(format!(
                    "a part of the configuration of {} may not be read by this user: run as root, or give the agent \
                     CAP_DAC_READ_SEARCH",
                    instance.product
                ));
            }
            if files.truncated {
                section.gap(format!(
                    "the configuration of {} is larger than what is read of one",
                    instance.product
                ));
            }
        }
        stated
    }

    fn note_primaries(
        &self,
        instance: &Instance,
        process: &Process,
        configuration: Option<&str>,
        stated: &mut Stated,
        section: &mut Section,
    ) {
        let Some(data_path) = instance.data_path.as_deref() else { return };
        let in_container = is_in_container(self.host, process);
        match replication::role(&self.host.root, process, data_path, configuration, in_container) {
            Role::NotReplica => {}
            Role::NotVisible => section.gap(
                "whether a PostgreSQL server is a replica may be read by its own account only: run as root, or give \
                 the agent CAP_DAC_READ_SEARCH",
            ),
            Role::Replica(places) => {
                stated.is_replica = true;
                let hosts = Files::new(&self.host.root, paths::inside(process, "", in_container)).hosts();
                for place in places {
                    match self.stands_at(usize::MAX, process, &place.settle(&hosts)) {
                        Stands::Here(key) => drop(stated.primaries.insert(key)),
                        Stands::Elsewhere(remote) => {
                            stated.primaries.insert(remote.key());
                            stated.placed.remotes.insert(remote);
                        }
                        Stands::Itself | Stands::Nothing => {}
                    }
                }
            }
        }
    }

    /// What stands at a place, as the process sees it.
    fn stands_at(&self, index: usize, process: &Process, place: &Place) -> Stands {
        let address = match place {
            Place::At(address) => *address,
            Place::Named(name, port) => return Stands::named(name, *port),
        };
        let namespace = self.namespaces.of(process);
        match self.places.target(namespace, Protocol::Tcp, address, None, self.endpoints) {
            Some(Target::Here(at)) if self.endpoints.all[at].provider == Some(index) => Stands::Itself,
            Some(Target::Here(at)) => Stands::Here(self.endpoints.all[at].key.clone()),
            Some(Target::Elsewhere(remote)) => Stands::Elsewhere(remote),
            None => Stands::Nothing,
        }
    }
}
