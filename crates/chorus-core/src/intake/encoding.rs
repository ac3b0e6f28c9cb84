//! Decoding of texts: marks first, then zeros, then UTF-8, then a detector for older encodings.
//!
//! A guess is taken only with evidence: every byte decodes, what comes out is text, and there are
//! several characters to judge by. Everything else is refused with what it looks like.

use chardetng::{EncodingDetector, Iso2022JpDetection, Utf8Detection};
use encoding_rs::{UTF_16BE, UTF_16LE};

use super::refusal::{Encoding, TextRefusal};

/// First bytes of a text that are examined for zeros.
const SAMPLE_BYTES: usize = 8192;

/// Least number of characters outside of ASCII by which an encoding is guessed.
const EVIDENCE: usize = 4;

/// Decodes a text; its mark is left out.
pub(super) fn decode(bytes: Vec<u8>) -> Result<String, TextRefusal> {
    match bytes.as_slice() {
        [0xff, 0xfe, 0, 0, rest @ ..] => utf32(rest, u32::from_le_bytes),
        [0, 0, 0xfe, 0xff, rest @ ..] => utf32(rest, u32::from_be_bytes),
        [0xff, 0xfe, rest @ ..] => by(UTF_16LE, rest),
        [0xfe, 0xff, rest @ ..] => by(UTF_16BE, rest),
        _ => match zeros(&bytes) {
            Some(Zeros::Utf32Le) => utf32(&bytes, u32::from_le_bytes),
            Some(Zeros::Utf32Be) => utf32(&bytes, u32::from_be_bytes),
            Some(Zeros::Utf16Le) => by(UTF_16LE, &bytes),
            Some(Zeros::Utf16Be) => by(UTF_16BE, &bytes),
            None => utf8(bytes),
        },
    }
}

fn by(encoding: &'static encoding_rs::Encoding, bytes: &[u8]) -> Result<String, TextRefusal> {
    encoding
        .decode_without_bom_handling_and_without_replacement(bytes)
        .map(std::borrow::Cow::into_owned)
        .ok_or_else(|| TextRefusal::Broken(Encoding(encoding.name())))
}

fn utf32(bytes: &[u8], number: fn([u8; 4]) -> u32) -> Result<String, TextRefusal> {
    let (fours, rest) = bytes.as_chunks::<4>();
    let letters = fours.iter().map(|four| char::from_u32(number(*four)));
    rest.is_empty()
        .then(|| letters.collect::<Option<String>>())
        .flatten()
        .ok_or(TextRefusal::Broken(Encoding("UTF-32")))
}

/// Decodes UTF-8, else the encoding that the text is in by all evidence.
fn utf8(mut bytes: Vec<u8>) -> Result<String, TextRefusal> {
    let mark = if bytes.starts_with(b"\xef\xbb\xbf") {
        3
    } else {
        0
    };
    bytes.drain(..mark);
    let error = match String::from_utf8(bytes) {
        Ok(text) => return Ok(text),
        Err(error) => error,
    };
    let at = mark + error.utf8_error().valid_up_to();
    let bytes = error.into_bytes();
    if bytes.contains(&0) {
        return Err(TextRefusal::Binary);
    }
    if mark > 0 {
        return Err(TextRefusal::NotUtf8 { at, like: None });
    }
    guessed(&bytes, at)
}

fn guessed(bytes: &[u8], at: usize) -> Result<String, TextRefusal> {
    let mut detector = EncodingDetector::new(Iso2022JpDetection::Deny);
    detector.feed(bytes, true);
    let encoding = detector.guess(None, Utf8Detection::Deny);
    let text = encoding.decode_without_bom_handling_and_without_replacement(bytes);
    let Some(text) = text.filter(|text| is_text(text)) else {
        return Err(TextRefusal::NotUtf8 { at, like: None });
    };
    let foreign = text.chars().filter(|letter| !letter.is_ascii());
    let is_typographic = encoding == encoding_rs::WINDOWS_1252
        && foreign
            .clone()
            .all(|letter| "‘’“”–—…•\u{a0}".contains(letter));
    if is_typographic || foreign.take(EVIDENCE).count() == EVIDENCE {
        return Ok(text.into_owned());
    }
    Err(TextRefusal::NotUtf8 {
        at,
        like: Some(Encoding(encoding.name())),
    })
}

/// Returns true for letters, digits and marks of writing without other controls or private letters.
fn is_text(text: &str) -> bool {
    let is_strange = |letter: &char| {
        (letter.is_control() && !"\t\n\r\u{b}\u{c}\u{1b}".contains(*letter))
            || matches!(letter, '\u{e000}'..='\u{f8ff}' | '\u{fffd}' | '\u{80}'..='\u{9f}')
    };
    let (mut foreign, mut letters) = (0_usize, 0_usize);
    for letter in text.chars().filter(|letter| !letter.is_ascii()) {
        foreign += 1;
        let is_writing = letter.is_alphanumeric()
            || "‘’“”„‚–—…•·«»°§€£¥©®™¿¡ªº\u{a0}\u{301}\u{ad}".contains(letter)
            || matches!(letter, '\u{3000}'..='\u{303f}' | '\u{ff00}'..='\u{ffef}' | '\u{300}'..='\u{36f}' | '\u{e00}'..='\u{e7f}' | '\u{590}'..='\u{6ff}');
        letters += usize::from(is_writing);
    }
    !text.chars().any(|letter| is_strange(&letter)) && letters * 10 >= foreign * 9
}

/// Text with zeros that show its encoding.
#[derive(Clone, Copy)]
enum Zeros {
    Utf16Le,
    Utf16Be,
    Utf32Le,
    Utf32Be,
}

/// Returns the encoding of a text without a mark in which most letters have a zero at the same place.
fn zeros(bytes: &[u8]) -> Option<Zeros> {
    let sample = &bytes[..bytes.len().min(SAMPLE_BYTES)];
    let is_control = |byte: &u8| *byte != 0 && *byte < b' ' && !b"\t\n\r".contains(byte);
    if sample.len() < 4 || !bytes.len().is_multiple_of(2) || sample.iter().any(is_control) {
        return None;
    }
    let quarter = sample.len() / 4;
    let zeros: [usize; 4] = std::array::from_fn(|offset| {
        let every = sample.iter().skip(offset).step_by(4);
        every.filter(|byte| **byte == 0).count()
    });
    let is_most = |count: usize, of: usize| count * 10 >= of * 6;
    match zeros {
        [0, _, c, d]
            if bytes.len().is_multiple_of(4) && is_most(c, quarter) && c == d && c == quarter =>
        {
            Some(Zeros::Utf32Le)
        }
        [a, b, _, 0] if bytes.len().is_multiple_of(4) && a == b && a == quarter => {
            Some(Zeros::Utf32Be)
        }
        [0, b, 0, d] if is_most(b + d, sample.len() / 2) => Some(Zeros::Utf16Le),
        [a, 0, c, 0] if is_most(a + c, sample.len() / 2) => Some(Zeros::Utf16Be),
        _ => None,
    }
}
