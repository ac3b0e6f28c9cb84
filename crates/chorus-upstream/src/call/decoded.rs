//! Bytes of a reply without the compression that the server put on them unasked.
//!
//! The magic number decides, not `content-encoding`; the header decides only for
//! codings without one, and only if the bytes are no text. All are decoded within [`LARGEST`].
//! Neighbour: [`coder`] has a decoder for each coding.

mod coder;

use chorus_dialect::sniff::Coding;
use flate2::write::{DeflateDecoder, MultiGzDecoder, ZlibDecoder};
use http::HeaderMap;
use http::header::CONTENT_ENCODING;

use self::coder::{Bounded, Coder};
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
    Coded(Box<dyn Coder>),
}

/// Bytes that tell the codings with a magic number apart.
const ENOUGH: usize = 4;
/// Bytes that tell text from codings without a magic number.
const ENOUGH_FOR_TEXT: usize = 32;
/// Codings for which a header is heeded: their bytes may begin without a magic number.
const HEEDED: [&str; 4] = ["br", "deflate", "zstd", "compress"];

impl Decoder {
    pub(super) fn new(headers: &HeaderMap) -> Self {
        let announced = headers.get(CONTENT_ENCODING);
        let announced = announced.and_then(|value| {
            // Of several codings the last one is the outermost.
            let last = value.to_str().ok()?.rsplit(',').next()?.trim();
            HEEDED
                .into_iter()
                .find(|name| last.eq_ignore_ascii_case(name))
        });
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
        if self.has_enough() {
            return self.decide();
        }
        Ok(Vec::new())
    }

    /// Returns true if the bytes that are held suffice to choose.
    fn has_enough(&self) -> bool {
        let held = &self.held;
        match self.announced {
            Some(_) => held.len() >= ENOUGH_FOR_TEXT || Coding::of(held).is_some(),
            None => !held.is_empty() && (held.len() >= ENOUGH || is_beginning_of_text(held)),
        }
    }

    /// Ends the body and returns the rest. A body that was cut gives what came of it.
    pub(super) fn close(&mut self) -> Result<Vec<u8>, Undecodable> {
        if matches!(self.state, State::Undecided) {
            return self.decide();
        }
        let State::Coded(coder) = &mut self.state else {
            return Ok(Vec::new());
        };
        // A cut is for the reader of the text to notice.
        let _cut = coder.finish();
        let plain = coder.plain();
        if plain.is_full {
            return Err(Undecodable::TooLarge(self.most));
        }
        Ok(plain.take())
    }

    fn decide(&mut self) -> Result<Vec<u8>, Undecodable> {
        let held = std::mem::take(&mut self.held);
        let plain = Bounded::new(self.most);
        let coder: Box<dyn Coder> = match (Coding::of(&held), self.announced) {
            (Some(Coding::Gzip), _) => Box::new(MultiGzDecoder::new(plain)),
            (Some(Coding::Zlib), _) => Box::new(ZlibDecoder::new(plain)),
            (Some(Coding::Zstd), _) => match coder::zstd(plain) {
                Ok(decoder) => Box::new(decoder),
                Err(_) => return Err(Undecodable::Unknown("zstd")),
            },
            (None, Some("br")) if !is_text(&held) => Box::new(coder::brotli(plain)),
            (None, Some("deflate")) if !is_text(&held) => Box::new(DeflateDecoder::new(plain)),
            (None, Some(name)) if !is_text(&held) => return Err(Undecodable::Unknown(name)),
            (None, _) => {
                self.state = State::Plain;
                return Ok(held);
            }
        };
        self.state = State::Coded(coder);
        self.decode(&held)
    }

    fn decode(&mut self, bytes: &[u8]) -> Result<Vec<u8>, Undecodable> {
        let State::Coded(coder) = &mut self.state else {
            return Ok(bytes.to_vec());
        };
        match coder.write_all(bytes).and_then(|()| coder.flush()) {
            Ok(()) => Ok(coder.plain().take()),
            Err(_) if coder.plain().is_full => Err(Undecodable::TooLarge(self.most)),
            Err(_) => Err(Undecodable::Damaged),
        }
    }
}

/// Returns true for the beginnings of replies that are not compressed.
fn is_beginning_of_text(bytes: &[u8]) -> bool {
    let begin = bytes.trim_ascii_start();
    match begin.first() {
        None => !bytes.is_empty(),
        Some(b'{' | b'[' | b'<' | b':') => true,
        Some(_) => ["data", "event", "id:", "retry", "\u{feff}"]
            .iter()
            .any(|name| begin.starts_with(name.as_bytes())),
    }
}

/// Returns true for bytes that are UTF-8 without control characters; the last character may be cut.
fn is_text(bytes: &[u8]) -> bool {
    let valid = match std::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) if error.error_len().is_some() => return false,
        Err(error) => std::str::from_utf8(&bytes[..error.valid_up_to()]).unwrap_or_default(),
    };
    valid
        .chars()
        .all(|character| !character.is_control() || "\t\r\n".contains(character))
}

