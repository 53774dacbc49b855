use std::collections::BTreeMap;
use std::convert::Infallible;

use super::*;
use crate::model::Value;
use crate::model::item::Method;
use crate::model::value::Attributes;

struct Known {
    items: BTreeMap<ItemId, Vec<Identifier>>,
    distinct: Vec<(ItemId, ItemId)>,
}

impl Index for Known {
    type Error = Infallible;

    fn items_with(&self, identifier: &Identifier) -> Result<Vec<ItemId>, Infallible> {
        let has =
            |identifiers: &Vec<Identifier>| identifiers.iter().any(|one| one.digest == identifier.digest);
        Ok(self.items.iter().filter(|(_, identifiers)| has(identifiers)).map(|(id, _)| *id).collect())
    }

    fn strong_identifiers(&self, item: ItemId) -> Result<Vec<Identifier>, Infallible> {
        Ok(self.items[&item].clone())
    }

    fn distinct_from(&self, item: ItemId) -> Result<Vec<ItemId>, Infallible> {
        Ok(self.distinct.iter().filter(|(one, _)| *one == item).map(|(_, other)| *other).collect())
    }
}

/// Nothing but the claim itself.
impl Surroundings for Known {
    type Error = Infallible;

    fn rows(&self, _: &Lookup) -> Result<BTreeSet<String>, Infallible> {
        Ok(BTreeSet::new())
    }

    fn rows_of(&self, _: ItemId, _: &Lookup, _: Whose) -> Result<BTreeSet<String>, Infallible> {
        Ok(BTreeSet::new())
    }

    fn items_by_rows(&self, _: &Criterion, _: &BTreeSet<String>) -> Result<BTreeSet<ItemId>, Infallible> {
        Ok(BTreeSet::new())
    }

    fn rivals(&self, _: ItemId) -> Result<Option<Vec<Identifier>>, Infallible> {
        Ok(None)
    }

    fn same_host(&self, _: ItemId) -> Result<Option<bool>, Infallible> {
        Ok(None)
    }

    fn is_elsewhere(&self, _: ItemId) -> Result<bool, Infallible> {
        Ok(false)
    }

    fn joined_by_a_person(&self, _: ItemId) -> Result<bool, Infallible> {
        Ok(false)
    }
}

fn attributes(pairs: &[(&str, &str)]) -> Attributes {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), Value::Text((*value).to_owned()))).collect()
}

fn of(schema: &Schema, class: &str, pairs: &[(&str, &str)]) -> Evidence {
    let attributes = attributes(pairs);
    evidence(schema, class, |name| attributes.get(name), Some(ItemId(99)))
}

type Pairs<'a> = &'a [(&'a str, &'a str)];

/// Items 1, 2 … have the given attributes; what is said of a claim with `given`?
fn check(
    items: &[(&str, Pairs<'_>)],
    claim: (&str, Pairs<'_>),
    known: Option<u64>,
    expected: (Option<u64>, Method),
) {
    let schema = Schema::built_in();
    let items = items
        .iter()
        .zip(1..)
        .map(|((class, pairs), id)| (ItemId(id), of(&schema, class, pairs).identifiers))
        .collect();
    let verdict =
        decide(&of(&schema, claim.0, claim.1), known.map(ItemId), &Known { items, distinct: Vec::new() })
            .expect("infallible");
    let found = (verdict.item.map(|item| item.0), verdict.identification.method);
    assert_eq!(found, expected, "claim {claim:?}: {verdict:?}");
}

const UUID_A: &str = "4c4c4544-0042-3510-8056-b2c04f4e3332";
const UUID_B: &str = "00112233-4455-6677-8899-aabbccddeeff";

#[test]
fn strong_rules_find_across_classes_and_sources() {
    let one = [("server", &[("uuid", UUID_A)][..])];
    check(&one, ("virtual_machine", &[("uuid", UUID_A)]), None, (Some(1), Method::Rule));
    let by_serial = [("server", &[("uuid", UUID_A), ("serial_number", "J6P5NQ2")][..])];
    check(&by_serial, ("server", &[("serial_number", "j6p5nq2")]), None, (Some(1), Method::Rule));
    check(&one, ("server", &[("uuid", UUID_B)]), None, (None, Method::New));
}

#[test]
fn a_uuid_is_one_in_either_byte_order() {
    let one = [("server", &[("uuid", UUID_A)][..])];
    let swapped = [("uuid", "44454C4C-4200-1035-8056-B2C04F4E3332")];
    check(&one, ("server", &swapped), None, (Some(1), Method::Rule));
    check(&one, ("server", &swapped), Some(1), (Some(1), Method::Key));
}

#[test]
fn junk_identifies_nothing() {
    let one = [("server", &[("serial_number", "Default string")][..])];
    check(&one, ("server", &[("serial_number", "Default string")]), None, (None, Method::New));
}

#[test]
fn several_matches_are_never_guessed() {
    let two = [("server", &[("uuid", UUID_A)][..]), ("server", &[("serial_number", "J6P5NQ2")][..])];
    let both = ("server", &[("uuid", UUID_A), ("serial_number", "J6P5NQ2")][..]);
    check(&two, both, None, (None, Method::Duplicate));
    check(&two, both, Some(1), (Some(1), Method::Key));
}

#[test]
fn a_machine_made_anew_under_an_old_name_is_a_new_item() {
    let one = [("virtual_machine", &[("uuid", UUID_A)][..])];
    check(&one, ("virtual_machine", &[("uuid", UUID_B)]), Some(1), (None, Method::New));
    // Nothing to compare is no contradiction.
    check(&one, ("virtual_machine", &[("serial_number", "X1")]), Some(1), (Some(1), Method::Key));
}

#[test]
fn a_weak_rule_finds_what_no_strong_identifier_contradicts() {
    let named = [("operating_system", &[("fqdn", "web01.example.com")][..])];
    let claim = [("machine_id", "0123456789abcdef0123456789abcde0"), ("fqdn", "WEB01.example.com")];
    check(&named, ("operating_system", &claim), None, (Some(1), Method::Rule));
    let other = [("machine_id", "ffffffffffffffff0123456789abcde0"), ("fqdn", "web01.example.com")];
    check(&[("operating_system", &other)], ("operating_system", &claim), None, (None, Method::New));
}
