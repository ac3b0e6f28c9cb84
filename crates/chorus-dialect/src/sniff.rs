//! The kind of a body by its first bytes, whatever its status and headers announce.
//!
//! [`Sniffer`] takes bytes as they arrive and decides as soon as they suffice. Neighbours:
//! [`sse`](crate::sse) reads events, [`WireError`](crate::WireError) reads pages and prose.

/// Kind of a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// Server-sent events.
    Events,
    /// JSON that begins with an object or a list.
    Json,
    /// A web page, or another document with tags.
    Page,
    /// Other text, or bytes of no known kind.
    Text,
    /// Nothing but blanks.
    Empty,
}

/// Compression of a body by its magic number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Coding {
    /// RFC 1952.
    Gzip,
    /// RFC 1950, which HTTP names `deflate`.
    Zlib,
    /// RFC 8878.
    Zstd,
}

impl Coding {
    /// Returns the compression of bytes that begin so; none for bytes that are not compressed, and
    /// for fewer than four.
    pub fn of(bytes: &[u8]) -> Option<Self> {
        match *bytes {
            [0x1f, 0x8b, 8, ..] => Some(Self::Gzip),
            // The second form is a frame to be skipped, with which a body may begin.
            [0x28, 0xb5, 0x2f, 0xfd, ..] | [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => Some(Self::Zstd),
            // The second byte of zlib makes the pair divisible by 31; no text begins so.
            [0x78, second @ (0x01 | 0x9c | 0xda), ..] if second != b'^' => Some(Self::Zlib),
            _ => None,
        }
    }
}

/// State of a body of which the kind is not known yet.
#[derive(Debug, Clone, Default)]
pub struct Sniffer {
    held: Vec<u8>,
}

const MARK: &[u8] = "\u{feff}".as_bytes();
/// Names of fields with which a stream of events may begin.
const FIELDS: [&[u8]; 4] = [b"data:", b"event:", b"id:", b"retry:"];

impl Sniffer {
    /// Starts with nothing received.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes more bytes. Returns the kind and all bytes from the first one that is no blank, as
    /// soon as the kind is certain.
    pub fn push(&mut self, bytes: &[u8]) -> Option<(Shape, Vec<u8>)> {
        self.held.extend_from_slice(bytes);
        let begin = self
            .held
            .iter()
            .position(|byte| !byte.is_ascii_whitespace());
        self.held.drain(..begin.unwrap_or(self.held.len()));
        if self.held.starts_with(MARK) {
            self.held.drain(..MARK.len());
            return self.push(&[]);
        }
        let shape = shape(&self.held)?;
        Some((shape, std::mem::take(&mut self.held)))
    }

    /// Ends the body, and returns the kind that its few bytes allow.
    pub fn close(&mut self) -> (Shape, Vec<u8>) {
        let held = std::mem::take(&mut self.held);
        let shape = if held.is_empty() {
            Shape::Empty
        } else {
            shape(&held).unwrap_or(Shape::Text)
        };
        (shape, held)
    }
}

/// Returns the kind of bytes that begin with no blank; none when more are needed.
fn shape(bytes: &[u8]) -> Option<Shape> {
    match bytes.first()? {
        b'{' | b'[' => Some(Shape::Json),
        b'<' => Some(Shape::Page),
        b':' => Some(Shape::Events),
        _ if FIELDS.iter().any(|field| bytes.starts_with(field)) => Some(Shape::Events),
        _ if FIELDS.iter().any(|field| field.starts_with(bytes)) || MARK.starts_with(bytes) => None,
        _ => Some(Shape::Text),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(body: &[u8], expected: Shape) {
        let mut whole = Sniffer::new();
        let (shape, _) = whole.push(body).unwrap_or_else(|| whole.close());
        assert_eq!(shape, expected, "{body:?}");
        let mut sniffer = Sniffer::new();
        let found = body.iter().find_map(|byte| sniffer.push(&[*byte]));
        let (shape, _) = found.unwrap_or_else(|| sniffer.close());
        assert_eq!(shape, expected, "{body:?}, byte by byte");
    }

    #[test]
    fn first_bytes_decide() {
        check(b"data: {}\n\n", Shape::Events);
        check(b"\n\n: keep-alive\n\n", Shape::Events);
        check(b"event: message_start\n", Shape::Events);
        check(b"\xef\xbb\xbf {\"id\":1}", Shape::Json);
        check(b"[{}]", Shape::Json);
        check(b" \r\n<!doctype html><html>", Shape::Page);
        check(b"upstream connect error", Shape::Text);
        check(b"dat", Shape::Text);
        check(b"database is locked", Shape::Text);
        check(b" \r\n\t", Shape::Empty);
        check(b"", Shape::Empty);
        check(b"\xef\xbb", Shape::Text);
    }

    #[test]
    fn compression_is_known_by_its_magic_number() {
        assert_eq!(Coding::of(b"\x1f\x8b\x08\x00"), Some(Coding::Gzip));
        assert_eq!(Coding::of(b"\x78\x9c\x4b\x4c"), Some(Coding::Zlib));
        assert_eq!(Coding::of(b"\x28\xb5\x2f\xfd"), Some(Coding::Zstd));
        assert_eq!(Coding::of(b"\x50\x2a\x4d\x18"), Some(Coding::Zstd));
        for text in [&b"x^2 is a square"[..], b"xyz", b"{}", b""] {
            assert_eq!(Coding::of(text), None, "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn no_byte_but_leading_blanks_is_lost(body in proptest::collection::vec(any::<u8>(), 0..60), cut in 0usize..60) {
            let cut = cut.min(body.len());
            let mut sniffer = Sniffer::new();
            let mut found = sniffer.push(&body[..cut]).map(|(_, bytes)| [bytes, body[cut..].to_vec()].concat());
            if found.is_none() {
                found = sniffer.push(&body[cut..]).map(|(_, bytes)| bytes);
            }
            let found = found.unwrap_or_else(|| sniffer.close().1);
            prop_assert!(body.ends_with(&found));
            let lost = &body[..body.len() - found.len()];
            prop_assert!(lost.iter().all(|byte| byte.is_ascii_whitespace() || MARK.contains(byte)));
        }
    }
}
