//! Tables of what is accepted and refused.

use super::*;

const LIMITS: Limits = Limits {
    brief_bytes: 40,
    attachment_bytes: 60,
    attachments: 3,
    total_bytes: 1000,
};

fn utf16(text: &str, mark: bool, to_bytes: fn(u16) -> [u8; 2]) -> Vec<u8> {
    let mark = mark.then_some(0xfeff_u16);
    mark.into_iter()
        .chain(text.encode_utf16())
        .flat_map(to_bytes)
        .collect()
}

fn brief(bytes: &[u8]) -> String {
    brief_text(bytes.to_vec(), &LIMITS).unwrap_or_else(|why| format!("the brief {why}"))
}

fn attachment(bytes: &[u8]) -> String {
    let mut attachments = Attachments::new(LIMITS);
    match attachments.add("a.md".to_owned(), bytes.to_vec()) {
        Ok(()) => attachments.into_accepted().remove(0).text,
        Err(why) => format!("the attachment {why}"),
    }
}

#[test]
fn texts_in_utf8_keep_their_lines_and_lose_their_mark() {
    let cases: [(&[u8], &str); 7] = [
        (b"Write a poem.", "Write a poem."),
        (b"\xef\xbb\xbfWith a mark.", "With a mark."),
        (b"one\r\ntwo\r\n", "one\r\ntwo\r\n"),
        (b"one\rtwo\r", "one\ntwo\n"),
        (b"one\rtwo\nthree\r\nfour", "one\ntwo\nthree\r\nfour"),
        ("Grüße, 旅行".as_bytes(), "Grüße, 旅行"),
        (
            b"%PD is no magic, {rtf neither",
            "%PD is no magic, {rtf neither",
        ),
    ];
    for (bytes, text) in cases {
        assert_eq!(brief(bytes), text);
        assert_eq!(attachment(bytes), text);
    }
}

#[test]
fn utf16_and_utf32_are_decoded_with_and_without_a_mark() {
    let text = "Grüße, 旅行 𝄞";
    assert_eq!(brief(&utf16(text, true, u16::to_le_bytes)), text);
    assert_eq!(brief(&utf16(text, true, u16::to_be_bytes)), text);
    assert_eq!(
        brief(&utf16("a\rb", true, u16::to_le_bytes)),
        "a\nb",
        "line breaks of decoded text follow the same rule"
    );
    let plain = "A plain Latin text";
    assert_eq!(attachment(&utf16(plain, false, u16::to_le_bytes)), plain);
    assert_eq!(attachment(&utf16(plain, false, u16::to_be_bytes)), plain);
    for to_bytes in [u32::to_le_bytes, u32::to_be_bytes] {
        let four = |text: &str| -> Vec<u8> {
            text.chars()
                .flat_map(|letter| to_bytes(u32::from(letter)))
                .collect()
        };
        assert_eq!(attachment(&four("\u{feff}Grüße, 旅")), "Grüße, 旅");
        assert_eq!(attachment(&four("Plain text")), "Plain text");
    }
    assert_eq!(
        brief(b"\xff\xfea\0b"),
        "the brief is UTF-16LE text with errors in it"
    );
    assert_eq!(
        brief(b"\xfe\xff\xd8\x00\x00a"),
        "the brief is UTF-16BE text with errors in it",
        "a lone surrogate"
    );
    assert_eq!(
        brief(b"\xff\xfe\0\0a\0\0"),
        "the brief is UTF-32 text with errors in it"
    );
}

