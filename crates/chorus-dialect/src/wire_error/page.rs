//! The words of a web page: its title and first heading, else its text without tags.

/// Bytes of a page that are read.
const MOST_BYTES: usize = 1 << 16;
/// Letters of a page that are shown.
const MOST_LETTERS: usize = 160;
/// Elements of which the text is not for readers.
const UNREAD: [&str; 3] = ["script", "style", "head"];

/// Returns title and heading of a page.
pub(super) fn text(page: &str) -> String {
    let mut end = page.len().min(MOST_BYTES);
    while !page.is_char_boundary(end) {
        end -= 1;
    }
    let page = &page[..end];
    let lower = page.to_ascii_lowercase();
    let title = element(page, &lower, "title");
    let heading = element(page, &lower, "h1");
    let text = match (title, heading) {
        (Some(title), Some(heading)) if title != heading => format!("{title}: {heading}"),
        (Some(one), _) | (None, Some(one)) => one,
        (None, None) => without_tags(&without_unread(page, &lower)),
    };
    if text.is_empty() {
        return "(without any text)".to_owned();
    }
    text.chars().take(MOST_LETTERS).collect()
}

/// Text of the first element with this name; none when it is absent or empty.
fn element(page: &str, lower: &str, name: &str) -> Option<String> {
    let open = lower.find(&format!("<{name}"))?;
    let begin = open + lower[open..].find('>')? + 1;
    let end = begin + lower[begin..].find(&format!("</{name}"))?;
    let text = without_tags(&page[begin..end]);
    (!text.is_empty()).then_some(text)
}

fn without_unread(page: &str, lower: &str) -> String {
    let mut kept = String::new();
    let mut at = 0;
    while let Some(open) = lower[at..].find('<').map(|found| at + found) {
        kept.push_str(&page[at..open]);
        let closed = UNREAD.iter().find_map(|name| {
            let rest = lower[open + 1..].strip_prefix(name)?;
            let begin = lower.len() - rest.len();
            let end = lower[begin..].find(&format!("</{name}"))?;
            Some(begin + end)
        });
        let from = closed.unwrap_or(open);
        let end = lower[from..]
            .find('>')
            .map_or(lower.len(), |end| from + end + 1);
        kept.push_str(&page[from..end]);
        at = end;
    }
    kept.push_str(&page[at..]);
    kept
}

fn without_tags(text: &str) -> String {
    let mut plain = String::new();
    let mut is_tag = false;
    for letter in text.chars() {
        match letter {
            '<' => is_tag = true,
            '>' if is_tag => {
                is_tag = false;
                plain.push(' ');
            }
            _ if !is_tag => plain.push(letter),
            _ => {}
        }
    }
    let named = [
        ("&nbsp;", " "),
        ("&lt;", "<"),
        ("&gt;", ">"),
        ("&quot;", "\""),
        ("&#39;", "'"),
        ("&amp;", "&"),
    ];
    for (entity, letter) in named {
        plain = plain.replace(entity, letter);
    }
    plain.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_page_is_named_by_its_title_and_heading() {
        for (page, expected) in [
            (
                "<html><head><title>502 Bad Gateway</title></head><body><h1>502 Bad Gateway</h1><hr>nginx</body></html>",
                "502 Bad Gateway",
            ),
            (
                "<!DOCTYPE html><title>Attention Required! | Cloudflare</title><h1 class=\"x\">Sorry, you have been <b>blocked</b></h1>",
                "Attention Required! | Cloudflare: Sorry, you have been blocked",
            ),
            (
                "<html><style>p{color:red}</style><script>var a = '<p>';</script><p>Tom &amp; Jerry&nbsp;GmbH</p></html>",
                "Tom & Jerry GmbH",
            ),
            (
                "<?xml version=\"1.0\"?><Error><Code>AccessDenied</Code></Error>",
                "AccessDenied",
            ),
            ("<html></html>", "(without any text)"),
            ("<TITLE>Open WebUI", "Open WebUI"),
            ("<", "(without any text)"),
        ] {
            assert_eq!(text(page), expected, "{page}");
        }
    }

    proptest! {
        #[test]
        fn any_page_is_read_within_bounds(page in "(<title>|</title>|<h1|>|<|<script>|</script>|<style|é|a| |&amp;){0,60}") {
            let text = text(&page);
            prop_assert!(!text.is_empty() && text.chars().count() <= MOST_LETTERS);
        }
    }
}
