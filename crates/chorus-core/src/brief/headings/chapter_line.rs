//! Lines that call themselves a chapter, in the languages that people write books in.
//!
//! A line is one if it has a word for a part of a book and a number: `Chapter IV`, `Kapitel 3`,
//! `Première partie`, `1. Bölüm`, `第三章`, `제1장`, `บทที่ ๑`, `الفصل الأول`. A word that means little else also
//! counts with any short rest, if the line stands alone.

use super::number::{is_cjk_digit, is_number, is_number_word, is_ordinal, is_roman};

/// Line that calls itself a chapter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Chapter {
    /// Depth: 1 for parts and volumes, 2 for chapters, 3 for scenes, sections and articles.
    pub level: u8,
    /// True if the line has a title besides its number.
    pub is_titled: bool,
}

/// Words for volumes, books, parts and acts: level 1.
const PARTS: &[&str] = &[
    "book",
    "part",
    "volume",
    "act",
    "quyển",
    "phần",
    "tập",
    "buch",
    "teil",
    "band",
    "akt",
    "aufzug",
    "livre",
    "partie",
    "tome",
    "acte",
    "libro",
    "parte",
    "tomo",
    "acto",
    "atto",
    "livro",
    "ato",
    "llibre",
    "part",
    "boek",
    "deel",
    "bok",
    "bog",
    "del",
    "osa",
    "kirja",
    "księga",
    "część",
    "tom",
    "kniha",
    "díl",
    "část",
    "časť",
    "diel",
    "könyv",
    "rész",
    "kötet",
    "cartea",
    "partea",
    "volumul",
    "kitap",
    "cilt",
    "kısım",
    "книга",
    "том",
    "часть",
    "действие",
    "частина",
    "част",
    "дио",
    "део",
    "knjiga",
    "dio",
    "βιβλίο",
    "μέρος",
    "τόμος",
    "الجزء",
    "الكتاب",
    "الباب",
    "القسم",
    "ספר",
    "חלק",
    "بخش",
    "کتاب",
    "भाग",
    "खंड",
    "खण्ड",
    "ভাগ",
    "খণ্ড",
    "bagian",
    "jilid",
    "bahagian",
    "ภาค",
    "ภาคที่",
    "เล่ม",
    "liber",
    "pars",
    "osa",
    "daļa",
    "dalis",
    "წიგნი",
    "ნაწილი",
    "մաս",
    "பகுதி",
    "భాగం",
];

/// Words for chapters that mean little else: level 2.
const CHAPTERS: &[&str] = &[
    "chapter",
    "chương",
    "hồi",
    "canto",
    "kapitel",
    "chapitre",
    "chant",
    "capítulo",
    "capitulo",
    "capitolo",
    "canto",
    "capítol",
    "hoofdstuk",
    "kapittel",
    "luku",
    "rozdział",
    "kapitola",
    "fejezet",
    "capitolul",
    "capitol",
    "bölüm",
    "fəsil",
    "глава",
    "розділ",
    "поглавље",
    "poglavlje",
    "glava",
    "раздзел",
    "бөлім",
    "κεφάλαιο",
    "الفصل",
    "فصل",
    "باب",
    "פרק",
    "अध्याय",
    "সর্গ",
    "অধ্যায়",
    "सर्ग",
    "bab",
    "kabanata",
    "บท",
    "บทที่",
    "ตอน",
    "ตอนที่",
    "caput",
    "ĉapitro",
    "peatükk",
    "nodaļa",
    "skyrius",
    "თავი",
    "գլուխ",
    "அத்தியாயம்",
    "అధ్యాయం",
    "ជំពូក",
    "ບົດທີ",
    "အခန်း",
    "sura",
    "бүлэг",
    "kapitulli",
    "caibidil",
    "pennod",
];

/// Words for letters, scenes, sections and articles: level 2 or 3, only with a number.
const SECTIONS: &[(&str, u8)] = &[
    ("letter", 2),
    ("lesson", 2),
    ("lecture", 2),
    ("appendix", 2),
    ("annex", 2),
    ("anhang", 2),
    ("annexe", 2),
    ("anexo", 2),
    ("allegato", 2),
    ("приложение", 2),
    ("phụ lục", 2),
    ("scene", 3),
    ("section", 3),
    ("article", 3),
    ("bài", 2),
    ("mục", 3),
    ("điều", 3),
    ("abschnitt", 3),
    ("szene", 3),
    ("auftritt", 3),
    ("artikel", 3),
    ("paragraph", 3),
    ("§", 3),
    ("scène", 3),
    ("sección", 3),
    ("escena", 3),
    ("artículo", 3),
    ("seção", 3),
    ("cena", 3),
    ("artigo", 3),
    ("sezione", 3),
    ("scena", 3),
    ("articolo", 3),
    ("sahne", 3),
    ("madde", 3),
    ("раздел", 3),
    ("сцена", 3),
    ("статья", 3),
    ("явление", 3),
    ("pasal", 3),
    ("المادة", 3),
    ("มาตรา", 3),
];