#[test]
fn older_encodings_are_decoded_where_the_text_leaves_no_doubt() {
    let limits = Limits {
        attachment_bytes: 10_000,
        ..LIMITS
    };
    for (encoding, text) in [
        (
            encoding_rs::WINDOWS_1252,
            "Les élèves étaient déjà arrivés à l’école, où l’été finissait.",
        ),
        (
            encoding_rs::WINDOWS_1252,
            "It’s only a quotation, “so to say”.",
        ),
        (
            encoding_rs::WINDOWS_1250,
            "Příliš žluťoučký kůň úpěl ďábelské ódy, řekl můj přítel.",
        ),
        (
            encoding_rs::WINDOWS_1251,
            "Все счастливые семьи похожи друг на друга, каждая несчастна по-своему.",
        ),
        (
            encoding_rs::KOI8_R,
            "Все счастливые семьи похожи друг на друга, каждая несчастна по-своему.",
        ),
        (
            encoding_rs::WINDOWS_1253,
            "Στην αρχή ήταν ο λόγος και ο λόγος ήταν προς τον θεό.",
        ),
        (
            encoding_rs::SHIFT_JIS,
            "吾輩は猫である。名前はまだ無い。どこで生れたかとんと見当がつかぬ。",
        ),
        (
            encoding_rs::EUC_JP,
            "吾輩は猫である。名前はまだ無い。どこで生れたかとんと見当がつかぬ。",
        ),
        (
            encoding_rs::GBK,
            "灯塔在海边，渔船每天早上出海，傍晚回来。老人坐在门口看着大海。",
        ),
        (
            encoding_rs::BIG5,
            "燈塔在海邊，漁船每天早上出海，傍晚回來。老人坐在門口看著大海。",
        ),
        (
            encoding_rs::EUC_KR,
            "등대는 바닷가에 있다. 어부들은 매일 아침 바다로 나간다.",
        ),
    ] {
        let (bytes, _, _) = encoding.encode(text);
        let mut attachments = Attachments::new(limits);
        attachments
            .add("a.txt".to_owned(), bytes.into_owned())
            .unwrap_or_else(|why| panic!("{}: {why}", encoding.name()));
        assert_eq!(
            attachments.into_accepted()[0].text,
            text,
            "{}",
            encoding.name()
        );
    }
}

#[test]
fn what_is_no_text_is_refused_with_what_it_is() {
    let cases: [(&[u8], &str); 20] = [
        (
            b"caf\xe9",
            "is not UTF-8 text (byte 3 is not); it looks like windows-1252",
        ),
        (b"%!PS-Adobe-3.0", "is a PostScript document"),
        (b"RIFF\0\0\0\0WEBPVP8 ", "is an image"),
        (b"\x7fELF\x02\x01", "is a program or library"),
        (b"SQLite format 3\0", "is an SQLite database"),
        (b"\xef\xbb\xbfcaf\xe9", "is not UTF-8 text (byte 6 is not)"),
        (b"\x89PNG\0\0", "is binary"),
        (b"a text with one \0 in it", "is binary"),
        (b"\0\x01\0\x02", "is binary"),
        (b"caf\xe9 and \0", "is binary"),
        (b"%PDF-1.7 text", "is a PDF document"),
        (b"{\\rtf1\\ansi text}", "is an RTF document"),
        (
            b"PK\x03\x04 docx",
            "is a ZIP archive or an Office document (.docx, .xlsx, .pptx, .odt)",
        ),
        (
            b"PK\x05\x06 none",
            "is a ZIP archive or an Office document (.docx, .xlsx, .pptx, .odt)",
        ),
        (
            b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1",
            "is an old Office document (.doc, .xls, .ppt)",
        ),
        (b"\x1f\x8b\x08\x00", "is a gzip archive"),
        (b"7z\xbc\xaf\x27\x1c", "is a 7-Zip archive"),
        (b"\x89PNG\r\n\x1a\n", "is a PNG image"),
        (b"\xff\xd8\xff\xe0", "is a JPEG image"),
        (b"GIF89a", "is a GIF image"),
    ];
    for (bytes, why) in cases {
        assert_eq!(brief(bytes), format!("the brief {why}"));
        assert_eq!(attachment(bytes), format!("the attachment {why}"));
    }
}

#[test]
fn a_nul_far_behind_the_sample_is_found() {
    let limits = Limits {
        attachment_bytes: 100_000,
        ..LIMITS
    };
    let mut bytes = vec![b'a'; 50_000];
    bytes.push(0);
    assert_eq!(
        Attachments::new(limits).add("a.md".to_owned(), bytes),
        Err(AttachmentRefusal::Text(TextRefusal::Binary))
    );
}

#[test]
fn a_brief_of_nothing_is_refused_and_an_empty_attachment_is_not() {
    for blank in ["", " ", " \n\t\r\n", "\u{feff}", "\u{feff} ", "\u{a0}"] {
        assert_eq!(brief(blank.as_bytes()), "the brief is empty", "{blank:?}");
    }
    assert_eq!(attachment(b""), "");
    assert_eq!(attachment(b" \n"), " \n");
}

