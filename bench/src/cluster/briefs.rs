//! Submissions of clients: the long document of `examples/`, and generated surveys.

use std::path::Path;

use anyhow::Context;

/// Input of one project, submitted by a [`Client`](super::client::Client).
#[derive(Debug, Clone)]
pub struct Submission {
    /// Name of the submission in reports.
    pub name: String,
    /// Text of the brief.
    pub brief: String,
    /// Attachments as pairs of name and text.
    pub attachments: Vec<(String, String)>,
}

const PLACES: [&str; 8] = [
    "ferry",
    "granary",
    "lighthouse",
    "tannery",
    "weir",
    "chapel",
    "ropewalk",
    "nursery",
];
const EVENTS: [&str; 6] = [
    "was roofed anew",
    "was let to a cooper",
    "was fenced",
    "was whitewashed",
    "lost a wall",
    "was surveyed",
];
const REASONS: [&str; 5] = [
    "after the spring gale",
    "because the council had asked for it",
    "so that carts could turn",
    "before the toll was raised",
    "although the mason disagreed",
];

/// Generates `many` [`Submission`]s: surveys with two to six districts each; equal seeds give equal
/// surveys.
pub fn surveys(seed: u64, many: u32) -> Vec<Submission> {
    (1..=many).map(|number| survey(seed, number)).collect()
}

/// A survey with short districts, and a brief that asks for one file.
pub fn small(districts: u32) -> Submission {
    let survey = Survey {
        chance: fastrand::Rng::with_seed(1),
        districts,
        sentences: 8,
        contradiction: false,
    };
    let brief = "# A guide\n\nSummarise the attached survey district by district.\n\n## What to deliver\n\n- One file `guide.md` with a section for each district.\n";
    Submission {
        name: "small".to_owned(),
        brief: brief.to_owned(),
        attachments: vec![("survey.md".to_owned(), survey.text())],
    }
}

/// The long document of the examples below `root`.
pub fn long_document(root: &Path) -> anyhow::Result<Submission> {
    let folder = root.join("examples/long-document");
    let read = |name: &str| {
        std::fs::read_to_string(folder.join(name))
            .with_context(|| format!("read {name} of {}", folder.display()))
    };
    Ok(Submission {
        name: "long-document".to_owned(),
        brief: read("brief.md")?,
        attachments: vec![("book.md".to_owned(), read("docs/book.md")?)],
    })
}

fn survey(seed: u64, number: u32) -> Submission {
    let mut chance =
        fastrand::Rng::with_seed(seed.wrapping_mul(1_000).wrapping_add(u64::from(number)));
    let districts = chance.u32(2..=6);
    let survey = Survey {
        districts,
        sentences: chance.u32(15..40),
        contradiction: districts > 3 && chance.bool(),
        chance,
    };
    let brief = format!(
        "# A guide to survey {number}\n\nSummarise the attached survey district by district and bind the summaries into one guide.\n\n\
         ## What to deliver\n\n- One file `guide-{number}.md` with a section for each district: a summary and its key points.\n\
         - A glossary of the terms that the survey defines.\n- A note that names contradictions between districts.\n"
    );
    Submission {
        name: format!("survey-{number}"),
        brief,
        attachments: vec![("survey.md".to_owned(), survey.text())],
    }
}

struct Survey {
    chance: fastrand::Rng,
    districts: u32,
    /// Number of sentences of a district.
    sentences: u32,
    /// True if two districts state the same fact with different numbers.
    contradiction: bool,
}

impl Survey {
    fn text(mut self) -> String {
        let districts: Vec<String> = (1..=self.districts)
            .map(|number| self.district(number))
            .collect();
        format!("# The survey\n\n{}", districts.concat())
    }

    fn district(&mut self, number: u32) -> String {
        let place = PLACES[number as usize % PLACES.len()];
        let mut text = format!(
            "## District {number}: The {place} of year {}\n\n",
            1700 + number
        );
        for sentence in 1..=self.sentences {
            let (event, reason) = (
                EVENTS[self.chance.usize(..EVENTS.len())],
                REASONS[self.chance.usize(..REASONS.len())],
            );
            text.push_str(&format!(
                "In month {} the {place} of district {number} {event} {reason}. ",
                self.chance.u32(1..13)
            ));
            if sentence % 5 == 0 {
                text.push_str("\n\n");
            }
        }
        text.push_str(&format!("A **{place} reeve {number}** is a person who keeps the {place} of district {number}.\n\n"));
        match (self.contradiction, number) {
            (true, 2) => text.push_str("The great bell of the survey was cast in 1774.\n\n"),
            (true, 4) => text.push_str("The great bell of the survey was cast in 1779.\n\n"),
            _ => {}
        }
        text
    }
}
