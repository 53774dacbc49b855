//! Whole rows: changes, heads, chunks of relationships, units.

use super::super::{
    ChangeRecord, EdgeRecord, EndRecord, HeadRecord, IncomingRecord, ItemRecord, OutgoingRecord, PlaceRecord,
    RelationshipRecord, UnitRecord,
};
use super::bytes::{Flags, Reader, Writer};
use super::{Compact, Record, whole, written};

/// Rows that are written compactly.
macro_rules! compact {
    ($($record:ty),*) => {
        $(impl Record for $record {
            fn write_compact(&self, head: Vec<u8>) -> Option<Vec<u8>> {
                written(self, head)
            }

            fn read_compact(payload: &[u8]) -> Option<Self> {
                whole(payload)
            }
        })*
    };
}

compact!(ChangeRecord, HeadRecord, OutgoingRecord, IncomingRecord, UnitRecord);

// Of a change.
const PREVIOUS: u32 = 0;
const PREVIOUS_VERSION: u32 = 1;
const SAME_PREVIOUS: u32 = 2;
const ITEM: u32 = 3;
const BEFORE: u32 = 4;
const AFTER: u32 = 5;
const SALT: u32 = 6;
const CHANGE_FLAGS: u32 = 7;
const SALT_BYTES: usize = 16;

// Of a head.
const VERSION: u32 = 0;
const LAST: u32 = 1;
const SAME_LAST: u32 = 2;
const HEAD_FLAGS: u32 = 3;

// Of a unit.
const OF_ITEM: u32 = 0;
const HEARD: u32 = 1;
const RELATIONSHIPS: u32 = 2;
const MATCHES: u32 = 3;
const UNIT_FLAGS: u32 = 4;

impl Compact for PlaceRecord {
    fn write<'a>(&'a self, to: &mut Writer<'a>) -> Option<()> {
        to.number(self.revision);
        to.number(self.sequence.into());
        Some(())
    }

    fn read(from: &mut Reader<'_>) -> Option<PlaceRecord> {
        Some(PlaceRecord { revision: from.number()?, sequence: from.small()? })
    }
}

/// Two places of which the second is often the first.
fn write_places<'a>(
    first: Option<&'a PlaceRecord>,
    second: Option<&'a PlaceRecord>,
    to: &mut Writer<'a>,
) -> Option<()> {
    if let Some(place) = first {
        place.write(to)?;
    }
    match second {
        Some(place) if first != second => place.write(to),
        _ => Some(()),
    }
}

/// Their flags are those of the first, the second, and of both being the same.
fn read_places(
    flags: [bool; 3],
    from: &mut Reader<'_>,
) -> Option<(Option<PlaceRecord>, Option<PlaceRecord>)> {
    let [has_first, has_second, same] = flags;
    let first = if has_first { Some(PlaceRecord::read(from)?) } else { None };
    let second = match (has_second, same) {
        (true, true) => Some(first?),
        (true, false) => Some(PlaceRecord::read(from)?),
        (false, _) => None,
    };
    Some((first, second))
}

impl Compact for ChangeRecord {
    fn write<'a>(&'a self, to: &mut Writer<'a>) -> Option<()> {
        if !(self.salt.is_empty() || self.salt.len() == SALT_BYTES) {
            return None;
        }
        let flags = Flags::default()
            .with(PREVIOUS, self.previous.is_some())
            .with(PREVIOUS_VERSION, self.previous_version.is_some())
            .with(SAME_PREVIOUS, self.previous.is_some() && self.previous == self.previous_version)
            .with(ITEM, self.item.is_some())
            .with(BEFORE, self.relationship_before.is_some())
            .with(AFTER, self.relationship_after.is_some())
            .with(SALT, !self.salt.is_empty());
        to.number(flags.0);
        write_places(self.previous.as_ref(), self.previous_version.as_ref(), to)?;
        if let Some(item) = &self.item {
            item.write(to)?;
        }
        for relationship in [&self.relationship_before, &self.relationship_after].into_iter().flatten() {
            relationship.write(to)?;
        }
        to.bytes.extend_from_slice(&self.salt);
        Some(())
    }

    fn read(from: &mut Reader<'_>) -> Option<ChangeRecord> {
        let flags = Flags(from.number()?).within(CHANGE_FLAGS)?;
        let places = [flags.has(PREVIOUS), flags.has(PREVIOUS_VERSION), flags.has(SAME_PREVIOUS)];
        let (previous, previous_version) = read_places(places, from)?;
        let mut change = ChangeRecord { previous, previous_version, ..ChangeRecord::default() };
        if flags.has(ITEM) {
            change.item = Some(ItemRecord::read(from)?);
        }
        if flags.has(BEFORE) {
            change.relationship_before = Some(RelationshipRecord::read(from)?);
        }
        if flags.has(AFTER) {
            change.relationship_after = Some(RelationshipRecord::read(from)?);
        }
        if flags.has(SALT) {
            change.salt = from.exactly(SALT_BYTES)?.to_vec();
        }
        Some(change)
    }
}

