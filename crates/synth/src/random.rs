//! Randomness that is the same for a seed on every machine: ChaCha8 streams and integer arithmetic only.

use chacha20::ChaCha8Rng;
use rsa::rand_core::{Rng as _, SeedableRng as _};
use sha2::Digest as _;

/// RFC 4648 base32, the alphabet of AWS's unique ids.
const BASE32: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
/// The alphabet of a log name's unique part and of S3's request ids.
const ALPHANUMERIC: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
const UPPER_ALPHANUMERIC: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
const BASE64: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const HEX: &[u8] = b"0123456789abcdef";

/// What a text is drawn from.
#[derive(Debug, Clone, Copy)]
pub(super) enum Alphabet {
    Base32,
    Base64,
    Alphanumeric,
    UpperAlphanumeric,
    Hex,
}

impl Alphabet {
    fn letters(self) -> &'static [u8] {
        match self {
            Self::Base32 => BASE32,
            Self::Base64 => BASE64,
            Self::Alphanumeric => ALPHANUMERIC,
            Self::UpperAlphanumeric => UPPER_ALPHANUMERIC,
            Self::Hex => HEX,
        }
    }
}

/// One stream of random values.
pub(super) struct Random(ChaCha8Rng);

impl Random {
    /// The stream named `what` and `indices`; streams of different names are independent of each other, so that parts
    /// of the archive can be made in any order and on any thread.
    pub(super) fn stream(seed: u64, what: &str, indices: &[u32]) -> Self {
        let mut name = sha2::Sha256::new();
        name.update(seed.to_le_bytes());
        for index in indices {
            name.update(index.to_le_bytes());
        }
        name.update(what);
        Self(ChaCha8Rng::from_seed(name.finalize().into()))
    }

    /// The generator itself, for making keys.
    pub(super) fn generator(&mut self) -> &mut ChaCha8Rng {
        &mut self.0
    }

    /// Any 64 bits.
    pub(super) fn bits(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// Any 32 bits.
    pub(super) fn word(&mut self) -> u32 {
        self.0.next_u32()
    }

    /// A number below `limit`, evenly.
    pub(super) fn below(&mut self, limit: u32) -> u32 {
        even(self.word(), limit)
    }

    /// Whether something happens that happens `percent` times in a hundred.
    pub(super) fn chance(&mut self, percent: u32) -> bool {
        self.below(100) < percent
    }

    /// One of `items`, the first ones far more often than the last ones.
    pub(super) fn favour<'a, T>(&mut self, items: &'a [T]) -> &'a T {
        &items[skewed(self.word(), items.len())]
    }

    /// Appends `count` letters.
    pub(super) fn push(&mut self, text: &mut String, alphabet: Alphabet, count: usize) {
        let letters = alphabet.letters();
        let mut left = count;
        while left > 0 {
            // Eight letters from one draw: each takes the top of what the one before left over.
            let mut bits = self.bits();
            for _ in 0..left.min(8) {
                let wide = u128::from(bits) * letters.len() as u128;
                text.push(char::from(letters[(wide >> 64) as usize]));
                bits = wide as u64;
            }
            left -= left.min(8);
        }
    }

    /// `count` letters.
    pub(super) fn text(&mut self, alphabet: Alphabet, count: usize) -> String {
        let mut text = String::with_capacity(count);
        self.push(&mut text, alphabet, count);
        text
    }

    /// Appends a random (version 4) GUID.
    pub(super) fn push_guid(&mut self, text: &mut String) {
        let value = u128::from(self.bits()) << 64 | u128::from(self.bits());
        let value = value & !(0xf << 76) & !(0x3 << 62) | 0x4 << 76 | 0x2 << 62;
        for position in 0..32 {
            if matches!(position, 8 | 12 | 16 | 20) {
                text.push('-');
            }
            text.push(char::from(HEX[(value >> (124 - 4 * position)) as usize & 0xf]));
        }
    }

    /// A random (version 4) GUID.
    pub(super) fn guid(&mut self) -> String {
        let mut text = String::with_capacity(36);
        self.push_guid(&mut text);
        text
    }
}

/// Maps any word to a number below `limit`, evenly.
fn even(word: u32, limit: u32) -> u32 {
    ((u64::from(word) * u64::from(limit)) >> 32) as u32
}

/// Maps any word to an index below `len`: the cube of an even number, so the first tenth is met almost half of the time.
pub(super) fn skewed(word: u32, len: usize) -> usize {
    let word = u64::from(word);
    let cube = (((word * word) >> 32) * word) >> 32;
    ((cube * len as u64) >> 32) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_are_the_same_on_every_machine() {
        let mut random = Random::stream(7, "example", &[1, 2]);
        assert_eq!(random.guid(), "f2db0f7e-cf23-44f0-9332-fc6e2ae937b3");
        assert_eq!(random.text(Alphabet::Alphanumeric, 16), "QIWtZgSdh9YHwQwY");
    }

    #[test]
    fn skewed_prefers_the_first_and_reaches_the_last() {
        assert_eq!(skewed(0, 100), 0);
        assert_eq!(skewed(u32::MAX / 2, 100), 12);
        assert_eq!(skewed(u32::MAX, 100), 99);
        assert_eq!(skewed(u32::MAX, 1), 0);
    }
}
