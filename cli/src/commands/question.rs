//! What every question to the graph may say besides its own: of which moment or scenario, and over which relationships.

use clap::Args;
use cmdb_proto::v1;
use jiff::Timestamp;

use super::as_of::AsOf;
use super::narrow::Narrow;
use super::scenario::InScenario;
use crate::error::CommandError;
use crate::output::words;
use crate::session::Session;

#[derive(Args, Debug)]
pub struct Question {
    #[command(flatten)]
    narrow: Narrow,
    #[command(flatten)]
    pub as_of: AsOf,
    #[command(flatten)]
    scenario: InScenario,
}

impl Question {
    /// The moment, as the server is asked.
    pub fn as_of(&self) -> String {
        self.as_of.text()
    }

    /// The scenario, as the server is asked.
    pub fn scenario(&self) -> String {
        self.scenario.name()
    }

    /// The relationships, as the server is asked.
    pub fn narrow(&self) -> Option<v1::Narrow> {
        self.narrow.request()
    }

    /// Until when things had been watched when what is shown was so.
    pub fn now(&self, as_of_us: i64, now: Timestamp) -> Timestamp {
        self.as_of.now(as_of_us, now)
    }

    /// Says at the end below a table for people which moment it shows, where one was asked for.
    pub fn write(&self, session: &mut Session, revision: u64, as_of_us: i64) -> Result<(), CommandError> {
        Ok(self.as_of.write(session.out.as_mut(), revision, as_of_us, session.now)?)
    }

    /// Says that the answer is not about what there is, where a scenario was asked.
    pub fn note(&self, session: &mut Session, base: u64) -> Result<(), CommandError> {
        self.scenario.note(session, base)
    }
}

/// `--class`: which items of an answer are listed.
#[derive(Args, Debug)]
pub struct Classes {
    /// List and count only items of this class and those below it; the question goes through the others all the same. May be
    /// given several times
    #[arg(id = "classes", long = "class", value_name = "CLASS")]
    pub classes: Vec<String>,
}

/// ` of class service`; nothing where items of every class are listed.
pub fn of_classes(classes: &[String]) -> String {
    match classes {
        [] => String::new(),
        [one] => format!(" of class {one}"),
        several => format!(" of classes {}", words::and(several.iter().map(String::as_str))),
    }
}

/// How much is left out for its class, in words; nothing where nothing is.
pub fn others(count: u64, one: &str, many: &str) -> Option<String> {
    (count > 0).then(|| format!("{}, left out by --class", words::count(count, one, many)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_are_told_in_words() {
        let told = |classes: &[&str]| {
            of_classes(&classes.iter().map(|class| (*class).to_owned()).collect::<Vec<_>>())
        };
        assert_eq!(told(&[]), "");
        assert_eq!(told(&["service"]), " of class service");
        assert_eq!(told(&["service", "server"]), " of classes service and server");
        let others = |count| others(count, "item of another class", "items of other classes");
        assert_eq!(
            (others(0), others(1)),
            (None, Some("1 item of another class, left out by --class".to_owned()))
        );
    }
}
