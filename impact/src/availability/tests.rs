use arbtest::arbitrary::{Result, Unstructured};

use super::*;
use crate::estate::{Estate, large, random};
use crate::naive;

const SAMPLED: Options = Options { samples: Some(1), seed: 0, nodes_max: 0, steps: 0 };

/// The probability that the target is down, by going through every set of items that can be down of themselves.
fn by_trying(graph: &Graph, target: Index, down: &[Index], fails: &[f64], reading: naive::Reading) -> f64 {
    let items: Vec<Index> = graph.indexes().collect();
    let mut sum = 0.0;
    for set in 0..1_u32 << items.len() {
        let own = |place: &usize| set >> place & 1 == 1;
        let chance: f64 = (0..items.len())
            .map(|place| if own(&place) { fails[place] } else { 1.0 - fails[place] })
            .product();
        if chance > 0.0 {
            let seeds: Vec<Index> = (0..items.len()).filter(own).map(|place| items[place]).collect();
            let seeds: Vec<Index> = seeds.into_iter().chain(down.iter().copied()).collect();
            if naive::failed(graph, &seeds, reading).contains(&target) {
                sum += chance;
            }
        }
    }
    sum
}

fn close(one: f64, other: f64) {
    assert!((one - other).abs() <= 1e-12 + other.abs() * 1e-9, "{one:e} is not {other:e}");
}

fn random_chances(u: &mut Unstructured<'_>, graph: &Graph) -> Result<Vec<f64>> {
    graph.indexes().map(|_| Ok(*u.choose(&[0.0, 1e-6, 0.001, 0.02, 0.3, 0.5, 0.9, 1.0])?)).collect()
}

#[test]
fn two_of_everything_but_the_power() {
    let estate = Estate::of(
        "shop needs web-1 in web
         shop needs web-2 in web
         shop group web any
         shop needs power
         web-1 needs power",
    );
    let fails = |item| match estate.name(item) {
        "power" => 0.001,
        "shop" => 0.0,
        _ => 0.1,
    };
    let ask =
        |down, options| availability(&estate.graph, estate.at("shop"), &estate.all(down), fails, options);
    let answer = ask("", Options::default());
    close(answer.unavailability.value, 1.0 - 0.999 * (1.0 - 0.1 * 0.1));
    assert!(matches!(answer.method, Method::Exact { .. }) && answer.at_worst.is_none());
    let gains: Vec<&str> = answer.gains.iter().map(|gain| estate.name(gain.item)).collect();
    assert_eq!(gains, ["web-1", "web-2", "power"]);
    close(answer.gains[0].gain, 0.999 * 0.01);
    close(answer.gains[2].gain, 0.001 * 0.99);
    close(ask("web-1", Options::default()).unavailability.value, 1.0 - 0.999 * 0.9);
    close(ask("power", Options::default()).unavailability.value, 1.0);
    assert_eq!(ask("power", SAMPLED).unavailability, Estimate::exact(1.0));
}

#[test]
fn a_guess_is_shown_at_its_worst() {
    let estate = Estate::of(
        "app needs a in g
         app needs b in g
         app guesses g any",
    );
    let ask = |options| availability(&estate.graph, estate.at("app"), &[], |_| 0.1, options);
    let exact = ask(Options::default());
    close(exact.unavailability.value, 1.0 - 0.9 * 0.99);
    close(exact.at_worst.unwrap().value, 1.0 - 0.9 * 0.81);
    let sampled = ask(Options { samples: Some(1_000_000), ..Options::default() });
    for (exact, sampled) in
        [(exact.unavailability, sampled.unavailability), (exact.at_worst.unwrap(), sampled.at_worst.unwrap())]
    {
        assert!((exact.value - sampled.value).abs() < 0.003, "{exact:?} {sampled:?}");
        assert!(sampled.low < sampled.value && sampled.value < sampled.high);
    }
}

#[test]
fn it_is_what_trying_all_sets_gives() {
    arbtest::arbtest(|u| {
        let graph = random(u)?;
        let bound = u32::try_from(graph.index_bound()).unwrap();
        let target = Index(u.int_in_range(0..=bound - 1)?);
        let fails = random_chances(u, &graph)?;
        let down: Vec<Index> =
            if u.ratio(1, 3)? { vec![Index(u.int_in_range(0..=bound - 1)?)] } else { vec![] };
        let trying = |fails: &[f64], reading| by_trying(&graph, target, &down, fails, reading);
        let answer = availability(&graph, target, &down, |item| fails[item.0 as usize], Options::default());
        assert!(matches!(answer.method, Method::Exact { .. }));
        let value = answer.unavailability.value;
        close(value, trying(&fails, naive::Reading::AsDeclared));
        if let Some(worst) = answer.at_worst {
            close(worst.value, trying(&fails, naive::Reading::UnconfirmedSpareNothing));
        }
        for item in graph.indexes() {
            let mut mended = fails.clone();
            mended[item.0 as usize] = 0.0;
            let found = answer.gains.iter().find(|gain| gain.item == item).map_or(0.0, |gain| gain.gain);
            close(found, value - trying(&mended, naive::Reading::AsDeclared));
        }
        Ok(())
    })
    .budget_ms(4_000);
}

