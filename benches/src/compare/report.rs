//! What is said of it: a table in the page, a chart beside it, or one flat object.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::{Map, Value, json};

use super::chart::{self, Bar};
use super::duel::{Bout, Duel};
use super::engine::{Answer, Loaded, Memory, Question};
use crate::measure::shown;
use crate::table;

/// Everything that came of a run.
pub struct Report {
    pub size: &'static str,
    pub machine: String,
    pub items: usize,
    pub relationships: usize,
    /// What an engine was given for all questions of a kind.
    pub limit: Duration,
    pub ours: (Loaded, Memory),
    pub duels: Vec<Duel>,
    pub skipped: Vec<String>,
}

/// What answers cost.
struct Costs {
    p50: Duration,
    p99: Duration,
    worst: Duration,
    wall: Duration,
    cpu: Duration,
}

impl Costs {
    fn of(answers: &[Answer]) -> Option<Costs> {
        let mut walls: Vec<u64> = answers.iter().map(|answer| answer.wall_ns).collect();
        walls.sort_unstable();
        let at = |hundredths: usize| {
            let place = (walls.len() * hundredths / 100).min(walls.len() - 1);
            Duration::from_nanos(walls[place])
        };
        let total = |of: fn(&Answer) -> u64| Duration::from_nanos(answers.iter().map(of).sum());
        (!walls.is_empty()).then(|| Costs {
            p50: at(50),
            p99: at(99),
            worst: at(100),
            wall: total(|answer| answer.wall_ns),
            cpu: total(|answer| answer.cpu_ns),
        })
    }

    fn vs(&self, other: &Costs) -> (f64, f64) {
        let ratio = |one: Duration, other: Duration| one.as_secs_f64() / other.as_secs_f64();
        (ratio(self.cpu, other.cpu), ratio(self.wall, other.wall))
    }
}

const KINDS: [(Question, &str, &str); 2] = [
    (Question::Reach, "Everything that an item could take with it", "reach"),
    (Question::ThreeHops, "What of that is at most three relationships away", "three_hops"),
];

impl Report {
    /// Puts the table into the page and the chart beside it.
    pub fn write(&self, page: &Path, chart: &Path) -> Result<()> {
        let text = self.table(chart)?;
        table::replace(page, &format!("compare size {}", self.size), &text)?;
        let groups = KINDS.map(|(question, title, _)| (title, self.bars(question)));
        let heading = format!("CPU time against ours, size {}", self.size);
        let drawn = chart::draw(&heading, &groups).context("drawing the chart")?;
        std::fs::write(chart, drawn).with_context(|| format!("writing {}", chart.display()))
    }

    fn bars(&self, question: Question) -> Vec<Bar> {
        let mut bars: Vec<Bar> = self
            .duels
            .iter()
            .filter_map(|duel| {
                let (ours, theirs) = costs(duel, question)?;
                Some(Bar { name: duel.shown, times: theirs.vs(&ours).0 })
            })
            .collect();
        bars.sort_by(|one, other| one.times.total_cmp(&other.times));
        bars
    }

    /// In Markdown.
    pub fn table(&self, chart: &Path) -> Result<String> {
        let name = chart.file_name().and_then(|name| name.to_str()).context("the chart has a name")?;
        let mut text = format!(
            "### Size {}: {} items, {} relationships\n\n{}. At most {} s for all questions of a kind.\n\n\
             ![How many times our CPU time each takes, on a logarithmic scale]({name})\n\n",
            self.size,
            self.items,
            self.relationships,
            self.machine,
            self.limit.as_secs()
        );
        text += "| loading from CSV | version | what it is | CPU | wall | memory then | most memory, questions included |\n\
                 |---|---|---|---|---|---|---|\n";
        let (loaded, memory) = &self.ours;
        text += &load_row("**ours**", "library in Rust, from Rust", loaded, Some(memory));
        for duel in &self.duels {
            text += &load_row(duel.shown, duel.kind, &duel.loaded, duel.memory.as_ref());
        }
        for (question, title, _) in KINDS {
            text += &format!(
                "\n| {title} | questions | p50 | p99 | worst | CPU in all | wall in all | ours beside it: CPU, wall | \
                 times ours: CPU, wall | answers equal |\n|---|---|---|---|---|---|---|---|---|---|\n"
            );
            text += &self.our_row(question).unwrap_or_default();
            for duel in &self.duels {
                text += &duel_row(duel, question);
            }
        }
        for line in &self.skipped {
            text += &format!("\n{line}\n");
        }
        Ok(text.trim_end().to_owned())
    }

    /// Ours beside the first that was put all questions, or most.
    fn our_row(&self, question: Question) -> Option<String> {
        let bouts = self.duels.iter().filter_map(|duel| bout(duel, question));
        let longest =
            bouts.reduce(|one, other| if other.ours.len() > one.ours.len() { other } else { one })?;
        let costs = Costs::of(&longest.ours)?;
        Some(format!("| **ours** | {} | {} | | 1 | |\n", longest.ours.len(), cells(&costs)))
    }

