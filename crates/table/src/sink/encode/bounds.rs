//! The smallest and largest text of a page or a column chunk, short enough to stand in an index.

use parquet::data_type::ByteArray;

/// Longest bound that is written, in bytes: what the parquet crate writes too.
const LONGEST: usize = 64;

/// The smallest and largest text seen.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Bounds<'a>(Option<(&'a [u8], &'a [u8])>);

/// A bound as it is written.
pub(super) struct Bound {
    pub(super) bytes: ByteArray,
    /// Whether it is a text of the column, and not only a limit to them.
    pub(super) is_exact: bool,
}

impl<'a> Bounds<'a> {
    /// Takes a text in.
    pub(super) fn note(&mut self, text: &'a [u8]) {
        self.0 = Some(match self.0 {
            None => (text, text),
            Some((smallest, largest)) => (smallest.min(text), largest.max(text)),
        });
    }

    /// Takes other bounds in.
    pub(super) fn merge(&mut self, other: Self) {
        if let Some((smallest, largest)) = other.0 {
            self.note(smallest);
            self.note(largest);
        }
    }

    /// A text that none is smaller than, and one that none is larger than.
    pub(super) fn written(&self) -> Option<(Bound, Bound)> {
        self.0.map(|(smallest, largest)| (lower(smallest), upper(largest)))
    }
}

fn whole(text: &[u8]) -> Bound {
    Bound { bytes: ByteArray::from(text.to_vec()), is_exact: true }
}

/// The text, or its beginning.
fn lower(text: &[u8]) -> Bound {
    let short = beginning(text);
    Bound { is_exact: short.len() == text.len(), ..whole(short) }
}

/// The text, or a beginning that is larger than every text that begins so.
fn upper(text: &[u8]) -> Bound {
    let short = beginning(text);
    if short.len() == text.len() {
        return whole(text);
    }
    // The next character of ASCII keeps the bound readable as text.
    match short.iter().rposition(|&byte| byte < 0x7f) {
        Some(at) => {
            let mut bytes = short[..=at].to_vec();
            bytes[at] += 1;
            Bound { bytes: ByteArray::from(bytes), is_exact: false }
        }
        None => whole(text),
    }
}

/// At most [`LONGEST`] bytes, not cut within a character of UTF-8.
fn beginning(text: &[u8]) -> &[u8] {
    if text.len() <= LONGEST {
        return text;
    }
    let end = (LONGEST - 3..=LONGEST).rev().find(|&at| text[at] & 0xc0 != 0x80).unwrap_or(LONGEST);
    &text[..end]
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn bounds_bound_every_text_and_are_text(texts in prop::collection::vec("\\PC{0,40}[a-zé😀]{0,70}", 1..6)) {
            let mut bounds = Bounds::default();
            texts.iter().for_each(|text| bounds.note(text.as_bytes()));
            let (low, high) = bounds.written().unwrap();
            prop_assert!(texts.iter().all(|text| low.bytes.data() <= text.as_bytes() && text.as_bytes() <= high.bytes.data()));
            for bound in [low, high] {
                prop_assert!(str::from_utf8(bound.bytes.data()).is_ok());
                let is_text = texts.iter().any(|text| text.as_bytes() == bound.bytes.data());
                prop_assert!(!bound.is_exact || is_text);
            }
        }
    }

    #[test]
    fn long_texts_have_short_bounds() {
        let long = [b'a'; 100];
        let mut bounds = Bounds::default();
        bounds.note(&long);
        let (low, high) = bounds.written().unwrap();
        assert_eq!((low.bytes.data(), low.is_exact), (&long[..64], false));
        assert_eq!((high.bytes.len(), high.bytes.data()[63], high.is_exact), (64, b'b', false));
    }
}
