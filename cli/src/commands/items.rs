//! `cmdb items`: items, filtered and sorted, page by page.

use std::io::{self, Write};

use clap::Args;
use cmdb_proto::v1::{Item, ListItemsRequest, ListItemsResponse};
use jiff::Timestamp;

use super::as_of::AsOf;
use crate::error::CommandError;
use crate::output::json::{self, Object, Place};
use crate::output::table::{Cell, FAINT, NAME, Table, WARN};
use crate::output::{Format, words};
use crate::session::Session;
use crate::time;
use serde_json::json;

pub const FORMATS: &[Format] = &[Format::Table, Format::Json, Format::Jsonl];

/// Items per request with `--all`: large enough to be quick, small enough to start printing at once.
const PAGE_ITEMS: u32 = 1_000;
/// Items listed when nothing else is said.
const LIMIT: u64 = 100;

#[derive(Args, Debug)]
#[command(after_help = "Examples:\n  cmdb items --class server --where 'os.name = \"Debian\"'\n  \
    cmdb items --class package --where 'version >= 3' --sort -version --limit 20")]
pub struct Arguments {
    /// Only this class and the classes below it
    #[arg(long, value_name = "CLASS", default_value = "", hide_default_value = true)]
    class: String,
    /// Only items for which this holds, such as os.name = "Debian"
    #[arg(long = "where", value_name = "CONDITION", default_value = "", hide_default_value = true)]
    condition: String,
    /// Attribute to sort by, or name, class, id, blast_radius; descending with a - in front
    #[arg(
        long,
        value_name = "ATTRIBUTE",
        default_value = "",
        hide_default_value = true,
        allow_hyphen_values = true
    )]
    sort: String,
    /// List at most this many [default: 100]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..), conflicts_with_all = ["all", "count"])]
    limit: Option<u64>,
    /// List every one
    #[arg(long, conflicts_with = "count")]
    all: bool,
    /// Only say how many there are
    #[arg(long)]
    count: bool,
    /// Retired items too
    #[arg(long)]
    retired: bool,
    #[command(flatten)]
    as_of: AsOf,
}

pub async fn run(arguments: Arguments, session: &mut Session) -> Result<(), CommandError> {
    let request = ListItemsRequest {
        class: arguments.class,
        r#where: arguments.condition,
        sort: arguments.sort,
        page_size: PAGE_ITEMS,
        page_token: String::new(),
        retired: arguments.retired,
        count_only: arguments.count,
        as_of: arguments.as_of.text(),
    };
    let mut client = session.connect().await?.items();
    if arguments.count {
        let answer = client.list(request).await?.into_inner();
        return Ok(count(session.out.as_mut(), session.format, answer.total)?);
    }
    let limit = if arguments.all { u64::MAX } else { arguments.limit.unwrap_or(LIMIT) };
    let by = if is_by_figure(&request.sort) { By::Figure } else { By::Attribute };
    let mut listing = Listing::new(session.format, session.now, by);
    let mut request = request;
    let mut listed = 0;
    loop {
        let wanted = (limit - listed).min(u64::from(PAGE_ITEMS));
        request.page_size = u32::try_from(wanted).expect("at most PAGE_ITEMS");
        let page = client.list(request.clone()).await?.into_inner();
        listed += page.items.len() as u64;
        let is_last = page.next_page_token.is_empty() || listed >= limit || page.items.is_empty();
        listing.write(session.out.as_mut(), &page)?;
        if is_last {
            listing.end(session.out.as_mut(), listed, &page)?;
            if session.format == Format::Table {
                arguments.as_of.write(session.out.as_mut(), page.revision, page.as_of_us, session.now)?;
            }
            arguments.as_of.note(session, page.revision, page.as_of_us);
            if session.format == Format::Jsonl {
                session.flush()?;
                listing.figures(&page).iter().for_each(|line| session.messages.note(line));
            }
            break;
        }
        request.page_token = page.next_page_token;
        if !request.as_of.is_empty() {
            // Time goes on from page to page; the moment does not.
            request.as_of = page.revision.to_string();
        }
    }
    if session.format == Format::Jsonl {
        session.flush()?;
        if listed < listing.total {
            session.messages.note(&cut(listed, listing.total));
        }
    }
    Ok(())
}

/// Whether that is an order by how many items each one could take with it.
fn is_by_figure(sort: &str) -> bool {
    sort.trim().trim_start_matches('-').trim() == "blast_radius"
}

/// What the items are listed by.
#[derive(Clone, Copy, PartialEq, Eq)]
enum By {
    Attribute,
    Figure,
}

fn count(out: &mut dyn Write, format: Format, total: u64) -> io::Result<()> {
    match format {
        Format::Json | Format::Jsonl => json::write_line(out, &json!({"total": total})),
        Format::Table | Format::Tree | Format::Dot => writeln!(out, "{total}"),
    }
}

fn cut(listed: u64, total: u64) -> String {
    format!(
        "{} of {} are listed: --all lists every one",
        words::number(listed),
        words::count(total, "item", "items")
    )
}

