//! The order of places: in layers, and within a layer as the graph has its items.
//!
//! A layer is how many relationships the longest way on from a place has. So whatever a place reaches has a lower
//! number, and what the graph puts side by side stays together; an order by search in depth has the first and not the second.

use super::{PLACES_AT_ONCE, members, number};
use crate::cycles::Components;
use crate::progress::Progress;

/// Numbers components anew. None: it was cancelled.
pub(super) fn layered<A: Iterator<Item = u32>>(
    components: Components,
    arcs: impl Fn(u32) -> A,
    progress: &Progress,
) -> Option<Components> {
    let Components { mut of, sizes } = components;
    let layers = layers(&of, &sizes, arcs, progress)?;
    // Where each layer begins, then where its next place is.
    let mut free = vec![0_u32; layers.iter().max().map_or(0, |top| *top as usize + 2)];
    for layer in &layers {
        free[*layer as usize + 1] += 1;
    }
    for layer in 1..free.len() {
        free[layer] += free[layer - 1];
    }
    let mut renumbered = vec![u32::MAX; sizes.len()];
    let mut resized = vec![0; sizes.len()];
    for component in &mut of {
        let old = *component as usize;
        if renumbered[old] == u32::MAX {
            let next = &mut free[layers[old] as usize];
            renumbered[old] = *next;
            resized[*next as usize] = sizes[old];
            *next += 1;
        }
        *component = renumbered[old];
    }
    Some(Components { of, sizes: resized })
}

/// Of each component. What it reaches was numbered before it.
fn layers<A: Iterator<Item = u32>>(
    of: &[u32],
    sizes: &[u32],
    arcs: impl Fn(u32) -> A,
    progress: &Progress,
) -> Option<Vec<u32>> {
    let members = members(of, sizes);
    let mut layers = vec![0_u32; sizes.len()];
    for component in 0..number(sizes.len()) {
        if component % PLACES_AT_ONCE == 0 && progress.is_cancelled() {
            return None;
        }
        progress.advance(u64::from(sizes[component as usize]));
        let others = members.row(component).iter().flat_map(|item| arcs(*item)).map(|item| of[item as usize]);
        let others = others.filter(|other| *other != component);
        layers[component as usize] = others.map(|other| layers[other as usize] + 1).max().unwrap_or(0);
    }
    Some(layers)
}
