//! The estimated answer: samples, 64 to a word.
//!
//! Draws come from a generator that is keyed by the seed and counted by chunk (ChaCha with eight rounds: chunk `n` reads
//! stream `n`), so a chunk is the same whichever thread draws it, and sums of whole numbers are the same in any order.
//!
//! What an item is worth is read from the samples that failed: it is to blame for one if the target is up once the item
//! alone is mended. That is asked of so many failures of a chunk as cost no more than the chunk itself did.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use rayon::prelude::*;

use super::{Estimate, Method, Options, Question, Rest, Tells, Watch};
use crate::module::LANES;
use crate::propagate::Reading;

/// The most samples of one answer.
pub const SAMPLES_MAX: u64 = 100_000_000;
/// Words of a chunk, which one thread draws.
const CHUNK: usize = 64;
/// The work of an answer, unless it says otherwise; a third of a second or so.
pub(super) const STEPS: u64 = 50_000_000;
/// The least samples that are drawn, however much there is to look at.
const SAMPLES_MIN: u64 = 16_384;
/// 95 of 100 cases lie within so many standard deviations.
const DEVIATIONS: f64 = 1.959_963_984_540_054;

/// What a chunk found.
struct Found {
    failed: u64,
    failed_at_worst: u64,
    /// Failures that were looked into, and for how many of them each item is to blame.
    examined: u64,
    blamed: Vec<u32>,
}

/// None: it was cancelled.
pub(super) fn answer(question: &Question<'_>, options: Options, watch: Watch<'_>) -> Option<Rest> {
    let chunk = (CHUNK * LANES) as u64;
    let wanted = options.samples.unwrap_or_else(|| {
        let affordable = options.steps / (question.module.size() as u64).max(1) * LANES as u64;
        affordable.max(SAMPLES_MIN)
    });
    let chunks = wanted.clamp(1, SAMPLES_MAX).div_ceil(chunk);
    let progress = watch.progress;
    if watch.tells == Tells::Samples {
        progress.begin("drawing samples", chunks * chunk);
    }
    let nothing =
        || Found { failed: 0, failed_at_worst: 0, examined: 0, blamed: vec![0; question.fails.len()] };
    let found = (0..chunks)
        .into_par_iter()
        .fold(nothing, |sum, number| {
            if progress.is_cancelled() {
                return sum;
            }
            let sum = sum.with(Draws::new(question, options.seed, number).run());
            if watch.tells == Tells::Samples {
                progress.advance(chunk);
            }
            sum
        })
        .reduce(nothing, Found::with);
    if progress.is_cancelled() {
        return None;
    }
    let samples = chunks * chunk;
    let failure = interval(found.failed, samples);
    let share = |blamed: u32| match found.examined {
        0 => 0.0,
        examined => failure.value * f64::from(blamed) / exactly(examined),
    };
    Some(Rest {
        failure,
        at_worst: question.module.rests_on_guesses().then(|| interval(found.failed_at_worst, samples)),
        method: Method::Sampled { samples, failed: found.failed },
        gains: found.blamed.iter().map(|blamed| share(*blamed)).collect(),
    })
}

impl Found {
    fn with(mut self, other: Found) -> Found {
        self.failed += other.failed;
        self.failed_at_worst += other.failed_at_worst;
        self.examined += other.examined;
        for (sum, blamed) in self.blamed.iter_mut().zip(other.blamed) {
            *sum = sum.saturating_add(blamed);
        }
        self
    }
}

/// Where a share lies of which `found` of `samples` were seen. Source: E. B. Wilson, "Probable inference" (1927).
fn interval(found: u64, samples: u64) -> Estimate {
    let (found, samples) = (exactly(found), exactly(samples));
    let value = found / samples;
    let square = DEVIATIONS * DEVIATIONS;
    let scale = 1.0 + square / samples;
    let middle = (value + square / (2.0 * samples)) / scale;
    let half =
        DEVIATIONS / scale * (value * (1.0 - value) / samples + square / (4.0 * samples * samples)).sqrt();
    let (low, high) = ((middle - half).max(0.0), (middle + half).min(1.0));
    // By rounding a bound can come to lie on the wrong side of what was seen.
    Estimate { value, low: low.min(value), high: high.max(value) }
}

