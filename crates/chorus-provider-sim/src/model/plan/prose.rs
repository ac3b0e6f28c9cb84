//! Plan for prose without sources: one part for each listed item, or three parts of one text.

use serde_json::{Value, json};

use super::{ParsedBrief, PlanBuilder, short, unquoted};
use crate::model::features::{Feature, features};
use crate::model::text::{Language, item};

/// Builds a plan from the list of a brief.
pub(super) fn build(parsed: &ParsedBrief) -> PlanBuilder {
    let listed = parsed
        .text
        .lines()
        .filter(|line| item(line).is_some())
        .count();
    let parts: Vec<(String, String)> = if listed >= 2 {
        parsed
            .requirements
            .iter()
            .map(|text| (short(text), text.clone()))
            .collect()
    } else {
        usual(parsed.language)
            .iter()
            .map(|(title, feature)| ((*title).to_owned(), (*feature).to_owned()))
            .collect()
    };
    let mut builder = PlanBuilder::default();
    for (at, (title, feature)) in parts.iter().enumerate() {
        let level = if at == 0 { "#" } else { "##" };
        let title = unquoted(title);
        let covers = if listed >= 2 {
            vec![format!("r{}", at + 1)]
        } else {
            parsed.covering(|_| true)
        };
        let depends_on: Vec<&str> = if at > 0 { vec!["p1"] } else { Vec::new() };
        builder.task(json!({
            "id": format!("p{}", at + 1),
            "title": title,
            "instructions": match parsed.language {
                Language::English => format!("Write this part under the heading \"{level} {title}\", in at most 180 words: {}", unquoted(feature)),
                Language::Vietnamese => format!("Viết phần này dưới tiêu đề \"{level} {title}\", tối đa 180 từ: {}", unquoted(feature)),
            },
            "sections": [],
            "depends_on": depends_on,
            "covers": covers,
            "acceptance": [parsed.language.choose("The part keeps to what the brief says", "Phần này chỉ dùng những gì yêu cầu nêu")],
            "output_tokens": parsed.max_output.min(600),
        }));
    }
    let mut list: Vec<Value> = (1..=parts.len())
        .map(|at| json!({"task": format!("p{at}")}))
        .collect();
    let requested = features(&parsed.text);
    if requested.contains(&Feature::Glossary) {
        list.push(json!({"glossary": parsed.language.choose("Glossary", "Bảng thuật ngữ")}));
    }
    if requested.contains(&Feature::Conflicts) {
        list.push(json!({"conflicts": parsed.language.choose("Contradictions in the source", "Mâu thuẫn trong nguồn")}));
    }
    builder
        .files
        .push(json!({"path": parsed.output_path(), "media_type": "text/markdown", "parts": list}));
    builder.cover_all(parsed, 0);
    builder.structure = format!(
        "Nothing is attached, so the text is made of {} parts that follow from the brief alone.",
        parts.len()
    );
    builder
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