#[test]
fn samples_lie_within_three_standard_deviations_in_997_of_1000_seeds() {
    const SEEDS: u64 = 2_000;
    let mut within = 0;
    let estate = Estate::of(
        "shop needs web-1 in web
         shop needs web-2 in web
         shop needs web-3 in web
         shop group web at_least 2
         web-1 needs host-1
         web-2 needs host-1
         web-3 needs host-2
         host-1 needs power-1 in power
         host-1 needs power-2 in power
         host-1 group power any",
    );
    let ask = |options| availability(&estate.graph, estate.at("shop"), &[], |_| 0.2, options);
    // Of what is drawn: the shop itself is multiplied out.
    let own = 0.2;
    let exact = (ask(Options::default()).unavailability.value - own) / (1.0 - own);
    for seed in 0..SEEDS {
        let answer = ask(Options { samples: Some(1), seed, ..Options::default() });
        let Method::Sampled { samples, failed } = answer.method else { panic!("{:?}", answer.method) };
        let (samples, failed) = (samples as f64, failed as f64);
        let deviation = (exact * (1.0 - exact) / samples).sqrt();
        within += u64::from((failed / samples - exact).abs() <= 3.0 * deviation);
    }
    assert!(within * 1_000 >= SEEDS * 997, "{within} of {SEEDS}");
}

#[test]
fn blame_tends_to_what_is_exact() {
    let estate = Estate::of(
        "shop needs web-1 in web
         shop needs web-2 in web
         shop group web any
         web-1 needs host-1
         web-2 needs host-2
         host-1 needs rack in racks
         host-2 needs rack in racks",
    );
    let ask = |options| availability(&estate.graph, estate.at("shop"), &[], |_| 0.05, options);
    let exact = ask(Options::default());
    let sampled = ask(Options { samples: Some(2_000_000), ..Options::default() });
    assert_eq!(exact.gains.len(), 6);
    for gain in &exact.gains {
        let found = sampled.gains.iter().find(|other| other.item == gain.item).unwrap();
        assert!((found.gain - gain.gain).abs() < gain.gain * 0.05, "{gain:?} {found:?}");
    }
}

#[test]
fn the_number_of_threads_changes_nothing() {
    let graph = large(300, |id| id / 2 + u64::from(id < 2));
    let ask = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let options = Options { samples: Some(100_000), seed: 7, ..Options::default() };
        pool.install(|| availability(&graph, Index(299), &[], |_| 0.01, options))
    };
    let one = ask(1);
    assert_eq!(one, ask(2));
    assert_eq!(one, ask(7));
}

#[test]
fn what_is_too_large_for_a_diagram_is_sampled() {
    let mut lines = String::new();
    for one in 0..40 {
        for other in 0..6 {
            lines +=
                &format!("app needs m{one} in g\nm{one} needs p{} in g{one}\n", (one * 7 + other * 11) % 40);
        }
        lines += &format!("m{one} group g{one} at_least 4\n");
    }
    lines += "app group g at_least 20";
    let estate = Estate::of(&lines);
    let ask = |nodes_max| {
        let options = Options { nodes_max, steps: 1_000_000, ..Options::default() };
        availability(&estate.graph, estate.at("app"), &[], |_| 0.1, options)
    };
    let answer = ask(2_000);
    assert!(matches!(answer.method, Method::Sampled { .. }), "{:?}", answer.method);
    let Estimate { value, low, high } = answer.unavailability;
    assert!(low <= value && value <= high && high - low < 0.02, "{value} {low} {high}");
}

#[test]
fn a_chain_of_a_million_is_multiplied_out() {
    let graph = large(1_000_000, |id| id - 1);
    let last = Index(999_999);
    let answer = availability(&graph, last, &[], |_| 1e-9, Options::default());
    close(answer.unavailability.value, -(1_000_000.0 * (-1e-9_f64).ln_1p()).exp_m1());
    assert_eq!((answer.gains.len(), answer.items.len()), (1_000_000, 1_000_000));
}

#[test]
fn what_nobody_waits_for_is_not_finished() {
    let estate = Estate::of("shop needs web-1 in web\nshop needs web-2 in web\nshop group web any");
    let targets = estate.all("shop web-1");
    let options = Options { samples: Some(1_000_000), ..Options::default() };
    let ask = |targets: &[Index], progress: &Progress| {
        availability_of(&estate.graph, targets, &[], |_| 0.1, options, progress)
    };
    let waits = Progress::default();
    let both = ask(&targets, &waits).expect("nobody cancels");
    assert_eq!((waits.at().done, waits.at().total), (2, 2), "told in services");
    let one = ask(&targets[..1], &waits).expect("nobody cancels");
    assert_eq!(one[0], both[0]);
    assert!(waits.at().done == waits.at().total && waits.at().total >= 1_000_000, "told in samples");
    waits.cancel();
    assert!(ask(&targets, &waits).is_none() && ask(&targets[..1], &waits).is_none());
}
