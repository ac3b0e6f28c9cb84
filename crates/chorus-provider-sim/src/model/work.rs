//! Work turns: summaries, questions, translations, introductions and files, made from the given
//! inputs only.

use std::collections::BTreeMap;

use serde_json::json;

use super::extract;
use super::prompt::{Block, Prompt, SourceText};
use super::text::{
    Language, first_words, heading, mentions, paragraphs, quoted, range_before, sentences,
};
use super::{Reply, code, translate};
use crate::config::Omission;

/// Tokens of one fact in the notes.
const FACT_TOKENS: u64 = 60;

/// Inputs of a worker.
struct Work<'a> {
    prompt: &'a Prompt<'a>,
    instructions: String,
    language: Language,
    inputs: Vec<SourceText>,
    results: Vec<SourceText>,
}

/// Requested result, by the words of the instructions and the file name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ResultKind {
    File,
    Glossary,
    Translation,
    Introduction,
    Questions,
    Summary,
    Prose,
}

/// Replies to a work turn.
pub(super) fn work(prompt: &Prompt<'_>, text: &str, omissions: &[Omission]) -> Reply {
    let work = Work::of(prompt);
    if let Some(question) = work.question() {
        return Reply {
            reasoning: "Something that I need is to be asked first.".to_owned(),
            text: format!("QUESTION: {question}"),
        };
    }
    let kind = work.kind();
    let mut part = work.pointed(work.part(kind));
    let omitted = |omission: &Omission| {
        text.to_lowercase()
            .contains(&omission.contains.to_lowercase())
    };
    if prompt.first("feedback").is_none() && omissions.iter().any(omitted) {
        part = without_last_section(&part);
    }
    let reasoning = format!(
        "I am given {} inputs and {} results and make {kind:?} of them.",
        work.inputs.len(),
        work.results.len()
    );
    Reply {
        reasoning,
        text: part + &work.notes(kind),
    }
}

