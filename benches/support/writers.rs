//! The same rows through the writers of the parquet crate: what our encoder is measured against.
//!
//! The rows are read back from a file of ours before the clock starts, so neither writer pays for putting them in order or
//! into its own shape; [`Leaves::put_in_order`] is what the column writers would pay for that. Settings are those of our
//! encoder, as near as the crate has them.

use arrow::array::RecordBatch;
use bytes::Bytes;
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::column::reader::ColumnReader;
use parquet::column::writer::ColumnWriter;
use parquet::data_type::ByteArray;
use parquet::file::properties::{EnabledStatistics, WriterProperties, WriterPropertiesPtr};
use parquet::file::reader::{FileReader as _, SerializedFileReader};
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::types::TypePtr;
use trailproof_table::columns::schema::{COLUMNS, RESOURCE};
use trailproof_table::columns::{self, Rows, Texts};

/// Rows as the low-level column writers take them.
pub(crate) struct Leaves {
    schema: TypePtr,
    leaves: Vec<Leaf>,
}

struct Leaf {
    values: Values,
    definition: Vec<i16>,
    repetition: Vec<i16>,
}

enum Values {
    Texts(Vec<ByteArray>),
    Flags(Vec<bool>),
    Numbers(Vec<i64>),
}

/// The settings of our encoder, for a file with the schema of this one.
pub(crate) fn properties(file: &Bytes) -> WriterPropertiesPtr {
    let metadata = SerializedFileReader::new(file.clone()).unwrap().metadata().file_metadata().clone();
    let mut properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::try_new(1).unwrap()))
        .set_data_page_row_count_limit(20_000)
        .set_data_page_size_limit(1 << 20)
        .set_dictionary_page_size_limit(1 << 20)
        .set_max_row_group_row_count(None);
    for leaf in metadata.schema_descr().columns() {
        let path = leaf.path().clone();
        let column = COLUMNS.iter().find(|column| column.name == path.parts()[0]).unwrap();
        let statistics = if column.bounds { EnabledStatistics::Page } else { EnabledStatistics::None };
        properties = properties
            .set_column_dictionary_enabled(path.clone(), column.repeats)
            .set_column_statistics_enabled(path.clone(), statistics);
        if column.bloom_filter {
            let rows = u64::try_from(metadata.num_rows()).unwrap();
            properties =
                properties.set_column_bloom_filter_fpp(path.clone(), 0.01).set_column_bloom_filter_max_ndv(path, rows);
        }
    }
    properties.build().into()
}

/// A file by the crate's writer of Arrow batches.
pub(crate) fn by_arrow(batches: &[RecordBatch], properties: &WriterPropertiesPtr) -> Vec<u8> {
    let properties = Some(properties.as_ref().clone());
    let mut writer = ArrowWriter::try_new(Vec::new(), batches[0].schema(), properties).unwrap();
    batches.iter().for_each(|batch| writer.write(batch).unwrap());
    writer.into_inner().unwrap()
}

/// A file by the crate's column writers.
pub(crate) fn by_column(rows: &Leaves, properties: &WriterPropertiesPtr) -> Vec<u8> {
    let mut writer = SerializedFileWriter::new(Vec::new(), rows.schema.clone(), properties.clone()).unwrap();
    let mut group = writer.next_row_group().unwrap();
    for Leaf { values, definition, repetition } in &rows.leaves {
        let mut column = group.next_column().unwrap().unwrap();
        let levels = (Some(definition.as_slice()), (!repetition.is_empty()).then_some(repetition.as_slice()));
        match (column.untyped(), values) {
            (ColumnWriter::ByteArrayColumnWriter(writer), Values::Texts(texts)) => {
                writer.write_batch(texts, levels.0, levels.1)
            }
            (ColumnWriter::BoolColumnWriter(writer), Values::Flags(flags)) => {
                writer.write_batch(flags, levels.0, levels.1)
            }
            (ColumnWriter::Int64ColumnWriter(writer), Values::Numbers(numbers)) => {
                writer.write_batch(numbers, levels.0, levels.1)
            }
            _ => unreachable!("the values were read with this schema"),
        }
        .unwrap();
        column.close().unwrap();
    }
    group.close().unwrap();
    writer.into_inner().unwrap()
}

