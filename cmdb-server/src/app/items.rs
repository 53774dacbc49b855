//! What there is: one item, or a page of them.

use std::collections::{BTreeMap, BTreeSet};

use std::sync::Arc;

use cmdb_core::engine::{Cmdb, Evidence, Figured, List, Reader, When};
use cmdb_core::model::schema::{Failure, Schema};
use cmdb_core::model::{Item, ItemId, Relationship, Revision, Timestamp};
use cmdb_core::query::Sort;
use cmdb_impact::Progress;

use super::graph::{AsOf, Figures, Kept};
use super::health::{GivenAnswer, given};
use super::names::Mentioned;
use super::{App, Asker, Error, Names};

/// Relationships shown with an item when nobody says how many.
pub const RELATIONSHIPS_DEFAULT: usize = 1_000;
/// Relationships shown with an item at most.
pub const RELATIONSHIPS_MAX: usize = 100_000;
/// Items on a page when nobody says how many.
pub const PAGE_DEFAULT: usize = 100;
/// Items on a page at most.
pub const PAGE_MAX: usize = 10_000;
/// Relationships of an item that are looked at to count the members of its groups.
const MEMBERS_SCANNED_MAX: usize = 10_000;

/// The order by how many items each one could take with it.
const BLAST_RADIUS: &str = "blast_radius";

/// Whether an item is shown with what each source says of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Claims {
    /// With.
    Shown,
    /// Without.
    Left,
}

/// An item at the moment that was asked.
#[derive(Clone, Debug)]
pub struct OneAnswer {
    /// The moment.
    pub as_of: AsOf,
    /// The item.
    pub item: ItemAnswer,
}

/// An item with everything that was asked for.
#[derive(Clone, Debug)]
pub struct ItemAnswer {
    /// The item.
    pub item: Item,
    /// The merged item that was asked for, and led here.
    pub redirected_from: Option<ItemId>,
    /// Its claims are shown.
    pub claims: bool,
    /// What is known of each of its claims at the moment that is read.
    pub evidence: Vec<ClaimEvidence>,
    /// When somebody last saw it.
    pub last_seen: Timestamp,
    /// Of its last change; 0: not looked up.
    pub revision: Revision,
    /// When asked for.
    pub relationships: Option<Vec<(Relationship, Evidence)>>,
    /// Relationships beyond those shown.
    pub relationships_omitted: usize,
    /// How many members its groups have.
    pub members: BTreeMap<String, u32>,
    /// How many items it could take with it, where it is listed by that and it is known.
    pub blast_radius: Option<u64>,
    /// Who answers for it, where it does not say so itself; in a listing: not looked up.
    pub given: Vec<GivenAnswer>,
    /// What is mentioned.
    pub names: Names,
}

/// What is known of a claim at the moment that is read.
#[derive(Clone, Debug)]
pub struct ClaimEvidence {
    /// When its source last confirmed it.
    pub confirmed_at: Timestamp,
    /// Its attributes that were not confirmed in time.
    pub stale: BTreeSet<String>,
}

/// A page of items.
#[derive(Clone, Debug)]
pub struct PageAnswer {
    /// The moment.
    pub as_of: AsOf,
    /// The items.
    pub items: Vec<ItemAnswer>,
    /// Where the next page begins; empty: the end.
    pub next_page_token: String,
    /// All that match.
    pub total: u64,
    /// By which figures they are listed; none: by what is said of them.
    pub listed_by: Option<ListedBy>,
}

/// Figures by which items are listed.
#[derive(Clone, Copy, Debug)]
pub struct ListedBy {
    /// The moment for which they are exact.
    pub as_of: AsOf,
    /// How many that match came later and have none yet: they are listed last.
    pub without: u64,
}

impl App {
    /// One item; `relationships_max` says how many of its relationships are shown, when any.
    ///
    /// # Errors
    /// When there is no such item, or several.
    pub async fn item(
        &self,
        text: String,
        when: When,
        claims: Claims,
        relationships_max: Option<usize>,
    ) -> Result<OneAnswer, Error> {
        self.read_at(when, move |reader| {
            let found = reader.resolve_followed(&text)?;
            let id = found.item;
            let item = reader.item(id)?.ok_or(Error::Internal)?;
            let mut answer = dressed(reader, item)?;
            answer.redirected_from = found.redirected_from;
            answer.claims = claims == Claims::Shown;
            answer.revision = last_change(reader, id)?;
            answer.given = given(reader, &answer.item)?;
            if let Some(max) = relationships_max {
                let (relationships, omitted) = reader.relationships(id, max)?;
                let mut known = Vec::with_capacity(relationships.len());
                for relationship in relationships {
                    let evidence = reader.evidence(&relationship)?;
                    known.push((relationship, evidence));
                }
                answer.relationships = Some(known);
                answer.relationships_omitted = omitted;
            }
            let mut mentioned = Mentioned::default();
            mentioned.item(&answer.item);
            answer
                .relationships
                .iter()
                .flatten()
                .for_each(|(relationship, _)| mentioned.relationship(relationship));
            answer.names = mentioned.names(reader)?;
            Ok(OneAnswer { as_of: AsOf::of(reader), item: answer })
        })
        .await
    }

