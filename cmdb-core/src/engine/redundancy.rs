//! Redundancy that the machine concludes, and what people say of it.
//!
//! ```text
//!  commits ─→ clients concerned ─→ redundancy::propose ─→ differs from what is kept? ─→ writer ─→ commit of the rule
//!  person: confirm, reject ───────────────────────────────────────────────────────────→ writer ─→ commit of the person
//! ```
//!
//! A proposal is what the rule's source claims: the group on the client, and beside the claims of each relationship
//! one that says only in which group it stands. A person's word is kept in the same way and goes first, so a rejected
//! group is proposed no more and a confirmed one no longer counts as a guess. The looking is done by whoever asks for
//! it, on a reader; the writer is given only what differs.
//!
//! Invariant: looking again when nothing has changed writes nothing.

mod concerned;
mod look;

use std::collections::BTreeSet;
use std::sync::PoisonError;

pub(super) use look::RULE_SOURCE;

use super::ingest::{self, Stating, Unit, groups, withdraw};
use super::request::{Actor, EngineError, JudgeGroup, Outcome, Proposed, Verdict};
use super::writer::Work;
use super::{Cmdb, When};
use crate::change::Draft;
use crate::claim::{Claim, RedundancyClaim, Reference, RelationshipClaim, UnitKind};
use crate::model::item::Group;
use crate::model::relationship::Require;
use crate::model::{ItemId, Problem, Reason, Revision, SourceId, SourceKind};
use crate::reconcile::Sources;
use crate::store::StoreError;

/// The most clients that one look judges; the next one goes on.
pub const CLIENTS_MAX: usize = 1_000;
/// From so many groups and members on, the other clients wait for the next look: others write in between.
pub(super) const PARTS_MAX: usize = 1_000;
/// What the keys of a person's word on a group begin with.
const VERDICT: &str = "verdict on ";
const SCOPE: &str = "redundancy";

/// How far commits were looked through.
#[derive(Debug, Default)]
pub(super) struct Looked {
    upto: Option<Revision>,
    /// Clients that must be looked at.
    waiting: BTreeSet<ItemId>,
}

/// What the rule shall claim of one client from now on.
pub(super) struct Wanted {
    claims: Vec<Claim>,
    /// Keys of what it claimed and shall not.
    gone: Vec<String>,
}

impl Wanted {
    /// How much the writer is given to do.
    fn parts(&self) -> usize {
        self.gone.len() + self.claims.iter().map(|claim| 1 + claim.relationships.len()).sum::<usize>()
    }
}

impl Cmdb {
    /// Looks for redundancy in what has changed since the last look, and keeps what differs from before. Waits for
    /// the writer; not for its thread.
    ///
    /// # Errors
    /// When the store cannot be read or written; then the next look does it again.
    pub fn propose_groups(&self) -> Result<Proposed, EngineError> {
        let reader = self.reader_at(When::Now)?;
        let mut looked = self.inner.looked.lock().unwrap_or_else(PoisonError::into_inner);
        concerned::note(&reader, &mut looked)?;
        let (mut clients, mut wanted) = (Vec::new(), Vec::new());
        let mut parts = 0;
        for client in looked.waiting.iter().take(CLIENTS_MAX) {
            if parts >= PARTS_MAX {
                break;
            }
            let found = look::at(&reader, *client)?;
            parts += found.as_ref().map_or(0, Wanted::parts);
            clients.push(*client);
            wanted.extend(found);
        }
        let changed = wanted.len();
        if changed > 0 {
            let (tell, told) = std::sync::mpsc::channel();
            self.send(Work::Propose(wanted, Box::new(move |done| drop(tell.send(done)))));
            told.recv().map_err(|_| EngineError::Closed)??;
        }
        for client in &clients {
            looked.waiting.remove(client);
        }
        Ok(Proposed { looked_at: clients.len(), changed, left: looked.waiting.len() })
    }

    /// A person confirms a group, or rejects it.
    pub fn judge_group(&self, ask: JudgeGroup, reply: super::Reply<super::Applied>) {
        self.send(Work::JudgeGroup(ask, reply));
    }
}

/// Keeps what the rule claims from now on.
pub(super) fn propose(draft: &mut Draft<'_>, wanted: &[Wanted]) -> Result<Actor, StoreError> {
    let source = draft.source(RULE_SOURCE, SourceKind::Rule, "redundancy seen in what clients use", "")?;
    let stating = stating(draft, source, SourceKind::Rule);
    for one in wanted {
        for key in &one.gone {
            withdraw::withdraw_unit(draft, &stating, UnitKind::Redundancy, key, None)?;
        }
        let units: Vec<Unit> = one.claims.iter().map(|claim| Unit::of(claim.clone(), SCOPE)).collect();
        // What has gone since it was looked at is refused, and looked at again because it has.
        ingest::state(draft, &stating, &units)?;
    }
    Ok(Actor { name: "rule".to_owned(), reason: "redundancy seen in what clients use".to_owned() })
}

