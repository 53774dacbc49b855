//! Numbers below a bound, in as few bytes as it takes.
//!
//! Labels and weights of relationships are few, and there is one of each for every relationship. Invariant: what is
//! read at a place is what was put there.

/// A list of numbers.
pub(super) enum Numbers {
    /// All are 0: how many there are.
    Zeros(usize),
    Bytes(Vec<u8>),
    Shorts(Vec<u16>),
    Words(Vec<u32>),
}

impl Numbers {
    /// Of numbers that are all below `bound`.
    pub fn of(list: Vec<u32>, bound: usize) -> Numbers {
        let fits = "below the bound";
        if bound <= 1 {
            Numbers::Zeros(list.len())
        } else if bound <= 1 << 8 {
            Numbers::Bytes(list.into_iter().map(|number| u8::try_from(number).expect(fits)).collect())
        } else if bound <= 1 << 16 {
            Numbers::Shorts(list.into_iter().map(|number| u16::try_from(number).expect(fits)).collect())
        } else {
            Numbers::Words(list)
        }
    }

    pub fn get(&self, place: usize) -> u32 {
        match self {
            Numbers::Zeros(_) => 0,
            Numbers::Bytes(list) => u32::from(list[place]),
            Numbers::Shorts(list) => u32::from(list[place]),
            Numbers::Words(list) => list[place],
        }
    }

    /// Memory that it takes.
    pub fn bytes(&self) -> usize {
        match self {
            Numbers::Zeros(_) => 0,
            Numbers::Bytes(list) => size_of_val(list.as_slice()),
            Numbers::Shorts(list) => size_of_val(list.as_slice()),
            Numbers::Words(list) => size_of_val(list.as_slice()),
        }
    }
}
