//! What waits, as lines of an export: standing questions with what they hold on to, and claims word for word.
//!
//! ```json
//! {"waiting":{"source":"shop","key":"app","from":{"id":"@2"},"type":"depends_on","to":{"match":{…}},"claim":{…}}}
//! {"waiting":{"source":"agent-1","key":"db","observed_at":"…","item":{"class":"…","within":{"key":"os"}, …}}}
//! ```

use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};

use super::read::{id, number, optional_moment, relationship_claim, required_moment, texts, unit};
use super::write::{Number, RelationshipClaimLine, SaidLine, is_false, is_item, is_one, slice_is_empty};
use super::{Exported, ExportedWaiting, Waits};
use crate::claim::{Claim, ItemClaim, Match, RedundancyClaim, Reference, RelationshipClaim};
use crate::import::field::{Absent, Object};
use crate::import::json::Node;
use crate::import::json_lines::REQUIRE;
use crate::import::problem::Fault;
use crate::import::value::{Moment, OutgoingMap, attributes};
use crate::model::{Reason, UnitKind};

/// How an item is named.
struct ReferenceLine<'e>(&'e Reference);

#[derive(Serialize)]
struct MatchLine<'e> {
    #[serde(skip_serializing_if = "str::is_empty")]
    class: &'e str,
    attributes: OutgoingMap<'e>,
}

impl Serialize for ReferenceLine<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut line = serializer.serialize_map(None)?;
        match self.0 {
            Reference::This => line.serialize_entry("this", &true)?,
            Reference::Id(id) => line.serialize_entry("id", &id.to_string())?,
            Reference::Key(key) => line.serialize_entry("key", key)?,
            Reference::SourceKey { source, key } => {
                line.serialize_entry("source", source)?;
                line.serialize_entry("key", key)?;
            }
            Reference::Match(wanted) => {
                let attributes = OutgoingMap(&wanted.attributes);
                line.serialize_entry("match", &MatchLine { class: &wanted.class, attributes })?;
            }
        }
        line.end()
    }
}

fn reference(node: Node<'_>) -> Result<Reference, Fault> {
    let mut fields = Object::read(node, "a reference", &["this", "id", "key", "source", "match"])?;
    if let Some(wanted) = fields.take("match") {
        let mut fields = Object::read(wanted, "a match", &["class", "attributes"])?;
        let (class, _) = fields.text("class", Absent::Empty)?;
        return Ok(Reference::Match(Match {
            class,
            attributes: attributes(fields.members("attributes")?, None)?,
        }));
    }
    if let Some(node) = fields.take("id") {
        return Ok(Reference::Id(id(node, "\"id\"")?));
    }
    if fields.flag("this")? {
        return Ok(Reference::This);
    }
    let (key, _) = fields.text("key", Absent::Fault)?;
    let (source, _) = fields.text("source", Absent::Empty)?;
    Ok(if source.is_empty() { Reference::Key(key) } else { Reference::SourceKey { source, key } })
}

#[derive(Serialize)]
pub(super) struct WaitingLine<'e> {
    source: &'e str,
    #[serde(skip_serializing_if = "is_item")]
    unit: &'static str,
    key: &'e str,
    #[serde(skip_serializing_if = "str::is_empty")]
    scope: &'e str,
    #[serde(skip_serializing_if = "Option::is_none")]
    since: Option<Moment>,
    #[serde(flatten)]
    what: What<'e>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum What<'e> {
    Asked {
        from: ReferenceLine<'e>,
        #[serde(rename = "type")]
        kind: &'e str,
        to: ReferenceLine<'e>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        held: Vec<String>,
        claim: Box<RelationshipClaimLine<'e>>,
    },
    Parked {
        observed_at: Moment,
        #[serde(skip_serializing_if = "Option::is_none")]
        otherwise_at: Option<Moment>,
        #[serde(skip_serializing_if = "Option::is_none")]
        item: Option<PartLine<'e>>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        relationships: Vec<RelatedLine<'e>>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        redundancies: Vec<RedundancyLine<'e>>,
    },
}

