//! Plan for a document with chapters.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{Chapter, ParsedBrief, PlanBuilder, short, unquoted};
use crate::model::features::{Feature, features, glossary_columns, main_features};
use crate::model::text::{Language, mentions, quoted, range_before, words};
use crate::model::translate;

/// Builds the plan from the [`Feature`]s that the brief requests.
pub(super) fn build(parsed: &ParsedBrief) -> PlanBuilder {
    let requested = features(&parsed.text);
    let mut making = Making {
        parsed,
        builder: PlanBuilder::default(),
        parts: Vec::new(),
        summaries: BTreeMap::new(),
        glossary: None,
    };
    let asks = requested.contains(&Feature::Questions);
    let translated = making.translations();
    let by_chapter = mentions(
        &parsed.text,
        &[
            "each chapter",
            "by chapter",
            "chapter by chapter",
            "each section",
            "từng chương",
            "mỗi chương",
        ],
    );
    let summarises =
        by_chapter || asks || translated.is_empty() || requested.contains(&Feature::Summary);
    let room =
        parsed.chapters.len() * if asks { 2 } else { 1 } + translated.len() < parsed.max_tasks;
    if summarises && room {
        for (at, chapter) in parsed.chapters.iter().enumerate() {
            making.summary(at, chapter);
            if asks {
                making.questions(at, chapter);
            }
        }
    } else if summarises {
        making.summaries_of_all(asks);
    }
    making.glossary(&requested);
    for (at, (chapter, feature)) in translated.iter().enumerate() {
        making.translation(at, *chapter, feature);
    }
    if requested.contains(&Feature::Introduction) {
        making.introduction();
    }
    making.finished(&requested, translated.len())
}

struct Making<'a> {
    parsed: &'a ParsedBrief,
    builder: PlanBuilder,
    parts: Vec<Value>,
    summaries: BTreeMap<usize, String>,
    /// Part of the glossary, if one is wanted.
    glossary: Option<Value>,
}

