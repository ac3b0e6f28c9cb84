//! Bytes of a reply without the compression that the server put on them unasked.
//!
//! The magic number decides, not `content-encoding`; the header decides only for
//! codings without one. Gzip and deflate are decoded within [`LARGEST`], others are named.

use std::io::Write;

use chorus_dialect::sniff::Coding;
use flate2::write::{DeflateDecoder, MultiGzDecoder, ZlibDecoder};
use http::HeaderMap;
use http::header::CONTENT_ENCODING;

use super::body::LARGEST;

/// Reason why a body cannot be decoded.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Undecodable {
    #[error("the reply is compressed with {0}, which was not asked for and cannot be read")]
    Unknown(&'static str),
    #[error("the compressed reply grows beyond {0} bytes")]
    TooLarge(usize),
    #[error("the compressed reply is damaged")]
    Damaged,
}

/// Decoder of a body that arrives in pieces.
pub(super) struct Decoder {
    /// Most bytes that the body may decode to.
    most: usize,
    announced: Option<&'static str>,
    held: Vec<u8>,
    state: State,
}

enum State {
    Undecided,
    Plain,
    Gzip(MultiGzDecoder<Bounded>),
    Zlib(ZlibDecoder<Bounded>),
    Deflate(DeflateDecoder<Bounded>),
}

/// Bytes that tell the codings apart.
const ENOUGH: usize = 4;
/// Codings that a header may announce.
const KNOWN: [&str; 5] = ["gzip", "deflate", "br", "zstd", "compress"];

impl Decoder {
    pub(super) fn new(headers: &HeaderMap) -> Self {
        let announced = headers
            .get(CONTENT_ENCODING)
            .and_then(|value| value.to_str().ok())
            .and_then(|text| KNOWN.into_iter().find(|name| text.trim() == *name));
        Self {
            most: LARGEST,
            announced,
            held: Vec::new(),
            state: State::Undecided,
        }
    }

    /// Decodes all of a body, or as much of it as there is.
    pub(super) fn whole(headers: &HeaderMap, bytes: &[u8]) -> Result<Vec<u8>, Undecodable> {
        let mut decoder = Self::new(headers);
        let mut plain = decoder.push(bytes)?;
        plain.extend(decoder.close()?);
        Ok(plain)
    }

    /// Takes more bytes and returns what they decode to.
    pub(super) fn push(&mut self, bytes: &[u8]) -> Result<Vec<u8>, Undecodable> {
        if !matches!(self.state, State::Undecided) {
            return self.decode(bytes);
        }
        self.held.extend_from_slice(bytes);
        if self.held.is_empty() || self.held.len() < ENOUGH && !is_text(&self.held) {
            return Ok(Vec::new());
        }
        self.decide()
    }

    /// Ends the body and returns the rest. A body that was cut gives what came of it.
    pub(super) fn close(&mut self) -> Result<Vec<u8>, Undecodable> {
        if matches!(self.state, State::Undecided) {
            return self.decide();
        }
        // A cut is for the reader of the text to notice.
        let (_cut, rest) = match &mut self.state {
            State::Undecided | State::Plain => return Ok(Vec::new()),
            State::Gzip(decoder) => (decoder.try_finish(), decoder.get_mut().take()),
            State::Zlib(decoder) => (decoder.try_finish(), decoder.get_mut().take()),
            State::Deflate(decoder) => (decoder.try_finish(), decoder.get_mut().take()),
        };
        Ok(rest)
    }

    fn decide(&mut self) -> Result<Vec<u8>, Undecodable> {
        let held = std::mem::take(&mut self.held);
        let most = self.most;
        let bounded = || Bounded {
            most,
            ..Bounded::default()
        };
        self.state = match (Coding::of(&held), self.announced) {
            (Some(Coding::Gzip), _) => State::Gzip(MultiGzDecoder::new(bounded())),
            (Some(Coding::Zlib), _) => State::Zlib(ZlibDecoder::new(bounded())),
            (Some(Coding::Zstd), _) => return Err(Undecodable::Unknown("zstd")),
            _ if is_text(&held) || held.is_empty() => State::Plain,
            (None, Some("deflate")) => State::Deflate(DeflateDecoder::new(bounded())),
            (None, Some(name @ ("br" | "zstd" | "compress"))) => {
                return Err(Undecodable::Unknown(name));
            }
            (None, _) => State::Plain,
        };
        self.decode(&held)
    }