    /// One flat object.
    pub fn json(&self) -> Value {
        let mut json = Map::new();
        json.insert("size".to_owned(), self.size.into());
        json.insert("machine".to_owned(), self.machine.clone().into());
        json.insert("items".to_owned(), self.items.into());
        json.insert("relationships".to_owned(), self.relationships.into());
        json.insert("limit_seconds".to_owned(), self.limit.as_secs().into());
        put_load(&mut json, "ours", &self.ours.0, Some(&self.ours.1));
        for duel in &self.duels {
            put_load(&mut json, duel.key, &duel.loaded, duel.memory.as_ref());
            for (question, _, name) in KINDS {
                let (Some(bout), Some((ours, theirs))) = (bout(duel, question), costs(duel, question)) else {
                    continue;
                };
                let mut put =
                    |what: &str, value: Value| json.insert(format!("{}_{name}_{what}", duel.key), value);
                let (cpu, wall) = theirs.vs(&ours);
                put("questions", bout.theirs.len().into());
                put("different", bout.different().count().into());
                put("p50_us", micros(theirs.p50));
                put("p99_us", micros(theirs.p99));
                put("worst_us", micros(theirs.worst));
                put("seconds_cpu", seconds(theirs.cpu));
                put("seconds", seconds(theirs.wall));
                put("ours_p50_us", micros(ours.p50));
                put("ours_p99_us", micros(ours.p99));
                put("ours_worst_us", micros(ours.worst));
                put("ours_seconds_cpu", seconds(ours.cpu));
                put("ours_seconds", seconds(ours.wall));
                put("vs_ours_cpu", rounded(cpu));
                put("vs_ours", rounded(wall));
            }
        }
        json.insert("skipped".to_owned(), self.skipped.join("\n").into());
        Value::Object(json)
    }
}

fn bout(duel: &Duel, question: Question) -> Option<&Bout> {
    duel.bouts.iter().find(|bout| bout.question == question)
}

/// Ours and theirs, of the same questions.
fn costs(duel: &Duel, question: Question) -> Option<(Costs, Costs)> {
    let bout = bout(duel, question)?;
    Some((Costs::of(&bout.ours)?, Costs::of(&bout.theirs)?))
}

fn cells(costs: &Costs) -> String {
    let Costs { p50, p99, worst, cpu, wall } = costs;
    [p50, p99, worst, cpu, wall].map(|time| shown(*time)).join(" | ")
}

fn duel_row(duel: &Duel, question: Question) -> String {
    let cut = bout(duel, question).and_then(|bout| bout.cut.clone());
    let (Some(bout), Some((ours, theirs))) = (bout(duel, question), costs(duel, question)) else {
        let why = cut.unwrap_or_else(|| "it did not come back from the question before".to_owned());
        return format!("| {} | 0: {why} | | | | | | | | |\n", duel.shown);
    };
    let (cpu, wall) = theirs.vs(&ours);
    let put =
        cut.map_or_else(|| bout.theirs.len().to_string(), |why| format!("{}: {why}", bout.theirs.len()));
    let equal = match bout.different().count() {
        0 => "yes".to_owned(),
        different => format!("**{different} differ**"),
    };
    format!(
        "| {} | {put} | {} | {}, {} | {}, {} | {equal} |\n",
        duel.shown,
        cells(&theirs),
        shown(ours.cpu),
        shown(ours.wall),
        times(cpu),
        times(wall)
    )
}

fn load_row(name: &str, kind: &str, loaded: &Loaded, memory: Option<&Memory>) -> String {
    let most =
        memory.map_or_else(|| "not told".to_owned(), |memory| mebibytes(memory.peak_kb.max(loaded.peak_kb)));
    let (cpu, wall) = (Duration::from_nanos(loaded.cpu_ns), Duration::from_nanos(loaded.wall_ns));
    let (version, resident) = (&loaded.version, mebibytes(loaded.resident_kb));
    format!("| {name} | {version} | {kind} | {} | {} | {resident} | {most} |\n", shown(cpu), shown(wall))
}

fn put_load(json: &mut Map<String, Value>, key: &str, loaded: &Loaded, memory: Option<&Memory>) {
    let peak_kb = memory.map_or(loaded.peak_kb, |memory| memory.peak_kb.max(loaded.peak_kb));
    json.insert(format!("{key}_version"), loaded.version.clone().into());
    json.insert(format!("{key}_load_seconds_cpu"), seconds(Duration::from_nanos(loaded.cpu_ns)));
    json.insert(format!("{key}_load_seconds"), seconds(Duration::from_nanos(loaded.wall_ns)));
    json.insert(format!("{key}_resident_kib"), loaded.resident_kb.into());
    json.insert(format!("{key}_peak_kib"), peak_kb.into());
}

fn mebibytes(kibibytes: i64) -> String {
    format!("{} MiB", (kibibytes + 512) / 1024)
}

fn micros(time: Duration) -> Value {
    rounded(time.as_secs_f64() * 1e6)
}

fn seconds(time: Duration) -> Value {
    json!((time.as_secs_f64() * 1e6).round() / 1e6)
}

fn rounded(value: f64) -> Value {
    json!((value * 1e3).round() / 1e3)
}

/// `0.8`, `17`, `1200`.
pub fn times(ratio: f64) -> String {
    if ratio < 10.0 { format!("{ratio:.1}") } else { format!("{ratio:.0}") }
}
