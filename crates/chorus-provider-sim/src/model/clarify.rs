//! Clarifying: asks for what a vague brief leaves open, in the language of the brief.

use serde_json::{Value, json};

use super::Reply;
use super::prompt::Prompt;
use super::text::{Language, backticked, item, mentions, words};

/// A point that a brief may leave open.
struct Gap {
    words: &'static [&'static str],
    english: Asked,
    vietnamese: Asked,
}

struct Asked {
    text: &'static str,
    why: &'static str,
    options: [&'static str; 3],
}

/// Minimum length of a brief, in words, that is never vague.
const LONG: usize = 140;
/// Number of [`Gap`]s that make a short brief vague.
const VAGUE: usize = 3;

/// Replies to a clarify turn.
pub(super) fn clarify(prompt: &Prompt<'_>) -> Reply {
    let brief = prompt.text("brief");
    let language = Language::of(&brief);
    let sections = prompt
        .first("outline")
        .map_or(0, |outline| outline.inside("section").len());
    let listed = brief.lines().filter(|line| item(line).is_some()).count();
    let length = words(&brief).len();
    let open: Vec<&Gap> = GAPS
        .iter()
        .filter(|gap| !mentions(&brief, gap.words))
        .collect();
    let clear = length > LONG
        || listed >= 2
        || !backticked(&brief).is_empty()
        || (sections > 0 && length > 12)
        || open.len() < VAGUE;
    let questions: Vec<Value> = if clear {
        Vec::new()
    } else {
        open.iter()
            .enumerate()
            .map(|(at, gap)| gap.ask(at + 1, language))
            .collect()
    };
    let assumptions: Vec<&str> = if clear {
        vec![language.choose(
            "Only the given texts are used.",
            "Chỉ dùng những gì đã được cung cấp.",
        )]
    } else {
        Vec::new()
    };
    let reasoning = format!(
        "The brief has {length} words and {listed} list items, with {sections} sections attached. {} of {} usual points are left open, so {}.",
        open.len(),
        GAPS.len(),
        if clear {
            "it can be worked on"
        } else {
            "I ask first"
        }
    );
    Reply {
        reasoning,
        text: json!({"questions": questions, "assumptions": assumptions}).to_string(),
    }
}

impl Gap {
    fn ask(&self, number: usize, language: Language) -> Value {
        let asked = match language {
            Language::English => &self.english,
            Language::Vietnamese => &self.vietnamese,
        };
        json!({"id": format!("q{number}"), "text": asked.text, "why": asked.why, "options": asked.options, "default": asked.options[0]})
    }
}

static GAPS: [Gap; 4] = [
    Gap {
        words: &[
            "chapter",
            "section",
            "file",
            "page",
            "table",
            "email",
            "slide",
            "chương",
            "mục ",
            "tệp",
            "trang",
            "bảng",
            "bài đăng",
            "tờ rơi",
        ],
        english: Asked {
            text: "Which pieces should the result have, and in which form?",
            why: "The parts of the result decide how the work is split.",
            options: [
                "one document in Markdown",
                "several short documents",
                "a document and a one-page summary",
            ],
        },
        vietnamese: Asked {
            text: "Kết quả gồm những phần nào và ở dạng nào?",
            why: "Các phần của kết quả quyết định cách chia việc.",
            options: [
                "một tài liệu Markdown",
                "nhiều tài liệu ngắn",
                "một tài liệu và một trang tóm tắt",
            ],
        },
    },
    Gap {
        words: &[
            "reader",
            "audience",
            "student",
            "for my",
            "for our",
            "customer",
            "người đọc",
            "độc giả",
            "khách hàng",
            "học sinh",
            "sinh viên",
            "đối tác",
            "dành cho",
        ],
        english: Asked {
            text: "Who will read it?",
            why: "Tone and depth follow from the readers.",
            options: [
                "the general public",
                "specialists",
                "people who decide about it",
            ],
        },
        vietnamese: Asked {
            text: "Ai sẽ đọc kết quả?",
            why: "Giọng văn và độ sâu phụ thuộc vào người đọc.",
            options: [
                "công chúng nói chung",
                "người trong nghề",
                "người ra quyết định",
            ],
        },
    },
    Gap {
        words: &[
            " words",
            " pages",
            " lines",
            "at most",
            "at least",
            " từ ",
            " chữ",
            "số trang",
            "tối đa",
            "ít nhất",
        ],
        english: Asked {
            text: "How long should it be?",
            why: "The length decides what has to be left out.",
            options: ["about 600 words", "about 1,500 words", "as long as needed"],
        },
        vietnamese: Asked {
            text: "Kết quả nên dài khoảng bao nhiêu?",
            why: "Độ dài quyết định phải lược bớt những gì.",
            options: [
                "khoảng 600 chữ",
                "khoảng 1.500 chữ",
                "dài bao nhiêu cũng được",
            ],
        },
    },
    Gap {
        words: &[
            "attached",
            "attachment",
            "source",
            "as follows",
            "đính kèm",
            "nguồn",
            "như sau",
        ],
        english: Asked {
            text: "Which facts may be used, and where do they stand?",
            why: "Nothing should be made up.",
            options: [
                "leave places for facts that are missing",
                "I will send notes",
                "use only what the brief says",
            ],
        },
        vietnamese: Asked {
            text: "Có thể dùng những dữ kiện nào và lấy ở đâu?",
            why: "Không nên bịa ra điều gì.",
            options: [
                "chừa chỗ cho dữ kiện còn thiếu",
                "tôi sẽ gửi ghi chú",
                "chỉ dùng những gì trong yêu cầu",
            ],
        },
    },
];
