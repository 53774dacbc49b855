//! Answers of the graph, as they go out.

use std::collections::BTreeMap;

use cmdb_core::engine::{Coverage, Label};
use cmdb_core::model::ItemId;
use cmdb_impact::availability::{Estimate, Method};
use cmdb_impact::progress::At;
use cmdb_impact::{Margin, Need};
use cmdb_proto::v1;

use crate::app::graph::{
    AssumedGroup, AvailabilityAnswer, Basis, Blast, BlastAnswer, Carrier, ColdStartAnswer, CriticalAnswer,
    DependsAnswer, ImpactAnswer, NeighboursAnswer, Over, StepAnswer, TraceAnswer, weight,
};

type Labels = BTreeMap<ItemId, Label>;

/// What breaks.
pub fn impact_to(answer: ImpactAnswer) -> v1::ImpactResponse {
    let labels = &answer.labels;
    let affected = answer.affected.into_iter().map(|affected| v1::Affected {
        item: Some(item(labels, affected.id)),
        state: affected.state.name().to_owned(),
        distance: affected.distance,
        via: affected.via.into_iter().map(|carrier| via(labels, carrier)).collect(),
        reason: affected.reason,
    });
    v1::ImpactResponse {
        revision: answer.as_of.revision.0,
        as_of_us: answer.as_of.recorded_at.0,
        seeds: answer.seeds.iter().map(labelled).collect(),
        down: answer.down.iter().map(labelled).collect(),
        affected: affected.collect(),
        counts: Some(v1::Counts {
            failed: answer.counts.failed,
            degraded: answer.counts.degraded,
            at_risk: answer.counts.at_risk,
            by_class: answer.by_class.into_iter().collect(),
            beyond_depth: answer.counts.beyond_depth,
        }),
        truncated: answer.truncated,
        hidden: 0,
        coverage: Some(coverage(&answer.coverage)),
        over: Some(over_to(answer.over)),
        classes: answer.shown.classes,
        other_classes: answer.other_classes,
        joint: answer.joint,
        why: answer.why.as_ref().map(labelled),
        assumptions: answer.assumptions,
        assumed_groups: answer.assumed.into_iter().map(assumed_to).collect(),
    }
}

fn assumed_to(group: AssumedGroup) -> v1::AssumedGroup {
    v1::AssumedGroup {
        item: Some(labelled(&group.item)),
        group: group.group,
        require: group.require.to_string(),
        confidence: group.confidence,
        evidence: group.evidence,
    }
}

/// How far a long answer is.
pub fn progress_to(at: At) -> v1::GraphProgress {
    v1::GraphProgress { phase: at.phase.to_owned(), done: at.done, total: at.total }
}

/// What each item could take with it.
pub fn blast_to(answer: BlastAnswer) -> v1::BlastRadiusResponse {
    let blasts = answer.items.iter().map(|blast| one_blast_to(&answer.labels, blast));
    v1::BlastRadiusResponse {
        revision: answer.as_of.revision.0,
        as_of_us: answer.as_of.recorded_at.0,
        items: blasts.collect(),
        total: answer.total,
        refreshing: answer.as_of.revision != answer.head,
        head_revision: answer.head.0,
        hidden: 0,
        criticality: answer.basis.as_ref().map(|basis| basis_to(&answer.labels, basis)),
    }
}

fn one_blast_to(labels: &Labels, blast: &Blast) -> v1::Blast {
    v1::Blast {
        item: Some(item(labels, blast.id)),
        items: blast.items,
        weight: blast.by_level.as_ref().map_or(0, weight),
        by_criticality: blast.by_level.iter().flatten().copied().map(u64::from).collect(),
    }
}

fn basis_to(labels: &Labels, basis: &Basis) -> v1::CriticalityBasis {
    v1::CriticalityBasis {
        declared: basis.declared,
        inherited: basis.inherited,
        assumed: basis.assumed,
        services: basis.services.iter().map(|id| item(labels, *id)).collect(),
        services_total: basis.services_total,
        unusable: basis.unusable,
    }
}

/// What is needed.
pub fn depends_to(answer: DependsAnswer) -> v1::DependenciesResponse {
    let labels = &answer.labels;
    let dependencies = answer.needed.into_iter().map(|needed| v1::Dependency {
        item: Some(item(labels, needed.id)),
        distance: needed.distance,
        via: needed.via.into_iter().map(|carrier| via(labels, carrier)).collect(),
        redundant: needed.need == Need::Spared,
    });
    v1::DependenciesResponse {
        revision: answer.as_of.revision.0,
        as_of_us: answer.as_of.recorded_at.0,
        seeds: answer.seeds.iter().map(labelled).collect(),
        dependencies: dependencies.collect(),
        by_class: answer.by_class.into_iter().collect(),
        total: answer.total,
        truncated: answer.truncated,
        hidden: 0,
        coverage: Some(coverage(&answer.coverage)),
        over: Some(over_to(answer.over)),
        classes: answer.shown.classes,
        other_classes: answer.other_classes,
        beyond_depth: answer.beyond_depth,
    }
}