#[test]
fn one_byte_too_much_is_refused_with_both_numbers() {
    let text = |length: usize| "x".repeat(length);
    assert_eq!(brief(text(40).as_bytes()), text(40));
    assert_eq!(
        brief(text(41).as_bytes()),
        "the brief has 41 bytes, at most 40 are taken"
    );
    assert_eq!(attachment(text(60).as_bytes()), text(60));
    assert_eq!(
        attachment(text(61).as_bytes()),
        "the attachment has 61 bytes, at most 60 are taken"
    );
    let grown = utf16(&"旅".repeat(19), true, u16::to_le_bytes);
    assert_eq!(grown.len(), 40, "fits as UTF-16");
    assert_eq!(
        brief(&grown),
        "the brief has 57 bytes, at most 40 are taken"
    );
    let sizes = [
        (Part::Brief, 40, true),
        (Part::Brief, 41, false),
        (Part::Attachment, 60, true),
        (Part::Attachment, 61, false),
    ];
    for (part, bytes, fits) in sizes {
        assert_eq!(
            check_size(part, bytes, &LIMITS).is_ok(),
            fits,
            "{part} of {bytes}"
        );
    }
}

#[test]
fn names_stay_below_their_folder() {
    let longest = "x".repeat(MAX_NAME_BYTES);
    for fit in [
        "a.md",
        "part/a b.md",
        "Über.md",
        "..a/b",
        ".hidden",
        "notes: a.md",
        &longest,
    ] {
        assert_eq!(check_name(fit), Ok(()), "{fit}");
    }
    let too_long = "x".repeat(MAX_NAME_BYTES + 1);
    let cases = [
        ("", NameRefusal::Empty),
        (&too_long, NameRefusal::TooLong { found: 256 }),
        ("/a", NameRefusal::Absolute),
        ("/etc/passwd", NameRefusal::Absolute),
        ("c:\\a", NameRefusal::Absolute),
        ("C:a", NameRefusal::Absolute),
        ("\\\\server\\a", NameRefusal::Absolute),
        ("a\\b", NameRefusal::Backslash),
        ("a/", NameRefusal::EmptyPart),
        ("a//b", NameRefusal::EmptyPart),
        (".", NameRefusal::DotPart),
        ("..", NameRefusal::DotPart),
        ("../a", NameRefusal::DotPart),
        ("a/../b", NameRefusal::DotPart),
        ("./a", NameRefusal::DotPart),
        ("a\nb", NameRefusal::Control(0x0a)),
        ("a\0", NameRefusal::Control(0)),
        ("a\u{1b}[2J", NameRefusal::Control(0x1b)),
        ("a\u{7f}", NameRefusal::Control(0x7f)),
        ("a\u{85}", NameRefusal::Control(0x85)),
    ];
    for (name, why) in cases {
        assert_eq!(check_name(name), Err(why), "{name:?}");
    }
}

#[test]
fn attachments_are_counted_named_once_and_kept_in_order() {
    let mut attachments = Attachments::new(LIMITS);
    assert!(attachments.is_empty());
    for name in ["z.md", "a.md"] {
        assert_eq!(attachments.add(name.to_owned(), b"text".to_vec()), Ok(()));
    }
    let refused = attachments.add("z.md".to_owned(), b"other".to_vec());
    assert_eq!(refused, Err(AttachmentRefusal::DuplicateName));
    let refused = attachments.add("../z.md".to_owned(), b"other".to_vec());
    assert_eq!(
        refused.map_err(|why| why.to_string()),
        Err("has a name that has a part `.` or `..`, it must stay below its folder".to_owned())
    );
    assert_eq!(attachments.len(), 2, "a refused attachment is not counted");
    assert_eq!(attachments.add("Z.md".to_owned(), Vec::new()), Ok(()));
    assert_eq!(
        attachments.add("b.md".to_owned(), Vec::new()),
        Err(AttachmentRefusal::TooMany { max: 3 })
    );
    let names: Vec<String> = attachments
        .into_accepted()
        .into_iter()
        .map(|attachment| attachment.name)
        .collect();
    assert_eq!(names, ["z.md", "a.md", "Z.md"]);
}

#[test]
fn a_title_is_the_clients_or_the_first_line_without_control_characters() {
    let long = "é".repeat(100);
    let cases = [
        (Some("  Guide "), "# Brief", "Guide".to_owned()),
        (Some(" \n"), "# Brief\ntext", "Brief".to_owned()),
        (None, "\n\n## The heading \ntext", "The heading".to_owned()),
        (Some("a\0b\u{1b}[2J"), "", "a b [2J".to_owned()),
        (None, "red \u{1b}[31m text", "red  [31m text".to_owned()),
        (Some(long.as_str()), "", "é".repeat(MAX_TITLE_CHARS)),
    ];
    for (given, brief, expected) in cases {
        assert_eq!(title(given, brief), expected);
    }
}