#[derive(Serialize)]
struct PartLine<'e> {
    #[serde(skip_serializing_if = "str::is_empty")]
    class: &'e str,
    #[serde(skip_serializing_if = "str::is_empty")]
    name: &'e str,
    attributes: OutgoingMap<'e>,
    #[serde(skip_serializing_if = "slice_is_empty")]
    cleared: &'e [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    within: Option<ReferenceLine<'e>>,
}

#[derive(Serialize)]
struct RelatedLine<'e> {
    from: ReferenceLine<'e>,
    #[serde(rename = "type")]
    kind: &'e str,
    to: ReferenceLine<'e>,
    #[serde(flatten)]
    said: SaidLine<'e>,
}

#[derive(Serialize)]
struct RedundancyLine<'e> {
    item: ReferenceLine<'e>,
    group: &'e str,
    require: String,
    #[serde(skip_serializing_if = "is_false")]
    inferred: bool,
    #[serde(skip_serializing_if = "is_one")]
    confidence: Number,
    #[serde(skip_serializing_if = "str::is_empty")]
    evidence: &'e str,
    #[serde(skip_serializing_if = "is_false")]
    rejected: bool,
}

impl WaitingLine<'_> {
    pub(super) fn of(waiting: &ExportedWaiting) -> WaitingLine<'_> {
        let what = match &waiting.what {
            Waits::Asked { from, kind, to, held, claim } => What::Asked {
                from: ReferenceLine(from),
                kind,
                to: ReferenceLine(to),
                held: held.iter().flat_map(|(from, to)| [from.to_string(), to.to_string()]).collect(),
                claim: Box::new(RelationshipClaimLine::of(claim)),
            },
            Waits::Parked { claim, observed_at, otherwise_at } => What::Parked {
                observed_at: Moment(*observed_at),
                otherwise_at: otherwise_at.map(Moment),
                item: claim.item.as_ref().map(|item| PartLine {
                    class: &item.class,
                    name: &item.name,
                    attributes: OutgoingMap(&item.attributes),
                    cleared: &item.cleared,
                    within: item.within.as_ref().map(ReferenceLine),
                }),
                relationships: claim.relationships.iter().map(RelatedLine::of).collect(),
                redundancies: claim.redundancies.iter().map(RedundancyLine::of).collect(),
            },
        };
        WaitingLine {
            source: &waiting.source,
            unit: waiting.unit.name(),
            key: &waiting.key,
            scope: &waiting.scope,
            since: waiting.since.map(Moment),
            what,
        }
    }
}

impl RelatedLine<'_> {
    fn of(said: &RelationshipClaim) -> RelatedLine<'_> {
        RelatedLine {
            from: ReferenceLine(&said.from),
            kind: &said.kind,
            to: ReferenceLine(&said.to),
            said: SaidLine {
                group: &said.group,
                weight: Number(said.weight),
                inferred: said.inferred,
                confidence: Number(said.confidence),
                denied: said.denied,
                attributes: OutgoingMap(&said.attributes),
            },
        }
    }
}

impl RedundancyLine<'_> {
    fn of(said: &RedundancyClaim) -> RedundancyLine<'_> {
        RedundancyLine {
            item: ReferenceLine(&said.item),
            group: &said.group,
            require: said.require.to_string(),
            inferred: said.inferred,
            confidence: Number(said.confidence),
            evidence: &said.evidence,
            rejected: said.rejected,
        }
    }
}

pub(in crate::import) fn read_waiting(node: Node<'_>) -> Result<Exported, Fault> {
    let known = [
        "source",
        "unit",
        "key",
        "scope",
        "since",
        "from",
        "type",
        "to",
        "held",
        "claim",
        "observed_at",
        "otherwise_at",
        "item",
        "relationships",
        "redundancies",
    ];
    let mut fields = Object::read(node, "what waits", &known)?;
    let (source, _) = fields.text("source", Absent::Fault)?;
    let (key, _) = fields.text("key", Absent::Fault)?;
    let (scope, _) = fields.text("scope", Absent::Empty)?;
    let (unit, since) = (unit(&mut fields)?, optional_moment(&mut fields, "since")?);
    let what = match fields.take("claim") {
        Some(claim) => asked(&mut fields, claim)?,
        None => parked(&mut fields, unit, &key)?,
    };
    Ok(Exported::Waiting(Box::new(ExportedWaiting { source, unit, key, scope, since, what })))
}

