//! One engine beside ours: a handful of questions to us, the same to it, and so on, until all are put or its time is up.

use std::time::Duration;

use anyhow::{Context, Result, ensure};

use super::Limits;
use super::engine::{Answer, Engine, Entry, Loaded, Memory, Player, Question};
use super::facts::Facts;

/// Questions that are put in one go: three of each layer.
const HANDFUL: usize = 45;
/// Beyond its time, a question that has begun may take so long.
const GRACE: Duration = Duration::from_secs(60);

/// The answers to one kind of question, ours and theirs to the same.
pub struct Bout {
    pub question: Question,
    pub seeds: Vec<u64>,
    pub ours: Vec<Answer>,
    pub theirs: Vec<Answer>,
    /// Why not all were put.
    pub cut: Option<String>,
}

/// What came of it.
pub struct Duel {
    pub shown: &'static str,
    pub key: &'static str,
    pub kind: &'static str,
    pub loaded: Loaded,
    /// At the end; `None`: it did not answer any more.
    pub memory: Option<Memory>,
    pub bouts: Vec<Bout>,
}

impl Duel {
    pub fn fight(
        entry: &Entry,
        engine: Engine,
        ours: &mut Player,
        facts: &Facts,
        limits: Limits,
    ) -> Result<Duel> {
        let mut theirs = Player::start(engine, facts, limits)?;
        let loaded = theirs.loaded.clone();
        let mut bouts = Vec::new();
        for question in [Question::Reach, Question::ThreeHops] {
            let bout = Bout::fight(question, &facts.seeds, ours, &mut theirs, limits)?;
            let hangs = bout.theirs.len() % HANDFUL != 0 && bout.theirs.len() < facts.seeds.len();
            bouts.push(bout);
            if hangs {
                break;
            }
        }
        ensure!(
            bouts.iter().any(|bout| !bout.theirs.is_empty()),
            "it answered nothing in {:?}",
            limits.questions
        );
        let memory = theirs.memory(GRACE).ok();
        Ok(Duel { shown: entry.shown, key: entry.module, kind: entry.kind, loaded, memory, bouts })
    }

    /// A line for each kind of question that was answered otherwise.
    pub fn differences(&self) -> Vec<String> {
        let lines = self.bouts.iter().filter_map(|bout| {
            let (seed, ours, theirs) = bout.different().next()?;
            Some(format!(
                "{}: {} of {} answers; the first about item {seed}: {} items (sum {}), ours {} (sum {})",
                self.shown,
                bout.different().count(),
                bout.theirs.len(),
                theirs.count,
                theirs.sum,
                ours.count,
                ours.sum
            ))
        });
        lines.collect()
    }
}

impl Bout {
    fn fight(
        question: Question,
        seeds: &[u64],
        ours: &mut Player,
        theirs: &mut Player,
        limits: Limits,
    ) -> Result<Bout> {
        let mut bout =
            Bout { question, seeds: seeds.to_vec(), ours: Vec::new(), theirs: Vec::new(), cut: None };
        // The first question of a kind pays for what is kept afterwards; it is put once more, and that counts.
        let warm = &seeds[..1.min(seeds.len())];
        ours.ask(question, warm, GRACE)?;
        if theirs.ask(question, warm, limits.questions + GRACE)?.is_empty() {
            bout.cut = Some("its first question took too long".to_owned());
            return Ok(bout);
        }
        let mut spent = Duration::ZERO;
        for handful in seeds.chunks(HANDFUL) {
            let of_us = ours.ask(question, handful, GRACE).context("asking ours")?;
            ensure!(of_us.len() == handful.len(), "ours took more than {GRACE:?}");
            let of_them = theirs.ask(question, handful, limits.questions.saturating_sub(spent) + GRACE)?;
            spent += Duration::from_nanos(of_them.iter().map(|answer| answer.wall_ns).sum());
            let hangs = of_them.len() < handful.len();
            bout.ours.extend(&of_us[..of_them.len()]);
            bout.theirs.extend(of_them);
            if hangs || (spent > limits.questions && bout.theirs.len() < seeds.len()) {
                bout.cut = Some(format!("{} s were over", limits.questions.as_secs()));
                break;
            }
        }
        Ok(bout)
    }

    /// What was answered otherwise: the seed, ours, theirs.
    pub fn different(&self) -> impl Iterator<Item = (u64, &Answer, &Answer)> {
        let both = self.seeds.iter().zip(self.ours.iter().zip(&self.theirs));
        let other = both.filter(|(_, (ours, theirs))| (ours.count, ours.sum) != (theirs.count, theirs.sum));
        other.map(|(seed, (ours, theirs))| (*seed, ours, theirs))
    }
}
