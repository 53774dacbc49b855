//! Answers that may take a while: how far they are, on standard error where that is a terminal, until they are there.

use cmdb_proto::v1::{
    AvailabilityEvent, AvailabilityResponse, BlastRadiusEvent, BlastRadiusResponse, CriticalEvent,
    CriticalResponse, GraphProgress, availability_event, blast_radius_event, critical_event,
};
use tonic::Streaming;

use crate::error::CommandError;
use crate::message::Progress;
use crate::session::Session;

/// What comes of a long question.
pub enum Told<A> {
    Progress(GraphProgress),
    Answer(A),
}

/// A piece of the stream that a long question is answered with.
pub trait Event {
    type Answer;

    /// What it says; nothing where a later server says what this one does not know.
    fn told(self) -> Option<Told<Self::Answer>>;
}

macro_rules! events {
    ($($event:ident: $module:ident, $answer:ident;)*) => {
        $(impl Event for $event {
            type Answer = $answer;

            fn told(self) -> Option<Told<$answer>> {
                Some(match self.event? {
                    $module::Event::Progress(progress) => Told::Progress(progress),
                    $module::Event::Result(answer) => Told::Answer(answer),
                })
            }
        })*
    };
}

events! {
    AvailabilityEvent: availability_event, AvailabilityResponse;
    BlastRadiusEvent: blast_radius_event, BlastRadiusResponse;
    CriticalEvent: critical_event, CriticalResponse;
}

/// Waits for the answer. What takes no time shows no progress.
pub async fn answer<E: Event>(
    session: &Session,
    mut events: Streaming<E>,
) -> Result<E::Answer, CommandError> {
    let mut bar: Option<Progress> = None;
    while let Some(event) = events.message().await? {
        match event.told() {
            Some(Told::Answer(answer)) => return Ok(answer),
            Some(Told::Progress(at)) => {
                let bar = bar.get_or_insert_with(|| Progress::new(&session.messages));
                bar.at(&at.phase, at.done, at.total);
            }
            None => {}
        }
    }
    Err(CommandError::failure("the server ended before the answer was complete"))
}
