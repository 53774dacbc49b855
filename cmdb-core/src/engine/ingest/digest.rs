//! The digest of a claim that came without one.
//!
//! The claim is spelt out as bytes, each text with its length before it and each choice with its number, so that no two
//! claims are spelt alike; those are hashed.
//!
//! Invariant: equal claims have equal digests, now and in later releases; what differs has another one. Where it is
//! another one than an earlier release made, the claim counts as said anew, which changes nothing else.

use crate::claim::{Claim, ItemClaim, Match, PinClaim, RedundancyClaim, Reference, RelationshipClaim};
use crate::model::value::Attributes;
use crate::model::{ItemId, Require, Timestamp, UnitKind, Value};

/// Bytes of a digest.
const DIGEST_BYTES: usize = 16;

/// What a usual claim takes when it is spelt out, in bytes.
const SPELT_BYTES: usize = 256;

/// The digest of a claim.
pub(super) fn of(claim: &Claim) -> Vec<u8> {
    let mut spelt = Spelt(Vec::with_capacity(SPELT_BYTES));
    spelt.claim(claim);
    blake3::hash(&spelt.0).as_bytes()[..DIGEST_BYTES].to_vec()
}

/// What is spelt by now.
struct Spelt(Vec<u8>);

impl Spelt {
    fn claim(&mut self, claim: &Claim) {
        let Claim { kind, key, item, relationships, redundancies } = claim;
        self.choice(match kind {
            UnitKind::Item => 0,
            UnitKind::Relationship => 1,
            UnitKind::Redundancy => 2,
        });
        self.text(key);
        self.maybe(item.as_ref(), Self::item);
        self.each(relationships.iter(), Self::relationship);
        self.each(redundancies.iter(), Self::redundancy);
    }

    fn item(&mut self, item: &ItemClaim) {
        let ItemClaim { class, name, attributes, cleared, pins, unpinned, within } = item;
        self.text(class);
        self.text(name);
        self.attributes(attributes);
        self.each(cleared.iter(), |spelt, name| spelt.text(name));
        self.each(pins.iter(), |spelt, (name, PinClaim { until, reason })| {
            spelt.text(name);
            spelt.maybe(until.as_ref(), |spelt, Timestamp(until)| spelt.number(until.cast_unsigned()));
            spelt.text(reason);
        });
        self.each(unpinned.iter(), |spelt, name| spelt.text(name));
        self.maybe(within.as_ref(), Self::reference);
    }

    fn relationship(&mut self, said: &RelationshipClaim) {
        let RelationshipClaim { from, kind, to, group, weight, inferred, confidence, denied, attributes } =
            said;
        self.reference(from);
        self.text(kind);
        self.reference(to);
        self.text(group);
        self.number(weight.to_bits());
        self.choice(u8::from(*inferred));
        self.number(confidence.to_bits());
        self.choice(u8::from(*denied));
        self.attributes(attributes);
    }

    fn redundancy(&mut self, said: &RedundancyClaim) {
        let RedundancyClaim { item, group, require, inferred, confidence, evidence, rejected } = said;
        self.reference(item);
        self.text(group);
        self.require(*require);
        self.choice(u8::from(*inferred));
        self.number(confidence.to_bits());
        self.text(evidence);
        self.choice(u8::from(*rejected));
    }

    fn require(&mut self, require: Require) {
        self.text(&require.to_string());
    }

    fn reference(&mut self, reference: &Reference) {
        match reference {
            Reference::Key(key) => {
                self.choice(0);
                self.text(key);
            }
            Reference::SourceKey { source, key } => {
                self.choice(1);
                self.text(source);
                self.text(key);
            }
            Reference::Match(Match { class, attributes }) => {
                self.choice(2);
                self.text(class);
                self.attributes(attributes);
            }
            Reference::This => self.choice(3),
            Reference::Id(ItemId(id)) => {
                self.choice(4);
                self.number(*id);
            }
        }
    }

    fn attributes(&mut self, attributes: &Attributes) {
        self.each(attributes.iter(), |spelt, (name, value)| {
            spelt.text(name);
            spelt.value(value);
        });
    }