impl Compact for HeadRecord {
    fn write<'a>(&'a self, to: &mut Writer<'a>) -> Option<()> {
        let flags = Flags::default()
            .with(VERSION, self.version.is_some())
            .with(LAST, self.last.is_some())
            .with(SAME_LAST, self.version.is_some() && self.version == self.last);
        to.number(flags.0);
        write_places(self.version.as_ref(), self.last.as_ref(), to)
    }

    fn read(from: &mut Reader<'_>) -> Option<HeadRecord> {
        let flags = Flags(from.number()?).within(HEAD_FLAGS)?;
        let (version, last) = read_places([flags.has(VERSION), flags.has(LAST), flags.has(SAME_LAST)], from)?;
        Some(HeadRecord { version, last })
    }
}

impl Compact for OutgoingRecord {
    fn write<'a>(&'a self, to: &mut Writer<'a>) -> Option<()> {
        to.count(self.relationships.len());
        self.relationships.iter().try_for_each(|relationship| relationship.write(to))
    }

    fn read(from: &mut Reader<'_>) -> Option<OutgoingRecord> {
        let count = from.count()?;
        let relationships = (0..count).map(|_| RelationshipRecord::read(from)).collect::<Option<_>>()?;
        Some(OutgoingRecord { relationships })
    }
}

impl Compact for IncomingRecord {
    fn write<'a>(&'a self, to: &mut Writer<'a>) -> Option<()> {
        to.count(self.ends.len());
        // In order of the type first, so the number may fall where the type changes.
        let mut last = 0u64;
        for end in &self.ends {
            to.text(&end.kind);
            to.signed(end.from.wrapping_sub(last).cast_signed());
            last = end.from;
        }
        Some(())
    }

    fn read(from: &mut Reader<'_>) -> Option<IncomingRecord> {
        let count = from.count()?;
        let mut last = 0u64;
        let ends = (0..count)
            .map(|_| {
                let kind = from.text()?;
                last = last.wrapping_add(from.signed()?.cast_unsigned());
                Some(EndRecord { kind, from: last })
            })
            .collect::<Option<_>>()?;
        Some(IncomingRecord { ends })
    }
}

impl Compact for UnitRecord {
    fn write<'a>(&'a self, to: &mut Writer<'a>) -> Option<()> {
        if !self.groups.is_empty() {
            return None;
        }
        let flags = Flags::default()
            .with(OF_ITEM, self.item.is_some())
            .with(HEARD, self.heard_us.is_some())
            .with(RELATIONSHIPS, !self.relationships.is_empty())
            .with(MATCHES, !self.matches.is_empty());
        to.number(flags.0);
        to.text(&self.scope);
        to.all(&self.digest);
        if let Some(item) = self.item {
            to.number(item);
        }
        if let Some(at) = self.heard_us {
            to.moment(at);
        }
        if flags.has(RELATIONSHIPS) {
            to.count(self.relationships.len());
            for EdgeRecord { from, kind, to: other } in &self.relationships {
                to.number(*from);
                to.text(kind);
                to.number(*other);
            }
        }
        if flags.has(MATCHES) {
            to.count(self.matches.len());
            self.matches.iter().for_each(|id| to.number(*id));
        }
        Some(())
    }

    fn read(from: &mut Reader<'_>) -> Option<UnitRecord> {
        let flags = Flags(from.number()?).within(UNIT_FLAGS)?;
        let mut unit =
            UnitRecord { scope: from.text()?, digest: from.all()?.to_vec(), ..UnitRecord::default() };
        if flags.has(OF_ITEM) {
            unit.item = Some(from.number()?);
        }
        if flags.has(HEARD) {
            unit.heard_us = Some(from.moment()?);
        }
        if flags.has(RELATIONSHIPS) {
            let count = from.count()?;
            unit.relationships = (0..count)
                .map(|_| Some(EdgeRecord { from: from.number()?, kind: from.text()?, to: from.number()? }))
                .collect::<Option<_>>()?;
        }
        if flags.has(MATCHES) {
            let count = from.count()?;
            unit.matches = (0..count).map(|_| from.number()).collect::<Option<_>>()?;
        }
        Some(unit)
    }
}
