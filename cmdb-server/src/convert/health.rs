//! How the facts stand, as it goes out.

use cmdb_core::health::{Figure, Listed, Rate};
use cmdb_proto::v1;

use crate::app::health::{GivenAnswer, HealthAnswer};

/// The figures with what is behind the one that was asked for.
pub fn health_to(answer: &HealthAnswer, interval_s: u64) -> v1::HealthResponse {
    let health = &answer.health;
    let rates = |rates: &std::collections::BTreeMap<String, Rate>| {
        rates.iter().map(|(name, rate)| (name.clone(), rate_to(rate))).collect()
    };
    v1::HealthResponse {
        revision: answer.revision.0,
        as_of_us: answer.recorded_at.0,
        items: health.items,
        figures: health.figures.iter().map(figure_to).collect(),
        facts: Some(rate_to(&health.facts)),
        by_class: rates(&health.by_class),
        by_source: rates(&health.by_source),
        listed: health.listed.iter().map(|listed| listed_to(listed, answer)).collect(),
        omitted: health.omitted,
        interval_s,
    }
}

fn figure_to(figure: &Figure) -> v1::HealthFigure {
    v1::HealthFigure {
        name: figure.name.clone(),
        area: figure.area.name().to_owned(),
        title: figure.title.clone(),
        count: figure.count,
        of: figure.of,
        items: figure.items,
    }
}

fn rate_to(rate: &Rate) -> v1::FactRate {
    v1::FactRate {
        confirmed: rate.confirmed,
        contradicted: rate.contradicted,
        unconfirmed: rate.unconfirmed,
        undiscoverable: rate.undiscoverable,
    }
}

fn listed_to(listed: &Listed, answer: &HealthAnswer) -> v1::HealthItem {
    let label = answer.labels.get(&listed.item).cloned();
    let (key, class, name) = label.map(|label| (label.key, label.class, label.name)).unwrap_or_default();
    v1::HealthItem {
        id: listed.item.to_string(),
        key,
        class,
        name,
        details: listed.details.clone(),
        more: listed.more,
    }
}

/// A value that an item does not have itself.
pub fn given_to(given: &GivenAnswer) -> v1::GivenValue {
    v1::GivenValue {
        attribute: given.attribute.clone(),
        value: given.value.clone(),
        rule: given.rule.clone(),
        service: given.service.as_ref().map(|label| label.id.to_string()).unwrap_or_default(),
        service_name: given.service.as_ref().map(|label| label.name.clone()).unwrap_or_default(),
    }
}
