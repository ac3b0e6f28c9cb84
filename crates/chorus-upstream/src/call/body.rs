//! Bodies read to their end, within bounds.

use futures_util::StreamExt as _;

use crate::transport::{BodyStream, TransportError};

/// Bytes that no reply of a model exceeds; a server that sends more is broken.
pub(super) const LARGEST: usize = 64 << 20;

/// Reads the whole body, up to [`LARGEST`].
pub(super) async fn whole(mut body: BodyStream) -> Result<Vec<u8>, TransportError> {
    let mut bytes = Vec::new();
    while let Some(chunk) = body.next().await {
        bytes.extend_from_slice(&chunk?);
        if bytes.len() > LARGEST {
            return Err(too_large());
        }
    }
    Ok(bytes)
}

pub(super) fn too_large() -> TransportError {
    TransportError::Broken(format!("the reply is larger than {} MiB", LARGEST >> 20))
}

/// Reads the beginning of a body, as far as it arrives: enough for an error.
pub(super) async fn prefix(mut body: BodyStream, longest: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    while bytes.len() < longest
        && let Some(Ok(chunk)) = body.next().await
    {
        bytes.extend_from_slice(&chunk);
    }
    bytes.truncate(longest);
    bytes
}
