//! Columns of truth values and whole numbers as column chunks.

use parquet::errors::Result;
use parquet::schema::types::ColumnDescPtr;

use super::chunk::{Chunk, ChunkWriter, Codec, PageContent, Range};
use super::levels::Levels;
use crate::columns::schema::Column;
use crate::columns::{Flags, Numbers};

/// Encodes truth values: one bit each.
pub(super) fn flags(
    descriptor: ColumnDescPtr,
    column: &Column,
    flags: &Flags,
    order: &[u32],
    codec: &mut Codec,
) -> Result<Chunk> {
    let (values, levels) = in_order(order, |row| flags.get(row));
    let bits = |values: &[bool], page: &mut Vec<u8>| {
        for eight in values.chunks(8) {
            page.push(eight.iter().rev().fold(0, |byte, &bit| byte << 1 | u8::from(bit)));
        }
    };
    let range = |values: &[bool]| Range::Flags(values.iter().min().copied().zip(values.iter().max().copied()));
    let whole = if column.bounds { Range::Flags(None) } else { Range::Untold };
    encode(descriptor, &values, &levels, codec, whole, bits, range)
}

/// Encodes whole numbers: eight bytes each.
pub(super) fn numbers(
    descriptor: ColumnDescPtr,
    column: &Column,
    numbers: &Numbers,
    order: &[u32],
    codec: &mut Codec,
) -> Result<Chunk> {
    let (values, levels) = in_order(order, |row| numbers.get(row));
    let bytes = |values: &[i64], page: &mut Vec<u8>| page.extend(values.iter().flat_map(|value| value.to_le_bytes()));
    let range = |values: &[i64]| Range::Numbers(values.iter().min().copied().zip(values.iter().max().copied()));
    let whole = if column.bounds { Range::Numbers(None) } else { Range::Untold };
    encode(descriptor, &values, &levels, codec, whole, bytes, range)
}

/// The values of the rows in this order, and which rows have one.
fn in_order<T>(order: &[u32], get: impl Fn(u32) -> Option<T>) -> (Vec<T>, Levels) {
    let values: Vec<T> = order.iter().filter_map(|&row| get(row)).collect();
    let has_value: Vec<bool> = match values.len() {
        len if len == 0 || len == order.len() => Vec::new(),
        _ => order.iter().map(|&row| get(row).is_some()).collect(),
    };
    let levels = Levels::flat(order.len(), !values.is_empty(), &has_value);
    (values, levels)
}

fn encode<T>(
    descriptor: ColumnDescPtr,
    values: &[T],
    levels: &Levels,
    codec: &mut Codec,
    whole: Range<'static>,
    put: impl Fn(&[T], &mut Vec<u8>),
    range: impl Fn(&[T]) -> Range<'static>,
) -> Result<Chunk> {
    let mut chunk = ChunkWriter::new(descriptor, (!values.is_empty()).then_some(codec), whole);
    let mut page = Vec::new();
    for part in levels.pages() {
        let present = &values[part.present.clone()];
        page.clear();
        levels.encode(&part, &mut page);
        put(present, &mut page);
        chunk.page(&page, &PageContent { range: range(present), ..part.content() })?;
    }
    chunk.finish(None)
}