impl Leaves {
    /// Puts rows in order and into the shape that column writers take. Resources stay as they are.
    pub(crate) fn put_in_order(&mut self, rows: &Rows<'_>, order: &[u32]) {
        let mut leaves = self.leaves.iter_mut();
        for column in rows.columns {
            if let columns::Values::Lists(_) = column {
                leaves.nth(RESOURCE.len() - 1);
                continue;
            }
            let leaf = leaves.next().unwrap();
            leaf.definition.clear();
            let definition = &mut leaf.definition;
            match (column, &mut leaf.values) {
                (columns::Values::Texts(texts), Values::Texts(values)) => {
                    let distinct = shared(texts);
                    in_order(order, definition, values, |row| texts.key(row).map(|key| distinct[key as usize].clone()));
                }
                (columns::Values::Flags(flags), Values::Flags(values)) => {
                    in_order(order, definition, values, |row| flags.get(row));
                }
                (columns::Values::Numbers(numbers), Values::Numbers(values)) => {
                    in_order(order, definition, values, |row| numbers.get(row));
                }
                _ => unreachable!("the file has the columns of the table"),
            }
        }
    }
}

fn in_order<T>(order: &[u32], definition: &mut Vec<i16>, values: &mut Vec<T>, get: impl Fn(u32) -> Option<T>) {
    values.clear();
    for &row in order {
        let value = get(row);
        definition.push(i16::from(value.is_some()));
        values.extend(value);
    }
}

/// Every text of a column, as parts of one allocation.
fn shared(texts: &Texts) -> Vec<ByteArray> {
    let keys = || 0..u32::try_from(texts.distinct()).unwrap();
    let mut all = Vec::new();
    keys().for_each(|key| all.extend_from_slice(texts.text(key)));
    let all = Bytes::from(all);
    let mut start = 0;
    let part = |key| {
        let end = start + texts.text(key).len();
        let part = all.slice(start..end);
        start = end;
        part.into()
    };
    keys().map(part).collect()
}

/// The rows of a file of one row group, leaf by leaf.
pub(crate) fn leaves(file: &Bytes) -> Leaves {
    let file = SerializedFileReader::new(file.clone()).unwrap();
    let group = file.get_row_group(0).unwrap();
    let rows = usize::try_from(group.metadata().num_rows()).unwrap();
    let leaf = |column| {
        let (mut definition, mut repetition) = (Vec::new(), Vec::new());
        let levels = (Some(&mut definition), Some(&mut repetition));
        let values = match group.get_column_reader(column).unwrap() {
            ColumnReader::ByteArrayColumnReader(mut reader) => {
                let mut texts = Vec::new();
                reader.read_records(rows, levels.0, levels.1, &mut texts).unwrap();
                Values::Texts(texts)
            }
            ColumnReader::BoolColumnReader(mut reader) => {
                let mut flags = Vec::new();
                reader.read_records(rows, levels.0, levels.1, &mut flags).unwrap();
                Values::Flags(flags)
            }
            ColumnReader::Int64ColumnReader(mut reader) => {
                let mut numbers = Vec::new();
                reader.read_records(rows, levels.0, levels.1, &mut numbers).unwrap();
                Values::Numbers(numbers)
            }
            _ => unreachable!("the table has no other types"),
        };
        Leaf { values, definition, repetition }
    };
    let leaves = (0..group.num_columns()).map(leaf).collect();
    let schema = file.metadata().file_metadata().schema_descr().root_schema_ptr();
    Leaves { schema, leaves }
}