    /// A page of items.
    ///
    /// # Errors
    /// When the class, the filter, the order or the page's beginning is wrong.
    pub async fn items(&self, when: When, list: List) -> Result<PageAnswer, Error> {
        // What is wrong with an order is said where it is read.
        if Sort::parse(&list.sort).is_ok_and(|sort| sort.attribute == BLAST_RADIUS) {
            let (engine, kept) = (self.engine.clone(), Arc::clone(&self.blast));
            let progress = Arc::new(Progress::default());
            let asker = Asker::of(&progress);
            let answered = self.work(move || by_blast_radius(&engine, &kept, when, &list, &progress)).await;
            drop(asker);
            return answered;
        }
        self.read_at(when, move |reader| page(reader, &list, None)).await
    }
}

fn by_blast_radius(
    engine: &Cmdb,
    kept: &Arc<Kept<Figures>>,
    when: When,
    list: &List,
    progress: &Progress,
) -> Result<PageAnswer, Error> {
    let (reader, figures) = kept.figures(engine, when, progress)?;
    page(&reader, list, Some(&figures))
}

fn page(reader: &Reader, list: &List, figures: Option<&Figures>) -> Result<PageAnswer, Error> {
    let of = |id| figures.and_then(|figures| figures.of(id)).map(u64::from);
    let figured = figures.map(|_| Figured { name: BLAST_RADIUS, of: &of });
    let page = reader.list_by(list, figured)?;
    let mut items = Vec::with_capacity(page.items.len());
    for item in page.items {
        let mut answer = dressed(reader, item)?;
        let mut mentioned = Mentioned::default();
        mentioned.item(&answer.item);
        answer.names = mentioned.names(reader)?;
        answer.blast_radius = of(answer.item.id);
        items.push(answer);
    }
    Ok(PageAnswer {
        as_of: AsOf::of(reader),
        items,
        next_page_token: page.next_page_token,
        total: page.total,
        listed_by: figures.map(|figures| ListedBy { as_of: figures.as_of, without: page.without_figure }),
    })
}

pub(super) fn dressed(reader: &Reader, item: Item) -> Result<ItemAnswer, Error> {
    let mut evidence = Vec::with_capacity(item.claims.len());
    for claim in &item.claims {
        let stale = reader.stale_attributes(&item, claim)?;
        evidence.push(ClaimEvidence { confirmed_at: reader.confirmed_at(claim)?, stale });
    }
    Ok(ItemAnswer {
        last_seen: reader.last_seen(&item)?,
        members: members(reader, &item)?,
        item,
        redirected_from: None,
        claims: false,
        evidence,
        revision: Revision(0),
        relationships: None,
        relationships_omitted: 0,
        blast_radius: None,
        given: Vec::new(),
        names: Names::default(),
    })
}

pub(super) fn last_change(reader: &Reader, id: ItemId) -> Result<Revision, Error> {
    Ok(reader.last_change(id)?.unwrap_or(Revision(0)))
}

/// How many relationships each group of the item has, where the item is the end that failure reaches.
fn members(reader: &Reader, item: &Item) -> Result<BTreeMap<String, u32>, Error> {
    let mut members = BTreeMap::new();
    if item.groups.is_empty() {
        return Ok(members);
    }
    let (relationships, _) = reader.relationships(item.id, MEMBERS_SCANNED_MAX)?;
    for relationship in relationships.iter().filter(|relationship| relationship.stands()) {
        let group = relationship.group();
        if !group.is_empty() && dependent(reader.schema(), relationship) == Some(item.id) {
            *members.entry(group.to_owned()).or_default() += 1;
        }
    }
    Ok(members)
}

/// The end that failure reaches.
fn dependent(schema: &Schema, relationship: &Relationship) -> Option<ItemId> {
    match schema.relationship_type(&relationship.kind)?.failure {
        Failure::TargetToSource => Some(relationship.from),
        Failure::SourceToTarget => Some(relationship.to),
        Failure::None => None,
    }
}
