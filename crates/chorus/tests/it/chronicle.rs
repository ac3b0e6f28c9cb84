//! Generated briefs and books.

/// Parameters of a generated book.
#[derive(Clone, Copy)]
pub(crate) struct Chronicle {
    pub(crate) seed: u64,
    pub(crate) chapters: u32,
    /// True if two chapters state the same fact with different numbers.
    pub(crate) contradiction: bool,
}

const PLACES: [&str; 8] = [
    "harbour",
    "mill",
    "bridge",
    "quarry",
    "orchard",
    "tunnel",
    "market",
    "observatory",
];
const EVENTS: [&str; 6] = [
    "was rebuilt by the guild",
    "was flooded twice",
    "was leased to the town",
    "was measured anew",
    "was painted white",
    "was closed for repairs",
];
const REASONS: [&str; 5] = [
    "because the old stones had cracked",
    "after a long dispute over water",
    "so that barges could pass",
    "although nobody had asked for it",
    "when the frost came early",
];

impl Chronicle {
    /// Brief for the book.
    pub(crate) fn brief() -> String {
        "# A guide to the chronicle\n\nSummarise the attached chronicle chapter by chapter and bind the summaries into one guide.\n\n\
         ## What to deliver\n\n- One file `guide.md` with a section for each chapter: a summary and its key points.\n\
         - A glossary of the terms that the chronicle defines.\n- A note that names contradictions between chapters.\n"
            .to_owned()
    }

    /// Text of the book.
    pub(crate) fn text(&self) -> String {
        let mut text = "# The chronicle\n\n".to_owned();
        for number in 1..=self.chapters {
            text.push_str(&self.chapter(number));
        }
        text
    }

    fn chapter(&self, number: u32) -> String {
        let mut chance = fastrand::Rng::with_seed(self.seed * 1000 + u64::from(number));
        let place = PLACES[number as usize % PLACES.len()];
        let mut text = format!(
            "## Chapter {number}: The {place} of year {}\n\n",
            1800 + number
        );
        for paragraph in 0..6 {
            for _ in 0..5 {
                let event = EVENTS[chance.usize(..EVENTS.len())];
                let reason = REASONS[chance.usize(..REASONS.len())];
                text.push_str(&format!(
                    "In its season {} the {place} of ward {number} {event} {reason}. ",
                    chance.u32(10..99)
                ));
            }
            if paragraph == 2 {
                text.push_str(&format!("A **{place} warden {number}** is a person who keeps the {place} of ward {number}. "));
            }
            text.push_str("\n\n");
        }
        match (self.contradiction, number) {
            (true, 2) => text.push_str("The great bell of the chronicle was cast in 1874.\n\n"),
            (true, 4) => text.push_str("The great bell of the chronicle was cast in 1879.\n\n"),
            _ => {}
        }
        text
    }
}
