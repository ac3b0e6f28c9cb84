//! Plan for prose without sources: one part for each listed item, or three parts of one text.

use serde_json::{Value, json};

use super::{Draft, Reading, short, unquoted};
use crate::brain::text::{Language, item};
use crate::brain::wishes::{Wish, wishes};

/// Builds a plan from the list of a brief.
pub(super) fn draft(reading: &Reading) -> Draft {
    let listed = reading
        .text
        .lines()
        .filter(|line| item(line).is_some())
        .count();
    let parts: Vec<(String, String)> = if listed >= 2 {
        reading
            .requirements
            .iter()
            .map(|text| (short(text), text.clone()))
            .collect()
    } else {
        usual(reading.language)
            .iter()
            .map(|(title, wish)| ((*title).to_owned(), (*wish).to_owned()))
            .collect()
    };
    let mut draft = Draft::default();
    for (at, (title, wish)) in parts.iter().enumerate() {
        let level = if at == 0 { "#" } else { "##" };
        let title = unquoted(title);
        let covers = if listed >= 2 {
            vec![format!("r{}", at + 1)]
        } else {
            reading.covering(|_| true)
        };
        let depends_on: Vec<&str> = if at > 0 { vec!["p1"] } else { Vec::new() };
        draft.task(json!({
            "id": format!("p{}", at + 1),
            "title": title,
            "instructions": match reading.language {
                Language::English => format!("Write this part under the heading \"{level} {title}\", in at most 180 words: {}", unquoted(wish)),
                Language::Vietnamese => format!("Viết phần này dưới tiêu đề \"{level} {title}\", tối đa 180 từ: {}", unquoted(wish)),
            },
            "sections": [],
            "depends_on": depends_on,
            "covers": covers,
            "acceptance": [reading.language.choose("The part keeps to what the brief says", "Phần này chỉ dùng những gì yêu cầu nêu")],
            "output_tokens": reading.max_output.min(600),
        }));
    }
    let mut list: Vec<Value> = (1..=parts.len())
        .map(|at| json!({"task": format!("p{at}")}))
        .collect();
    let wished = wishes(&reading.text);
    if wished.contains(&Wish::Glossary) {
        list.push(json!({"glossary": reading.language.choose("Glossary", "Bảng thuật ngữ")}));
    }
    if wished.contains(&Wish::Conflicts) {
        list.push(json!({"conflicts": reading.language.choose("Contradictions in the source", "Mâu thuẫn trong nguồn")}));
    }
    draft
        .files
        .push(json!({"path": reading.output_path(), "media_type": "text/markdown", "parts": list}));
    draft.cover_all(reading, 0);
    draft.structure = format!(
        "Nothing is attached, so the text is made of {} parts that follow from the brief alone.",
        parts.len()
    );
    draft
}

const fn usual(language: Language) -> &'static [(&'static str, &'static str)] {
    match language {
        Language::English => &[
            ("Introduction", "Say what this is about and for whom."),
            (
                "The matter itself",
                "Tell what the brief gives, in its order.",
            ),
            ("What comes next", "Close, and name what is still open."),
        ],
        Language::Vietnamese => &[
            ("Lời mở đầu", "Nói rõ đây là gì và dành cho ai."),
            (
                "Nội dung chính",
                "Trình bày những gì yêu cầu nêu, theo thứ tự.",
            ),
            ("Bước tiếp theo", "Kết lại và nêu những điều còn bỏ ngỏ."),
        ],
    }
}
