//! Classes and relationship types, as they go out.

use cmdb_core::engine::{SharedIdentifier, TrialChange, TrialRefusal, TrialSplit};
use cmdb_core::model::SourceId;
use cmdb_core::model::schema::{Attribute, Class, RelationshipType, Rule};
use cmdb_proto::v1;

use super::value::value_to;
use crate::app::schema::{ClassesAnswer, RelationshipTypesAnswer, TrialAnswer};
use crate::status::problem_of;

/// Classes with their counts.
pub fn classes_to(answer: &ClassesAnswer) -> v1::ClassesResponse {
    let classes = answer.classes.iter();
    v1::ClassesResponse {
        classes: classes
            .map(|class| class_to(class, answer.items.get(&class.name).copied().unwrap_or_default()))
            .collect(),
        schema_digest: answer.schema_digest.iter().map(|byte| format!("{byte:02x}")).collect(),
        revision: answer.as_of.revision.0,
        as_of_us: answer.as_of.recorded_at.0,
    }
}

fn class_to(class: &Class, items: u64) -> v1::Class {
    v1::Class {
        name: class.name.clone(),
        parent: class.parent.clone().unwrap_or_default(),
        title: class.title.clone(),
        description: class.description.clone(),
        r#abstract: class.is_abstract,
        running: class.running,
        attributes: class.attributes.values().map(attribute_to).collect(),
        identification: class.identification.iter().map(rule_to).collect(),
        items,
        declared_in: class.declared_in.clone(),
        availability: class.availability,
    }
}

fn attribute_to(attribute: &Attribute) -> v1::AttributeDeclaration {
    v1::AttributeDeclaration {
        name: attribute.name.clone(),
        r#type: attribute.value_type.name().to_owned(),
        unit: attribute.unit.clone().unwrap_or_default(),
        description: attribute.description.clone(),
        indexed: attribute.indexed,
        inherited_from: attribute.inherited_from.clone().unwrap_or_default(),
    }
}

fn rule_to(rule: &Rule) -> v1::IdentificationRule {
    v1::IdentificationRule { attributes: rule.criteria(), within: rule.within }
}

/// The types of relationships.
pub fn relationship_types_to(answer: &RelationshipTypesAnswer) -> v1::RelationshipTypesResponse {
    v1::RelationshipTypesResponse {
        types: answer.types.iter().map(relationship_type_to).collect(),
        revision: answer.as_of.revision.0,
        as_of_us: answer.as_of.recorded_at.0,
    }
}

fn relationship_type_to(kind: &RelationshipType) -> v1::RelationshipType {
    v1::RelationshipType {
        name: kind.name.clone(),
        inverse: kind.inverse.clone(),
        failure: kind.failure.name().to_owned(),
        weak: kind.weak,
        description: kind.description.clone(),
        declared_in: kind.declared_in.clone(),
    }
}

/// What rules that are not in force would change.
pub fn trial_to(answer: &TrialAnswer) -> v1::TestRulesResponse {
    let trial = &answer.trial;
    v1::TestRulesResponse {
        revision: trial.revision.0,
        files: answer.files.clone(),
        items: trial.items,
        items_changed: trial.items_changed,
        changes: trial.changes.first.iter().map(|change| change_to(change, answer)).collect(),
        changes_total: trial.changes.total,
        refused: trial.refused.first.iter().map(refusal_to).collect(),
        refused_total: trial.refused.total,
        shared: trial.shared.first.iter().map(identifier_to).collect(),
        shared_total: trial.shared.total,
        parted: trial.parted.first.iter().map(identifier_to).collect(),
        parted_total: trial.parted.total,
        relationships: trial.relationships,
        relationships_changed: trial.relationships_changed,
        split: trial.split.first.iter().map(|split| split_to(split, answer)).collect(),
        split_total: trial.split.total,
    }
}

fn change_to(change: &TrialChange, answer: &TrialAnswer) -> v1::RulesChange {
    let source = |stands: Option<&cmdb_core::engine::Stands>| {
        let source = stands.and_then(|stands| stands.source);
        source.map(|source| answer.names.source(source).to_owned()).unwrap_or_default()
    };
    v1::RulesChange {
        item: change.item.to_string(),
        name: change.name.clone(),
        attribute: change.attribute.clone(),
        before: change.before.as_ref().map(|stands| value_to(&stands.value)),
        source_before: source(change.before.as_ref()),
        after: change.after.as_ref().map(|stands| value_to(&stands.value)),
        source_after: source(change.after.as_ref()),
    }
}

fn refusal_to(refusal: &TrialRefusal) -> v1::RulesRefusal {
    v1::RulesRefusal {
        item: refusal.item.to_string(),
        name: refusal.name.clone(),
        problem: Some(problem_of(&refusal.problem)),
    }
}

fn split_to(split: &TrialSplit, answer: &TrialAnswer) -> v1::RulesSplit {
    let part = |claims: &Vec<(SourceId, String)>| v1::RulesPart {
        claims: claims
            .iter()
            .map(|(source, key)| format!("{}:{key}", answer.names.source(*source)))
            .collect(),
    };
    v1::RulesSplit {
        item: split.item.to_string(),
        name: split.name.clone(),
        parts: split.parts.iter().map(part).collect(),
    }
}

fn identifier_to(shared: &SharedIdentifier) -> v1::RulesIdentifier {
    v1::RulesIdentifier {
        attributes: shared.attributes.clone(),
        values: shared.values.clone(),
        strong: shared.strong,
        items: shared.items.iter().map(ToString::to_string).collect(),
        items_total: shared.items_total,
        kept_apart: shared.kept_apart,
    }
}
