//! Decoders of single codings behind one trait, into a buffer with a bound.
//!
//! Neighbour: [`decoded`](super) chooses one of them by the first bytes of a body.

use std::io::{Result, Write};

use brotli_decompressor::{BrotliDecoderParameter, DecompressorWriter};
use flate2::write::{DeflateDecoder, MultiGzDecoder, ZlibDecoder};

/// Buffer in which the decoder of brotli puts bytes before it hands them on.
const BROTLI_BUFFER: usize = 1 << 14;
/// Largest window of zstd over HTTP, as a power of two (RFC 9659).
const ZSTD_WINDOW: u32 = 23;

/// Decoder that is fed with pieces.
pub(super) trait Coder: Write + Send {
    /// Decoded bytes that nothing has taken yet.
    fn plain(&mut self) -> &mut Bounded;

    /// Decodes what is still held back; an error if the body was cut.
    fn finish(&mut self) -> Result<()>;
}

macro_rules! coder {
    ($decoder:ty, $finish:ident) => {
        impl Coder for $decoder {
            fn plain(&mut self) -> &mut Bounded {
                self.get_mut()
            }

            fn finish(&mut self) -> Result<()> {
                self.$finish()
            }
        }
    };
}

coder!(MultiGzDecoder<Bounded>, try_finish);
coder!(ZlibDecoder<Bounded>, try_finish);
coder!(DeflateDecoder<Bounded>, try_finish);
coder!(zstd::stream::write::Decoder<'static, Bounded>, do_finish);
coder!(DecompressorWriter<Bounded>, close);

/// Decoder of brotli with windows of at most 16 MiB: larger ones are no part of RFC 7932.
pub(super) fn brotli(into: Bounded) -> impl Coder {
    let mut decoder = DecompressorWriter::new(into, BROTLI_BUFFER);
    decoder.set_parameter(BrotliDecoderParameter::BROTLI_DECODER_PARAM_LARGE_WINDOW, 0);
    decoder
}

/// Decoder of zstd with windows of at most 8 MiB.
pub(super) fn zstd(into: Bounded) -> Result<impl Coder> {
    let mut decoder = zstd::stream::write::Decoder::new(into)?;
    decoder.window_log_max(ZSTD_WINDOW)?;
    Ok(decoder)
}

/// Decoded bytes that refuse to grow beyond a bound in sum.
#[derive(Debug)]
pub(super) struct Bounded {
    bytes: Vec<u8>,
    length: usize,
    most: usize,
    pub(super) is_full: bool,
}

impl Bounded {
    /// Creates a buffer that takes at most this number of bytes in its life.
    pub(super) const fn new(most: usize) -> Self {
        Self {
            bytes: Vec::new(),
            length: 0,
            most,
            is_full: false,
        }
    }

    pub(super) fn take(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.bytes)
    }
}

impl Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> Result<usize> {
        self.length += bytes.len();
        if self.length > self.most {
            self.is_full = true;
            self.bytes.clear();
            return Err(std::io::ErrorKind::FileTooLarge.into());
        }
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> Result<()> {
        Ok(())
    }
}