fn stating(draft: &Draft<'_>, source: SourceId, kind: SourceKind) -> Stating<'static> {
    Stating { source, kind, scope: SCOPE, observed_at: draft.now(), merge: false }
}

/// Whether a group is a person's word on what was concluded.
pub(super) fn is_verdict(group: &Group) -> bool {
    group.key.starts_with(VERDICT)
}

/// Keeps a person's word on a group.
pub(super) fn judge(
    draft: &mut Draft<'_>,
    ask: &JudgeGroup,
    source: SourceId,
) -> Result<Result<(), Problem>, StoreError> {
    let Some(item) = draft.item(ask.item)? else {
        let message = format!("there is no item {}", ask.item);
        return Ok(Err(Problem::new(Reason::ItemNotFound, message, ask.item.to_string())));
    };
    let said: Vec<&Group> = item.groups.iter().filter(|group| group.name == ask.group).collect();
    let Some(guess) = said.iter().find(|group| group.inferred || is_verdict(group)) else {
        return Ok(Err(no_guess(draft, ask, &item.name, &item.groups)));
    };
    let require = match ask.verdict {
        Verdict::Confirm(Some(require)) => require,
        Verdict::Confirm(None) if guess.rejected => Require::Any,
        Verdict::Confirm(None) => guess.require,
        Verdict::Reject => Require::All,
    };
    let members = groups::edges(draft, ask.item, &ask.group)?;
    let claim = Claim {
        kind: UnitKind::Redundancy,
        key: format!("{VERDICT}{} {}", ask.item, ask.group),
        item: None,
        relationships: members
            .iter()
            .map(|edge| member(edge.from, &edge.kind, edge.to, &ask.group))
            .collect(),
        redundancies: vec![RedundancyClaim {
            item: Reference::Id(ask.item),
            group: ask.group.clone(),
            require,
            inferred: false,
            confidence: 1.0,
            evidence: ask.actor.reason.clone(),
            rejected: ask.verdict == Verdict::Reject,
        }],
    };
    // The last word counts: what others said of it goes, and so does what this person said under an older key.
    for group in said.iter().filter(|group| is_verdict(group)) {
        let other = stating(draft, group.source, SourceKind::Person);
        if group.source != source || group.key != claim.key {
            withdraw::withdraw_unit(draft, &other, UnitKind::Redundancy, &group.key, None)?;
        }
    }
    let stating = stating(draft, source, SourceKind::Person);
    let decisions = ingest::state(draft, &stating, &[Unit::of(claim, SCOPE)])?;
    for decision in decisions {
        if let Outcome::Refused(problem) = decision.outcome {
            return Ok(Err(problem));
        }
        if let Some(problem) = decision.problems.into_iter().next() {
            return Ok(Err(problem));
        }
    }
    Ok(Ok(()))
}

/// The relationship as a member of a group, and nothing more.
fn member(from: ItemId, kind: &str, to: ItemId, group: &str) -> RelationshipClaim {
    RelationshipClaim {
        from: Reference::Id(from),
        kind: kind.to_owned(),
        to: Reference::Id(to),
        group: group.to_owned(),
        weight: 1.0,
        inferred: true,
        confidence: 1.0,
        denied: false,
        attributes: Default::default(),
    }
}

fn no_guess(draft: &Draft<'_>, ask: &JudgeGroup, name: &str, groups: &[Group]) -> Problem {
    let thing = format!("group \"{}\" of {name}", ask.group);
    if let Some(declared) = groups.iter().find(|group| group.name == ask.group) {
        let (source, _) = draft.name_and_kind(declared.source);
        let message = format!("{thing} was not concluded: {source} declares it as {}", declared.require);
        return Problem::new(Reason::GroupUnknown, message, thing)
            .hint("there is nothing to confirm or to reject; correct what declares it");
    }
    let guesses: BTreeSet<&str> =
        groups.iter().filter(|group| group.inferred).map(|group| group.name.as_str()).collect();
    let hint = if guesses.is_empty() {
        "`cmdb groups` lists the groups that there are".to_owned()
    } else {
        format!("it has {}", guesses.into_iter().collect::<Vec<_>>().join(", "))
    };
    Problem::new(Reason::GroupUnknown, format!("there is no {thing}"), thing).hint(hint)
}