/// The listing as it goes on from page to page.
struct Listing {
    format: Format,
    now: Timestamp,
    rows: Table,
    object: Option<Place>,
    total: u64,
    by: By,
    /// The revision of the figures that the first page was listed by.
    figures_revision: Option<u64>,
}

impl Listing {
    fn new(format: Format, now: Timestamp, by: By) -> Self {
        let rows = match by {
            By::Attribute => Table::new(&["NAME", "ID", "CLASS", "STATUS", "LAST SEEN", "KEY"]),
            By::Figure => {
                Table::new(&["NAME", "ID", "CLASS", "STATUS", "LAST SEEN", "KEY", "BLAST RADIUS"]).right(6)
            }
        };
        Listing { format, now, rows, object: None, total: 0, by, figures_revision: None }
    }

    /// What is to be said of the figures that the items are listed by.
    fn figures(&self, last: &ListItemsResponse) -> Vec<String> {
        let mut lines = Vec::new();
        if self.by == By::Attribute {
            return lines;
        }
        let exact = last.figures_revision;
        match last.revision == exact {
            true => lines.push(format!("blast radius: exact for revision {exact}")),
            false => lines.push(format!(
                "blast radius: exact for revision {exact}; {} is shown, and the figures are being made anew",
                last.revision
            )),
        }
        if self.figures_revision.is_some_and(|first| first != exact) {
            lines.push(
                "the figures were made anew while this was listed: the order of the pages may differ"
                    .to_owned(),
            );
        }
        if last.without_figure > 0 {
            let count = words::count(last.without_figure, "item has", "items have");
            lines.push(format!("{count} no figure yet, being newer: listed last"));
        }
        lines
    }

    fn write(&mut self, out: &mut dyn Write, page: &ListItemsResponse) -> io::Result<()> {
        self.total = page.total;
        self.figures_revision.get_or_insert(page.figures_revision);
        match self.format {
            Format::Jsonl => page.items.iter().try_for_each(|item| json::write_line(out, &self.item(item))),
            Format::Json => self.elements(out, &page.items),
            Format::Table | Format::Tree | Format::Dot => self.part(out, &page.items),
        }
    }

    fn item(&self, item: &Item) -> serde_json::Value {
        let mut object = json::item(item);
        if self.by == By::Figure {
            object["blast_radius"] = item.blast_radius.into();
        }
        object
    }

    /// A page's part of the one JSON object; its opening is written with the first page.
    fn elements(&mut self, out: &mut dyn Write, items: &[Item]) -> io::Result<()> {
        let mut object = match self.object {
            Some(place) => Object::resume(out, place),
            None => {
                let mut object = Object::open(out)?;
                object.open_list("items")?;
                object
            }
        };
        items.iter().try_for_each(|item| object.element(&self.item(item)))?;
        self.object = Some(object.pause());
        Ok(())
    }

    fn part(&mut self, out: &mut dyn Write, items: &[Item]) -> io::Result<()> {
        for item in items {
            let status = json::status_name(item.status);
            let style = if status == "active" { anstyle::Style::new() } else { WARN };
            let row: [Cell; 6] = [
                item.name.as_str().into(),
                item.id.as_str().into(),
                item.class.as_str().into(),
                Cell::styled(status, style),
                time::ago(item.last_seen_us, self.now).unwrap_or_default().into(),
                item.key.as_str().into(),
            ];
            match self.by {
                By::Attribute => self.rows.row(row),
                By::Figure => {
                    let [name, id, class, status, seen, key] = row;
                    let figure = item.blast_radius.map_or_else(|| "".into(), Into::into);
                    self.rows.row([name, id, class, status, seen, key, figure]);
                }
            }
        }
        if self.rows.is_empty() { Ok(()) } else { self.rows.write(out) }
    }

    fn end(&self, out: &mut dyn Write, listed: u64, page: &ListItemsResponse) -> io::Result<()> {
        let total = page.total;
        match self.format {
            Format::Jsonl => Ok(()),
            Format::Json => {
                let place = self.object.expect("a first page was written, be it empty");
                let mut object = Object::resume(out, place);
                object.close_list()?;
                object.field("revision", page.revision)?;
                object.field("as_of", time::rfc3339(page.as_of_us))?;
                object.field("total", total)?;
                object.field("truncated", listed < total)?;
                if self.by == By::Figure {
                    object.field("figures_revision", page.figures_revision)?;
                    object.field("without_figure", page.without_figure)?;
                }
                object.close()
            }
            Format::Table | Format::Tree | Format::Dot if listed == 0 => {
                writeln!(out, "{NAME}no item is known that fits{NAME:#}")
            }
            Format::Table | Format::Tree | Format::Dot => {
                let text =
                    if listed < total { cut(listed, total) } else { words::count(total, "item", "items") };
                writeln!(out, "\n{NAME}{text}{NAME:#}")?;
                self.figures(page).iter().try_for_each(|line| writeln!(out, "{FAINT}{line}{FAINT:#}"))
            }
        }
    }
}

#[cfg(test)]
mod tests;
