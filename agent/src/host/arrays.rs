//! Software RAID, as the kernel's `/proc/mdstat` and `/sys/block/md*/md` tell it.
//!
//! Knows nothing of claims. Invariant: a leg counts as a member while it holds all of its part of the data; one that
//! failed, waits as a spare or is still being filled stands in for nothing.

use crate::root::Root;

const TABLE: &str = "/proc/mdstat";
/// The most bytes of the table.
const TABLE_BYTES_MAX: usize = 1 << 20;
/// The most arrays of one host.
pub const ARRAYS_MAX: usize = 1024;
/// The most legs of one array; the kernel's own limit is lower.
const LEGS_MAX: usize = 1024;

/// One array.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Array {
    /// Such as `md0`.
    pub name: String,
    /// As the kernel writes it, such as `raid1`.
    pub level: String,
    /// How many legs it is meant to have.
    pub slots: usize,
    /// How the copies of a `raid10` lie.
    pub copies: Copies,
    /// In the order of their slots.
    pub legs: Vec<Leg>,
}

/// How many copies a `raid10` keeps, and where.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Copies {
    /// On neighbouring slots.
    pub near: usize,
    /// Shifted to other slots.
    pub shifted: usize,
}

/// A device of an array.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Leg {
    /// Such as `sda1`.
    pub device: String,
    /// Its place in the array.
    pub slot: usize,
    /// What it is good for now.
    pub state: LegState,
}

/// What a leg is good for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LegState {
    /// It holds its part of the data.
    InSync,
    /// It is being filled.
    Filling,
    /// It waits to replace another.
    Spare,
    /// It failed.
    Failed,
    /// It holds no data of its own: a journal, or the coming replacement of a leg that still works.
    Beside,
}

impl LegState {
    /// In words.
    pub fn as_str(self) -> &'static str {
        match self {
            LegState::InSync => "in sync",
            LegState::Filling => "being filled",
            LegState::Spare => "a spare",
            LegState::Failed => "failed",
            LegState::Beside => "beside the data",
        }
    }
}

/// The running arrays, in the order of their names.
pub fn read(root: &Root) -> Vec<Array> {
    let Ok(content) = root.read(TABLE, TABLE_BYTES_MAX) else { return Vec::new() };
    let mut arrays = parse(&String::from_utf8_lossy(&content));
    for array in &mut arrays {
        for leg in &mut array.legs {
            let directory = format!("/sys/block/{}/md/dev-{}", array.name, leg.device);
            if let Some(state) = root.text(&format!("{directory}/state")) {
                leg.refine(&state);
            }
            if let Some(slot) = root.number(&format!("{directory}/slot")) {
                leg.slot = usize::try_from(slot).unwrap_or(leg.slot);
            }
        }
        array.legs.sort_by(|one, other| (one.slot, &one.device).cmp(&(other.slot, &other.device)));
    }
    arrays.sort_by(|one, other| one.name.cmp(&other.name));
    arrays
}

impl Leg {
    /// By the words of `/sys/block/md*/md/dev-*/state`: the table does not tell a leg that is being filled from one
    /// that is in sync.
    fn refine(&mut self, words: &str) {
        let has = |word: &str| words.split(',').any(|one| one.trim() == word);
        if self.state == LegState::Beside || has("journal") {
            self.state = LegState::Beside;
        } else if has("faulty") {
            self.state = LegState::Failed;
        } else if has("in_sync") {
            self.state = LegState::InSync;
        } else if has("spare") && self.state == LegState::InSync {
            self.state = LegState::Filling;
        }
    }
}

/// `md0 : active raid1 sdb1[1] sda1[0](F)`, and in a later line of the same array `[2/1] [U_]`.
fn parse(text: &str) -> Vec<Array> {
    let mut arrays: Vec<Array> = Vec::new();
    let mut is_open = false;
    for line in text.lines() {
        if !line.starts_with(char::is_whitespace) {
            let begun = if arrays.len() < ARRAYS_MAX { parse_head(line) } else { None };
            is_open = begun.is_some();
            arrays.extend(begun);
        } else if is_open && let Some(array) = arrays.last_mut() {
            array.take_detail(line);
        }
    }
    arrays
}

