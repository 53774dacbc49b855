//! Whether a claim can be taken as it is: its bounds, its class, and its values in their types.

use crate::claim::{
    ATTRIBUTES_MAX, Claim, ENTRY_POINTS_MAX, EntryPoint, ItemClaim, KEY_BYTES_MAX, RELATIONSHIPS_MAX,
};
use crate::model::schema::Schema;
use crate::model::value::Attributes;
use crate::model::{Item, Problem, Reason, Value};

pub(super) fn check_claim(claim: &Claim) -> Result<(), Problem> {
    let invalid = |what: &str| {
        Problem::new(
            Reason::KeyInvalid,
            format!("the key {what}"),
            claim.key.chars().take(80).collect::<String>(),
        )
        .expected(format!("1 to {KEY_BYTES_MAX} bytes without control characters"), "")
        .hint("give each thing a short name of its own")
    };
    if claim.key.is_empty() {
        return Err(invalid("is empty"));
    }
    if claim.key.len() > KEY_BYTES_MAX {
        return Err(invalid("is too long"));
    }
    if claim.key.chars().any(char::is_control) {
        return Err(invalid("has a control character in it"));
    }
    let attributes = claim.item.as_ref().map_or(0, |item| item.attributes.len());
    let limits = [
        ("attributes", attributes, ATTRIBUTES_MAX),
        ("relationships", claim.relationships.len(), RELATIONSHIPS_MAX),
        ("redundancy groups", claim.redundancies.len(), ATTRIBUTES_MAX),
    ];
    for (what, given, most) in limits {
        if given > most {
            return Err(Problem::new(
                Reason::LimitExceeded,
                format!("{} states more {what} than one claim may", claim.key),
                claim.key.clone(),
            )
            .expected(format!("at most {most}"), given.to_string()));
        }
    }
    Ok(())
}

pub(super) struct Fitted {
    pub(super) attributes: Attributes,
    pub(super) notes: Vec<String>,
}

/// Values of the declared types. `named` is the item when the claim may leave the class open.
pub(super) fn fit(
    schema: &Schema,
    claim: &Claim,
    said: &ItemClaim,
    named: Option<&Item>,
) -> Result<Fitted, Problem> {
    let class = match (said.class.as_str(), named) {
        ("", Some(item)) => item.class.as_str(),
        (class, _) => check_class(schema, claim, class)?,
    };
    let mut attributes = Attributes::new();
    let mut notes = Vec::new();
    for (name, value) in &said.attributes {
        let fitted = schema.fit(class, name, value.clone()).map_err(|mut problem| {
            problem.thing = format!("{} of {}", name, claim.key);
            problem
        })?;
        if schema.attribute(class, name).is_none() {
            let nearest = schema.nearest_attribute(class, name);
            let nearest = nearest.map_or_else(String::new, |nearest| format!("; did you mean {nearest}?"));
            notes.push(format!("{class} declares no attribute {name}: kept as given{nearest}"));
        }
        if name == "entry_points" {
            check_entry_points(claim, &fitted)?;
        }
        attributes.insert(name.clone(), fitted);
    }
    Ok(Fitted { attributes, notes })
}

fn check_class<'a>(schema: &Schema, claim: &Claim, class: &'a str) -> Result<&'a str, Problem> {
    let Some(declared) = schema.class(class) else {
        let hint = schema.nearest_class(class).map_or_else(
            || "`cmdb classes` lists them".to_owned(),
            |nearest| format!("did you mean {nearest}? `cmdb classes` lists them all"),
        );
        return Err(Problem::new(
            Reason::ClassUnknown,
            format!("there is no class \"{class}\""),
            claim.key.clone(),
        )
        .expected("a declared class", class)
        .hint(hint));
    };
    if declared.is_abstract {
        let children: Vec<_> = schema
            .classes()
            .filter(|child| child.parent.as_deref() == Some(class))
            .map(|child| child.name.as_str())
            .collect();
        return Err(Problem::new(
            Reason::ClassAbstract,
            format!("{class} has no items of its own"),
            claim.key.clone(),
        )
        .expected(format!("one of its kinds: {}", children.join(", ")), class));
    }
    Ok(class)
}

fn check_entry_points(claim: &Claim, value: &Value) -> Result<(), Problem> {
    let Value::List(points) = value else { return Ok(()) };
    if points.len() > ENTRY_POINTS_MAX {
        return Err(Problem::new(
            Reason::LimitExceeded,
            format!("{} names too many entry points", claim.key),
            claim.key.clone(),
        )
        .expected(format!("at most {ENTRY_POINTS_MAX}"), points.len().to_string()));
    }
    for point in points {
        if let Err(error) = point.to_string().parse::<EntryPoint>() {
            return Err(Problem::new(Reason::AttributeUnusable, error.to_string(), claim.key.clone()));
        }
    }
    Ok(())
}
