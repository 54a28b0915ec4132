//! One column chunk in the making: pages, their indexes, and what the footer says of them.

use bytes::Bytes;
use parquet::basic::{Compression, Encoding, PageType, ZstdLevel};
use parquet::bloom_filter::Sbbf;
use parquet::column::page::{CompressedPage, Page, PageWriter as _};
use parquet::column::writer::ColumnCloseResult;
use parquet::data_type::ByteArray;
use parquet::errors::{ParquetError, Result};
use parquet::file::metadata::{ColumnChunkMetaData, ColumnIndexBuilder, OffsetIndexBuilder, PageEncodingStats};
use parquet::file::statistics::{Statistics, ValueStatistics};
use parquet::file::writer::{SerializedPageWriter, TrackedWrite};
use parquet::schema::types::ColumnDescPtr;
use zstd::bulk::Compressor;

use super::bounds::Bounds;

/// How hard to compress. Measured in `docs/layout.md`.
const ZSTD_LEVEL: i32 = 1;

/// Compresses pages, in memory that is used again.
pub(super) struct Codec {
    zstd: Compressor<'static>,
    buffer: Vec<u8>,
}

impl Codec {
    pub(super) fn new() -> Result<Self> {
        Ok(Self { zstd: Compressor::new(ZSTD_LEVEL)?, buffer: Vec::new() })
    }

    fn compress(&mut self, page: &[u8]) -> Result<Bytes> {
        self.buffer.clear();
        self.buffer.reserve(zstd::zstd_safe::compress_bound(page.len()));
        self.zstd.compress_to_buffer(page, &mut self.buffer)?;
        Ok(Bytes::copy_from_slice(&self.buffer))
    }
}

/// An encoded column chunk.
pub(in super::super) struct Chunk {
    /// Its pages, as they stand in the file.
    pub(in super::super) bytes: Vec<u8>,
    /// What the footer says of them, with places counted from the start of `bytes`.
    pub(in super::super) close: ColumnCloseResult,
}

/// The smallest and largest value of a page or chunk.
#[derive(Clone, Copy)]
pub(super) enum Range<'a> {
    /// Not told: it would help no query.
    Untold,
    Texts(Bounds<'a>),
    Numbers(Option<(i64, i64)>),
    Flags(Option<(bool, bool)>),
}

impl Range<'_> {
    fn merge(&mut self, other: Self) {
        match (self, other) {
            (Self::Texts(whole), Self::Texts(part)) => whole.merge(part),
            (Self::Numbers(whole), Self::Numbers(part)) => *whole = widest(*whole, part),
            (Self::Flags(whole), Self::Flags(part)) => *whole = widest(*whole, part),
            _ => {}
        }
    }
}

fn widest<T: Ord>(a: Option<(T, T)>, b: Option<(T, T)>) -> Option<(T, T)> {
    match (a, b) {
        (Some((low, high)), Some((lower, higher))) => Some((low.min(lower), high.max(higher))),
        (a, b) => a.or(b),
    }
}

/// What a page holds, beside its bytes.
pub(super) struct PageContent<'a> {
    /// Rows that begin in it.
    pub(super) rows: usize,
    /// Values, nulls counted.
    pub(super) values: usize,
    /// Values that are null.
    pub(super) nulls: usize,
    pub(super) encoding: Encoding,
    pub(super) range: Range<'a>,
}

/// Collects the pages of a chunk.
pub(super) struct ChunkWriter<'a, 'z> {
    descriptor: ColumnDescPtr,
    out: TrackedWrite<Vec<u8>>,
    codec: Option<&'z mut Codec>,
    offsets: OffsetIndexBuilder,
    ranges: Option<ColumnIndexBuilder>,
    whole: Range<'a>,
    dictionary_at: Option<u64>,
    data_at: Option<u64>,
    pages: Vec<(Encoding, i32)>,
    rows: usize,
    values: usize,
    nulls: usize,
    uncompressed: usize,
}

impl<'a, 'z> ChunkWriter<'a, 'z> {
    /// Starts a chunk, compressed when there is a codec. `whole` is an empty range of the column's type.
    pub(super) fn new(descriptor: ColumnDescPtr, codec: Option<&'z mut Codec>, whole: Range<'a>) -> Self {
        let ranges = match whole {
            Range::Untold => None,
            _ => Some(ColumnIndexBuilder::new(descriptor.physical_type())),
        };
        Self {
            descriptor,
            out: TrackedWrite::new(Vec::new()),
            codec,
            offsets: OffsetIndexBuilder::new(),
            ranges,
            whole,
            dictionary_at: None,
            data_at: None,
            pages: Vec::new(),
            rows: 0,
            values: 0,
            nulls: 0,
            uncompressed: 0,
        }
    }

    fn compressed(&mut self, page: &[u8]) -> Result<Bytes> {
        match &mut self.codec {
            Some(codec) => codec.compress(page),
            None => Ok(Bytes::copy_from_slice(page)),
        }
    }

    /// Writes the dictionary: `entries` texts in order, each behind its length.
    pub(super) fn dictionary(&mut self, page: &[u8], entries: usize) -> Result<()> {
        let buf = self.compressed(page)?;
        let num_values = count(entries)?;
        let dictionary = Page::DictionaryPage { buf, num_values, encoding: Encoding::PLAIN, is_sorted: true };
        self.dictionary_at = Some(self.write(dictionary, page.len())?.0);
        Ok(())
    }

