//! Which clients a commit concerns: whoever uses what has changed.
//!
//! The first look concerns every client; so does one after more changes than are worth following. Later ones follow
//! the log, and ask the store who uses what, since the graph does not show who uses what is retired. Invariant: a
//! client whose proposals may have changed is among those that are found; more may be.

use std::collections::BTreeSet;

use super::Looked;
use super::look::{CLUSTERED, PROVIDED, REPLICATES, USES};
use crate::engine::{EngineError, Reader};
use crate::model::ItemId;
use crate::store::record::ChangeRecord;

/// The most changes that are followed one by one.
const FOLLOWED_MAX: usize = 50_000;

/// What has changed.
#[derive(Default)]
struct Changed {
    /// Clients of which a use has changed.
    clients: BTreeSet<ItemId>,
    /// Items that may be servers, endpoints or clusters.
    items: BTreeSet<ItemId>,
}

/// Adds the clients that the commits since the last look concern.
pub(super) fn note(reader: &Reader, looked: &mut Looked) -> Result<(), EngineError> {
    let head = reader.revision();
    let mut changed = Changed::default();
    let followed = match looked.upto {
        Some(upto) if upto == head => return Ok(()),
        Some(upto) => reader.changes_after(upto, FOLLOWED_MAX, &mut |change| changed.note(change))?.is_some(),
        None => false,
    };
    if followed {
        for item in changed.items {
            of_item(reader, item, &mut looked.waiting)?;
        }
        looked.waiting.extend(changed.clients);
    } else {
        let graph = reader.graph();
        looked.waiting.extend(graph.indexes().map(|index| graph.id(index)));
    }
    looked.upto = Some(head);
    Ok(())
}

impl Changed {
    fn note(&mut self, change: &ChangeRecord) {
        if let Some(item) = &change.item {
            self.items.insert(ItemId(item.id));
        } else if let Some(edge) = change.relationship_after.as_ref().or(change.relationship_before.as_ref())
        {
            match edge.kind.as_str() {
                kind if USES.contains(&kind) => drop(self.clients.insert(ItemId(edge.from))),
                PROVIDED | CLUSTERED => drop(self.items.insert(ItemId(edge.from))),
                REPLICATES => self.items.extend([ItemId(edge.from), ItemId(edge.to)]),
                _ => {}
            }
        }
    }
}

/// The item itself, and the clients of what it is: a server, an endpoint, or a cluster of servers.
fn of_item(reader: &Reader, item: ItemId, found: &mut BTreeSet<ItemId>) -> Result<(), EngineError> {
    found.insert(item);
    for (kind, from) in of_server(reader, item, found)? {
        if kind == CLUSTERED {
            of_server(reader, from, found)?;
        }
    }
    Ok(())
}

/// The clients of a server and of its endpoints; everything that is related to it.
fn of_server(
    reader: &Reader,
    server: ItemId,
    found: &mut BTreeSet<ItemId>,
) -> Result<Vec<(String, ItemId)>, EngineError> {
    let related = reader.incoming(server)?;
    users(&related, found);
    for (_, endpoint) in related.iter().filter(|(kind, _)| kind == PROVIDED) {
        users(&reader.incoming(*endpoint)?, found);
    }
    Ok(related)
}

fn users(related: &[(String, ItemId)], found: &mut BTreeSet<ItemId>) {
    found.extend(related.iter().filter(|(kind, _)| USES.contains(&kind.as_str())).map(|(_, from)| *from));
}