#[cfg(test)]
mod tests {
    use std::io::Write;

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

    fn zstd(text: &[u8]) -> Vec<u8> {
        zstd::stream::encode_all(text, 3).expect("memory")
    }

    fn brotli(text: &[u8]) -> Vec<u8> {
        let mut packed = Vec::new();
        let mut encoder = brotli::CompressorWriter::new(&mut packed, 4096, 5, 22);
        encoder.write_all(text).expect("memory");
        drop(encoder);
        packed
    }

    #[test]
    fn zstd_is_decoded_whatever_the_header_announces_and_brotli_where_it_is_announced() {
        for count in [1, 9, 20_000] {
            let text = "data: {\"x\":1}\n\n".repeat(count);
            let packed = zstd(text.as_bytes());
            for coding in [Some("zstd"), Some("gzip, zstd"), Some("br"), None] {
                check(coding, &packed, &text);
            }
            let two_frames = [packed.clone(), packed].concat();
            check(None, &two_frames, &text.repeat(2));
            let packed = brotli(text.as_bytes());
            for coding in ["br", "BR", "gzip, br"] {
                check(Some(coding), &packed, &text);
            }
        }
    }

    #[test]
    fn text_under_the_header_of_a_coding_stays_as_it_is() {
        for coding in HEEDED {
            for text in [
                "upstream connect error",
                "[1]",
                "Xin chào: quá tải rồi, thử lại",
            ] {
                check(Some(coding), text.as_bytes(), text);
            }
        }
    }

    #[test]
    fn a_brotli_body_that_begins_like_a_list_is_decoded() {
        // One block of more than 64 KiB in a window of 4 MiB may begin with `[`.
        let mut chance = fastrand::Rng::with_seed(1);
        let noise: String = (0..90_000).map(|_| chance.char('!'..='\u{24f}')).collect();
        check(Some("br"), &brotli(noise.as_bytes()), &noise);
        assert!(!is_text(b"[\x01\x80\x00"));
    }

    #[test]
    fn a_cut_gives_what_came_and_damage_is_an_error() {
        let text = "data: {\"x\":1}\n\n".repeat(9_999);
        let packed = [
            (None, gzip(text.as_bytes())),
            (None, zstd(text.as_bytes())),
            (Some("br"), brotli(text.as_bytes())),
        ];
        for (coding, packed) in packed {
            let cut = Decoder::whole(&headers(coding), &packed[..packed.len() / 2]);
            assert!(text.as_bytes().starts_with(&cut.expect("a beginning")));
            let mut damaged = packed;
            let middle = damaged.len() / 2;
            damaged.splice(middle..middle + 8, [0xff; 8]);
            let decoded = Decoder::whole(&headers(coding), &damaged);
            assert_ne!(decoded.as_deref(), Ok(text.as_bytes()), "{coding:?}");
        }
        let mut damaged = gzip(text.as_bytes());
        damaged.splice(12..20, [0xff; 8]);
        assert_eq!(
            Decoder::whole(&headers(None), &damaged),
            Err(Undecodable::Damaged)
        );
    }

    #[test]
    fn a_bomb_of_any_coding_ends_at_the_bound() {
        let most = 1 << 16;
        let text = vec![b' '; 64 * most];
        for (coding, bomb) in [
            (None, gzip(&text)),
            (None, zstd(&text)),
            (Some("br"), brotli(&text)),
        ] {
            assert!(bomb.len() < text.len() / 50);
            for size in [1, bomb.len()] {
                let mut decoder = Decoder::new(&headers(coding));
                decoder.most = most;
                let mut pieces = bomb.chunks(size).map(|piece| decoder.push(piece));
                let refused = pieces.find_map(Result::err);
                let refused = refused.or_else(|| decoder.close().err());
                assert_eq!(refused, Some(Undecodable::TooLarge(most)), "{coding:?}");
            }
        }
    }

    #[test]
    fn a_zstd_window_beyond_eight_mebibytes_is_refused() {
        let mut encoder = zstd::stream::Encoder::new(Vec::new(), 3).expect("memory");
        encoder.window_log(24).expect("a window");
        encoder.write_all(&vec![b' '; 1 << 25]).expect("memory");
        let packed = encoder.finish().expect("memory");
        let decoded = Decoder::whole(&headers(None), &packed);
        assert_eq!(decoded, Err(Undecodable::Damaged));
    }

    #[test]
    fn a_coding_that_cannot_be_read_is_named() {
        assert_eq!(
            Decoder::whole(&headers(Some("compress")), b"\x1f\x9d\x90\x00"),
            Err(Undecodable::Unknown("compress"))
        );
    }
}
