//! A report in JSON becomes claims.
//!
//! Moments stay text: the server fits every value to the declared type of its attribute.

use std::collections::BTreeMap;

use cmdb_proto::v1::reference::To;
use cmdb_proto::v1::value::Kind;
use cmdb_proto::v1::{
    Claim, IdentifySection, ItemClaim, RedundancyClaim, Reference, RelationshipClaim, Value, ValueList,
    ValueMap,
};
use serde::Deserialize;
use serde_json::{Map, Value as Json};

use crate::error::CommandError;

/// The deepest nesting of a value.
const DEPTH_MAX: u32 = 16;

/// What is wrong with a report.
#[derive(Debug)]
pub struct Wrong {
    thing: String,
    message: String,
}

impl Wrong {
    /// As it is told.
    pub fn in_file(self, file: &str) -> CommandError {
        CommandError::usage(format!("the report cannot be read: {}", self.message))
            .with("file", file)
            .with("at", self.thing)
            .with("expected", "what `cmdb-agent --once --print --output json` prints")
    }
}

#[derive(Deserialize)]
struct Report {
    sections: Vec<Section>,
}

#[derive(Deserialize)]
struct Section {
    scope: String,
    entries: Vec<Entry>,
}

#[derive(Deserialize)]
struct Entry {
    key: String,
    #[serde(default)]
    class: String,
    #[serde(default)]
    name: String,
    #[serde(default)]
    attributes: Map<String, Json>,
    within: Option<String>,
    #[serde(default)]
    relationships: Vec<Related>,
    #[serde(default)]
    redundancies: Vec<Redundancy>,
}

#[derive(Deserialize)]
struct Redundancy {
    group: String,
    require: String,
    #[serde(default)]
    inferred: bool,
    #[serde(default)]
    confidence: f64,
    #[serde(default)]
    evidence: String,
}

#[derive(Deserialize)]
struct Related {
    from: Option<String>,
    #[serde(rename = "type")]
    kind: String,
    to: Option<String>,
    #[serde(default)]
    inferred: bool,
    #[serde(default)]
    confidence: f64,
    #[serde(default)]
    group: String,
    #[serde(default)]
    weight: f64,
}

/// The sections of a report.
pub fn sections(text: &str) -> Result<Vec<IdentifySection>, Wrong> {
    let report: Report = serde_json::from_str(text).map_err(|error| Wrong {
        thing: format!("line {}, column {}", error.line(), error.column()),
        message: error.to_string(),
    })?;
    let section = |section: Section| {
        let claims = section.entries.into_iter().map(claim).collect::<Result<_, _>>()?;
        Ok(IdentifySection { scope: section.scope, claims })
    };
    report.sections.into_iter().map(section).collect()
}

fn claim(entry: Entry) -> Result<Claim, Wrong> {
    let says_of_item = !entry.class.is_empty() || !entry.name.is_empty() || !entry.attributes.is_empty();
    let mut attributes = BTreeMap::new();
    for (name, given) in entry.attributes {
        let thing = format!("{} of {}", name, entry.key);
        attributes.insert(name, value(given, &thing, 0)?);
    }
    let item = says_of_item.then(|| ItemClaim {
        class: entry.class,
        name: entry.name,
        attributes,
        within: entry.within.map(key),
        ..ItemClaim::default()
    });
    // An end that is the claim's own key is the claim's own item.
    let end = |end: Option<String>| end.filter(|end| *end != entry.key).map(key);
    let relationships = entry
        .relationships
        .into_iter()
        .map(|related| RelationshipClaim {
            from: end(related.from),
            r#type: related.kind,
            to: end(related.to),
            inferred: related.inferred,
            confidence: related.confidence,
            group: related.group,
            weight: related.weight,
            ..RelationshipClaim::default()
        })
        .collect();
    let redundancies = entry
        .redundancies
        .into_iter()
        .map(|said| RedundancyClaim {
            item: None,
            group: said.group,
            require: said.require,
            inferred: said.inferred,
            confidence: said.confidence,
            evidence: said.evidence,
        })
        .collect();
    Ok(Claim { key: entry.key, item, relationships, redundancies })
}

fn key(key: String) -> Reference {
    Reference { to: Some(To::Key(key)) }
}

fn value(given: Json, thing: &str, depth: u32) -> Result<Value, Wrong> {
    if depth > DEPTH_MAX {
        return Err(Wrong {
            thing: thing.to_owned(),
            message: format!("a value is nested deeper than {DEPTH_MAX}"),
        });
    }
    let kind = match given {
        Json::Null => None,
        Json::Bool(truth) => Some(Kind::Boolean(truth)),
        Json::Number(number) => Some(match number.as_i64() {
            Some(whole) => Kind::Integer(whole),
            None => Kind::Float(number.as_f64().unwrap_or(f64::NAN)),
        }),
        Json::String(text) => Some(Kind::Text(text)),
        Json::Array(elements) => {
            let values = elements.into_iter().map(|one| value(one, thing, depth + 1));
            Some(Kind::List(ValueList { values: values.collect::<Result<_, _>>()? }))
        }
        Json::Object(fields) => {
            let values = fields.into_iter().map(|(name, one)| Ok((name, value(one, thing, depth + 1)?)));
            Some(Kind::Map(ValueMap { values: values.collect::<Result<_, _>>()? }))
        }
    };
    Ok(Value { kind })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the agent prints of a host that stands in a directory.
    const AGENT: &str = include_str!("../../../../agent/tests/golden/debian-web.json");

    #[test]
    fn what_the_agent_prints_is_a_report() {
        let sections = sections(AGENT).expect("a report");
        let os = &sections[0].claims[0];
        assert_eq!((sections[0].scope.as_str(), os.key.as_str()), ("os", "os"));
        let item = os.item.as_ref().expect("an item");
        assert_eq!(item.class, "operating_system");
        assert_eq!(
            item.attributes["machine_id"].kind,
            Some(Kind::Text("0123456789abcdef0123456789abcdef".into()))
        );
        assert_eq!(os.relationships[0].from, None, "the claim's own item");
        assert_eq!(os.relationships[0].to, Some(key("machine".into())));
        let group = &os.redundancies[0];
        assert_eq!(
            (group.group.as_str(), group.require.as_str(), group.inferred),
            ("name servers", "any", true)
        );
        let grouped = os.relationships.iter().filter(|one| one.group == group.group && one.weight == 1.0);
        assert_eq!(grouped.count(), 2);
        let machine = sections[1].claims[0].item.as_ref().expect("an item");
        assert_eq!(machine.attributes["cpu.cores"].kind, Some(Kind::Integer(4)));
        let within = sections
            .iter()
            .flat_map(|section| &section.claims)
            .find_map(|claim| claim.item.as_ref()?.within.clone());
        assert!(within.is_some());
    }

    #[test]
    fn what_is_no_report_is_told_with_its_place() {
        for (text, expected) in [
            ("", "line 1, column 0"),
            ("[]", "line 1, column 2"),
            ("{\"sections\": [{\"scope\": \"os\"}]}", "line 1, column 29"),
        ] {
            assert_eq!(sections(text).expect_err(text).thing, expected, "{text}");
        }
        let deep = format!("{}1{}", "[".repeat(20), "]".repeat(20));
        let text = format!(
            "{{\"sections\":[{{\"scope\":\"os\",\"entries\":[{{\"key\":\"os\",\"attributes\":{{\"x\":{deep}}}}}]}}]}}"
        );
        assert_eq!(sections(&text).expect_err("too deep").thing, "x of os");
    }
}