/// What items cannot do without.
pub fn critical_to(answer: CriticalAnswer) -> v1::CriticalResponse {
    let labels = &answer.labels;
    let standings = answer.standings.into_iter().map(|standing| {
        let (is_down, margin, margin_exact) = match standing.margin {
            Margin::Down => (true, 0, true),
            Margin::Exactly(margin) => (false, margin, true),
            Margin::AtLeast(margin) => (false, margin, false),
        };
        let part = |(items, items_total): (Vec<ItemId>, u64)| v1::CriticalPart {
            items: items.into_iter().map(|id| item(labels, id)).collect(),
            items_total,
        };
        let sets = standing.sets.into_iter();
        v1::Standing {
            item: Some(item(labels, standing.id)),
            needed: standing.needed,
            is_down,
            margin: margin.into(),
            margin_exact,
            alone: standing.alone,
            alone_at_risk: standing.at_risk,
            sets: sets.map(|set| v1::CriticalSet { parts: set.into_iter().map(part).collect() }).collect(),
            sets_total: standing.sets_total,
            at_risk_already: standing.at_risk_already,
        }
    });
    let points = answer.points.into_iter().map(|point| v1::SinglePoint {
        item: Some(item(labels, point.id)),
        state: point.state.name().to_owned(),
        fails: point.fails,
        of: point.of.into_iter().map(|id| item(labels, id)).collect(),
    });
    v1::CriticalResponse {
        revision: answer.as_of.revision.0,
        as_of_us: answer.as_of.recorded_at.0,
        down: answer.down.iter().map(labelled).collect(),
        standings: standings.collect(),
        standings_total: answer.standings_total,
        points: points.collect(),
        points_total: answer.points_total,
        points_at_risk: answer.points_at_risk,
        truncated: answer.truncated,
        hidden: 0,
        coverage: Some(coverage(&answer.coverage)),
        over: Some(over_to(answer.over)),
    }
}

/// How likely items are to be up.
pub fn availability_to(answer: AvailabilityAnswer) -> v1::AvailabilityResponse {
    let labels = &answer.labels;
    let uptimes = answer.uptimes.into_iter().map(|uptime| {
        let (exact, samples) = match uptime.method {
            Method::Exact { .. } => (true, 0),
            Method::Sampled { samples, .. } => (false, samples),
        };
        let gains = uptime.gains.into_iter().map(|(id, unavailability, gain)| v1::Gain {
            item: Some(item(labels, id)),
            unavailability,
            gain,
        });
        v1::Uptime {
            item: Some(item(labels, uptime.id)),
            needed: uptime.needed,
            unavailability: Some(estimate_to(uptime.unavailability)),
            at_worst: uptime.at_worst.map(estimate_to),
            exact,
            samples,
            gains: gains.collect(),
            gains_total: uptime.gains_total,
        }
    });
    let classes = answer.by_class.into_iter().map(|(class, figure)| v1::ClassFigure {
        class,
        availability: figure.availability,
        items: figure.items,
    });
    let unusable = answer.unusable.into_iter();
    v1::AvailabilityResponse {
        revision: answer.as_of.revision.0,
        as_of_us: answer.as_of.recorded_at.0,
        down: answer.down.iter().map(labelled).collect(),
        uptimes: uptimes.collect(),
        uptimes_total: answer.uptimes_total,
        truncated: answer.truncated,
        hidden: 0,
        coverage: Some(coverage(&answer.coverage)),
        classes: classes.collect(),
        own_figures: answer.own,
        unusable: unusable
            .map(|(id, given)| v1::UnusableFigure { item: Some(item(labels, id)), given })
            .collect(),
        unusable_total: answer.unusable_total,
        over: Some(over_to(answer.over)),
    }
}

fn estimate_to(estimate: Estimate) -> v1::Estimate {
    v1::Estimate { value: estimate.value, low: estimate.low, high: estimate.high }
}

