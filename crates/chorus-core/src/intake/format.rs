//! Recognises common document, image and archive formats by their first bytes.
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
    /// ZIP, and what is packed in it: .docx, .xlsx, .pptx, .odt, .epub.
    Zip,
    /// Microsoft's compound file: .doc, .xls, .ppt.
    CompoundFile,
    /// gzip, also of a tar archive.
    Gzip,
    /// 7-Zip archive.
    SevenZip,
    /// PNG image.
    Png,
    /// JPEG image.
    Jpeg,
    /// GIF image.
    Gif,
}

/// First bytes and the format that they announce.
const MAGIC: [(&[u8], Format); 11] = [
    (b"%PDF-", Format::Pdf),
    (b"{\\rtf", Format::Rtf),
    (b"PK\x03\x04", Format::Zip),
    (b"PK\x05\x06", Format::Zip),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", Format::CompoundFile),
    (b"\x1f\x8b\x08", Format::Gzip),
    (b"7z\xbc\xaf\x27\x1c", Format::SevenZip),
    (b"\x89PNG\r\n\x1a\n", Format::Png),
    (b"\xff\xd8\xff", Format::Jpeg),
    (b"GIF87a", Format::Gif),
    (b"GIF89a", Format::Gif),
];

impl Format {
    /// The format that these bytes begin with, if it is one of the known ones.
    pub(super) fn detect(bytes: &[u8]) -> Option<Self> {
        let found = MAGIC.iter().find(|(magic, _)| bytes.starts_with(magic));
        found.map(|(_, format)| *format)
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Pdf => "a PDF document",
            Self::Rtf => "an RTF document",
            Self::Zip => "a ZIP archive or an Office document (.docx, .xlsx, .pptx, .odt)",
            Self::CompoundFile => "an old Office document (.doc, .xls, .ppt)",
            Self::Gzip => "a gzip archive",
            Self::SevenZip => "a 7-Zip archive",
            Self::Png => "a PNG image",
            Self::Jpeg => "a JPEG image",
            Self::Gif => "a GIF image",
        })
    }
}