    fn decode(&mut self, bytes: &[u8]) -> Result<Vec<u8>, Undecodable> {
        let (written, inner) = match &mut self.state {
            State::Undecided | State::Plain => return Ok(bytes.to_vec()),
            State::Gzip(decoder) => (write(decoder, bytes), decoder.get_mut()),
            State::Zlib(decoder) => (write(decoder, bytes), decoder.get_mut()),
            State::Deflate(decoder) => (write(decoder, bytes), decoder.get_mut()),
        };
        match written {
            Ok(()) => Ok(inner.take()),
            Err(_) if inner.is_full => Err(Undecodable::TooLarge(self.most)),
            Err(_) => Err(Undecodable::Damaged),
        }
    }
}

fn write(decoder: &mut impl Write, bytes: &[u8]) -> std::io::Result<()> {
    decoder.write_all(bytes)?;
    decoder.flush()
}

/// Returns true for the beginnings of replies that are not compressed.
fn is_text(bytes: &[u8]) -> bool {
    let begin = bytes.trim_ascii_start();
    match begin.first() {
        None => !bytes.is_empty(),
        Some(b'{' | b'[' | b'<' | b':') => true,
        Some(_) => ["data", "event", "id:", "retry", "\u{feff}"]
            .iter()
            .any(|name| begin.starts_with(name.as_bytes())),
    }
}

/// Decoded bytes that refuse to grow beyond a bound in sum.
#[derive(Debug, Default)]
struct Bounded {
    bytes: Vec<u8>,
    length: usize,
    most: usize,
    is_full: bool,
}

impl Bounded {
    fn take(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.bytes)
    }
}

impl Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.length += bytes.len();
        if self.length > self.most {
            self.is_full = true;
            self.bytes.clear();
            return Err(std::io::ErrorKind::FileTooLarge.into());
        }
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use flate2::Compression;
    use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};

    use super::*;

    fn headers(coding: Option<&str>) -> HeaderMap {
        let mut headers = HeaderMap::new();
        if let Some(coding) = coding {
            headers.insert(CONTENT_ENCODING, coding.parse().expect("a header value"));
        }
        headers
    }

    fn check(coding: Option<&str>, packed: &[u8], expected: &str) {
        for size in [1, 3, packed.len().max(1)] {
            let mut decoder = Decoder::new(&headers(coding));
            let mut plain = Vec::new();
            for piece in packed.chunks(size) {
                plain.extend(decoder.push(piece).expect("whole bytes"));
            }
            plain.extend(decoder.close().expect("whole bytes"));
            assert_eq!(String::from_utf8_lossy(&plain), expected, "by {size}");
        }
    }

    fn gzip(text: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(text).expect("memory");
        encoder.finish().expect("memory")
    }

    #[test]
    fn compressed_bytes_are_decoded_whatever_the_header_announces() {
        let text = "data: {\"x\":1}\n\n".repeat(9);
        let packed = gzip(text.as_bytes());
        for coding in [Some("gzip"), Some("br"), Some("identity"), None] {
            check(coding, &packed, &text);
            check(coding, text.as_bytes(), &text);
        }
        let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(text.as_bytes()).expect("memory");
        check(Some("deflate"), &encoder.finish().expect("memory"), &text);
        let mut encoder = DeflateEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(text.as_bytes()).expect("memory");
        check(Some("deflate"), &encoder.finish().expect("memory"), &text);
        check(None, b"", "");
        check(None, b"\n\n", "\n\n");
    }

    #[test]
    fn a_cut_gives_what_came_and_damage_is_an_error() {
        let text = "data: {\"x\":1}\n\n".repeat(999);
        let packed = gzip(text.as_bytes());
        let cut = Decoder::whole(&headers(None), &packed[..packed.len() / 2]);
        assert!(text.as_bytes().starts_with(&cut.expect("a beginning")));
        let mut damaged = packed;
        damaged.splice(12..20, [0xff; 8]);
        assert_eq!(
            Decoder::whole(&headers(None), &damaged),
            Err(Undecodable::Damaged)
        );
    }

    #[test]
    fn a_bomb_ends_at_the_bound_and_unknown_codings_are_named() {
        let most = 1 << 16;
        let bomb = gzip(&vec![b' '; most + 1]);
        assert!(bomb.len() < most / 50);
        let mut decoder = Decoder::new(&headers(None));
        decoder.most = most;
        assert_eq!(decoder.push(&bomb), Err(Undecodable::TooLarge(most)));
        let zstd = b"\x28\xb5\x2f\xfd\x04\x00";
        assert_eq!(
            Decoder::whole(&headers(None), zstd),
            Err(Undecodable::Unknown("zstd"))
        );
        assert_eq!(
            Decoder::whole(&headers(Some("br")), b"\x1b\x10\x00\xf8\x25"),
            Err(Undecodable::Unknown("br"))
        );
    }
}