/// Lines that are chapters without a number.
const LONE: &[&str] = &[
    "prologue",
    "epilogue",
    "preface",
    "introduction",
    "foreword",
    "afterword",
    "conclusion",
    "lời nói đầu",
    "lời mở đầu",
    "lời kết",
    "lời tựa",
    "mở đầu",
    "kết luận",
    "vorwort",
    "nachwort",
    "einleitung",
    "prolog",
    "epilog",
    "préface",
    "avant-propos",
    "épilogue",
    "introducción",
    "prólogo",
    "epílogo",
    "prefacio",
    "prefácio",
    "introdução",
    "prefazione",
    "prologo",
    "epilogo",
    "introduzione",
    "voorwoord",
    "inleiding",
    "förord",
    "forord",
    "esipuhe",
    "wstęp",
    "przedmowa",
    "zakończenie",
    "předmluva",
    "úvod",
    "doslov",
    "előszó",
    "utószó",
    "önsöz",
    "giriş",
    "sonsöz",
    "предисловие",
    "введение",
    "пролог",
    "эпилог",
    "послесловие",
    "заключение",
    "передмова",
    "вступ",
    "епілог",
    "πρόλογος",
    "επίλογος",
    "المقدمة",
    "مقدمة",
    "الخاتمة",
    "خاتمة",
    "מבוא",
    "הקדמה",
    "אפילוג",
    "پیشگفتار",
    "भूमिका",
    "प्रस्तावना",
    "उपसंहार",
    "pendahuluan",
    "prakata",
    "penutup",
    "คำนำ",
    "บทนำ",
    "บทส่งท้าย",
    "序",
    "序章",
    "序言",
    "前言",
    "引言",
    "楔子",
    "尾声",
    "尾聲",
    "后记",
    "後記",
    "终章",
    "終章",
    "はじめに",
    "おわりに",
    "あとがき",
    "まえがき",
    "プロローグ",
    "エピローグ",
    "머리말",
    "서문",
    "프롤로그",
    "에필로그",
    "맺음말",
];

/// Counters of Chinese, Japanese and Korean, by level.
const COUNTERS: [(char, u8); 27] = [
    ('卷', 1),
    ('巻', 1),
    ('部', 1),
    ('篇', 1),
    ('編', 1),
    ('编', 1),
    ('集', 1),
    ('幕', 1),
    ('章', 2),
    ('回', 2),
    ('话', 2),
    ('話', 2),
    ('讲', 2),
    ('講', 2),
    ('课', 2),
    ('課', 2),
    ('节', 3),
    ('節', 3),
    ('条', 3),
    ('條', 3),
    ('부', 1),
    ('권', 1),
    ('편', 1),
    ('막', 1),
    ('장', 2),
    ('화', 2),
    ('절', 3),
];

/// Maximum length of a title after a number, in characters.
const LONGEST_TITLE: usize = 60;

/// Reads a line; none if it calls itself nothing. `is_alone`: blank lines surround it.
pub(super) fn chapter(text: &str, is_alone: bool) -> Option<Chapter> {
    let lower = text.to_lowercase();
    let bare = lower.trim_end_matches(['.', ':', '：', '。']);
    if LONE.contains(&bare) {
        return Some(Chapter {
            level: 2,
            is_titled: true,
        });
    }
    counted(&lower)
        .or_else(|| word_first(text, &lower, is_alone))
        .or_else(|| number_first(&lower))
}

/// Reads `第三章 灯台` and `제1장 등대`.
fn counted(text: &str) -> Option<Chapter> {
    let (text, is_marked) = match text.strip_prefix(['第', '제']) {
        Some(rest) => (rest.trim_start(), true),
        None => (text, false),
    };
    let number: usize = text
        .chars()
        .take_while(|letter| is_cjk_digit(*letter) || letter.is_numeric())
        .map(char::len_utf8)
        .sum();
    let rest = text[number..].trim_start();
    let counter = rest.chars().next()?;
    let (_, level) = COUNTERS.iter().find(|(letter, _)| *letter == counter)?;
    let title = &rest[counter.len_utf8()..];
    let is_separate = title.is_empty()
        || title.starts_with(|letter: char| {
            letter.is_whitespace() || "：:、．.—-·「『《〈(（".contains(letter)
        });
    let is_prose = title.contains(['。', '，', '！', '？', '；'])
        || title.chars().count() > if is_separate { 40 } else { 16 };
    let is_chapter = number > 0 && (is_marked || counter == '장' && is_separate) && !is_prose;
    // Korean particles follow a counter without a blank, Chinese titles may.
    let is_korean = matches!(counter, '가'..='힣');
    (is_chapter && (is_separate || !is_korean)).then(|| Chapter {
        level: *level,
        is_titled: !title.trim().is_empty(),
    })
}

