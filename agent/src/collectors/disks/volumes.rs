//! Volumes of software RAID: which of their disks stand in for one another.
//!
//! Only disks that hold their part of the data now are members: an array that has lost one says so by having no disk
//! to spare, whatever its level could bear when it was whole.

use std::collections::{BTreeMap, BTreeSet};

use super::size_bytes;
use crate::claim::group::{Group, Members, Require, add_member};
use crate::claim::{Draft, Relation};
use crate::host::arrays::{Array, Leg, LegState};
use crate::host::devices::{BlockDevices, Carrier};
use crate::host::{Host, OS_KEY};

/// The kernel keeps the array running by these rules; what the machine cannot know is what else the disks share.
const CONFIDENCE: f64 = 0.95;

/// A set of legs of which some may fail.
struct Spared<'a> {
    name: String,
    require: Require,
    because: String,
    legs: Vec<&'a Leg>,
}

/// What the report says of an array.
pub fn volume(host: &Host, array: &Array) -> Draft {
    let key = Carrier::Volume(array.name.clone()).key();
    let draft = Draft::new(&key, "volume", &array.name)
        .within(OS_KEY)
        .set("device", format!("/dev/{}", array.name))
        .set("raid_level", &array.level)
        .set("size_bytes", size_bytes(&host.root, &array.name))
        .related_from(OS_KEY, Relation::Contains);
    stored_on(draft, array, &host.devices)
}

fn stored_on(mut draft: Draft, array: &Array, devices: &BlockDevices) -> Draft {
    let groups = spared(array);
    let members: Option<Vec<Members>> = groups.iter().map(|group| members(group, devices)).collect();
    if let Some(members) = members.filter(|members| are_apart(members) && !groups.is_empty()) {
        for (spared, members) in groups.iter().zip(&members) {
            draft = draft.relates_in(Relation::StoredOn, members, &group(array, spared, members));
        }
        return draft;
    }
    // Nothing stands in for anything, or what does cannot be told: every disk is needed.
    let carriers: BTreeSet<Carrier> =
        array.working().flat_map(|leg| devices.carriers_below(&leg.device)).collect();
    carriers.iter().fold(draft, |draft, carrier| draft.relates(Relation::StoredOn, &carrier.key()))
}

/// The disks below the legs; `None`: one leg lies on several.
fn members(spared: &Spared<'_>, devices: &BlockDevices) -> Option<Members> {
    let mut members = Members::new();
    for leg in &spared.legs {
        let carriers = devices.carriers_below(&leg.device);
        let carrier = carriers.first().filter(|_| carriers.len() == 1)?;
        add_member(&mut members, &carrier.key(), 1);
    }
    Some(members)
}

/// A relationship stands in one group at most.
fn are_apart(groups: &[Members]) -> bool {
    let mut seen = BTreeSet::new();
    groups.iter().flat_map(|members| members.keys()).all(|key| seen.insert(key))
}

fn group(array: &Array, spared: &Spared<'_>, members: &Members) -> Group {
    // Two legs on one disk fail together: then legs are counted, not disks.
    let shares = members.values().any(|legs| *legs > 1);
    let require = match spared.require {
        Require::AtLeast(number) if shares => Require::Capacity(u64::try_from(number).unwrap_or(u64::MAX)),
        require => require,
    };
    let mut evidence = format!("{} array {} {}", array.level, array.name, spared.because);
    for leg in array.legs.iter().filter(|leg| leg.state != LegState::InSync) {
        evidence.push_str(&format!("; {} is {}", leg.device, leg.state.as_str()));
    }
    if shares {
        evidence.push_str("; some of its parts lie on one disk");
    }
    Group { name: spared.name.clone(), require, confidence: CONFIDENCE, evidence }
}

/// What the array can lose, by its level.
fn spared(array: &Array) -> Vec<Spared<'_>> {
    let legs: Vec<&Leg> = array.working().collect();
    let slots = array.slots;
    let all = |require: Require, because: String| {
        vec![Spared { name: "legs".to_owned(), require, because, legs: legs.clone() }]
    };
    let but = |spare: usize| Require::AtLeast(slots.saturating_sub(spare));
    match array.level.as_str() {
        "raid1" => all(Require::Any, format!("keeps a copy on each of {slots} disks")),
        "raid4" | "raid5" => all(but(1), format!("bears the loss of one of {slots} disks")),
        "raid6" => all(but(2), format!("bears the loss of two of {slots} disks")),
        "raid10" => match mirrors(array, &legs) {
            Some(mirrors) => mirrors,
            None => {
                let copies = (array.copies.near.max(1) * array.copies.shifted.max(1)).max(2);
                let because = format!(
                    "bears the loss of any {} of {slots} disks, and of more where their copies lie apart",
                    copies - 1
                );
                all(but(copies - 1), because)
            }
        },
        _ => Vec::new(),
    }
}

/// Where a `raid10` keeps its copies on neighbouring slots, each such set of slots is a mirror of its own.
fn mirrors<'a>(array: &Array, legs: &[&'a Leg]) -> Option<Vec<Spared<'a>>> {
    let copies = array.copies.near;
    if copies < 2 || array.copies.shifted > 1 || !array.slots.is_multiple_of(copies) {
        return None;
    }
    let mut by_mirror: BTreeMap<usize, Vec<&Leg>> = BTreeMap::new();
    for leg in legs {
        by_mirror.entry(leg.slot / copies).or_default().push(leg);
    }
    let because = format!("keeps {copies} copies on neighbouring disks of {}", array.slots);
    let mirror = |(number, legs): (usize, Vec<&'a Leg>)| Spared {
        name: format!("mirror {number}"),
        require: Require::Any,
        because: because.clone(),
        legs,
    };
    Some(by_mirror.into_iter().map(mirror).collect())
}

