//! Sentences about unplanned events: refusals, lost workers, retries, conflicts, rework, failures.
//!
//! Built from the history and the deliveries of a [`ReportInput`]; [`build`](crate::build()) puts them into
//! the [`Report`](crate::Report) in order of time. Each sentence is written in English and in Vietnamese.

mod of_delivery;
mod of_event;

use super::figures::Happening;
use super::input::ReportInput;
use super::names::Names;

pub(super) use of_event::failure_text;

/// Kind of an event and its sentence in two languages.
struct Sentence {
    kind: &'static str,
    english: String,
    vietnamese: String,
}

pub(super) fn happenings(input: &ReportInput, names: &Names<'_>) -> Vec<Happening> {
    let of_events = input.events.iter().filter_map(|stored| {
        let sentence = of_event::sentence(&stored.event)?;
        Some(sentence.at(input.since(stored.at)))
    });
    let of_deliveries = input.deliveries.iter().filter_map(|delivery| {
        let at = input.since(delivery.ended_at?);
        Some(of_delivery::sentence(input, names, delivery)?.at(at))
    });
    let mut all: Vec<Happening> = of_events.chain(of_deliveries).collect();
    all.sort_by_key(|happening| happening.at_ms);
    all
}

impl Sentence {
    fn new(kind: &'static str, english: String, vietnamese: String) -> Option<Self> {
        Some(Self {
            kind,
            english,
            vietnamese,
        })
    }

    fn at(self, at_ms: u64) -> Happening {
        Happening {
            at_ms,
            kind: self.kind.to_owned(),
            text: self.english,
            text_vi: self.vietnamese,
        }
    }
}
