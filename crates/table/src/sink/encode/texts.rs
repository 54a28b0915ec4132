//! A column of texts as a column chunk: with a dictionary where that pays, and each text in its place where not.

use std::ops::Range as Span;

use parquet::basic::Encoding;
use parquet::bloom_filter::Sbbf;
use parquet::errors::Result;
use parquet::schema::types::ColumnDescPtr;

use super::PAGE_BYTES;
use super::bounds::Bounds;
use super::chunk::{Chunk, ChunkWriter, Codec, PageContent, Range};
use super::hybrid;
use super::levels::Levels;
use crate::columns::Texts;
use crate::columns::schema::Column;

/// A dictionary larger than this is given up: readers hold it whole.
const DICTIONARY_BYTES: usize = 1 << 20;

/// Share of the plain bytes that a dictionary and its indexes may take; above it, looking up costs more than it saves.
const DICTIONARY_SHARE: f64 = 0.7;

/// Probability that a bloom filter lets a row group pass that does not hold the text.
const FALSE_POSITIVES: f64 = 0.01;

/// The texts of one leaf of the schema, in the order in which they are written.
pub(super) struct TextLeaf<'a> {
    pub(super) descriptor: ColumnDescPtr,
    /// The column that it is of.
    pub(super) column: &'a Column,
    pub(super) texts: &'a Texts,
    /// The number of each text that is there.
    pub(super) keys: &'a [u32],
    pub(super) levels: &'a Levels,
}

/// Buffers that are used again.
#[derive(Default)]
pub(super) struct Scratch {
    /// For each number of a text, how often it comes, then its place in the dictionary.
    places: Vec<u32>,
    /// The numbers of the dictionary's texts.
    entries: Vec<u32>,
    indexes: Vec<u32>,
    page: Vec<u8>,
}

