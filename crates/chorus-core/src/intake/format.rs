//! Recognises common document, image, sound and archive formats by their first bytes.
//!
//! Some of them (RTF, PDF without streams) are valid UTF-8, so an encoding check alone lets them
//! pass and a model would read markup instead of the text.

use std::fmt;

/// A format that is not plain text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Portable Document Format.
    Pdf,
    /// Rich Text Format.
    Rtf,
    /// PostScript.
    PostScript,
    /// ZIP, and what is packed in it: .docx, .xlsx, .pptx, .odt, .epub.
    Zip,
    /// Microsoft's compound file: .doc, .xls, .ppt.
    CompoundFile,
    /// gzip, also of a tar archive.
    Gzip,
    /// 7-Zip archive.
    SevenZip,
    /// bzip2, xz, Zstandard, RAR or tar.
    Archive,
    /// PNG image.
    Png,
    /// JPEG image.
    Jpeg,
    /// GIF image.
    Gif,
    /// WebP, TIFF, BMP, icon or Photoshop image.
    Image,
    /// Sound or film.
    Media,
    /// SQLite database.
    Database,
    /// Program or library: ELF, Windows, macOS, Java, WebAssembly.
    Program,
    /// Font.
    Font,
}

/// Bytes, the place where they stand, and the format that they announce.
const MAGIC: [(usize, &[u8], Format); 41] = [
    (0, b"%PDF-", Format::Pdf),
    (0, b"{\\rtf", Format::Rtf),
    (0, b"%!PS", Format::PostScript),
    (0, b"PK\x03\x04", Format::Zip),
    (0, b"PK\x05\x06", Format::Zip),
    (0, b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", Format::CompoundFile),
    (0, b"\x1f\x8b\x08", Format::Gzip),
    (0, b"7z\xbc\xaf\x27\x1c", Format::SevenZip),
    (0, b"BZh", Format::Archive),
    (0, b"\xfd7zXZ\0", Format::Archive),
    (0, b"\x28\xb5\x2f\xfd", Format::Archive),
    (0, b"Rar!\x1a\x07", Format::Archive),
    (257, b"ustar", Format::Archive),
    (0, b"\x89PNG\r\n\x1a\n", Format::Png),
    (0, b"\xff\xd8\xff", Format::Jpeg),
    (0, b"GIF87a", Format::Gif),
    (0, b"GIF89a", Format::Gif),
    (8, b"WEBP", Format::Image),
    (0, b"II*\0", Format::Image),
    (0, b"MM\0*", Format::Image),
    (0, b"\0\0\x01\0", Format::Image),
    (0, b"8BPS\0", Format::Image),
    (4, b"ftypavif", Format::Image),
    (4, b"ftypheic", Format::Image),
    (8, b"WAVE", Format::Media),
    (8, b"AVI ", Format::Media),
    (0, b"OggS\0", Format::Media),
    (0, b"ID3\x02", Format::Media),
    (0, b"ID3\x03", Format::Media),
    (0, b"ID3\x04", Format::Media),
    (0, b"fLaC\0", Format::Media),
    (4, b"ftyp", Format::Media),
    (0, b"\x1a\x45\xdf\xa3", Format::Media),
    (0, b"SQLite format 3\0", Format::Database),
    (0, b"\x7fELF", Format::Program),
    (0, b"\xca\xfe\xba\xbe", Format::Program),
    (0, b"\xcf\xfa\xed\xfe", Format::Program),
    (0, b"\0asm", Format::Program),
    (0, b"wOFF\0", Format::Font),
    (0, b"wOF2\0", Format::Font),
    (0, b"OTTO\0", Format::Font),
];

impl Format {
    /// The format that these bytes show, if it is one of the known ones.
    pub(super) fn detect(bytes: &[u8]) -> Option<Self> {
        let is_at =
            |at: usize, magic: &[u8]| bytes.get(at..).is_some_and(|rest| rest.starts_with(magic));
        let found = MAGIC
            .iter()
            .find(|(at, magic, format)| is_at(*at, magic) && format.is_likely(bytes));
        found.map(|(_, _, format)| *format)
    }

    /// Returns false where the mark may be words of a text: then some byte must be none.
    fn is_likely(self, bytes: &[u8]) -> bool {
        match self {
            Self::Archive | Self::Image | Self::Media => {
                let sample = &bytes[..bytes.len().min(512)];
                sample.contains(&0)
                    || std::str::from_utf8(sample).is_err_and(|error| error.error_len().is_some())
            }
            _ => true,
        }
    }

    /// Advice for a person, without a full stop.
    pub const fn advice(self) -> &'static str {
        match self {
            Self::Pdf | Self::PostScript => {
                "save its text as .md or .txt first, for instance with pdftotext"
            }
            Self::Rtf | Self::CompoundFile => {
                "save it as .md or .txt first, for instance with pandoc or from the program that made it"
            }
            Self::Zip => {
                "unpack an archive and attach the folder; save a document as .md or .txt, for instance with pandoc"
            }
            Self::Gzip | Self::SevenZip | Self::Archive => "unpack it and attach the folder",
            Self::Png | Self::Jpeg | Self::Gif | Self::Image => {
                "images are not read: describe in words what matters"
            }
            Self::Media => "sound and film are not read: attach a transcript",
            Self::Database => "export what matters as .csv or .md",
            Self::Program | Self::Font => "only text can be attached",
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Pdf => "a PDF document",
            Self::Rtf => "an RTF document",
            Self::PostScript => "a PostScript document",
            Self::Zip => "a ZIP archive or an Office document (.docx, .xlsx, .pptx, .odt)",
            Self::CompoundFile => "an old Office document (.doc, .xls, .ppt)",
            Self::Gzip => "a gzip archive",
            Self::SevenZip => "a 7-Zip archive",
            Self::Archive => "a packed archive",
            Self::Png => "a PNG image",
            Self::Jpeg => "a JPEG image",
            Self::Gif => "a GIF image",
            Self::Image => "an image",
            Self::Media => "sound or film",
            Self::Database => "an SQLite database",
            Self::Program => "a program or library",
            Self::Font => "a font",
        })
    }
}