fn parse_head(line: &str) -> Option<Array> {
    let (name, rest) = line.split_once(" : ")?;
    let mut words = rest.split_ascii_whitespace().peekable();
    // What is not running holds no data that anybody uses.
    if words.next()? != "active" || !name.starts_with("md") {
        return None;
    }
    while words.peek().is_some_and(|word| word.starts_with('(')) {
        words.next();
    }
    let level = words.next()?.to_owned();
    let mut legs: Vec<Leg> = words.take(LEGS_MAX).filter_map(parse_leg).collect();
    legs.sort_by(|one, other| (one.slot, &one.device).cmp(&(other.slot, &other.device)));
    let slots = legs.iter().filter(|leg| leg.state == LegState::InSync).count();
    Some(Array { name: name.trim().to_owned(), level, slots, copies: Copies::default(), legs })
}

/// `sda1[0](F)`.
fn parse_leg(word: &str) -> Option<Leg> {
    let (device, rest) = word.split_once('[')?;
    let (number, flags) = rest.split_once(']')?;
    let state = match () {
        () if flags.contains("(F)") => LegState::Failed,
        () if flags.contains("(S)") => LegState::Spare,
        () if flags.contains("(J)") || flags.contains("(R)") => LegState::Beside,
        () => LegState::InSync,
    };
    Some(Leg { device: device.to_owned(), slot: number.parse().ok()?, state })
}

impl Array {
    /// `976630464 blocks super 1.2 512K chunks 2 near-copies [4/3] [U_UU]`.
    fn take_detail(&mut self, line: &str) {
        let words: Vec<&str> = line.split_ascii_whitespace().collect();
        for (at, word) in words.iter().enumerate() {
            let number = || words.get(at.checked_sub(1)?)?.parse::<usize>().ok();
            match *word {
                "near-copies" => self.copies.near = number().unwrap_or(0),
                "far-copies" | "offset-copies" => self.copies.shifted = number().unwrap_or(0),
                _ => self.take_count(word, words.get(at + 1).copied().unwrap_or_default()),
            }
        }
    }

    /// `[4/3]`, followed by `[U_UU]`.
    fn take_count(&mut self, count: &str, pattern: &str) {
        let inner = |word: &str| word.strip_prefix('[')?.strip_suffix(']').map(str::to_owned);
        let Some((slots, working)) = inner(count).as_deref().and_then(|text| {
            let (slots, working) = text.split_once('/')?;
            Some((slots.parse::<usize>().ok()?, working.parse::<usize>().ok()?))
        }) else {
            return;
        };
        let Some(pattern) = inner(pattern).filter(|text| text.bytes().all(|byte| b"U_".contains(&byte)))
        else {
            return;
        };
        self.slots = slots.min(LEGS_MAX);
        // Numbers need not be slots: where nothing is being filled, whatever has not failed is in sync.
        if self.working().count() <= working {
            return;
        }
        for leg in self.legs.iter_mut().filter(|leg| leg.state == LegState::InSync) {
            if pattern.as_bytes().get(leg.slot).is_none_or(|mark| *mark == b'_') {
                leg.state = LegState::Filling;
            }
        }
    }