impl TextLeaf<'_> {
    /// Encodes the leaf.
    pub(super) fn encode(&self, codec: &mut Codec, scratch: &mut Scratch) -> Result<Chunk> {
        let codec = (!self.keys.is_empty()).then_some(codec);
        let whole = match self.column.bounds {
            true => Range::Texts(Bounds::default()),
            false => Range::Untold,
        };
        let chunk = ChunkWriter::new(self.descriptor.clone(), codec, whole);
        if self.texts.repeat() {
            let plain_bytes = self.collect(scratch);
            if let Some(dictionary) = self.dictionary(scratch, plain_bytes) {
                let bloom = self.bloom_filter(scratch.entries.len(), scratch.entries.iter())?;
                return self.encode_indexes(chunk, &dictionary, scratch, bloom);
            }
            let bloom = self.bloom_filter(scratch.entries.len(), scratch.entries.iter())?;
            return self.encode_plain(chunk, scratch, bloom);
        }
        let bloom = self.bloom_filter(self.keys.len(), self.keys.iter())?;
        self.encode_plain(chunk, scratch, bloom)
    }

    /// The distinct texts, in order, and the place of each; answers how many bytes all texts take without a dictionary.
    fn collect(&self, scratch: &mut Scratch) -> usize {
        scratch.places.clear();
        scratch.places.resize(self.texts.distinct(), 0);
        scratch.entries.clear();
        for &key in self.keys {
            let count = &mut scratch.places[key as usize];
            if *count == 0 {
                scratch.entries.push(key);
            }
            *count += 1;
        }
        let bytes = |&key: &u32| self.plain_bytes(key) * scratch.places[key as usize] as usize;
        let plain_bytes = scratch.entries.iter().map(bytes).sum();
        scratch.entries.sort_unstable_by_key(|&key| self.texts.text(key));
        for (place, &key) in (0..).zip(&scratch.entries) {
            scratch.places[key as usize] = place;
        }
        plain_bytes
    }

    /// Bytes of a text in plain encoding.
    fn plain_bytes(&self, key: u32) -> usize {
        self.texts.text(key).len() + 4
    }

    /// The dictionary's page, if one pays.
    fn dictionary(&self, scratch: &Scratch, plain_bytes: usize) -> Option<Vec<u8>> {
        if self.keys.is_empty() {
            return None;
        }
        let bytes: usize = scratch.entries.iter().map(|&key| self.plain_bytes(key)).sum();
        let indexes = self.keys.len() * usize::from(index_width(scratch.entries.len())) / 8;
        let pays = (bytes + indexes) as f64 <= plain_bytes as f64 * DICTIONARY_SHARE;
        if !pays || bytes > DICTIONARY_BYTES {
            return None;
        }
        let mut page = Vec::with_capacity(bytes);
        scratch.entries.iter().for_each(|&key| put(self.texts.text(key), &mut page));
        Some(page)
    }

    fn encode_indexes<'a>(
        &'a self,
        mut chunk: ChunkWriter<'a, '_>,
        dictionary: &[u8],
        scratch: &mut Scratch,
        bloom: Option<Sbbf>,
    ) -> Result<Chunk> {
        chunk.dictionary(dictionary, scratch.entries.len())?;
        let width = index_width(scratch.entries.len());
        for part in self.levels.pages() {
            let keys = &self.keys[part.present.clone()];
            scratch.page.clear();
            self.levels.encode(&part, &mut scratch.page);
            scratch.page.push(width);
            let mut bounds = Bounds::default();
            if let [only] = scratch.entries[..] {
                if !keys.is_empty() {
                    hybrid::repeat(0, keys.len(), width, &mut scratch.page);
                    bounds.note(self.texts.text(only));
                }
            } else {
                scratch.indexes.clear();
                scratch.indexes.extend(keys.iter().map(|&key| scratch.places[key as usize]));
                for place in [scratch.indexes.iter().min(), scratch.indexes.iter().max()].into_iter().flatten() {
                    bounds.note(self.texts.text(scratch.entries[*place as usize]));
                }
                hybrid::encode(&scratch.indexes, width, &mut scratch.page);
            }
            let range = self.range(bounds);
            chunk.page(&scratch.page, &PageContent { encoding: Encoding::RLE_DICTIONARY, range, ..part.content() })?;
        }
        chunk.finish(bloom)
    }

    fn encode_plain<'a>(
        &'a self,
        mut chunk: ChunkWriter<'a, '_>,
        scratch: &mut Scratch,
        bloom: Option<Sbbf>,
    ) -> Result<Chunk> {
        let (mut bytes, mut seen) = (0, 0);
        let full = |present: Span<usize>| {
            bytes += self.keys[seen..present.end].iter().map(|&key| self.plain_bytes(key)).sum::<usize>();
            seen = present.end;
            let full = bytes >= PAGE_BYTES;
            if full {
                bytes = 0;
            }
            full
        };
        let parts: Vec<_> = self.levels.pages_until(full).collect();
        for part in parts {
            scratch.page.clear();
            self.levels.encode(&part, &mut scratch.page);
            let mut bounds = Bounds::default();
            for &key in &self.keys[part.present.clone()] {
                let text = self.texts.text(key);
                put(text, &mut scratch.page);
                if self.column.bounds {
                    bounds.note(text);
                }
            }
            let range = self.range(bounds);
            chunk.page(&scratch.page, &PageContent { encoding: Encoding::PLAIN, range, ..part.content() })?;
        }
        chunk.finish(bloom)
    }

    fn range<'a>(&self, bounds: Bounds<'a>) -> Range<'a> {
        if self.column.bounds { Range::Texts(bounds) } else { Range::Untold }
    }

    /// A bloom filter of `distinct` texts, where the column has one.
    fn bloom_filter<'k>(&self, distinct: usize, keys: impl Iterator<Item = &'k u32>) -> Result<Option<Sbbf>> {
        if !self.column.bloom_filter || distinct == 0 {
            return Ok(None);
        }
        let mut filter = Sbbf::new_with_ndv_fpp(distinct as u64, FALSE_POSITIVES)?;
        keys.for_each(|&key| filter.insert(self.texts.text(key)));
        Ok(Some(filter))
    }
}

fn index_width(entries: usize) -> u8 {
    hybrid::width(u32::try_from(entries.saturating_sub(1)).unwrap_or(u32::MAX))
}

/// Appends a text behind its length, as Parquet's plain encoding has it.
fn put(text: &[u8], page: &mut Vec<u8>) {
    let length = u32::try_from(text.len()).unwrap_or(u32::MAX);
    page.extend_from_slice(&length.to_le_bytes());
    page.extend_from_slice(text);
}
