//! A small fixed hash: random draws and ids are functions of the request, equal on every machine.

use sha2::{Digest, Sha256};

/// Hash under construction (FNV-1a, then mixed).
#[derive(Debug, Clone, Copy)]
pub struct Hash(u64);

impl Hash {
    /// Starts with a seed.
    pub const fn new(seed: u64) -> Self {
        Self(mix(seed ^ 0x9e37_79b9_7f4a_7c15))
    }

    /// Adds a number.
    pub const fn with(self, number: u64) -> Self {
        Self(mix(self.0.rotate_left(23) ^ number))
    }

    /// Adds a text.
    pub fn text(self, text: &str) -> Self {
        let folded = text.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |sum, byte| {
            (sum ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        self.with(folded).with(text.len() as u64)
    }

    /// Value of the hash.
    pub const fn value(self) -> u64 {
        self.0
    }

    /// Hash as letters and digits, like provider ids.
    pub fn id(self, length: usize) -> String {
        const LETTERS: &[u8; 62] =
            b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
        let mut state = self;
        (0..length)
            .map(|index| {
                state = state.with(index as u64);
                char::from(LETTERS[(state.0 % 62) as usize])
            })
            .collect()
    }

    /// Hash in the form of a UUID.
    pub fn uuid(self) -> String {
        let (high, low) = (self.with(1).0, self.with(2).0);
        format!(
            "{:08x}-{:04x}-4{:03x}-8{:03x}-{:012x}",
            high >> 32,
            (high >> 16) & 0xffff,
            high & 0xfff,
            low >> 52,
            low & 0xffff_ffff_ffff
        )
    }
}

/// First twelve hexadecimal digits of a secret's SHA-256.
pub fn fingerprint(secret: &str) -> String {
    Sha256::digest(secret.as_bytes())
        .iter()
        .take(6)
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

const fn mix(value: u64) -> u64 {
    let value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}
