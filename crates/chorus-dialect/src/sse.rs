//! Server-sent events: bytes cut anywhere become events, and events become bytes.
//!
//! Comments (`: keep-alive`), blank lines, a byte order mark and every kind of line end are
//! accepted, and a line that begins with `{` is an event of its own. The dialects interpret the data. Nothing here limits sizes: the caller counts the
//! bytes.

/// One event as it stood on the wire.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Event {
    /// Name of the event; none when the server gave none.
    pub name: Option<String>,
    /// Data of the event, lines joined by line feeds.
    pub data: String,
}

/// State of a byte stream that is cut into [`Event`]s. Any re-cut of the same bytes gives the same
/// events.
#[derive(Debug, Clone, Default)]
pub struct Parser {
    line: Vec<u8>,
    event: Event,
    has_data: bool,
    begun: bool,
    after_return: bool,
}

impl Parser {
    /// Starts with nothing received.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes more bytes and returns the events that they complete.
    pub fn push(&mut self, bytes: &[u8]) -> Vec<Event> {
        let mut events = Vec::new();
        for &byte in bytes {
            let after_return = std::mem::replace(&mut self.after_return, byte == b'\r');
            match byte {
                b'\n' if after_return => {}
                b'\n' | b'\r' => events.extend(self.end_line()),
                other => self.line.push(other),
            }
        }
        events
    }

    /// Ends the stream: an event that lacks only its closing blank line is returned.
    pub fn close(&mut self) -> Option<Event> {
        self.end_line().or_else(|| self.end_event())
    }

    fn end_line(&mut self) -> Option<Event> {
        let line = std::mem::take(&mut self.line);
        let unmarked = if self.begun {
            &line[..]
        } else {
            line.strip_prefix("\u{feff}".as_bytes()).unwrap_or(&line)
        };
        self.begun = true;
        if unmarked.is_empty() {
            return self.end_event();
        }
        let text = String::from_utf8_lossy(unmarked);
        // Some servers put an error into the stream as it stands, without `data:`.
        if text.starts_with('{') && !self.has_data {
            self.has_data = true;
            self.event.data.push_str(&text);
            return self.end_event();
        }
        let (field, value) = text.split_once(':').unwrap_or((&text, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "event" => self.event.name = Some(value.to_owned()),
            "data" => {
                if std::mem::replace(&mut self.has_data, true) {
                    self.event.data.push('\n');
                }
                self.event.data.push_str(value);
            }
            _comment_or_unknown => {}
        }
        None
    }

    fn end_event(&mut self) -> Option<Event> {
        let event = std::mem::take(&mut self.event);
        std::mem::take(&mut self.has_data).then_some(event)
    }
}

/// Returns the bytes of one event.
pub fn frame(name: Option<&str>, data: &str) -> Vec<u8> {
    let mut text = String::with_capacity(data.len() + 32);
    if let Some(name) = name {
        text.extend(["event: ", name, "\n"]);
    }
    for line in data.split('\n') {
        text.extend(["data: ", line, "\n"]);
    }
    text.push('\n');
    text.into_bytes()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(pieces: &[&[u8]], expected: &[(Option<&str>, &str)]) {
        let mut parser = Parser::new();
        let mut events: Vec<Event> = pieces.iter().flat_map(|piece| parser.push(piece)).collect();
        events.extend(parser.close());
        let seen: Vec<_> = events
            .iter()
            .map(|event| (event.name.as_deref(), event.data.as_str()))
            .collect();
        assert_eq!(seen, expected);
    }

    #[test]
    fn every_line_end_and_a_byte_order_mark_are_taken() {
        check(
            &[b"\xef\xbb\xbfdata: a\r\n\r\ndata:b\r\rdata: c\n\n"],
            &[(None, "a"), (None, "b"), (None, "c")],
        );
    }

    #[test]
    fn comments_and_blank_lines_are_no_events() {
        check(
            &[b"\n\n: keep-alive\n\n:\n\nevent: ping\n\ndata: x\n\n"],
            &[(None, "x")],
        );
    }

    #[test]
    fn data_lines_are_joined_and_one_space_is_dropped() {
        check(
            &[b"event: m\ndata:  two\ndata\ndata:end\nid: 7\n\n"],
            &[(Some("m"), " two\n\nend")],
        );
    }

    #[test]
    fn a_bare_object_on_a_line_is_an_event() {
        check(
            &[b"data: a\n\n{\"error\":\"x\"}\ndata: b\n\n"],
            &[(None, "a"), (None, "{\"error\":\"x\"}"), (None, "b")],
        );
    }

    #[test]
    fn a_last_event_without_its_blank_line_is_returned_at_the_close() {
        check(&[b"data: [DO", b"NE]"], &[(None, "[DONE]")]);
    }

    proptest! {
        #[test]
        fn any_cut_of_any_bytes_gives_the_same_events(
            text in "(event: e|data: x|data:y|: k|\\{|\r|\n|\r\n|\u{feff}|é|:){0,40}",
            cuts in proptest::collection::vec(0usize..200, 0..6),
        ) {
            let bytes = text.as_bytes();
            let whole = { let mut parser = Parser::new(); let mut all = parser.push(bytes); all.extend(parser.close()); all };
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(bytes.len())).chain([0, bytes.len()]).collect();
            cuts.sort_unstable();
            let mut parser = Parser::new();
            let mut pieces: Vec<Event> = cuts.windows(2).flat_map(|pair| parser.push(&bytes[pair[0]..pair[1]])).collect();
            pieces.extend(parser.close());
            prop_assert_eq!(whole, pieces);
        }

        #[test]
        fn what_is_framed_is_read_back(name in proptest::option::of("[a-z_]{1,12}"), data in "[^\r]{0,60}") {
            let mut parser = Parser::new();
            let events = parser.push(&frame(name.as_deref(), &data));
            prop_assert_eq!(events, vec![Event { name, data }]);
        }
    }
}