#[cfg(test)]
mod tests {
    use cmdb_proto::v1;

    use super::*;
    use crate::host::arrays::Copies;

    fn array(level: &str, slots: usize, copies: (usize, usize), states: &[LegState]) -> Array {
        let leg =
            |(slot, state): (usize, &LegState)| Leg { device: format!("sd{slot}"), slot, state: *state };
        let copies = Copies { near: copies.0, shifted: copies.1 };
        let legs = states.iter().enumerate().map(leg).collect();
        Array { name: "md0".into(), level: level.into(), slots, copies, legs }
    }

    fn target(edge: &v1::RelationshipClaim) -> &str {
        match edge.to.as_ref().and_then(|to| to.to.as_ref()) {
            Some(v1::reference::To::Key(key)) => key,
            other => panic!("not a key: {other:?}"),
        }
    }

    /// The groups that an array states, over disks `sd0`, `sd1` …, of which `shared` are one.
    fn shown(array: &Array, shared: &[(&str, &str)]) -> Vec<String> {
        let mut devices = BlockDevices::default();
        for leg in &array.legs {
            match shared.iter().find(|(part, _)| *part == leg.device) {
                Some((part, disk)) => devices.put(part, disk),
                None => drop(devices.disks.insert(leg.device.clone())),
            }
        }
        let claim = stored_on(Draft::new("volume:md0", "volume", "md0"), array, &devices).finish();
        let members = |group: &str| {
            let inside = claim.relationships.iter().filter(|edge| edge.group == group);
            inside.map(target).collect::<Vec<_>>().join(" ")
        };
        let mut shown: Vec<String> = claim
            .redundancies
            .iter()
            .map(|one| format!("{} {} [{}] {}", one.group, one.require, members(&one.group), one.evidence))
            .collect();
        let alone = members("");
        if !alone.is_empty() {
            shown.push(format!("[{alone}]"));
        }
        shown
    }

    #[test]
    fn what_each_level_can_lose() {
        use LegState::{Failed, Filling, InSync, Spare};
        let cases = [
            (
                array("raid1", 2, (0, 0), &[InSync, InSync]),
                vec!["legs any [disk:sd0 disk:sd1] raid1 array md0 keeps a copy on each of 2 disks"],
            ),
            (
                array("raid1", 2, (0, 0), &[InSync, Failed, Filling]),
                vec![
                    "legs any [disk:sd0] raid1 array md0 keeps a copy on each of 2 disks; sd1 is failed; \
                     sd2 is being filled",
                ],
            ),
            (
                array("raid5", 3, (0, 0), &[InSync, InSync, InSync, Spare]),
                vec![
                    "legs at_least 2 [disk:sd0 disk:sd1 disk:sd2] raid5 array md0 bears the loss of one of 3 \
                     disks; sd3 is a spare",
                ],
            ),
            (
                array("raid6", 4, (0, 0), &[InSync, InSync, InSync, Failed]),
                vec![
                    "legs at_least 2 [disk:sd0 disk:sd1 disk:sd2] raid6 array md0 bears the loss of two of 4 \
                     disks; sd3 is failed",
                ],
            ),
            (
                array("raid10", 4, (2, 0), &[InSync; 4]),
                vec![
                    "mirror 0 any [disk:sd0 disk:sd1] raid10 array md0 keeps 2 copies on neighbouring disks of 4",
                    "mirror 1 any [disk:sd2 disk:sd3] raid10 array md0 keeps 2 copies on neighbouring disks of 4",
                ],
            ),
            (
                array("raid10", 3, (2, 0), &[InSync; 3]),
                vec![
                    "legs at_least 2 [disk:sd0 disk:sd1 disk:sd2] raid10 array md0 bears the loss of any 1 of 3 \
                     disks, and of more where their copies lie apart",
                ],
            ),
            (array("raid0", 2, (0, 0), &[InSync, InSync]), vec!["[disk:sd0 disk:sd1]"]),
            (array("linear", 2, (0, 0), &[InSync, InSync]), vec!["[disk:sd0 disk:sd1]"]),
            (array("raid1", 2, (0, 0), &[Failed, Failed]), vec![]),
        ];
        for (array, expected) in cases {
            assert_eq!(shown(&array, &[]), expected);
        }
    }

    #[test]
    fn parts_of_one_disk_stand_in_for_nothing() {
        let raid1 = array("raid1", 2, (0, 0), &[LegState::InSync; 2]);
        let of_one = [("sd0", "sda"), ("sd1", "sda")];
        let evidence = "raid1 array md0 keeps a copy on each of 2 disks; some of its parts lie on one disk";
        assert_eq!(shown(&raid1, &of_one), [format!("legs any [disk:sda] {evidence}")]);
        let raid5 = array("raid5", 3, (0, 0), &[LegState::InSync; 3]);
        let said = &shown(&raid5, &of_one)[0];
        assert!(said.starts_with("legs capacity 2 [disk:sd2 disk:sda]"), "{said}");
        let raid10 = array("raid10", 4, (2, 0), &[LegState::InSync; 4]);
        let across = [("sd0", "sda"), ("sd2", "sda")];
        assert_eq!(shown(&raid10, &across), ["[disk:sd1 disk:sd3 disk:sda]"], "one disk in two mirrors");
    }
}
