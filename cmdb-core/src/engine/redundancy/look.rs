//! One client: what it uses, what answers there, and what differs from what the rule claimed.

use std::collections::{BTreeMap, BTreeSet};

use super::{Wanted, is_verdict, member};
use crate::claim::{Claim, RedundancyClaim, Reference, UnitKind};
use crate::engine::{EngineError, Reader};
use crate::graph::{Graph, Index};
use crate::model::relationship::Require;
use crate::model::{Item, ItemId, Relationship, SourceId, Status};
use crate::redundancy::{self, Proposal, Server, USES_MAX, Use};

/// The source under which groups are proposed.
pub(in crate::engine) const RULE_SOURCE: &str = "rule-redundancy";
/// The types by which a client uses a server.
pub(super) const USES: [&str; 2] = ["depends_on", "consumes"];
/// The type by which an endpoint belongs to its software.
pub(super) const PROVIDED: &str = "provided_by";
/// The type by which a server belongs to a cluster.
pub(super) const CLUSTERED: &str = "member_of";
/// The type by which a server feeds another one.
pub(super) const REPLICATES: &str = "replicates_to";

/// What the rule shall claim of a client, when it is not what it claims.
pub(super) fn at(reader: &Reader, client: ItemId) -> Result<Option<Wanted>, EngineError> {
    let graph = reader.graph();
    let Some(index) = graph.index(client) else { return Ok(None) };
    let used = used(graph, index);
    // A group of the rule stands in the graph, so that nothing has to be read to see that there is none.
    if used.len() < 2 && graph.gates(index).next().is_none() {
        return Ok(None);
    }
    let Some(item) = reader.item(client)? else { return Ok(None) };
    let mut relationships = Vec::with_capacity(used.len());
    for (kind, provider) in &used {
        relationships.extend(reader.relationship(client, kind, *provider)?);
    }
    let uses = if item.status == Status::Retired { Vec::new() } else { uses(reader, &relationships)? };
    let rule = reader.source_named(RULE_SOURCE);
    let mut proposals = redundancy::propose(&uses);
    proposals.retain(|proposal| !is_declared(&item, &proposal.group, rule));
    if is_kept(&item, &relationships, &proposals, rule) {
        return Ok(None);
    }
    let claims: Vec<Claim> = proposals.iter().map(|proposal| claim(client, proposal)).collect();
    let kept: BTreeSet<&str> = claims.iter().map(|claim| claim.key.as_str()).collect();
    let ours = item.groups.iter().filter(|group| Some(group.source) == rule);
    let gone = ours.map(|group| group.key.clone()).filter(|key| !kept.contains(key.as_str())).collect();
    Ok(Some(Wanted { claims, gone }))
}

/// The relationships by which the client uses something, in order.
fn used(graph: &Graph, client: Index) -> BTreeSet<(String, ItemId)> {
    let edges = graph.dependencies(client).filter(|edge| USES.contains(&graph.type_name(edge.kind)));
    let all: BTreeSet<_> =
        edges.map(|edge| (graph.type_name(edge.kind).to_owned(), graph.id(edge.other))).collect();
    all.into_iter().take(USES_MAX).collect()
}

/// Somebody else declares a group of that name on the client.
fn is_declared(item: &Item, name: &str, rule: Option<SourceId>) -> bool {
    let mut others = item.groups.iter().filter(|group| group.name == name && Some(group.source) != rule);
    others.any(|group| !is_verdict(group))
}

fn key(client: ItemId, group: &str) -> String {
    format!("{client} {group}")
}

fn claim(client: ItemId, proposal: &Proposal) -> Claim {
    let edge = |(kind, provider): &(String, ItemId)| member(client, kind, *provider, &proposal.group);
    Claim {
        kind: UnitKind::Redundancy,
        key: key(client, &proposal.group),
        item: None,
        relationships: proposal.members.iter().map(edge).collect(),
        redundancies: vec![RedundancyClaim {
            item: Reference::Id(client),
            group: proposal.group.clone(),
            require: Require::Any,
            inferred: true,
            confidence: proposal.confidence,
            evidence: proposal.evidence.clone(),
            rejected: false,
        }],
    }
}

