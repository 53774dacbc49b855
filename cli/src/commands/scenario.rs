//! `cmdb scenario`: edits that were never made, kept under a name, asked, and applied.
//!
//! ```text
//! create → add, remove, set, relate, unrelate, require → diff, impact --scenario … → apply
//! ```

mod apply;
mod edits;
mod list;

#[cfg(test)]
mod tests;

use clap::{Args, Subcommand};
use cmdb_proto::v1::{
    CreateScenarioRequest, DeleteScenarioRequest, DiffScenarioRequest, GetScenarioRequest,
    ListScenariosRequest,
};

use crate::error::CommandError;
use crate::output::{Format, json};
use crate::session::Session;

pub const FORMATS: &[Format] = &[Format::Table, Format::Json];

#[derive(Args, Debug)]
#[command(after_help = "An item that the scenario adds is written +NAME in later edits and questions.\n\n\
    Example:\n  cmdb scenario create spare --reason 'a second payment instance'\n  \
    cmdb scenario add spare application payment-2\n  \
    cmdb scenario relate spare si-payment depends_on +payment-2 --group payment\n  \
    cmdb impact payment-1 --scenario spare\n  cmdb scenario apply spare --dry-run")]
pub struct Arguments {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand, Debug)]
enum What {
    /// Make a scenario without edits
    Create {
        #[arg(value_name = "NAME")]
        name: String,
        /// The moment whose graph is edited [default: now]
        #[arg(long, value_name = "WHEN", default_value = "", hide_default_value = true)]
        base: String,
        /// What it is for
        #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
        reason: String,
    },
    /// All scenarios
    List,
    /// One scenario with its edits
    Show {
        #[arg(value_name = "NAME")]
        name: String,
    },
    /// Forget a scenario; what was applied stays
    Delete {
        #[arg(value_name = "NAME")]
        name: String,
    },
    /// Add an item
    Add(edits::Add),
    /// Take an item out
    Remove(edits::Remove),
    /// Change attributes of an item
    Set(edits::Set),
    /// Add a relationship, or change its group and weight
    Relate(edits::Relate),
    /// Take a relationship away
    Unrelate(edits::Unrelate),
    /// Say what a redundancy group needs
    Require(edits::Require),
    /// How it differs from its base, and where the graph has moved on since
    Diff {
        #[arg(value_name = "NAME")]
        name: String,
    },
    /// Make the edits, in one commit in your name
    Apply(apply::Arguments),
}

pub async fn run(arguments: Arguments, session: &mut Session) -> Result<(), CommandError> {
    match arguments.what {
        What::Create { name, base, reason } => {
            let request = CreateScenarioRequest { name, base, reason };
            let made = session.connect().await?.scenarios().create(request).await?.into_inner();
            list::edited(session, &made, 0)
        }
        What::List => {
            let answer = session.connect().await?.scenarios().list(ListScenariosRequest {}).await?;
            list::all(session, &answer.into_inner().scenarios)
        }
        What::Show { name } => {
            let request = GetScenarioRequest { name };
            let scenario = session.connect().await?.scenarios().get(request).await?.into_inner();
            list::one(session, &scenario)
        }
        What::Delete { name } => {
            let request = DeleteScenarioRequest { name: name.clone() };
            session.connect().await?.scenarios().delete(request).await?;
            list::deleted(session, &name)
        }
        What::Add(add) => add.run(session).await,
        What::Remove(remove) => remove.run(session).await,
        What::Set(set) => set.run(session).await,
        What::Relate(relate) => relate.run(session).await,
        What::Unrelate(unrelate) => unrelate.run(session).await,
        What::Require(require) => require.run(session).await,
        What::Diff { name } => {
            let request = DiffScenarioRequest { name: name.clone() };
            let diff = session.connect().await?.scenarios().diff(request).await?.into_inner();
            match session.format {
                Format::Json => Ok(json::write(session.out.as_mut(), &apply::diff_json(&name, &diff))?),
                _ => Ok(apply::diff_table(session.out.as_mut(), &name, &diff)?),
            }
        }
        What::Apply(arguments) => apply::run(arguments, session).await,
    }
}

/// `--scenario` of the commands that ask the graph.
#[derive(Args, Debug)]
pub struct InScenario {
    /// Ask as if the edits of this scenario had been made, on the graph of its base
    #[arg(long, value_name = "NAME", default_value = "", hide_default_value = true)]
    scenario: String,
}

impl InScenario {
    /// As the contract has it: empty for none.
    pub fn name(&self) -> String {
        self.scenario.clone()
    }

    /// Says that the answer is not about what there is.
    pub fn note(&self, session: &mut Session, base: u64) -> Result<(), CommandError> {
        if !self.scenario.is_empty() {
            session.flush()?;
            session.messages.note(&format!("in scenario {}, on revision {base}", self.scenario));
        }
        Ok(())
    }
}