/// What cannot start again.
pub fn cold_start_to(answer: ColdStartAnswer) -> v1::ColdStartResponse {
    let labels = &answer.labels;
    let named = |ids: Vec<ItemId>| ids.into_iter().map(|id| item(labels, id)).collect();
    let deadlocks = answer.deadlocks.into_iter().map(|deadlock| v1::Deadlock {
        items: named(deadlock.items),
        items_total: deadlock.items_total,
        state: deadlock.state.name().to_owned(),
        waiting: deadlock.waiting,
        starters: named(deadlock.starters),
        starters_total: deadlock.starters_total,
    });
    v1::ColdStartResponse {
        revision: answer.as_of.revision.0,
        as_of_us: answer.as_of.recorded_at.0,
        of: answer.of.iter().map(labelled).collect(),
        items: answer.items,
        stuck: answer.stuck,
        stuck_at_risk: answer.stuck_at_risk,
        deadlocks: deadlocks.collect(),
        deadlocks_total: answer.deadlocks_total,
        truncated: answer.truncated,
        hidden: 0,
        coverage: Some(coverage(&answer.coverage)),
        over: Some(over_to(answer.over)),
    }
}

fn over_to(over: Over) -> v1::Over {
    v1::Over {
        types: over.types,
        weak_types: over.weak_types,
        min_confidence: over.min_confidence,
        left_out: over.left_out,
    }
}

/// The chains between two items.
pub fn trace_to(answer: TraceAnswer) -> v1::TraceResponse {
    let labels = &answer.labels;
    let chains = answer.chains.into_iter().map(|(direction, steps)| v1::Chain {
        direction: direction.name().to_owned(),
        steps: steps.into_iter().map(|each| step(labels, each)).collect(),
    });
    v1::TraceResponse {
        revision: answer.as_of.revision.0,
        as_of_us: answer.as_of.recorded_at.0,
        from: Some(labelled(&answer.from)),
        to: Some(labelled(&answer.to)),
        chains: chains.collect(),
        truncated: answer.truncated.is_some(),
        truncated_reason: answer.truncated.unwrap_or_default(),
        hidden: 0,
        over: Some(over_to(answer.over)),
        classes: answer.shown.classes,
        other_chains: answer.other_chains,
    }
}

/// What is around an item.
pub fn neighbours_to(answer: NeighboursAnswer) -> v1::NeighboursResponse {
    let edges = answer.relationships.into_iter().map(|(relationship, evidence)| v1::Edge {
        from: relationship.from.to_string(),
        to: relationship.to.to_string(),
        group: relationship.group().to_owned(),
        status: relationship.status.name().to_owned(),
        stale: evidence.stale,
        confidence: evidence.confidence,
        r#type: relationship.kind,
    });
    v1::NeighboursResponse {
        revision: answer.as_of.revision.0,
        as_of_us: answer.as_of.recorded_at.0,
        item: Some(labelled(&answer.item)),
        edges: edges.collect(),
        items: answer.items.iter().map(|id| item(&answer.labels, *id)).collect(),
        truncated: answer.truncated,
        hidden: 0,
        left_out: answer.left_out,
        classes: answer.shown.classes,
        other_relationships: answer.other_relationships,
    }
}

fn step(labels: &Labels, step: StepAnswer) -> v1::Step {
    v1::Step {
        item: Some(item(labels, step.id)),
        r#type: step.kind,
        group: step.group,
        forward: step.forward,
        stale: step.stale,
    }
}

fn via(labels: &Labels, carrier: Carrier) -> v1::Via {
    let label = labels.get(&carrier.item);
    v1::Via {
        id: carrier.item.to_string(),
        key: label.map(|label| label.key.clone()).unwrap_or_default(),
        name: label.map(|label| label.name.clone()).unwrap_or_default(),
        r#type: carrier.kind,
        group: carrier.group,
        stale: carrier.stale,
    }
}

fn item(labels: &Labels, id: ItemId) -> v1::GraphItem {
    match labels.get(&id) {
        Some(label) => labelled(label),
        None => v1::GraphItem { id: id.to_string(), ..v1::GraphItem::default() },
    }
}

/// An item by what it is called.
pub fn labelled(label: &Label) -> v1::GraphItem {
    v1::GraphItem {
        id: label.id.to_string(),
        key: label.key.clone(),
        class: label.class.clone(),
        name: label.name.clone(),
        status: label.status.name().to_owned(),
    }
}

fn coverage(coverage: &Coverage) -> v1::Coverage {
    v1::Coverage {
        observed_since_us: coverage.observed_since.map_or(0, |moment| moment.0),
        hosts_without_agent: coverage.hosts_without_agent,
        external_endpoints: coverage.external_endpoints,
        stale_relationships: coverage.stale_relationships,
    }
}