fn asked(fields: &mut Object<'_>, claim: Node<'_>) -> Result<Waits, Fault> {
    let offset = fields.offset;
    let (from, to) = (reference(fields.required("from")?)?, reference(fields.required("to")?)?);
    let (kind, _) = fields.text("type", Absent::Fault)?;
    let mut held = Vec::new();
    for end in fields.elements("held")? {
        held.push(id(end, "\"held\"")?);
    }
    let held = match held[..] {
        [] => None,
        [from, to] => Some((from, to)),
        _ => return Err(Fault::format(offset, "held", "\"held\" is the ids of the two ends")),
    };
    Ok(Waits::Asked { from, kind, to, held, claim: Box::new(relationship_claim(claim)?) })
}

fn parked(fields: &mut Object<'_>, kind: UnitKind, key: &str) -> Result<Waits, Fault> {
    let item = fields.take("item").map(part).transpose()?;
    let relationships =
        fields.elements("relationships")?.into_iter().map(related).collect::<Result<_, _>>()?;
    let redundancies =
        fields.elements("redundancies")?.into_iter().map(redundancy).collect::<Result<_, _>>()?;
    Ok(Waits::Parked {
        claim: Claim { kind, key: key.to_owned(), item, relationships, redundancies },
        observed_at: required_moment(fields, "observed_at")?,
        otherwise_at: optional_moment(fields, "otherwise_at")?,
    })
}

fn part(node: Node<'_>) -> Result<ItemClaim, Fault> {
    let mut fields =
        Object::read(node, "an item that waits", &["class", "name", "attributes", "cleared", "within"])?;
    let (class, _) = fields.text("class", Absent::Empty)?;
    let (name, _) = fields.text("name", Absent::Empty)?;
    Ok(ItemClaim {
        class,
        name,
        attributes: attributes(fields.members("attributes")?, None)?,
        cleared: texts(&mut fields, "cleared")?,
        within: fields.take("within").map(reference).transpose()?,
        ..ItemClaim::default()
    })
}

fn related(node: Node<'_>) -> Result<RelationshipClaim, Fault> {
    let known = ["from", "type", "to", "group", "weight", "inferred", "confidence", "denied", "attributes"];
    let mut fields = Object::read(node, "a relationship that waits", &known)?;
    let (kind, _) = fields.text("type", Absent::Fault)?;
    let (group, _) = fields.text("group", Absent::Empty)?;
    Ok(RelationshipClaim {
        from: reference(fields.required("from")?)?,
        kind,
        to: reference(fields.required("to")?)?,
        group,
        weight: number(&mut fields, "weight")?,
        inferred: fields.flag("inferred")?,
        confidence: number(&mut fields, "confidence")?,
        denied: fields.flag("denied")?,
        attributes: attributes(fields.members("attributes")?, None)?,
    })
}

fn redundancy(node: Node<'_>) -> Result<RedundancyClaim, Fault> {
    let known = ["item", "group", "require", "inferred", "confidence", "evidence", "rejected"];
    let mut fields = Object::read(node, "a group that waits", &known)?;
    let (group, _) = fields.text("group", Absent::Fault)?;
    let (evidence, _) = fields.text("evidence", Absent::Empty)?;
    Ok(RedundancyClaim {
        item: reference(fields.required("item")?)?,
        group,
        require: fields.parsed("require", Reason::RequireInvalid, REQUIRE)?,
        inferred: fields.flag("inferred")?,
        confidence: number(&mut fields, "confidence")?,
        evidence,
        rejected: fields.flag("rejected")?,
    })
}