    fn value(&mut self, value: &Value) {
        match value {
            Value::Text(text) => {
                self.choice(0);
                self.text(text);
            }
            Value::Integer(number) => {
                self.choice(1);
                self.number(number.cast_unsigned());
            }
            Value::Float(number) => {
                self.choice(2);
                self.number(number.to_bits());
            }
            Value::Boolean(truth) => self.choice(3 + u8::from(*truth)),
            Value::Timestamp(Timestamp(moment)) => {
                self.choice(5);
                self.number(moment.cast_unsigned());
            }
            Value::DurationUs(length) => {
                self.choice(6);
                self.number(length.cast_unsigned());
            }
            Value::Bytes(bytes) => {
                self.choice(7);
                self.bytes(bytes);
            }
            Value::List(values) => {
                self.choice(8);
                self.each(values.iter(), Self::value);
            }
            Value::Map(values) => {
                self.choice(9);
                self.attributes(values);
            }
        }
    }

    fn each<T>(&mut self, all: impl ExactSizeIterator<Item = T>, mut one: impl FnMut(&mut Self, T)) {
        self.number(all.len() as u64);
        all.for_each(|each| one(self, each));
    }

    fn maybe<T>(&mut self, some: Option<T>, one: impl FnOnce(&mut Self, T)) {
        self.choice(u8::from(some.is_some()));
        if let Some(some) = some {
            one(self, some);
        }
    }

    fn choice(&mut self, number: u8) {
        self.0.push(number);
    }

    fn number(&mut self, number: u64) {
        prost::encoding::encode_varint(number, &mut self.0);
    }

    fn text(&mut self, text: &str) {
        self.bytes(text.as_bytes());
    }

    fn bytes(&mut self, bytes: &[u8]) {
        self.number(bytes.len() as u64);
        self.0.extend_from_slice(bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(value: &str) -> Value {
        Value::Text(value.to_owned())
    }

    fn said(attributes: &[(&str, Value)]) -> Claim {
        let attributes = attributes.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
        let item = ItemClaim { class: "server".to_owned(), attributes, ..ItemClaim::default() };
        Claim {
            kind: UnitKind::Item,
            key: "a".to_owned(),
            item: Some(item),
            relationships: Vec::new(),
            redundancies: Vec::new(),
        }
    }

    fn related(mut claim: Claim, to: Reference, inferred: bool) -> Claim {
        claim.relationships.push(RelationshipClaim {
            from: Reference::This,
            kind: "runs_on".to_owned(),
            to,
            group: String::new(),
            weight: 1.0,
            inferred,
            confidence: 1.0,
            denied: false,
            attributes: Attributes::new(),
        });
        claim
    }

    fn changed(change: impl FnOnce(&mut Claim, &mut ItemClaim)) -> Claim {
        let mut claim = said(&[]);
        let mut item = claim.item.take().expect("an item");
        change(&mut claim, &mut item);
        claim.item = Some(item);
        claim
    }

    /// Texts that follow one another must not be taken for others.
    #[test]
    fn what_differs_has_another_digest() {
        let key = || Reference::Key("b".to_owned());
        let named = |key: &str, class: &str| {
            changed(|claim, item| {
                key.clone_into(&mut claim.key);
                class.clone_into(&mut item.class);
            })
        };
        let values = [
            text("1"),
            Value::Integer(1),
            Value::Float(1.0),
            Value::Timestamp(Timestamp(1)),
            Value::DurationUs(1),
            Value::Bytes(b"1".to_vec()),
            Value::Boolean(true),
            Value::Boolean(false),
            Value::List(vec![text("1")]),
            Value::Map([("1".to_owned(), text(""))].into()),
        ];
        let mut claims: Vec<Claim> = values.into_iter().map(|value| said(&[("b", value)])).collect();
        claims.extend([
            said(&[]),
            named("a", "bc"),
            named("ab", "c"),
            changed(|_, item| item.cleared.push("b".to_owned())),
            changed(|_, item| item.unpinned.push("b".to_owned())),
            changed(|_, item| item.within = Some(Reference::Key("b".to_owned()))),
            related(said(&[]), key(), false),
            related(said(&[]), key(), true),
            related(said(&[]), Reference::Id(ItemId(1)), false),
            related(said(&[]), Reference::This, false),
        ]);
        for (place, one) in claims.iter().enumerate() {
            assert_eq!(of(one), of(&one.clone()));
            for other in &claims[place + 1..] {
                assert_ne!(of(one), of(other), "{one:?} and {other:?}");
            }
        }
    }

    /// The digest is on disk.
    #[test]
    fn a_digest_stays_what_it_is() {
        let claim = related(said(&[("host_name", text("db01"))]), Reference::Key("b".to_owned()), false);
        expect_test::expect!["[29, 3a, 7b, 53, fb, 48, 24, 2e, e9, ef, 05, 56, 82, 7b, 48, ca]"]
            .assert_eq(&format!("{:02x?}", of(&claim)));
    }
}