impl<'a> Work<'a> {
    fn of(prompt: &'a Prompt<'a>) -> Self {
        let given = |block: &Block<'_>| SourceText {
            title: block.attribute("title"),
            text: block.text(),
        };
        let instructions = prompt.text("instructions");
        let inputs: Vec<SourceText> = prompt.all("input").map(given).collect();
        let results: Vec<SourceText> = prompt.all("result").map(given).collect();
        let language = Language::of(&instructions);
        Self {
            prompt,
            instructions,
            language,
            inputs,
            results,
        }
    }

    /// Question that the instructions demand, unless it was answered already.
    fn question(&self) -> Option<String> {
        if self.prompt.first("answer").is_some() {
            return None;
        }
        let asks = |sentence: &String| {
            let lower = sentence.to_lowercase();
            lower.starts_with("ask ")
                || lower.contains("must be asked")
                || lower.starts_with("hãy hỏi")
        };
        let sentence = sentences(&self.instructions).into_iter().find(asks)?;
        let feature = sentence.trim_end_matches('.').to_owned();
        Some(if feature.ends_with('?') {
            feature
        } else {
            format!("{feature}?")
        })
    }

    fn kind(&self) -> ResultKind {
        let first = without_quotes(
            &sentences(&self.instructions)
                .into_iter()
                .next()
                .unwrap_or_default(),
        );
        let path = self.path();
        if code::is_code(&path) || mentions(&self.instructions, &["write the file `"]) {
            ResultKind::File
        } else if mentions(&first, &["glossary", "thuật ngữ"]) && mentions(&first, &["table"]) {
            ResultKind::Glossary
        } else if mentions(&first, &["translat", "dịch "]) {
            ResultKind::Translation
        } else if mentions(&first, &["introduction", "lời mở đầu", "giới thiệu chung"]) {
            ResultKind::Introduction
        } else if mentions(&first, &["questions", "câu hỏi"])
            && !mentions(&first, &["summar", "tóm tắt"])
        {
            ResultKind::Questions
        } else if self.inputs.is_empty() && self.results.is_empty() {
            ResultKind::Prose
        } else {
            ResultKind::Summary
        }
    }

    fn part(&self, kind: ResultKind) -> String {
        match kind {
            ResultKind::File => code::file(
                &self.path(),
                &self.instructions,
                &self.inputs,
                &self.results,
            ),
            ResultKind::Glossary => self.glossary_table(),
            ResultKind::Translation => self.translation(),
            ResultKind::Introduction => self.introduction(),
            ResultKind::Questions => self.questions(&self.source()),
            ResultKind::Summary => self.summary(),
            ResultKind::Prose => self.prose(),
        }
    }

    /// The part with a pointer behind each statement for which the feedback asks one.
    fn pointed(&self, mut part: String) -> String {
        let feedback = self.prompt.text("feedback");
        if !mentions(&feedback, &["without pointing to the note"]) {
            return part;
        }
        let pointer = self
            .language
            .choose("see the note on contradictions", "xem ghi chú về mâu thuẫn");
        for sentence in quoted(&feedback) {
            let stem = sentence.trim_end_matches(['.', '!']);
            let pointed = format!("{stem} ({pointer})");
            if !stem.is_empty() && !part.contains(&pointed) {
                part = part.replace(stem, &pointed);
            }
        }
        part
    }

    fn path(&self) -> String {
        self.prompt
            .first("output")
            .map(|output| output.attribute("path"))
            .unwrap_or_default()
    }

    /// Texts to work from: inputs, or results if there are no inputs, or the brief if there is neither.
    fn source(&self) -> String {
        let given = if self.inputs.is_empty() {
            &self.results
        } else {
            &self.inputs
        };
        if given.is_empty() {
            return self.prompt.text("project");
        }
        given
            .iter()
            .map(|given| given.text.as_str())
            .collect::<Vec<_>>()
            .join("\n\n")
    }

    fn summary(&self) -> String {
        let source = self.source();
        let (low, high) = self.asked(&["word", "từ", "chữ"]).unwrap_or((90, 160));
        let (low, high) = self.resized(low, high);
        let taken = extract::summary(&source, low, high);
        let (few, many) = self
            .asked(&["key point", "point", "ý chính"])
            .unwrap_or((4, 5));
        let points = extract::key_points(&source, usize::midpoint(few, many), &taken);
        let mut headings = self.headings().into_iter();
        let title = headings
            .next()
            .unwrap_or_else(|| format!("## {}", self.title()));
        let mut part = format!("{title}\n\n{}", taken.join(" "));
        let wants_points = mentions(&self.instructions, &["point", "ý chính"]);
        if wants_points && !points.is_empty() {
            let title = headings.next().unwrap_or_else(|| {
                format!("### {}", self.language.choose("Key points", "Các ý chính"))
            });
            part += &format!("\n\n{title}\n\n{}", bullets(&points));
        }
        if mentions(&self.instructions, &["question", "câu hỏi"]) {
            part += &format!("\n\n{}", self.questions(&source));
        }
        part
    }

    fn questions(&self, source: &str) -> String {
        let (few, _) = self.asked(&["question", "câu hỏi"]).unwrap_or((3, 3));
        let title = self
            .headings()
            .into_iter()
            .find(|title| mentions(title, &["question", "câu hỏi"]));
        let title = title.unwrap_or_else(|| {
            format!(
                "### {}",
                self.language
                    .choose("Questions for self-study", "Câu hỏi tự học")
            )
        });
        let listed = extract::questions(source, few, Language::of(source));
        let lines = listed
            .iter()
            .enumerate()
            .map(|(at, question)| format!("{}. {question}", at + 1));
        format!("{title}\n\n{}", lines.collect::<Vec<_>>().join("\n"))
    }

    fn translation(&self) -> String {
        let titles = quoted(&self.instructions);
        let found = self
            .inputs
            .iter()
            .find_map(|input| titles.iter().find_map(|title| section(&input.text, title)));
        let source = found.unwrap_or_else(|| self.source());
        let target = translate::target(&self.instructions);
        let mut paragraphs = paragraphs(&source);
        if paragraphs.is_empty() {
            paragraphs = super::text::pieces(&source);
        }
        let rendered = translate::translate(&paragraphs, &target, &self.equivalents());
        let title = self
            .headings()
            .into_iter()
            .next()
            .unwrap_or_else(|| format!("## {}: {}", target, self.title()));
        format!("{title}\n\n{rendered}")
    }

    /// Table of the terms that the inputs define, with the columns that the instructions name.
    fn glossary_table(&self) -> String {
        let (_, named) = self.instructions.split_once("columns ").unwrap_or_default();
        let named = named.split('.').next().unwrap_or_default();
        let columns: Vec<&str> = named.split(',').map(str::trim).collect();
        let mut rows: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for input in &self.inputs {
            for term in extract::terms(&input.text, usize::MAX) {
                let cell = |column: &&str| match column.to_lowercase().as_str() {
                    "term" => term.term.clone(),
                    "meaning" => term.meaning.clone(),
                    "chapter" => chapter_of(&input.title),
                    _ => translate::term(&term.term, column),
                };
                rows.entry(term.term.to_lowercase())
                    .or_insert_with(|| columns.iter().map(cell).collect());
            }
        }
        let head: Vec<String> = columns.iter().map(|name| (*name).to_owned()).collect();
        let rule = vec!["---".to_owned(); columns.len()];
        let table: Vec<String> = [head, rule]
            .into_iter()
            .chain(rows.into_values())
            .map(|row| table_line(&row))
            .collect();
        let heading = self.headings().into_iter().next();
        let heading = heading.unwrap_or_else(|| "## Glossary".to_owned());
        format!("{heading}\n\n{}", table.join("\n"))
    }

    /// Equivalents of terms: the last column of a table among the results, by the first in lower case.
    fn equivalents(&self) -> BTreeMap<String, String> {
        let rows = self.results.iter().flat_map(|given| given.text.lines());
        let cells = rows.filter_map(|line| {
            let inner = line.trim().strip_prefix('|')?.strip_suffix('|')?;
            let cells: Vec<&str> = inner.split('|').map(str::trim).collect();
            (cells.len() > 2).then(|| (cells[0].to_lowercase(), cells[cells.len() - 1].to_owned()))
        });
        let mut found: BTreeMap<String, String> = cells
            .filter(|(term, _)| term != "term" && term != "---")
            .collect();
        for term in self.glossary().into_keys() {
            found.entry(term.to_lowercase()).or_insert(term);
        }
        found
    }

    fn introduction(&self) -> String {
        let project = self.prompt.first("project");
        let name = project
            .map(|project| project.attribute("title"))
            .unwrap_or_default();
        let (_, most) = self.asked(&["word", "từ", "chữ"]).unwrap_or((120, 120));
        let named = |given: &SourceText| {
            headings_of(&given.text)
                .into_iter()
                .next()
                .unwrap_or_else(|| given.title.clone())
        };
        let (first, last) = (
            self.results.first().map(named).unwrap_or_default(),
            self.results.last().map(named).unwrap_or_default(),
        );
        let count = self.results.len();
        let opening = match self.language {
            Language::English => format!(
                "This text has {count} parts made from the source, from \"{first}\" to \"{last}\". Everything in it is taken from the source."
            ),
            Language::Vietnamese => {
                format!(
                    "Tài liệu này gồm {count} phần lấy từ nguồn, từ \"{first}\" đến \"{last}\". Mọi điều trong đó đều lấy từ nguồn."
                )
            }
        };
        let joined = self
            .results
            .iter()
            .map(|given| given.text.as_str())
            .collect::<Vec<_>>()
            .join("\n\n");
        let room = most.saturating_sub(opening.split_whitespace().count());
        let summary = extract::summary(&joined, room / 2, room).join(" ");
        let body = first_words(&format!("{opening} {summary}"), most);
        let titles = self.headings();
        let title = if titles.is_empty() {
            format!("# {name}")
        } else {
            titles.join("\n\n")
        };
        format!("{title}\n\n{body}")
    }

    /// Prose without sources: statements of the brief and the answers only.
    fn prose(&self) -> String {
        let brief = self.prompt.text("project");
        let answers = self
            .prompt
            .all("answer")
            .map(|answer| format!("{} {}", answer.attribute("question"), answer.text()));
        let statements: Vec<String> = answers.chain(paragraphs(&brief)).collect();
        let (_, most) = self.asked(&["word", "từ", "chữ"]).unwrap_or((160, 160));
        let title = self
            .headings()
            .into_iter()
            .next()
            .unwrap_or_else(|| format!("## {}", first_words(&self.instructions, 8)));
        let missing = self.language.choose(
            "Facts that the brief does not give are left open here on purpose.",
            "Những dữ kiện chưa được cung cấp được để trống ở đây một cách có chủ ý.",
        );
        format!(
            "{title}\n\n{}\n\n{missing}",
            first_words(&statements.join(" "), most)
        )
    }

    /// Facts and terms for the merge; only parts that read a source for the first time report them.
    fn notes(&self, kind: ResultKind) -> String {
        if kind != ResultKind::Summary || self.inputs.is_empty() {
            return String::new();
        }
        let tokens = self
            .prompt
            .first("output")
            .and_then(|output| output.number("tokens"))
            .unwrap_or(1_000);
        let room =
            usize::try_from((tokens.saturating_sub(700) / FACT_TOKENS).clamp(6, 30)).unwrap_or(6);
        let source = self.source();
        let facts: Vec<_> = extract::facts(&source, room)
            .into_iter()
            .map(|fact| json!({"subject": fact.subject, "value": fact.value, "quote": fact.quote}))
            .collect();
        let terms: Vec<_> = extract::terms(&source, 8)
            .into_iter()
            .map(|term| json!({"term": term.term, "meaning": term.meaning}))
            .collect();
        format!(
            "\n\n```chorus\n{}\n```",
            json!({"facts": facts, "terms": terms})
        )
    }

    fn glossary(&self) -> BTreeMap<String, String> {
        let terms = self
            .prompt
            .first("glossary")
            .map(|glossary| glossary.inside("term"))
            .unwrap_or_default();
        terms
            .iter()
            .map(|term| (term.attribute("name"), term.text()))
            .collect()
    }

    fn title(&self) -> String {
        self.inputs
            .first()
            .or_else(|| self.results.first())
            .map(|given| given.title.clone())
            .unwrap_or_default()
    }

    /// Headings in the instructions: quoted and beginning with `#`.
    fn headings(&self) -> Vec<String> {
        quoted(&self.instructions)
            .into_iter()
            .filter(|text| heading(text).is_some())
            .collect()
    }

    fn asked(&self, nouns: &[&str]) -> Option<(usize, usize)> {
        range_before(&self.instructions, nouns)
    }

    /// Range of words, shifted if feedback found the last result too long or too short.
    fn resized(&self, low: usize, high: usize) -> (usize, usize) {
        let feedback = self.prompt.text("feedback");
        if mentions(&feedback, &["too long", "shorter", "quá dài"]) {
            (low / 2, high * 3 / 4)
        } else if mentions(&feedback, &["too short", "longer", "quá ngắn"]) {
            (high, high + high / 4)
        } else {
            (low, high)
        }
    }
}