    /// The legs that hold their part of the data.
    pub fn working(&self) -> impl Iterator<Item = &Leg> {
        self.legs.iter().filter(|leg| leg.state == LegState::InSync)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> Vec<String> {
        let legs = |array: &Array| {
            let leg = |leg: &Leg| format!("{}:{} {}", leg.slot, leg.device, leg.state.as_str());
            array.legs.iter().map(leg).collect::<Vec<_>>().join(", ")
        };
        let line = |array: &Array| {
            let copies = (array.copies.near, array.copies.shifted);
            format!("{} {} of {} {copies:?} [{}]", array.name, array.level, array.slots, legs(array))
        };
        parse(text).iter().map(line).collect()
    }

    #[test]
    fn the_table() {
        let text = "Personalities : [raid1] [raid6] [raid5] [raid4] [raid10] [raid0]\n\
            md127 : active raid1 nvme1n1p1[1] nvme0n1p1[0]\n\
            \x20     976630464 blocks super 1.2 [2/2] [UU]\n\
            \x20     bitmap: 2/8 pages [8KB], 65536KB chunk\n\n\
            md1 : active (auto-read-only) raid5 sdd1[4] sdc1[2] sdb1[1](F) sda1[0] sde1[5](S)\n\
            \x20     5860147200 blocks super 1.2 level 5, 512k chunk, algorithm 2 [4/3] [U_UU]\n\
            \x20     [==>..................]  recovery = 12.6% (37043392/292945152) finish=127.5min speed=33440K/sec\n\n\
            md2 : active raid10 sdd2[3] sdc2[2] sdb2[1] sda2[0]\n\
            \x20     1953260544 blocks super 1.2 512K chunks 2 near-copies [4/4] [UUUU]\n\n\
            md3 : inactive sdz[0](S)\n\
            \x20     100 blocks\n\
            md5 : active raid1 sdb5[2] sda5[0]\n\
            \x20     976630464 blocks super 1.2 [2/1] [U_]\n\
            md4 : active raid0 sdb3[1] sda3[0]\n\
            \x20     200 blocks super 1.2 512k chunks\n\n\
            unused devices: <none>\n";
        assert_eq!(
            shown(text),
            [
                "md127 raid1 of 2 (0, 0) [0:nvme0n1p1 in sync, 1:nvme1n1p1 in sync]",
                "md1 raid5 of 4 (0, 0) [0:sda1 in sync, 1:sdb1 failed, 2:sdc1 in sync, 4:sdd1 in sync, 5:sde1 a spare]",
                "md2 raid10 of 4 (2, 0) [0:sda2 in sync, 1:sdb2 in sync, 2:sdc2 in sync, 3:sdd2 in sync]",
                "md5 raid1 of 2 (0, 0) [0:sda5 in sync, 2:sdb5 being filled]",
                "md4 raid0 of 2 (0, 0) [0:sda3 in sync, 1:sdb3 in sync]",
            ]
        );
    }

    #[test]
    fn rubbish_gives_nothing() {
        for text in ["", "md0", "md0 : ", "md0 : active", "sda : active raid1 x[0]", " [2/1] [U_]", "\0\0"] {
            assert!(shown(text).is_empty(), "{text:?}");
        }
        assert_eq!(
            shown(
                "md0 : active raid1 sda[ sdb[x] sdc[99999999999999999999]\n [99999999999999999999/0] [__]\n [/] []"
            ),
            ["md0 raid1 of 0 (0, 0) []"]
        );
    }

    #[test]
    fn a_leg_that_is_being_filled_is_told_by_its_own_state() {
        let leg = |flag: LegState, words: &str| {
            let mut leg = Leg { device: "sda".into(), slot: 0, state: flag };
            leg.refine(words);
            leg.state
        };
        assert_eq!(leg(LegState::InSync, "in_sync,write_mostly"), LegState::InSync);
        assert_eq!(leg(LegState::InSync, "spare"), LegState::Filling);
        assert_eq!(leg(LegState::Spare, "spare"), LegState::Spare);
        assert_eq!(leg(LegState::InSync, "faulty,blocked"), LegState::Failed);
        assert_eq!(leg(LegState::Filling, "in_sync"), LegState::InSync);
        assert_eq!(leg(LegState::Beside, "in_sync,replacement"), LegState::Beside);
        assert_eq!(leg(LegState::InSync, ""), LegState::InSync);
    }
}