#[expect(clippy::cast_precision_loss, reason = "counts of samples are far below 2^53")]
fn exactly(count: u64) -> f64 {
    count as f64
}

/// A chunk of samples as it is drawn.
struct Draws<'a> {
    question: &'a Question<'a>,
    random: ChaCha8Rng,
    /// Items that can fail of themselves, with their chance as a share of 2^64.
    chances: Vec<(u32, u64)>,
    /// What is down of itself, and what with it.
    own: Vec<u64>,
    words: Vec<u64>,
    found: Found,
    /// How many words may still be worked through to say who is to blame.
    afford: usize,
}

impl<'a> Draws<'a> {
    fn new(question: &'a Question<'a>, seed: u64, chunk: u64) -> Draws<'a> {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        random.set_stream(chunk);
        let failing = (0..).zip(&question.fails).filter(|(_, fails)| **fails > 0.0);
        let blamed = vec![0; question.fails.len()];
        Draws {
            question,
            random,
            chances: failing.map(|(number, fails)| (number, share_of_word(*fails))).collect(),
            own: question.base.clone(),
            words: question.base.clone(),
            found: Found { failed: 0, failed_at_worst: 0, examined: 0, blamed },
            afford: CHUNK,
        }
    }

    fn run(mut self) -> Found {
        for _ in 0..CHUNK {
            self.own.copy_from_slice(&self.question.base);
            for (number, chance) in &self.chances {
                self.own[*number as usize] |= draw(&mut self.random, *chance);
            }
            let failed = self.fail(Reading::AsDeclared);
            self.found.failed += u64::from(failed.count_ones());
            self.blame(failed);
            if self.question.module.rests_on_guesses() {
                let failed = self.fail(Reading::UnconfirmedSpareNothing);
                self.found.failed_at_worst += u64::from(failed.count_ones());
            }
        }
        self.found
    }

    /// In which samples the target fails.
    fn fail(&mut self, reading: Reading) -> u64 {
        self.words.copy_from_slice(&self.own);
        self.question.module.fail(&mut self.words, reading);
        self.words[0]
    }

    fn blame(&mut self, failed: u64) {
        for lane in (0..LANES).filter(|lane| failed >> lane & 1 == 1) {
            if self.afford == 0 {
                return;
            }
            self.found.examined += 1;
            let down = |(number, _): &(u32, u64)| self.own[*number as usize] >> lane & 1 == 1;
            let suspects: Vec<u32> =
                self.chances.iter().filter(|item| down(item)).map(|(number, _)| *number).collect();
            for suspects in suspects.chunks(LANES) {
                self.afford = self.afford.saturating_sub(1);
                self.mend(lane, suspects);
            }
        }
    }

    /// Fails one sample again, each time with one suspect mended.
    fn mend(&mut self, lane: usize, suspects: &[u32]) {
        for (word, own) in self.words.iter_mut().zip(&self.own) {
            *word = if own >> lane & 1 == 1 { u64::MAX } else { 0 };
        }
        for (place, number) in suspects.iter().enumerate() {
            self.words[*number as usize] &= !(1 << place);
        }
        self.question.module.fail(&mut self.words, Reading::AsDeclared);
        for (place, number) in suspects.iter().enumerate() {
            if self.words[0] >> place & 1 == 0 {
                self.found.blamed[*number as usize] += 1;
            }
        }
    }
}

/// A chance as a share of 2^64; what is too small for one is not none.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "from 0 to 2^64, which saturates"
)]
fn share_of_word(chance: f64) -> u64 {
    ((chance * 18_446_744_073_709_551_616.0) as u64).max(1)
}

/// 64 coins, each of which falls on 1 with this chance: a random number below it in each lane, compared from the highest
/// digit down until every lane is decided, which takes eight words or so.
fn draw(random: &mut ChaCha8Rng, chance: u64) -> u64 {
    if chance == u64::MAX {
        return u64::MAX;
    }
    let (mut below, mut open) = (0, u64::MAX);
    for digit in (0..64).rev() {
        let word = random.next_u64();
        if chance >> digit & 1 == 1 {
            below |= open & !word;
            open &= word;
        } else {
            open &= !word;
        }
        if open == 0 {
            break;
        }
    }
    below
}