impl Making<'_> {
    fn choose(&self, english: &str, vietnamese: &str) -> String {
        self.parsed.language.choose(english, vietnamese).to_owned()
    }

    fn add(&mut self, task: Value) {
        self.parts.push(json!({"task": task["id"]}));
        self.builder.task(task);
    }

    fn covers(&self, wanted: &[Feature]) -> Vec<String> {
        self.parsed.covering(|text| {
            main_features(text)
                .iter()
                .any(|feature| wanted.contains(feature))
        })
    }

    fn range(&self, nouns: &[&str], about: Feature) -> Option<(usize, usize)> {
        self.parsed
            .lines()
            .iter()
            .filter(|line| features(line).contains(&about))
            .find_map(|line| range_before(line, nouns))
    }

    /// Instructions for the summary of a chapter, with headings.
    fn summary_instructions(&self, title: &str) -> String {
        let (low, high) = self
            .range(&["word", "từ", "chữ"], Feature::Summary)
            .unwrap_or((90, 160));
        let (few, many) = self
            .range(&["key point", "point", "ý chính"], Feature::KeyPoints)
            .unwrap_or((4, 6));
        match self.parsed.language {
            Language::English => format!(
                "Summarise \"{title}\" in {low} to {high} words under the heading \"## {title}\". Then list {few} to {many} key points as bullets under the heading \"### Key points\". Keep names, dates and figures as in the text, and name its facts and terms."
            ),
            Language::Vietnamese => format!(
                "Tóm tắt \"{title}\" trong {low} đến {high} từ dưới tiêu đề \"## {title}\". Sau đó liệt kê {few} đến {many} ý chính dưới tiêu đề \"### Các ý chính\". Giữ nguyên tên, ngày tháng và số liệu."
            ),
        }
    }

    fn summary_acceptance(&self) -> Vec<String> {
        let heading = self.choose("Key points", "Các ý chính");
        vec![
            self.choose(
                "The summary is there, in full sentences",
                "Có phần tóm tắt bằng câu đầy đủ",
            ),
            format!(
                "{} \"{heading}\"",
                self.choose("There is a heading", "Có tiêu đề")
            ),
        ]
    }

    fn summary(&mut self, at: usize, chapter: &Chapter) {
        let id = format!("s{}", at + 1);
        let title = unquoted(&chapter.title);
        self.summaries.insert(at, id.clone());
        let task = json!({
            "id": id,
            "title": format!("{} {title}", self.choose("Summary of", "Tóm tắt")),
            "instructions": self.summary_instructions(&title),
            "sections": chapter.sections,
            "depends_on": [],
            "covers": self.covers(&[Feature::Summary, Feature::KeyPoints]),
            "acceptance": self.summary_acceptance(),
            "output_tokens": self.parsed.max_output.min(2_200),
        });
        self.add(task);
    }

    fn questions_instructions(&self, title: &str) -> String {
        let (count, _) = self
            .range(&["question", "câu hỏi"], Feature::Questions)
            .unwrap_or((3, 3));
        match self.parsed.language {
            Language::English => format!(
                "Write {count} questions that can be answered from \"{title}\", as a numbered list under the heading \"### Questions for self-study\"."
            ),
            Language::Vietnamese => {
                format!(
                    "Viết {count} câu hỏi có thể trả lời từ \"{title}\", đánh số, dưới tiêu đề \"### Câu hỏi tự học\"."
                )
            }
        }
    }

    fn questions(&mut self, at: usize, chapter: &Chapter) {
        let title = unquoted(&chapter.title);
        let heading = self.choose("Questions for self-study", "Câu hỏi tự học");
        let task = json!({
            "id": format!("q{}", at + 1),
            "title": format!("{} {title}", self.choose("Questions on", "Câu hỏi về")),
            "instructions": self.questions_instructions(&title),
            "sections": chapter.sections,
            "depends_on": self.summaries.get(&at).into_iter().collect::<Vec<_>>(),
            "covers": self.covers(&[Feature::Questions]),
            "acceptance": [format!("{} \"{heading}\"", self.choose("There is a heading", "Có tiêu đề"))],
            "output_tokens": self.parsed.max_output.min(500),
        });
        self.add(task);
    }

    /// One task for all sections, if there are too many chapters for a task each.
    fn summaries_of_all(&mut self, asks: bool) {
        let questions = if asks {
            format!(" {}", self.questions_instructions("{section}"))
        } else {
            String::new()
        };
        let task = json!({
            "id": "s",
            "for_each": "section",
            "title": format!("{} {{section}}", self.choose("Summary of", "Tóm tắt")),
            "instructions": self.summary_instructions("{section}") + &questions,
            "sections": ["*"],
            "depends_on": [],
            "covers": self.covers(&[Feature::Summary, Feature::KeyPoints, Feature::Questions]),
            "acceptance": self.summary_acceptance(),
            "output_tokens": self.parsed.max_output.min(2_200),
        });
        self.summaries.insert(0, "s".to_owned());
        self.add(task);
    }

    /// Chapters that lines of the brief want translated, with these lines.
    fn translations(&self) -> Vec<(usize, String)> {
        let lines: Vec<String> = self
            .parsed
            .lines()
            .into_iter()
            .filter(|line| features(line).contains(&Feature::Translation))
            .collect();
        let mut found: Vec<(usize, String)> = Vec::new();
        for line in &lines {
            for chapter in named_chapters(&self.parsed.chapters, line) {
                let same = |(other, before): &(usize, String)| {
                    *other == chapter && quoted(before) == quoted(line)
                };
                if !found.iter().any(same) {
                    found.push((chapter, line.clone()));
                }
            }
        }
        if found.is_empty() && !lines.is_empty() {
            return (0..self.parsed.chapters.len())
                .map(|at| (at, lines[0].clone()))
                .collect();
        }
        found
    }

    /// A glossary: collected by the merge, or a task of its own if the brief asks for more columns than that has
    /// and one task can read all sections.
    fn glossary(&mut self, requested: &[Feature]) {
        if !requested.contains(&Feature::Glossary) {
            return;
        }
        let heading = self.choose("Glossary", "Bảng thuật ngữ");
        let mut columns: Vec<String> = Vec::new();
        for column in self
            .parsed
            .lines()
            .iter()
            .flat_map(|line| glossary_columns(line))
        {
            if !columns.contains(&column) {
                columns.push(column);
            }
        }
        let fits = self.parsed.tokens < self.parsed.max_input * 9 / 10;
        if columns.is_empty() || !fits {
            self.glossary = Some(json!({"glossary": heading}));
            return;
        }
        let names = columns.join(", ");
        let task = json!({
            "id": "g1",
            "title": heading,
            "instructions": format!("Make the glossary as one table under the heading \"## {heading}\", with the columns Term, Meaning, {names}. Take every term that the text defines, each once, in alphabetical order."),
            "sections": ["*"],
            "depends_on": [],
            "covers": self.covers(&[Feature::Glossary]),
            "acceptance": [format!("{} \"{heading}\"", self.choose("There is a heading", "Có tiêu đề"))],
            "output_tokens": self.parsed.max_output.min(3_500),
        });
        self.glossary = Some(json!({"task": "g1"}));
        self.builder.task(task);
    }

    /// Tasks with results that a translation of a chapter needs.
    fn before_translation(&self, chapter: usize) -> Vec<String> {
        let summary = self
            .summaries
            .get(&chapter)
            .or_else(|| self.summaries.get(&0));
        let is_task = |part: &Value| part["task"] == "g1";
        let glossary = self.glossary.iter().filter(|part| is_task(part));
        let glossary = glossary.map(|_| "g1".to_owned());
        summary.cloned().into_iter().chain(glossary).collect()
    }

    fn translation(&mut self, at: usize, chapter: usize, feature: &str) {
        let Chapter { title, sections } = &self.parsed.chapters[chapter];
        let target = translate::target(&format!("{feature} {}", self.parsed.text));
        let named: Vec<String> = quoted(feature)
            .iter()
            .map(|title| unquoted(title))
            .collect();
        let place = named.first().cloned().unwrap_or_else(|| unquoted(title));
        let what = if named.is_empty() {
            String::new()
        } else {
            format!("the section \"{place}\" of ")
        };
        let task = json!({
            "id": format!("x{}", at + 1),
            "title": format!("{} {target}: {place}", self.choose("Translation into", "Bản dịch sang")),
            "instructions": format!("Translate {what}\"{}\" into {target}, complete, paragraph by paragraph, under the heading \"## {target}: {place}\". Use the terms of the glossary.", unquoted(title)),
            "sections": sections,
            "depends_on": self.before_translation(chapter),
            "covers": self.parsed.covering(|text| main_features(text).contains(&Feature::Translation) && (text == feature || named_chapters(&self.parsed.chapters, text).is_empty())),
            "acceptance": [self.choose("Every paragraph is rendered", "Mọi đoạn đều được dịch")],
            "output_tokens": self.parsed.max_output.min(1_500),
        });
        self.add(task);
    }

    fn introduction(&mut self) {
        let (_, most) = self
            .range(&["word", "từ", "chữ"], Feature::Introduction)
            .unwrap_or((120, 120));
        let title = unquoted(&self.parsed.title);
        let heading = self.choose("Introduction", "Lời mở đầu");
        let instructions = match self.parsed.language {
            Language::English => {
                format!(
                    "Write an introduction of at most {most} words. Begin with the headings \"# {title}\" and \"## {heading}\"."
                )
            }
            Language::Vietnamese => {
                format!(
                    "Viết lời mở đầu tối đa {most} từ. Bắt đầu bằng các tiêu đề \"# {title}\" và \"## {heading}\"."
                )
            }
        };
        let all: Vec<Value> = self
            .builder
            .tasks
            .iter()
            .map(|task| task["id"].clone())
            .collect();
        let read: Vec<Value> = self
            .summaries
            .values()
            .map(|id| id.as_str().into())
            .collect();
        let task = json!({
            "id": "i1",
            "title": self.choose("Introduction", "Lời mở đầu"),
            "instructions": instructions,
            "sections": [],
            "depends_on": if read.is_empty() { all } else { read },
            "policy": "all",
            "covers": self.covers(&[Feature::Introduction]),
            "acceptance": [format!("{} \"{heading}\"", self.choose("There is a heading", "Có tiêu đề"))],
            "output_tokens": self.parsed.max_output.min(500),
        });
        self.parts.insert(0, json!({"task": "i1"}));
        self.builder.task(task);
    }

    fn finished(mut self, requested: &[Feature], translations: usize) -> PlanBuilder {
        self.parts.extend(self.glossary.take());
        if requested.contains(&Feature::Conflicts) {
            self.parts.push(json!({"conflicts": self.choose("Contradictions in the source", "Mâu thuẫn trong nguồn")}));
        }
        self.builder.files.push(json!({"path": self.parsed.output_path(), "media_type": "text/markdown", "parts": self.parts}));
        let last = self.builder.tasks.len().saturating_sub(1);
        self.builder.cover_all(self.parsed, last);
        let features: Vec<String> = self
            .parsed
            .requirements
            .iter()
            .take(8)
            .map(|text| short(text))
            .collect();
        self.builder.structure = format!(
            "The work falls into chapters: each can be done by itself, {translations} parts are translated, and what joins them comes last. Asked for: {}.",
            features.join("; ")
        );
        self.builder
    }
}

/// Chapters that a line names by number.
fn named_chapters(chapters: &[Chapter], line: &str) -> Vec<usize> {
    let words = words(line);
    let mut found = Vec::new();
    let mut near = 0_u32;
    for word in &words {
        if ["chapter", "chương", "part", "phần"]
            .iter()
            .any(|name| word.starts_with(name))
        {
            near = 8;
        } else if near > 0
            && let Ok(number) = word.parse::<usize>()
        {
            let titled = |chapter: &Chapter| {
                super::super::text::words(&chapter.title)
                    .iter()
                    .take(3)
                    .any(|part| *part == number.to_string())
            };
            let place = chapters
                .iter()
                .position(titled)
                .or_else(|| (1..=chapters.len()).contains(&number).then(|| number - 1));
            found.extend(place.filter(|place| !found.contains(place)));
        } else {
            near = if ["and", "và", "to", "or"].contains(&word.as_str()) {
                near
            } else {
                near.saturating_sub(3)
            };
        }
    }
    found
}
