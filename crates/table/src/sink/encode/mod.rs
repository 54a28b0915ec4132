//! Rows to one encoded row group. CPU work only.
//!
//! ```text
//! order ──▶ for each leaf of the schema: keys and levels in that order ──▶ pages ──▶ zstd ──▶ chunk + indexes + bloom filter
//! ```
//!
//! The parquet crate writes the footer and everything in it; pages are made here, because the columns know already which
//! texts repeat: a text that stands in a thousand rows is hashed when it comes in and written once, and rows are put in
//! order by their numbers alone. `docs/performance.md` has the measurement that argues for it.
//!
//! Data pages are of version 1, which every engine reads.
//!
//! Spec: <https://github.com/apache/parquet-format>

mod bounds;
mod chunk;
mod fixed;
mod hybrid;
mod levels;
mod texts;

use parquet::schema::types::ColumnDescPtr;

use super::{SinkError, schema};
use crate::columns::schema::{COLUMNS, Column, RESOURCE};
use crate::columns::{Lists, Rows, Texts, Values};
pub(super) use chunk::Chunk;
use chunk::Codec;
use levels::Levels;
use texts::{Scratch, TextLeaf};

/// Rows of a page, at most: what readers skip by its bounds.
const PAGE_ROWS: usize = 20_000;

/// Bytes of plain values after which a page is full.
const PAGE_BYTES: usize = 1 << 20;

/// One encoded row group.
pub struct RowGroup {
    pub(super) chunks: Vec<Chunk>,
    /// Rows.
    pub rows: u64,
}

impl RowGroup {
    /// Bytes that it takes in memory, roughly and rather too many: its pages, filters of up to 2.4 bytes a row in each of the
    /// columns that have one, and what the footer says of each chunk.
    pub fn held_bytes(&self) -> usize {
        let pages: usize = self.chunks.iter().map(|chunk| chunk.bytes.capacity()).sum();
        let rows = usize::try_from(self.rows).unwrap_or(usize::MAX);
        let filters = COLUMNS.iter().filter(|column| column.bloom_filter).count();
        pages + rows.saturating_mul(filters * 12 / 5) + self.chunks.len() * BYTES_PER_FOOTER_ENTRY
    }
}

/// Bytes that what the footer says of a chunk takes.
const BYTES_PER_FOOTER_ENTRY: usize = 1_500;

/// Encodes row groups, one after another, in memory that is used again.
#[derive(Default)]
pub struct Encoder {
    codec: Option<Codec>,
    scratch: Scratch,
    keys: Vec<u32>,
}

impl Encoder {
    /// Encodes the rows of `order`, in that order, as one row group.
    ///
    /// # Errors
    /// [`SinkError::Encode`] when a value is longer than the format can say.
    pub fn encode(&mut self, rows: &Rows<'_>, order: &[u32]) -> Result<RowGroup, SinkError> {
        let mut whole = || {
            let codec = match self.codec.take() {
                Some(codec) => codec,
                None => Codec::new()?,
            };
            let codec = self.codec.insert(codec);
            let mut column_encoder = ColumnEncoder { codec, scratch: &mut self.scratch, keys: &mut self.keys };
            let mut chunks = Vec::with_capacity(schema::parquet().num_columns());
            for (column, values) in COLUMNS.iter().zip(rows.columns) {
                encode_column(column, values, order, &mut column_encoder, &mut chunks)?;
            }
            Ok(RowGroup { chunks, rows: order.len() as u64 })
        };
        whole().map_err(|source| SinkError::Encode { place: format!("a row group of {} rows", order.len()), source })
    }
}

/// What encoding one column needs.
struct ColumnEncoder<'e> {
    codec: &'e mut Codec,
    scratch: &'e mut Scratch,
    keys: &'e mut Vec<u32>,
}

/// Encodes one column, behind those of `chunks`; a list of structs has a chunk for each member.
fn encode_column(
    column: &Column,
    values: &Values,
    order: &[u32],
    encoder: &mut ColumnEncoder<'_>,
    chunks: &mut Vec<Chunk>,
) -> parquet::errors::Result<()> {
    let descriptor = || schema::parquet().column(chunks.len());
    let codec = &mut *encoder.codec;
    let chunk = match values {
        Values::Texts(texts) => text_column(descriptor(), column, texts, order, encoder)?,
        Values::Flags(flags) => fixed::flags(descriptor(), column, flags, order, codec)?,
        Values::Numbers(numbers) => fixed::numbers(descriptor(), column, numbers, order, codec)?,
        Values::Lists(lists) => {
            for member in 0..RESOURCE.len() {
                let descriptor = schema::parquet().column(chunks.len());
                chunks.push(list_member(descriptor, column, lists.member(member), lists, order, encoder)?);
            }
            return Ok(());
        }
    };
    chunks.push(chunk);
    Ok(())
}

fn text_column(
    descriptor: ColumnDescPtr,
    column: &Column,
    texts: &Texts,
    order: &[u32],
    encoder: &mut ColumnEncoder<'_>,
) -> parquet::errors::Result<Chunk> {
    let ColumnEncoder { codec, scratch, keys } = encoder;
    let has_text = texts.keys_in_order(order, keys);
    let levels = Levels::flat(order.len(), !keys.is_empty(), &has_text);
    TextLeaf { descriptor, column, texts, keys, levels: &levels }.encode(codec, scratch)
}

/// Definition levels of a list's members: no list, an empty list, an element without the member, the member.
const NO_LIST: u32 = 0;
const EMPTY: u32 = 1;
const NO_MEMBER: u32 = 3;
const MEMBER: u32 = 4;

fn list_member(
    descriptor: ColumnDescPtr,
    column: &Column,
    texts: &Texts,
    lists: &Lists,
    order: &[u32],
    encoder: &mut ColumnEncoder<'_>,
) -> parquet::errors::Result<Chunk> {
    let (mut keys, mut definition, mut repetition) = (Vec::new(), Vec::new(), Vec::new());
    for &row in order {
        let elements = lists.get(row);
        let alone = if elements.is_some() { EMPTY } else { NO_LIST };
        let elements = elements.unwrap_or_default();
        if elements.is_empty() {
            definition.push(alone);
            repetition.push(0);
        }
        for element in elements.clone() {
            repetition.push(u32::from(element != elements.start));
            match texts.key(element) {
                Some(key) => {
                    definition.push(MEMBER);
                    keys.push(key);
                }
                None => definition.push(NO_MEMBER),
            }
        }
    }
    let levels = Levels::nested(order.len(), definition, repetition, MEMBER);
    let leaf = TextLeaf { descriptor, column, texts, keys: &keys, levels: &levels };
    leaf.encode(encoder.codec, encoder.scratch)
}
