//! Parquet's hybrid of run-length encoding and bit packing, for levels and dictionary indexes.
//!
//! Spec: <https://parquet.apache.org/docs/file-format/data-pages/encodings/#RLE>

/// Appends `values`, each less than 2 to the power of `width`, to `out`.
///
/// Values are packed by eights; eights of one value are a run, together with those like them that follow.
pub(super) fn encode(values: &[u32], width: u8, out: &mut Vec<u8>) {
    let (eights, rest) = values.as_chunks::<8>();
    let (mut packed_from, mut at) = (0, 0);
    while let Some(&[value, ..]) = eights.get(at) {
        let run = eights[at..].iter().take_while(|eight| **eight == [value; 8]).count();
        if run == 0 {
            at += 1;
            continue;
        }
        pack(&values[packed_from..at * 8], width, out);
        at += run;
        let more = if at == eights.len() { rest.iter().take_while(|&&other| other == value).count() } else { 0 };
        repeat(value, run * 8 + more, width, out);
        packed_from = at * 8 + more;
    }
    pack(&values[packed_from..], width, out);
}

/// Appends `count` times one value.
pub(super) fn repeat(value: u32, count: usize, width: u8, out: &mut Vec<u8>) {
    varint((count as u64) << 1, out);
    out.extend_from_slice(&value.to_le_bytes()[..usize::from(width.div_ceil(8))]);
}

/// Appends values bit-packed, padded to a multiple of eight.
fn pack(values: &[u32], width: u8, out: &mut Vec<u8>) {
    if values.is_empty() {
        return;
    }
    let groups = values.len().div_ceil(8);
    varint((groups as u64) << 1 | 1, out);
    let end = out.len() + groups * usize::from(width);
    let (mut bits, mut held) = (0_u64, 0_u8);
    for &value in values {
        bits |= u64::from(value) << held;
        held += width;
        if held >= 32 {
            out.extend_from_slice(&(bits as u32).to_le_bytes());
            bits >>= 32;
            held -= 32;
        }
    }
    out.extend_from_slice(&bits.to_le_bytes()[..usize::from(held.div_ceil(8))]);
    out.resize(end, 0);
}

/// The bits that values up to `largest` take; at least one, which every reader understands.
pub(super) fn width(largest: u32) -> u8 {
    (u32::BITS - largest.leading_zeros()).max(1) as u8
}

fn varint(mut value: u64, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What the format's description says, word by word.
    fn decode(mut bytes: &[u8], width: u8, count: usize) -> Vec<u32> {
        let mut values = Vec::new();
        while values.len() < count {
            let (mut header, mut shift) = (0_u64, 0);
            loop {
                let (first, rest) = bytes.split_first().unwrap();
                bytes = rest;
                header |= u64::from(first & 0x7f) << shift;
                shift += 7;
                if first & 0x80 == 0 {
                    break;
                }
            }
            let bit = |n: usize| u32::from(bytes[n / 8] >> (n % 8) & 1);
            let whole = |from: usize, width: usize| (0..width).map(|n| bit(from + n) << n).sum::<u32>();
            let used = if header & 1 == 1 {
                let packed = (header >> 1) as usize * 8;
                values.extend((0..packed).map(|n| whole(n * usize::from(width), usize::from(width))));
                packed / 8 * usize::from(width)
            } else {
                values.extend(std::iter::repeat_n(whole(0, usize::from(width)), (header >> 1) as usize));
                usize::from(width.div_ceil(8))
            };
            bytes = &bytes[used..];
        }
        assert!(bytes.is_empty());
        values.truncate(count);
        values
    }

    proptest! {
        #[test]
        fn what_was_encoded_is_decoded(
            runs in prop::collection::vec((any::<u32>(), 1usize..40), 0..30),
            width in 1u8..=32,
        ) {
            let mask = u32::MAX >> (32 - width);
            let values: Vec<u32> =
                runs.into_iter().flat_map(|(value, count)| std::iter::repeat_n(value & mask, count)).collect();
            let mut out = Vec::new();
            encode(&values, width, &mut out);
            prop_assert_eq!(decode(&out, width, values.len()), values);
        }
    }

    #[test]
    fn one_value_all_over_is_one_run() {
        let mut out = Vec::new();
        encode(&[1; 1000], 1, &mut out);
        assert_eq!(out, [0xd0, 0x0f, 1]);
    }

    #[test]
    fn widths_hold_their_largest_value() {
        assert_eq!([0, 1, 2, 255, 256, u32::MAX].map(width), [1, 1, 2, 8, 9, 32]);
    }
}