/// Whether the rule's groups on the client and its claims on the relationships are just these.
fn is_kept(
    item: &Item,
    relationships: &[Relationship],
    proposals: &[Proposal],
    rule: Option<SourceId>,
) -> bool {
    let ours = item.groups.iter().filter(|group| Some(group.source) == rule);
    let ours: BTreeSet<_> = ours
        .map(|group| (group.key.clone(), &group.name, group.confidence.to_bits(), &group.evidence))
        .collect();
    let wanted: BTreeSet<_> = proposals
        .iter()
        .map(|one| (key(item.id, &one.group), &one.group, one.confidence.to_bits(), &one.evidence))
        .collect();
    let mut members = BTreeSet::new();
    for one in proposals {
        members.extend(one.members.iter().map(|(kind, id)| (kind.as_str(), *id, one.group.as_str())));
    }
    let mut claimed = BTreeSet::new();
    for edge in relationships {
        let claims = edge.claims.iter().filter(|claim| Some(claim.source) == rule && claim.only_groups());
        claimed.extend(claims.map(|claim| (edge.kind.as_str(), edge.to, claim.group.as_str())));
    }
    ours == wanted && members == claimed
}

/// What answers at the other end of each relationship that stands in no group by its own claim.
fn uses(reader: &Reader, relationships: &[Relationship]) -> Result<Vec<Use>, EngineError> {
    let alone = |edge: &&Relationship| edge.stands() && edge.effective().group.is_empty();
    let mut uses = Vec::new();
    for relationship in relationships.iter().filter(alone) {
        if let Some(server) = server(reader, relationship.to)? {
            uses.push(Use { kind: relationship.kind.clone(), provider: relationship.to, server });
        }
    }
    Ok(uses)
}

/// What answers at an endpoint, or software that is used itself; `None`: something else.
fn server(reader: &Reader, provider: ItemId) -> Result<Option<Server>, EngineError> {
    let schema = reader.schema();
    let Some(found) = reader.item(provider)? else { return Ok(None) };
    let (behind, endpoint) = if schema.is_a(&found.class, "software") {
        (found, None)
    } else if schema.is_a(&found.class, "endpoint") {
        match provided_by(reader.graph(), provider).map(|id| reader.item(id)).transpose()?.flatten() {
            Some(software) => (software, Some(found)),
            None => (found, None),
        }
    } else {
        return Ok(None);
    };
    let text = |name: &str| {
        let sides = endpoint.iter().chain([&behind]);
        let value = sides.filter_map(|item| item.attribute(name)).next();
        value.map(|effective| effective.value.to_string()).unwrap_or_default()
    };
    let mut server = Server {
        item: behind.id,
        class: behind.class.clone(),
        protocol: text("protocol"),
        port: text("port").parse().unwrap_or_default(),
        product: text("product"),
        host: text("host_name"),
        address: text("address").parse().ok(),
        clusters: BTreeMap::new(),
        replicas: BTreeSet::new(),
    };
    // A replica knows its primary by the endpoint that it copies from.
    let mut edges = reader.outgoing(behind.id)?;
    if let Some(endpoint) = &endpoint {
        edges.extend(reader.outgoing(endpoint.id)?.into_iter().filter(|edge| edge.kind == REPLICATES));
    }
    for edge in edges.into_iter().filter(Relationship::stands) {
        match edge.kind.as_str() {
            CLUSTERED => {
                let name = reader.item(edge.to)?.map(|cluster| cluster.name).unwrap_or_default();
                server.clusters.insert(edge.to, name);
            }
            REPLICATES => drop(server.replicas.insert(edge.to)),
            _ => {}
        }
    }
    Ok(Some(server))
}

/// The software that listens at an endpoint.
fn provided_by(graph: &Graph, endpoint: ItemId) -> Option<ItemId> {
    let edges = graph.dependencies(graph.index(endpoint)?);
    edges.filter(|edge| graph.type_name(edge.kind) == PROVIDED).map(|edge| graph.id(edge.other)).min()
}
