//! An image that is not as it was written is refused, or is as good as one that was: no answer runs into nothing.

use arbtest::arbitrary::Unstructured;
use arbtest::arbtest;

use crate::graph::Graph;
use crate::graph::tests::{delta, shown};
use crate::model::Revision;

/// A graph of some commits, part of it in the overlay, and its image.
fn imaged(u: &mut Unstructured<'_>) -> arbtest::arbitrary::Result<(Graph, Vec<u8>)> {
    let mut graph = Graph::empty();
    for revision in 1..=u.int_in_range(1..=3)? {
        let deltas = (0..u.int_in_range(0..=20)?).map(|_| delta(u)).collect::<Result<_, _>>()?;
        graph = graph.apply(Revision(revision), deltas);
    }
    let mut image = Vec::new();
    graph.write_image(&mut image).expect("a vector takes everything");
    Ok((graph, image))
}

#[test]
fn a_damaged_image_is_refused_or_answers() {
    let (mut refused, mut read) = (0, 0);
    arbtest(|u| {
        let (graph, image) = imaged(u)?;
        for _ in 0..20 {
            let mut damaged = image.clone();
            for _ in 0..u.int_in_range(1..=3)? {
                let place = u.int_in_range(0..=image.len() - 1)?;
                damaged[place] = match u.int_in_range(0..=2)? {
                    0 => damaged[place] ^ 1 << u.int_in_range(0..=7)?,
                    1 => 0xff,
                    _ => u.arbitrary()?,
                };
            }
            match Graph::read_image(&damaged, graph.revision()) {
                None => refused += 1,
                // Another class or weight is a graph like any other: all of it can be looked at and gone on from.
                Some(other) => {
                    read += 1;
                    let before = shown(&other);
                    assert_eq!(shown(&other.folded()), before);
                    let deltas = (0..5).map(|_| delta(u)).collect::<Result<_, _>>()?;
                    shown(&other.apply(graph.revision().next(), deltas).folded());
                }
            }
        }
        Ok(())
    })
    .budget_ms(3_000);
    assert!(refused > read && read > 0, "{refused} refused, {read} read");
}

#[test]
fn an_image_with_something_more_is_refused() {
    arbtest(|u| {
        let (graph, mut image) = imaged(u)?;
        assert!(Graph::read_image(&image, graph.revision()).is_some());
        image.push(0);
        assert!(Graph::read_image(&image, graph.revision()).is_none());
        Ok(())
    })
    .budget_ms(300);
}
