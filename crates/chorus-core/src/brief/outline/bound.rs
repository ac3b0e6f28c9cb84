//! The bound of an outline: small neighbours are joined until a planner can survey all sections.
//!
//! Neighbours in one document are joined first, then those in one folder, then any. Nothing is
//! dropped: a joined section names its documents, and [`Section::more`] keeps their places.

use super::super::{Section, SectionId, Stretch, count_tokens};

/// Maximum number of sections, for material of up to 3.6 million tokens.
pub const MAX_SECTIONS: usize = 300;

/// Maximum number of tokens of all sections as lines of a prompt.
pub const MAX_OUTLINE_TOKENS: u64 = 20_000;

/// Maximum size of a joined section, in tokens: a task must be able to read one.
const MAX_JOINED: u64 = 24_000;

/// Lengths of openings and titles that are tried in turn, in characters.
const LENGTHS: [(usize, usize); 7] = [
    (160, 200),
    (110, 200),
    (70, 120),
    (40, 90),
    (20, 60),
    (0, 40),
    (0, 20),
];

/// Reason for which two neighbours may be joined.
#[derive(Clone, Copy)]
enum Kinship {
    Document,
    Folder,
    Any,
}

/// Joins neighbours until there are few enough, then shortens what does not fit a prompt.
pub(super) fn bounded(sections: Vec<Section>) -> Vec<Section> {
    let total: u64 = sections.iter().map(|section| section.tokens).sum();
    let cap = (2 * total / (MAX_SECTIONS as u64 - 1) + 1).min(MAX_JOINED);
    let mut groups: Vec<Group> = sections.into_iter().map(Group::of).collect();
    for share in [8, 4, 2, 1] {
        for kinship in [Kinship::Document, Kinship::Folder, Kinship::Any] {
            if groups.len() > MAX_SECTIONS {
                groups = packed(groups, kinship, cap / share);
            }
        }
    }
    shortened(&groups)
}

/// Neighbours that become one section.
struct Group {
    members: Vec<Section>,
    tokens: u64,
}

impl Group {
    fn of(section: Section) -> Self {
        Self {
            tokens: section.tokens,
            members: vec![section],
        }
    }

    fn is_kin(&self, next: &Self, kinship: Kinship) -> bool {
        let (Some(last), Some(first)) = (self.members.last(), next.members.first()) else {
            return false;
        };
        match kinship {
            Kinship::Document => last.document == first.document,
            Kinship::Folder => folder(&last.document) == folder(&first.document),
            Kinship::Any => true,
        }
    }

    /// Names of the documents, in order.
    fn documents(&self) -> Vec<&str> {
        let mut names: Vec<&str> = Vec::new();
        for member in &self.members {
            if names.last() != Some(&member.document.as_str()) {
                names.push(&member.document);
            }
        }
        names
    }

    /// Makes one section, with texts of at most so many characters.
    fn section(&self, number: usize, (opening, title): (usize, usize)) -> Section {
        let first = &self.members[0];
        let documents = self.documents();
        let document = first.id.0.split('.').next().unwrap_or("d1");
        let opening = match documents.as_slice() {
            [_] => cut(&first.opening, opening),
            names => listed(names, opening * 4),
        };
        let mut section = Section {
            id: SectionId(format!("{document}.{number}")),
            title: cut(&self.title(&documents), title),
            opening,
            tokens: self.tokens,
            more: Vec::new(),
            ..first.clone()
        };
        for member in &self.members[1..] {
            append(&mut section, member);
        }
        section
    }

    fn title(&self, documents: &[&str]) -> String {
        let (first, last) = (&self.members[0], &self.members[self.members.len() - 1]);
        match (documents, self.members.len()) {
            ([_], 1) => first.title.clone(),
            ([_], count) => format!("{} … {} ({count} sections)", first.title, last.title),
            (names, _) => format!(
                "{} … {} ({} files)",
                names[0],
                names[names.len() - 1],
                names.len()
            ),
        }
    }
}

fn append(section: &mut Section, member: &Section) {
    let (document, end) = match section.more.last_mut() {
        Some(last) => (&last.document, &mut last.end),
        None => (&section.document, &mut section.end),
    };
    if *document == member.document && *end == member.start {
        *end = member.end;
    } else {
        section.more.push(Stretch {
            document: member.document.clone(),
            start: member.start,
            end: member.end,
        });
    }
}

/// Packs neighbours greedily into groups of at most `cap` tokens.
fn packed(groups: Vec<Group>, kinship: Kinship, cap: u64) -> Vec<Group> {
    let mut packed: Vec<Group> = Vec::new();
    for group in groups {
        match packed.last_mut() {
            Some(last) if last.tokens + group.tokens <= cap && last.is_kin(&group, kinship) => {
                last.tokens += group.tokens;
                last.members.extend(group.members);
            }
            _ => packed.push(group),
        }
    }
    packed
}

/// Makes sections with lines that fit a prompt, with the longest texts that do.
fn shortened(groups: &[Group]) -> Vec<Section> {
    let mut sections = Vec::new();
    for lengths in LENGTHS {
        sections = numbered(groups, lengths);
        if sections.iter().map(line_tokens).sum::<u64>() <= MAX_OUTLINE_TOKENS {
            break;
        }
    }
    sections
}

fn numbered(groups: &[Group], lengths: (usize, usize)) -> Vec<Section> {
    let mut sections: Vec<Section> = Vec::with_capacity(groups.len());
    let mut number = 0;
    let mut document = "";
    for group in groups {
        let prefix = group.members[0].id.0.split('.').next().unwrap_or("");
        number = if prefix == document { number + 1 } else { 1 };
        document = prefix;
        sections.push(group.section(number, lengths));
    }
    sections
}

/// Tokens of a section as a line of a prompt.
fn line_tokens(section: &Section) -> u64 {
    count_tokens(&format!(
        "<section id=\"{}\" document=\"{}\" title=\"{}\" tokens=\"{}\">{}</section>\n",
        section.id.0, section.document, section.title, section.tokens, section.opening
    ))
}

fn folder(document: &str) -> &str {
    document.rsplit_once('/').map_or("", |(folder, _)| folder)
}

/// Returns the names up to so many characters, and the number of those left out.
fn listed(names: &[&str], longest: usize) -> String {
    let mut list = String::new();
    for (at, name) in names.iter().enumerate() {
        let name = name.rsplit('/').next().unwrap_or(name);
        if list.chars().count() + name.chars().count() > longest {
            let rest = names.len() - at;
            return if at == 0 {
                String::new()
            } else {
                format!("{list} and {rest} more files")
            };
        }
        if at > 0 {
            list.push_str(", ");
        }
        list.push_str(name);
    }
    list
}

fn cut(text: &str, longest: usize) -> String {
    if text.chars().count() <= longest {
        return text.to_owned();
    }
    let mut cut: String = text.chars().take(longest.saturating_sub(1)).collect();
    if longest > 0 {
        cut.push('…');
    }
    cut
}
