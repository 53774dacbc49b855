//! Classes and relationship types, as they go out.

use cmdb_core::model::schema::{Attribute, Class, RelationshipType, Rule};
use cmdb_proto::v1;

use crate::app::schema::ClassesAnswer;

/// Classes with their counts.
pub fn classes_to(answer: &ClassesAnswer) -> v1::ClassesResponse {
    let classes = answer.classes.iter();
    v1::ClassesResponse {
        classes: classes
            .map(|class| class_to(class, answer.items.get(&class.name).copied().unwrap_or_default()))
            .collect(),
        schema_digest: answer.schema_digest.iter().map(|byte| format!("{byte:02x}")).collect(),
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

/// A relationship type.
pub fn relationship_type_to(kind: &RelationshipType) -> v1::RelationshipType {
    v1::RelationshipType {
        name: kind.name.clone(),
        inverse: kind.inverse.clone(),
        failure: kind.failure.name().to_owned(),
        weak: kind.weak,
        description: kind.description.clone(),
        declared_in: kind.declared_in.clone(),
    }
}
