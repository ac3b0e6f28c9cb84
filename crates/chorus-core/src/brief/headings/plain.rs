//! Headings of plain text: chapter lines, then numbered lines, then capital lines.
//!
//! Stronger signs are preferred to weaker ones: numbered and capital lines count only in texts
//! without better ones.

use super::chapter_line::chapter;
use super::contents::without_contents;
use super::line::{Line, is_after_blank, is_alone};
use super::number::{is_cjk_digit, is_roman};
use super::{Heading, LONGEST, heading};

/// Returns chapter lines outside of closed stretches.
pub(super) fn chapter_lines(lines: &[Line<'_>]) -> Vec<Heading> {
    collect(lines, chapter_line)
}

/// Returns `#` headings and underlined titles of a plain text, which need a blank line before them.
pub(super) fn marked_lines(lines: &[Line<'_>]) -> Vec<Heading> {
    collect(lines, |lines, at| {
        hashed(lines, at).or_else(|| underlined(lines, at))
    })
}

/// Returns numbered lines, else capital lines, in a text with few or no stronger headings.
pub(super) fn weak(text: &str, lines: &[Line<'_>], strong: &[Heading]) -> Option<Vec<Heading>> {
    for weak in [numbered as Finder, capital] {
        let found: Vec<Heading> = collect(lines, weak)
            .into_iter()
            .chain(strong.iter().cloned())
            .collect();
        let found = without_contents(text, super::sorted(found));
        let bare = found
            .windows(2)
            .filter(|pair| text[pair[0].end..pair[1].start].trim().is_empty())
            .count();
        if found.len() >= 2 && bare * 4 <= found.len() {
            return Some(found);
        }
    }
    None
}

type Finder = fn(&[Line<'_>], usize) -> Option<Heading>;

fn collect(lines: &[Line<'_>], find: Finder) -> Vec<Heading> {
    let is_short = |line: &Line<'_>| {
        !line.is_closed && !line.text.is_empty() && line.text.len() <= LONGEST * 4
    };
    (0..lines.len())
        .filter(|at| is_short(&lines[*at]))
        .filter_map(|at| find(lines, at))
        .collect()
}

fn hashed(lines: &[Line<'_>], at: usize) -> Option<Heading> {
    let line = lines[at];
    let hashes = line.text.bytes().take_while(|byte| *byte == b'#').count();
    let title = line.text[hashes..].strip_prefix([' ', '\t'])?;
    let title = title.trim().trim_end_matches('#').trim();
    let is_begun = at == 0 || lines[at - 1].text.is_empty() || lines[at - 1].text.starts_with('#');
    ((1..=6).contains(&hashes) && is_begun && !title.is_empty()).then(|| {
        heading(
            line.start..line.end,
            u8::try_from(hashes).unwrap_or(6),
            title,
        )
    })
}

fn underlined(lines: &[Line<'_>], at: usize) -> Option<Heading> {
    let under = lines.get(at + 1)?.text;
    let level = match under.as_bytes().first()? {
        b'=' if under.len() >= 3 && under.bytes().all(|byte| byte == b'=') => 1,
        b'-' if under.len() >= 3 && under.bytes().all(|byte| byte == b'-') => 2,
        _ => return None,
    };
    let line = lines[at];
    let is_title = line.text.chars().count() <= LONGEST
        && line.text.contains(char::is_alphanumeric)
        && is_after_blank(lines, at);
    is_title.then(|| heading(line.start..lines[at + 1].end, level, line.text))
}

fn chapter_line(lines: &[Line<'_>], at: usize) -> Option<Heading> {
    let line = lines[at];
    if line.text.chars().count() > LONGEST {
        return None;
    }
    let bare = line.text.trim_matches(['*', '_', ' ', '　', '【', '】']);
    let found = chapter(bare, is_alone(lines, at))?;
    let is_begun = is_after_blank(lines, at)
        || chapter(lines[at - 1].text, false).is_some()
        || lines[at - 1].text.starts_with('#')
        || bare.starts_with('第');
    if !is_begun {
        return None;
    }
    let mut title = bare.to_owned();
    if !found.is_titled
        && let Some(words) = subtitle(lines, at)
    {
        title = format!("{title}: {words}");
    }
    let mut heading = heading(line.start..line.end, found.level, &title);
    heading.chapter = true;
    Some(heading)
}

/// Returns a short line alone between blank ones, under a chapter line that has only a number.
fn subtitle<'a>(lines: &[Line<'a>], at: usize) -> Option<&'a str> {
    let next = lines.get(at + 1)?;
    let at = if next.text.is_empty() { at + 2 } else { at + 1 };
    let line = lines.get(at)?;
    let is_followed = lines.get(at + 1).is_some_and(|next| next.text.is_empty());
    let is_short = !line.text.is_empty()
        && line.text.chars().count() <= 60
        && !line.text.ends_with([
            '.', ',', ';', ':', '?', '!', '”', '"', '。', '，', '！', '？', '」',
        ]);
    let is_title = line
        .text
        .chars()
        .next()
        .is_some_and(|letter| letter.is_alphabetic() && !letter.is_lowercase())
        && chapter(line.text, false).is_none();
    (is_followed && is_short && is_title).then_some(line.text)
}

fn numbered(lines: &[Line<'_>], at: usize) -> Option<Heading> {
    let line = lines[at];
    if !is_alone(lines, at) || line.text.chars().count() > 70 {
        return None;
    }
    let number = line
        .text
        .split(|letter: char| letter.is_whitespace() || letter == '、')
        .next()?;
    let rest = line.text[number.len()..].trim_start_matches('、').trim();
    let bare = number.trim_end_matches(['.', ')', '．']);
    let parts: Vec<&str> = bare.split('.').collect();
    let is_digits = parts.len() <= 4
        && parts.iter().all(|part| {
            (1..=3).contains(&part.chars().count())
                && part
                    .chars()
                    .all(|letter| letter.is_numeric() || is_cjk_digit(letter))
        });
    let is_roman = bare.chars().all(char::is_uppercase) && is_roman(&bare.to_lowercase());
    let is_title = rest.is_empty()
        || rest
            .chars()
            .next()
            .is_some_and(|letter| letter.is_alphabetic() && !letter.is_lowercase())
            && !rest.ends_with(['.', ',', ';', ':', '?', '!', '。', '，', '；']);
    let level = u8::try_from(parts.len()).unwrap_or(4);
    ((is_digits || is_roman) && is_title).then(|| heading(line.start..line.end, level, line.text))
}

fn capital(lines: &[Line<'_>], at: usize) -> Option<Heading> {
    let text = lines[at].text;
    let letters = text.chars().filter(|letter| letter.is_alphabetic()).count();
    let is_capital = !text.chars().any(char::is_lowercase) && text.chars().any(char::is_uppercase);
    let is_title = is_alone(lines, at) && is_capital && letters >= 4 && text.chars().count() <= 60;
    is_title.then(|| heading(lines[at].start..lines[at].end, 1, text))
}
