//! Generates briefs: a book of chapters with terms and facts, and the request for a study guide to
//! it.
//!
//! All choices are drawn from the given [`Rng`], so one seed always generates the same book. A
//! contradiction between two chapters can be planted. The simulated models answer with text taken
//! from these briefs.

use std::fmt::Write as _;

use fastrand::Rng;

/// A brief and its attachments, as a client submits them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GeneratedBrief {
    /// Text of the brief, in Markdown.
    pub text: String,
    /// Attached documents as pairs of file name and text.
    pub documents: Vec<(String, String)>,
}

/// Parameters of the generated book.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shape {
    /// Number of chapters, at least 1.
    pub chapters: usize,
    /// True if the last chapter gives another year than the first for the same structure.
    pub contradiction: bool,
}

const PLACES: [&str; 10] = [
    "Harrow", "Linden", "Ostra", "Pell", "Quarry", "Rushmoor", "Selby", "Tarn", "Ulvik", "Weir",
];
const WORKS: [&str; 6] = ["lock", "bridge", "mill", "aqueduct", "lighthouse", "tunnel"];
const MAKERS: [&str; 6] = [
    "Ada Birk",
    "Jonas Reed",
    "Mira Sol",
    "Piet Haan",
    "Ruth Carver",
    "Tomas Lind",
];
const TERMS: [(&str, &str); 8] = [
    ("sluice", "a gate that lets water through by degrees"),
    ("weir", "a low wall that keeps a river at one height"),
    (
        "keystone",
        "the last stone of an arch, which holds the others",
    ),
    ("headrace", "the channel that leads water to a wheel"),
    ("coping", "the course of stone that covers a wall"),
    ("caisson", "a box in which men can dig below water"),
    ("puddle", "wet clay that is trodden until it is tight"),
    ("culvert", "a covered drain below a road"),
];

const SENTENCES: [&str; 8] = [
    "For {number} weeks the ground stood under water. The men carried clay by hand until the bank was tight.",
    "The accounts name {number} masons and twice as many carters. Each was paid on Saturdays, in coin.",
    "A flood carried away the first piers after {number} days. The second ones were founded on oak piles and stood.",
    "The stone came from a quarry {number} furlongs to the north. Its colour still tells the old courses from the new.",
    "The valley paid a toll of {number} pence a year for its upkeep. The toll was lifted when the railway came.",
    "A keeper was appointed with a house and {number} acres. His daughter kept the book of levels after him.",
    "The engineers measured the stream on {number} mornings. Their tables were copied by everyone who came after.",
    "The {name} was mended {number} times in its first century. None of the repairs changed its line.",
];

/// A structure that a chapter describes, with the facts that the chapter states.
struct Fact {
    name: String,
    year: u32,
    maker: &'static str,
    length: u32,
}

/// Generates a brief and the book that it refers to.
pub fn write(shape: Shape, chance: &mut Rng) -> GeneratedBrief {
    let mut places = PLACES;
    chance.shuffle(&mut places);
    let mut terms = TERMS;
    chance.shuffle(&mut terms);
    let mut facts: Vec<Fact> = Vec::new();
    let mut book = String::from("# The Book of Works\n\n");
    for chapter in 0..shape.chapters {
        let fact = Fact {
            name: format!(
                "{} {}",
                places[chapter % places.len()],
                WORKS[chance.usize(0..WORKS.len())]
            ),
            year: chance.u32(1700..1900),
            maker: MAKERS[chance.usize(0..MAKERS.len())],
            length: chance.u32(20..900),
        };
        let earlier = facts
            .first()
            .filter(|_| shape.contradiction && chapter + 1 == shape.chapters);
        chapter_text(
            &mut book,
            chapter + 1,
            &fact,
            terms[chapter % terms.len()],
            earlier,
            chance,
        );
        facts.push(fact);
    }
    GeneratedBrief {
        text: brief_text(shape.chapters),
        documents: vec![("book.md".to_owned(), book)],
    }
}

fn chapter_text(
    book: &mut String,
    number: usize,
    fact: &Fact,
    term: (&str, &str),
    earlier: Option<&Fact>,
    chance: &mut Rng,
) {
    let Fact {
        name,
        year,
        maker,
        length,
    } = fact;
    let (term, meaning) = term;
    let mut paragraph = |text: &str| {
        book.push_str(text);
        book.push_str("\n\n");
    };
    paragraph(&format!("## Chapter {number}: The {name}"));
    paragraph(&format!(
        "The {name} was opened in {year}. It was built by {maker}, who had worked on smaller schemes before and learnt from each of \
         them what stone and water do to one another. The {name} is {length} metres long."
    ));
    paragraph(&format!(
        "A **{term}** is {meaning}. Without the {term} the {name} could not have been kept in use through the winter."
    ));
    let mut sentences = SENTENCES;
    chance.shuffle(&mut sentences);
    for sentence in &sentences[..chance.usize(4..7)] {
        paragraph(
            &sentence
                .replace("{number}", &chance.u32(3..300).to_string())
                .replace("{name}", name),
        );
    }
    if let Some(earlier) = earlier {
        paragraph(&format!(
            "The {} was opened in {}, as every child of the valley knows.",
            earlier.name,
            earlier.year + 7
        ));
    }
}

fn brief_text(chapters: usize) -> String {
    let mut text = String::new();
    let _ = write!(
        text,
        "# A study guide to \"The Book of Works\"\n\nThe attached book, `book.md`, has {chapters} chapters. Please make one study guide from it. \
         Work from the attached text alone.\n\n## What to deliver\n\n\
         1. **Chapter summaries** – for each chapter of the attached book, one section with a summary of 30 to 80 words and 2 key points.\n\
         2. **Glossary** – every term that the book defines, each defined once.\n\
         3. **Note on contradictions** – each place in which two chapters state the same fact with different values.\n\
         4. **Study guide** – all of the above bound in one file, `study-guide.md`.\n\n\
         ## Requirements\n\n- All {chapters} chapters are present and in the order of the book.\n- Nothing is added that is not in the book.\n"
    );
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chance;

    fn check(chapters: usize, contradiction: bool) -> GeneratedBrief {
        write(
            Shape {
                chapters,
                contradiction,
            },
            &mut chance::stream(5, "brief"),
        )
    }

    #[test]
    fn one_stream_generates_one_book() {
        assert_eq!(check(3, true), check(3, true));
    }

    #[test]
    fn each_chapter_has_its_heading() {
        let book = &check(4, false).documents[0].1;
        assert_eq!(book.matches("\n## Chapter ").count(), 4);
    }

    #[test]
    fn a_planted_contradiction_gives_one_work_two_years() {
        let (plain, contradicted) = (check(3, false), check(3, true));
        assert_eq!(plain.documents[0].1.matches("was opened in").count(), 3);
        assert_eq!(
            contradicted.documents[0].1.matches("was opened in").count(),
            4
        );
    }
}
