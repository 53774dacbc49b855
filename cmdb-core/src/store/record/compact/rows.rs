//! Whole rows: changes, heads, chunks of relationships, units.

use super::super::{
    ChangeRecord, ChangeRow, EdgeRecord, EndRecord, HeadRecord, IncomingRecord, ItemRecord, OutgoingRecord,
    OutgoingRow, PlaceRecord, RelationshipRecord, UnitRecord,
};
use super::bytes::{Flags, Reader, Writer};
use super::{Compact, Record, Row, Write, append, whole};

/// Records that are written and read compactly.
macro_rules! compact {
    ($($record:ty),*) => {
        $(impl Record for $record {
            fn compact(&self, to: &mut Vec<u8>) -> Option<()> {
                append(self, to)
            }

            fn read_compact(payload: &[u8]) -> Option<Self> {
                whole(payload)
            }
        })*
    };
}

compact!(HeadRecord, IncomingRecord, UnitRecord);

/// Records that are read compactly; what they hold is written from the model.
macro_rules! read_only {
    ($($record:ty),*) => {
        $(impl Record for $record {
            fn read_compact(payload: &[u8]) -> Option<Self> {
                whole(payload)
            }
        })*
    };
}

read_only!(ChangeRecord, OutgoingRecord);

impl Row for ChangeRow<'_> {
    fn append_compact(&self, to: &mut Vec<u8>) -> Option<()> {
        append(self, to)
    }

    fn append_plain(&self, to: &mut Vec<u8>) {
        self.record().append_plain(to);
    }
}

impl Row for OutgoingRow<'_> {
    fn append_compact(&self, to: &mut Vec<u8>) -> Option<()> {
        append(self, to)
    }

    fn append_plain(&self, to: &mut Vec<u8>) {
        self.record().append_plain(to);
    }
}

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

fn write_place(place: &PlaceRecord, to: &mut Writer<'_>) {
    to.number(place.revision);
    to.number(place.sequence.into());
}

impl Compact for PlaceRecord {
    fn read(from: &mut Reader<'_>) -> Option<PlaceRecord> {
        Some(PlaceRecord { revision: from.number()?, sequence: from.small()? })
    }
}

/// Two places of which the second is often the first.
fn write_places(first: Option<&PlaceRecord>, second: Option<&PlaceRecord>, to: &mut Writer<'_>) {
    if let Some(place) = first {
        write_place(place, to);
    }
    if let Some(place) = second.filter(|_| first != second) {
        write_place(place, to);
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

impl Write for ChangeRow<'_> {
    fn write<'a>(&'a self, to: &mut Writer<'a>) -> Option<()> {
        let ChangeRow { previous, previous_version, item, before, after, salt } = self;
        if !(salt.is_empty() || salt.len() == SALT_BYTES) {
            return None;
        }
        let flags = Flags::default()
            .with(PREVIOUS, previous.is_some())
            .with(PREVIOUS_VERSION, previous_version.is_some())
            .with(SAME_PREVIOUS, previous.is_some() && previous == previous_version)
            .with(ITEM, item.is_some())
            .with(BEFORE, before.is_some())
            .with(AFTER, after.is_some())
            .with(SALT, !salt.is_empty());
        to.number(flags.0);
        write_places(previous.as_ref(), previous_version.as_ref(), to);
        if let Some(item) = item {
            item.write(to)?;
        }
        for relationship in [before, after].into_iter().flatten() {
            relationship.write(to)?;
        }
        to.bytes.extend_from_slice(salt);
        Some(())
    }
}

impl Compact for ChangeRecord {
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

impl Write for HeadRecord {
    fn write<'a>(&'a self, to: &mut Writer<'a>) -> Option<()> {
        let flags = Flags::default()
            .with(VERSION, self.version.is_some())
            .with(LAST, self.last.is_some())
            .with(SAME_LAST, self.version.is_some() && self.version == self.last);
        to.number(flags.0);
        write_places(self.version.as_ref(), self.last.as_ref(), to);
        Some(())
    }
}

impl Compact for HeadRecord {
    fn read(from: &mut Reader<'_>) -> Option<HeadRecord> {
        let flags = Flags(from.number()?).within(HEAD_FLAGS)?;
        let (version, last) = read_places([flags.has(VERSION), flags.has(LAST), flags.has(SAME_LAST)], from)?;
        Some(HeadRecord { version, last })
    }
}

impl Write for OutgoingRow<'_> {
    fn write<'a>(&'a self, to: &mut Writer<'a>) -> Option<()> {
        to.count(self.0.len());
        self.0.iter().try_for_each(|relationship| relationship.write(to))
    }
}

impl Compact for OutgoingRecord {
    fn read(from: &mut Reader<'_>) -> Option<OutgoingRecord> {
        let count = from.count()?;
        let relationships = (0..count).map(|_| RelationshipRecord::read(from)).collect::<Option<_>>()?;
        Some(OutgoingRecord { relationships })
    }
}

impl Write for IncomingRecord {
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
}

impl Compact for IncomingRecord {
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

impl Write for UnitRecord {
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
}

impl Compact for UnitRecord {
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
