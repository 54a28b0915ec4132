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
use crate::columns::schema::{COLUMNS, Column, ColumnType, RESOURCE};
use crate::columns::{Lists, Rows, Texts, Values};
pub(super) use chunk::Chunk;
use chunk::Codec;
use levels::Levels;
use texts::{Scratch, TextLeaf};

/// Rows of a page, at most: what readers skip by its bounds.
const PAGE_ROWS: usize = 20_000;

/// Bytes of plain values after which a page is full.
const PAGE_BYTES: usize = 1 << 20;

/// Columns that are looked into for one value among very many.
const NEEDLES: [&str; 8] = [
    "source_ip_address",
    "request_id",
    "event_id",
    "shared_event_id",
    "user_principal_id",
    "user_arn",
    "user_access_key_id",
    "session_issuer_arn",
];

/// How a column of texts is written.
#[derive(Debug, Clone, Copy)]
struct TextOptions {
    /// With a filter that tells which row groups do not hold a text.
    bloom_filter: bool,
    /// With smallest and largest texts.
    ranges: bool,
}

impl TextOptions {
    fn of(column: &Column) -> Self {
        // The smallest and largest JSON help no query, and whole records and broken ones are not asked for by value.
        let ranges = column.holds() == ColumnType::Text && column.name != "raw_json";
        Self { bloom_filter: NEEDLES.contains(&column.name), ranges }
    }
}

/// One encoded row group.
pub struct RowGroup {
    pub(super) chunks: Vec<Chunk>,
    /// Rows.
    pub rows: u64,
}

/// What encoding one column needs, used again for the next.
struct Encoder {
    codec: Codec,
    scratch: Scratch,
}

/// Encodes the rows of `order`, in that order, as one row group.
///
/// # Errors
/// [`SinkError::Encode`] when a value is longer than the format can say.
pub fn encode(rows: &Rows<'_>, order: &[u32]) -> Result<RowGroup, SinkError> {
    let whole = || {
        let mut encoder = Encoder { codec: Codec::new()?, scratch: Scratch::default() };
        let mut chunks = Vec::with_capacity(schema::parquet().num_columns());
        for (column, values) in COLUMNS.iter().zip(rows.columns) {
            encode_column(column, values, order, &mut encoder, &mut chunks)?;
        }
        Ok(RowGroup { chunks, rows: order.len() as u64 })
    };
    whole().map_err(|source| SinkError::Encode { place: format!("a row group of {} rows", order.len()), source })
}

/// Encodes one column, behind those of `chunks`; a list of structs has a chunk for each member.
fn encode_column(
    column: &Column,
    values: &Values,
    order: &[u32],
    encoder: &mut Encoder,
    chunks: &mut Vec<Chunk>,
) -> parquet::errors::Result<()> {
    let descriptor = || schema::parquet().column(chunks.len());
    let codec = &mut encoder.codec;
    let chunk = match values {
        Values::Texts(texts) => text_column(descriptor(), column, texts, order, encoder)?,
        Values::Flags(flags) => fixed::flags(descriptor(), flags, order, codec)?,
        Values::Numbers(numbers) => fixed::numbers(descriptor(), numbers, order, codec)?,
        Values::Lists(lists) => {
            for member in 0..RESOURCE.len() {
                let descriptor = schema::parquet().column(chunks.len());
                chunks.push(list_member(descriptor, lists, member, order, encoder)?);
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
    encoder: &mut Encoder,
) -> parquet::errors::Result<Chunk> {
    // A column that no row fills has no keys at all.
    let keys: Vec<u32> = match texts.rows() {
        0 => Vec::new(),
        _ => order.iter().filter_map(|&row| texts.key(row)).collect(),
    };
    let levels = Levels::flat(order.len(), keys.len(), order.iter().map(|&row| texts.key(row).is_some()));
    let options = TextOptions::of(column);
    let leaf = TextLeaf { descriptor, texts, keys: &keys, levels: &levels, options };
    leaf.encode(&mut encoder.codec, &mut encoder.scratch)
}

/// Definition levels of a list's members: no list, an empty list, an element without the member, the member.
const NO_LIST: u32 = 0;
const EMPTY: u32 = 1;
const NO_MEMBER: u32 = 3;
const MEMBER: u32 = 4;

fn list_member(
    descriptor: ColumnDescPtr,
    lists: &Lists,
    member: usize,
    order: &[u32],
    encoder: &mut Encoder,
) -> parquet::errors::Result<Chunk> {
    let texts = lists.member(member);
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
    let options = TextOptions { bloom_filter: false, ranges: true };
    let leaf = TextLeaf { descriptor, texts, keys: &keys, levels: &levels, options };
    leaf.encode(&mut encoder.codec, &mut encoder.scratch)
}