/// Reads `Chapter IV. The Pier`, `Глава первая`, `บทที่๑`.
fn word_first(text: &str, lower: &str, is_alone: bool) -> Option<Chapter> {
    let (word, level, is_plain_word) = word_at_start(lower)?;
    let after_word = lower[word.len()..].trim_start();
    let after_word = after_word.strip_prefix("the ").unwrap_or(after_word);
    let number = first_word(after_word);
    let mut rest = after_word[number.len()..].trim_start_matches([')', '´', '΄']);
    if !is_number(number) {
        // A word for chapters with a number that is not known, such as `Kapitel Dreiundzwanzig`.
        let words = after_word.split_whitespace().count();
        let is_short = (1..=3).contains(&words) && !after_word.ends_with(['.', ',', ';', '?', '!']);
        return (is_plain_word && is_alone && is_short).then_some(Chapter {
            level,
            is_titled: false,
        });
    }
    // Numbers of several words, such as `двадцать третья`.
    while let Some(next) = rest.strip_prefix(' ').map(first_word) {
        if next.chars().count() < 3 || !is_number_word(next) {
            break;
        }
        rest = &rest[1 + next.len()..];
    }
    let is_announced = rest.is_empty()
        || rest.starts_with(['.', ':', '—', '–', '-', '：', '。'])
        || rest.starts_with(" –")
        || rest.starts_with(" —")
        || rest.starts_with(" -")
        || rest.starts_with(" :");
    let is_title = rest.chars().count() <= LONGEST_TITLE
        && !rest.ends_with(['.', ',', ';', '?', '!', '…'])
        && is_capital(text, rest);
    let is_letter = number.chars().count() == 1 && number.chars().all(char::is_alphabetic);
    let is_chapter = (is_announced || is_title) && !(is_letter && !is_announced && !is_alone);
    is_chapter.then(|| Chapter {
        level,
        is_titled: rest.chars().any(char::is_alphanumeric),
    })
}

fn first_word(text: &str) -> &str {
    text.split(|letter: char| letter.is_whitespace() || ".:,;)—–：。、?!".contains(letter))
        .next()
        .unwrap_or("")
}

/// Returns the word for a part of a book at the beginning of a line, its level, and whether the word
/// means little else.
fn word_at_start(lower: &str) -> Option<(&'static str, u8, bool)> {
    let is_word = |word: &str| {
        lower.strip_prefix(word).is_some_and(|rest| {
            let next = rest.chars().next();
            // Thai writes the number without a blank, and § needs none.
            let is_joined =
                word == "§" || matches!(word.chars().next(), Some('\u{e00}'..='\u{eff}'));
            next.is_some_and(|letter| {
                letter.is_whitespace()
                    || (is_joined && (letter.is_numeric() || word.ends_with("ที่")))
            })
        })
    };
    let chapters = CHAPTERS.iter().map(|word| (*word, 2, true));
    let parts = PARTS.iter().map(|word| (*word, 1, false));
    let sections = SECTIONS.iter().map(|(word, level)| (*word, *level, false));
    chapters
        .chain(parts)
        .chain(sections)
        .find(|(word, _, _)| is_word(word))
}

/// Returns true if the title after a number begins like one: `Chapter 5 was dull` has none.
fn is_capital(text: &str, rest: &str) -> bool {
    let words = rest.split_whitespace().count();
    let mut last = text.split_whitespace().rev().take(words);
    let first = if words == 0 {
        None
    } else {
        last.nth(words - 1)
    };
    first
        .and_then(|word| word.chars().find(|letter| letter.is_alphanumeric()))
        .is_none_or(|letter| !letter.is_lowercase())
}

/// Reads `1. Kapitel`, `Erstes Kapitel`, `Première partie`, `Birinci Bölüm: …`.
fn number_first(lower: &str) -> Option<Chapter> {
    let mut words = lower.split_whitespace();
    let first = words.next()?;
    let second = words.next()?;
    let word = second.trim_end_matches(['.', ':', ',', '—', '–', '：']);
    let level = if CHAPTERS.contains(&word) {
        2
    } else if PARTS.contains(&word) {
        1
    } else {
        return None;
    };
    let rest = words.collect::<Vec<_>>().join(" ");
    let is_announced = rest.is_empty()
        || second.ends_with(['.', ':', '—', '–', '：'])
        || rest.starts_with(['—', '–', '-', ':']);
    let digits = first
        .trim_end_matches(['.', 'º', 'ª', '°'])
        .trim_end_matches("-й")
        .trim_end_matches("-я");
    let is_counted = digits.starts_with(char::is_numeric) && is_number(digits);
    let is_roman = first.ends_with('.') && is_roman(digits);
    let is_numbered = first != word && (is_counted || is_roman || is_ordinal(first, level));
    (is_numbered
        && is_announced
        && rest.chars().count() <= LONGEST_TITLE
        && !rest.ends_with([',', ';', '?']))
    .then(|| Chapter {
        level,
        is_titled: rest.chars().any(char::is_alphanumeric),
    })
}