    /// Writes a page: levels and values, as they stand in a data page of version 1.
    pub(super) fn page(&mut self, page: &[u8], content: &PageContent<'a>) -> Result<()> {
        let data = Page::DataPage {
            buf: self.compressed(page)?,
            num_values: count(content.values)?,
            encoding: content.encoding,
            def_level_encoding: Encoding::RLE,
            rep_level_encoding: Encoding::RLE,
            statistics: None,
        };
        let (at, written) = self.write(data, page.len())?;
        self.data_at.get_or_insert(at);
        self.offsets.append_offset_and_size(place(at)?, size(written)?);
        self.offsets.append_row_count(place(content.rows as u64)?);
        if let Some(ranges) = &mut self.ranges {
            let (low, high) = bytes_of(content.range).unwrap_or_default();
            ranges.append(content.nulls == content.values, low, high, place(content.nulls as u64)?, None);
        }
        self.whole.merge(content.range);
        match self.pages.iter_mut().find(|(encoding, _)| *encoding == content.encoding) {
            Some((_, pages)) => *pages += 1,
            None => self.pages.push((content.encoding, 1)),
        }
        self.rows += content.rows;
        self.values += content.values;
        self.nulls += content.nulls;
        Ok(())
    }

    /// Where a page was written, and how long it is with its header.
    fn write(&mut self, page: Page, uncompressed: usize) -> Result<(u64, u64)> {
        let written = SerializedPageWriter::new(&mut self.out).write_page(CompressedPage::new(page, uncompressed))?;
        self.uncompressed += written.uncompressed_size;
        Ok((written.offset, written.bytes_written))
    }

    /// Ends the chunk.
    pub(super) fn finish(self, bloom_filter: Option<Sbbf>) -> Result<Chunk> {
        let compression = match self.codec {
            Some(_) => Compression::ZSTD(ZstdLevel::try_new(ZSTD_LEVEL)?),
            None => Compression::UNCOMPRESSED,
        };
        let bytes = self.out.into_inner()?;
        let mut encodings = vec![Encoding::RLE];
        let mut stats: Vec<PageEncodingStats> = Vec::new();
        if self.dictionary_at.is_some() {
            encodings.push(Encoding::PLAIN);
            let page_type = PageType::DICTIONARY_PAGE;
            stats.push(PageEncodingStats { page_type, encoding: Encoding::PLAIN, count: 1 });
        }
        for (encoding, count) in self.pages {
            encodings.push(encoding);
            stats.push(PageEncodingStats { page_type: PageType::DATA_PAGE, encoding, count });
        }
        let mut metadata = ColumnChunkMetaData::builder(self.descriptor)
            .set_encodings(encodings)
            .set_page_encoding_stats(stats)
            .set_compression(compression)
            .set_num_values(place(self.values as u64)?)
            .set_total_compressed_size(place(bytes.len() as u64)?)
            .set_total_uncompressed_size(place(self.uncompressed as u64)?)
            .set_dictionary_page_offset(self.dictionary_at.map(place).transpose()?)
            .set_data_page_offset(place(self.data_at.unwrap_or_default())?);
        if let Some(statistics) = statistics(self.whole, self.nulls as u64) {
            metadata = metadata.set_statistics(statistics);
        }
        let close = ColumnCloseResult {
            bytes_written: bytes.len() as u64,
            rows_written: self.rows as u64,
            metadata: metadata.build()?,
            bloom_filter,
            column_index: self.ranges.map(ColumnIndexBuilder::build).transpose()?,
            offset_index: Some(self.offsets.build()),
        };
        Ok(Chunk { bytes, close })
    }
}

/// The bounds of a page as its index has them; none for a page of nulls.
fn bytes_of(range: Range<'_>) -> Option<(Vec<u8>, Vec<u8>)> {
    match range {
        Range::Untold => None,
        Range::Texts(bounds) => bounds.written().map(|(low, high)| (low.bytes.data().into(), high.bytes.data().into())),
        Range::Numbers(numbers) => numbers.map(|(low, high)| (low.to_le_bytes().into(), high.to_le_bytes().into())),
        Range::Flags(flags) => flags.map(|(low, high)| (vec![low.into()], vec![high.into()])),
    }
}

fn statistics(range: Range<'_>, nulls: u64) -> Option<Statistics> {
    match range {
        Range::Untold => None,
        Range::Texts(bounds) => {
            let (low, high) = bounds.written().unzip();
            let is_exact = |bound: &Option<super::bounds::Bound>| bound.as_ref().is_none_or(|bound| bound.is_exact);
            let (low_is_exact, high_is_exact) = (is_exact(&low), is_exact(&high));
            let (low, high): (Option<ByteArray>, Option<ByteArray>) = (low.map(|b| b.bytes), high.map(|b| b.bytes));
            let statistics = ValueStatistics::new(low, high, None, Some(nulls), false)
                .with_min_is_exact(low_is_exact)
                .with_max_is_exact(high_is_exact);
            Some(Statistics::ByteArray(statistics))
        }
        Range::Numbers(numbers) => {
            let (low, high) = numbers.unzip();
            Some(Statistics::int64(low, high, None, Some(nulls), false))
        }
        Range::Flags(flags) => {
            let (low, high) = flags.unzip();
            Some(Statistics::boolean(low, high, None, Some(nulls), false))
        }
    }
}

fn count(values: usize) -> Result<u32> {
    u32::try_from(values).map_err(|_| too_large())
}

fn size(bytes: u64) -> Result<i32> {
    i32::try_from(bytes).map_err(|_| too_large())
}

fn place(at: u64) -> Result<i64> {
    i64::try_from(at).map_err(|_| too_large())
}

fn too_large() -> ParquetError {
    ParquetError::General("a page is larger than the format can say".to_owned())
}
