//! Wall time and CPU time of a piece of work, repeated; medians, because one slow run says little.

use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};

/// One run.
#[derive(Clone, Copy)]
struct Sample {
    wall: Duration,
    cpu: Duration,
}

/// Several runs of the same work.
pub struct Measured {
    name: String,
    samples: Vec<Sample>,
    /// Units of work in a run, and what they are called.
    work: (u64, &'static str),
}

/// Runs `run` `repetitions` times; what it is given is the number of the run.
pub fn measure(
    name: impl Into<String>,
    repetitions: u64,
    work: (u64, &'static str),
    mut run: impl FnMut(u64) -> anyhow::Result<()>,
) -> anyhow::Result<Measured> {
    let mut samples = Vec::new();
    for repetition in 0..repetitions {
        let (began, cpu_began) = (Instant::now(), cpu());
        run(repetition)?;
        samples.push(Sample { wall: began.elapsed(), cpu: cpu() - cpu_began });
    }
    Ok(Measured { name: name.into(), samples, work })
}

/// CPU time that this process has used, all threads together.
pub fn cpu() -> Duration {
    time_of(ClockId::ProcessCPUTime)
}

/// CPU time that this thread has used.
pub fn thread_cpu() -> Duration {
    time_of(ClockId::ThreadCPUTime)
}

fn time_of(clock: ClockId) -> Duration {
    let time = clock_gettime(clock);
    let seconds = u64::try_from(time.tv_sec).expect("a process has not used negative time");
    let nanoseconds = u32::try_from(time.tv_nsec).expect("less than a second");
    Duration::new(seconds, nanoseconds)
}

impl Measured {
    /// The heading above [`Measured::line`].
    pub fn heading() -> String {
        format!("{:<44} {:>12} {:>12} {:>14}  {}", "", "wall, median", "CPU, median", "a second", "runs")
    }

    /// `name  wall  CPU  rate  runs`.
    pub fn line(&self) -> String {
        let wall = median(self.samples.iter().map(|sample| sample.wall));
        let cpu = median(self.samples.iter().map(|sample| sample.cpu));
        let (units, unit) = self.work;
        let rate = units as f64 / wall.as_secs_f64();
        let (name, runs) = (&self.name, self.samples.len());
        format!("{name:<44} {:>12} {:>12} {rate:>14.0}  {runs} ({unit})", shown(wall), shown(cpu))
    }
}

fn median(times: impl Iterator<Item = Duration>) -> Duration {
    let mut times: Vec<Duration> = times.collect();
    times.sort();
    times[times.len() / 2]
}

/// `12.3 µs`, `4.56 ms`, `7.89 s`.
pub fn shown(time: Duration) -> String {
    let microseconds = time.as_secs_f64() * 1e6;
    if microseconds < 1_000.0 {
        format!("{microseconds:.1} µs")
    } else if microseconds < 1e6 {
        format!("{:.2} ms", microseconds / 1e3)
    } else {
        format!("{:.2} s", microseconds / 1e6)
    }
}