/// Sentence without quoted text, as titles are no instructions.
fn without_quotes(sentence: &str) -> String {
    sentence.split('"').step_by(2).collect::<Vec<_>>().join(" ")
}

fn bullets(lines: &[String]) -> String {
    lines
        .iter()
        .map(|line| format!("- {line}"))
        .collect::<Vec<_>>()
        .join("\n")
}

/// Number of the chapter that a title names, or the title.
fn chapter_of(title: &str) -> String {
    let words = super::text::words(title);
    let number = words
        .iter()
        .position(|word| word == "chapter" || word == "chương")
        .and_then(|at| words.get(at + 1))
        .filter(|word| word.chars().all(|letter| letter.is_ascii_digit()));
    number.cloned().unwrap_or_else(|| title.to_owned())
}

/// Part of a text under a heading.
fn section(text: &str, title: &str) -> Option<String> {
    let wanted = title.to_lowercase();
    let mut lines = text
        .lines()
        .skip_while(|line| heading(line).is_none_or(|(_, words)| words.to_lowercase() != wanted));
    let (level, _) = heading(lines.next()?)?;
    let inside = lines.take_while(|line| heading(line).is_none_or(|(other, _)| other > level));
    Some(inside.collect::<Vec<_>>().join("\n")).filter(|text| !text.trim().is_empty())
}

fn headings_of(text: &str) -> Vec<String> {
    text.lines()
        .filter_map(heading)
        .map(|(_, words)| words.to_owned())
        .collect()
}

/// Part without its last section; a part with one section is unchanged.
fn without_last_section(part: &str) -> String {
    let headings: Vec<usize> = part.match_indices("\n#").map(|(at, _)| at).collect();
    headings
        .last()
        .map_or_else(|| part.to_owned(), |at| part[..*at].trim_end().to_owned())
}

/// A row of a Markdown table.
fn table_line(cells: &[String]) -> String {
    let cells = cells.iter().map(|cell| cell.replace('|', "/"));
    format!("| {} |", cells.collect::<Vec<_>>().join(" | "))
}
