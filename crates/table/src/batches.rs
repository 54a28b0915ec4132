//! Rows as Arrow record batches, for those who want them in memory: the rows of one log, and the rows of a written table.
//!
//! ```text
//! a log's content ──▶ event ──▶ columns ──▶ LogBatches ──┐
//!                                                        ├──▶ RecordBatch, all of one schema
//! DEST/events/**/*.parquet ──▶ TableBatches ─────────────┘
//! ```
//!
//! Both have the table's own columns in its order, so what takes the one takes the other. `event_date`, which is the name of
//! a folder and stands in no file, is no column of either.
//! Not here: what a log's standing is; the caller says it in [`Source`].

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};

use arrow::array::{
    ArrayRef, BinaryArray, BooleanArray, Int64Array, ListArray, RecordBatch, RecordBatchReader, StringArray,
    StructArray, TimestampMillisecondArray,
};
use arrow::buffer::{NullBuffer, OffsetBuffer};
use arrow::datatypes::{DataType, SchemaRef};
use arrow::error::ArrowError;
use parquet::arrow::arrow_reader::{ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder};
use parquet::arrow::parquet_to_arrow_schema;

use crate::columns::schema::{COLUMNS, ColumnType};
use crate::columns::{Lists, RowBuilder, Rows, Source, Texts, Values};
use crate::event::{Entry, Recall, Records};
use crate::sink::{self, Area};

/// Bytes of a log's records after which a batch is given. One record more may be in it, of at most
/// [`MAX_ENTRY`](crate::event::MAX_ENTRY) bytes.
const BATCH_BYTES: usize = 8 << 20;

/// The schema of every batch: what the parquet crate reads the table's files as.
pub fn schema() -> SchemaRef {
    static SCHEMA: LazyLock<SchemaRef> = LazyLock::new(|| {
        let schema = parquet_to_arrow_schema(sink::schema(), None);
        Arc::new(schema.expect("the table's schema has only types that Arrow has too"))
    });
    SCHEMA.clone()
}

/// The rows of one log, in the order of its records. What is no record has a row too: `malformed_raw` holds its bytes.
pub struct LogBatches<'a, 'r> {
    records: Records<'a, 'r>,
    source: Source<'a>,
    rows: RowBuilder,
}

impl<'a, 'r> LogBatches<'a, 'r> {
    /// The rows of a log's inflated content, which `source` says where they came from. Logs share what they recall.
    ///
    /// # Panics
    /// When `content` is longer than [`MAX_CONTENT`](crate::event::MAX_CONTENT).
    pub fn new(content: &'a [u8], source: Source<'a>, recall: &'r mut Recall) -> Self {
        Self { records: Records::new(content, recall), source, rows: RowBuilder::new(false) }
    }
}

impl Iterator for LogBatches<'_, '_> {
    type Item = Result<RecordBatch, ArrowError>;

    fn next(&mut self) -> Option<Self::Item> {
        while self.rows.held_bytes() < BATCH_BYTES {
            match self.records.next_entry() {
                Some(Entry::Record(record)) => _ = self.rows.append(&record, &self.source),
                Some(Entry::Malformed(malformed)) => self.rows.append_malformed(&malformed, &self.source),
                None => break,
            }
        }
        if self.rows.is_empty() {
            return None;
        }
        self.rows.end_log(&self.source);
        let batch = batch(&self.rows.rows());
        self.rows.clear(BATCH_BYTES);
        Some(batch)
    }
}

impl RecordBatchReader for LogBatches<'_, '_> {
    fn schema(&self) -> SchemaRef {
        schema()
    }
}

/// The rows of one part of a table in a directory, file by file in the order of their paths.
pub struct TableBatches {
    files: std::vec::IntoIter<PathBuf>,
    open: Option<ParquetRecordBatchReader>,
}

impl TableBatches {
    /// The rows of a table that was written to `root`. A table that has no such part has no rows in it.
    ///
    /// # Errors
    /// When the folders cannot be listed.
    pub fn open(root: &Path, area: Area) -> io::Result<Self> {
        let mut files = Vec::new();
        if fs::read_dir(root)?.any(|entry| entry.is_ok_and(|entry| entry.file_name() == area.folder())) {
            parquet_files(&root.join(area.folder()), &mut files)?;
        }
        files.sort();
        Ok(Self { files: files.into_iter(), open: None })
    }
}

impl Iterator for TableBatches {
    type Item = Result<RecordBatch, ArrowError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(batch) = self.open.as_mut().and_then(Iterator::next) {
                return Some(batch);
            }
            match open(&self.files.next()?) {
                Ok(reader) => self.open = Some(reader),
                Err(error) => return Some(Err(error)),
            }
        }
    }
}

impl RecordBatchReader for TableBatches {
    fn schema(&self) -> SchemaRef {
        schema()
    }
}

/// The files of a finished table below a folder; those in the making have hidden names.
fn parquet_files(folder: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let path = entry.path();
        if entry.file_type()?.is_dir() {
            parquet_files(&path, files)?;
        } else if path.extension().is_some_and(|extension| extension == "parquet") {
            files.push(path);
        }
    }
    Ok(())
}

fn open(path: &Path) -> Result<ParquetRecordBatchReader, ArrowError> {
    let place = |error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
    let file = File::open(path).map_err(|error| ArrowError::IoError(place(&error), error))?;
    let builder =
        ParquetRecordBatchReaderBuilder::try_new(file).map_err(|error| ArrowError::ParquetError(place(&error)))?;
    if builder.schema().fields() != schema().fields() {
        return Err(ArrowError::SchemaError(place(&"has other columns than this version's tables")));
    }
    builder.build().map_err(|error| ArrowError::ParquetError(place(&error)))
}

/// The rows of a builder, in the order in which they came.
fn batch(rows: &Rows<'_>) -> Result<RecordBatch, ArrowError> {
    let schema = schema();
    let count = u32::try_from(rows.days.len()).map_err(|error| ArrowError::ExternalError(error.into()))?;
    let columns = COLUMNS.iter().zip(rows.columns).zip(schema.fields());
    let arrays = columns.map(|((column, values), field)| array(column.holds(), values, field.data_type(), count));
    let arrays = arrays.collect::<Result<Vec<_>, _>>()?;
    RecordBatch::try_new(schema, arrays)
}

fn array(holds: ColumnType, values: &Values, data_type: &DataType, rows: u32) -> Result<ArrayRef, ArrowError> {
    Ok(match values {
        Values::Texts(texts) if holds == ColumnType::Bytes => {
            Arc::new((0..rows).map(|row| bytes(texts, row)).collect::<BinaryArray>())
        }
        Values::Texts(texts) => Arc::new(strings(texts, rows)?),
        Values::Flags(flags) => Arc::new((0..rows).map(|row| flags.get(row)).collect::<BooleanArray>()),
        Values::Numbers(numbers) => {
            let numbers = (0..rows).map(|row| numbers.get(row));
            match holds {
                ColumnType::Time => Arc::new(numbers.collect::<TimestampMillisecondArray>().with_timezone("UTC")),
                _ => Arc::new(numbers.collect::<Int64Array>()),
            }
        }
        Values::Lists(lists) => Arc::new(structs(lists, data_type, rows)?),
    })
}

fn bytes(texts: &Texts, row: u32) -> Option<&[u8]> {
    texts.key(row).map(|key| texts.text(key))
}

fn strings(texts: &Texts, rows: u32) -> Result<StringArray, ArrowError> {
    let text = |row| bytes(texts, row).map(str::from_utf8).transpose();
    (0..rows).map(text).collect::<Result<_, _>>().map_err(|error| ArrowError::ExternalError(error.into()))
}

/// Lists of structs. Elements are numbered through all rows, so those of a row follow those of the row before.
fn structs(lists: &Lists, data_type: &DataType, rows: u32) -> Result<ListArray, ArrowError> {
    let other = || ArrowError::SchemaError(format!("{data_type} is no list of structs"));
    let DataType::List(element) = data_type else { return Err(other()) };
    let DataType::Struct(fields) = element.data_type() else { return Err(other()) };
    let offsets = OffsetBuffer::from_lengths((0..rows).map(|row| lists.get(row).map_or(0, |elements| elements.len())));
    let is_there: Vec<bool> = (0..rows).map(|row| lists.get(row).is_some()).collect();
    let elements = (0..rows).filter_map(|row| lists.get(row)).next_back().map_or(0, |elements| elements.end);
    let members = (0..fields.len()).map(|member| Ok(Arc::new(strings(lists.member(member), elements)?) as ArrayRef));
    let members = members.collect::<Result<Vec<_>, ArrowError>>()?;
    let structs = StructArray::try_new_with_length(fields.clone(), members, None, elements as usize)?;
    ListArray::try_new(element.clone(), offsets, Arc::new(structs), Some(NullBuffer::from(is_there)))
}

#[cfg(test)]
mod tests {
    use arrow::array::AsArray as _;
    use arrow::compute::concat_batches;

    use super::*;
    use crate::sink::{Directory, Encoder, Partition, Table};

    const SOURCE: Source<'_> = Source {
        org: None,
        account: "111122223333",
        region: "us-east-1",
        key: "key",
        sha256: "hash",
        digest: Some("digest"),
        integrity: "verified",
        day: 20_000,
    };

    /// Every type of column, with a value and without, and what is no record.
    const LOG: &str = r#"{"Records":[
        {"eventTime":"2024-10-04T01:02:03Z","readOnly":true,"awsRegion":"é","requestParameters":{"a":1},"new":1,
         "resources":[{"ARN":"a","type":"t"},{},{"accountId":"1"}]},
        {"resources":[]}, {}, 17, {"eventName":"last","resources":[{"ARN":"b"}]}]}"#;

    fn of_log(content: &str) -> Vec<RecordBatch> {
        LogBatches::new(content.as_bytes(), SOURCE, &mut Recall::default()).map(|batch| batch.unwrap()).collect()
    }

    /// Writes a log's rows as a file of the table.
    fn write(content: &str, table: &mut Table, area: Area) {
        let (mut rows, mut recall) = (RowBuilder::new(false), Recall::default());
        let mut records = Records::new(content.as_bytes(), &mut recall);
        while let Some(entry) = records.next_entry() {
            match entry {
                Entry::Record(record) => _ = rows.append(&record, &SOURCE),
                Entry::Malformed(malformed) => rows.append_malformed(&malformed, &SOURCE),
            }
        }
        rows.end_log(&SOURCE);
        let order: Vec<u32> = (0..).take(rows.len()).collect();
        let group = Encoder::default().encode(&rows.rows(), &order).unwrap();
        table.append(Partition { area, day: SOURCE.day, place: None }, group).unwrap();
    }

    #[test]
    fn a_written_table_gives_the_rows_that_its_log_gave() {
        let folder = tempfile::tempdir().unwrap();
        let mut table = Table::new(Box::new(Directory::at(folder.path())));
        write(LOG, &mut table, Area::Events);
        table.finish().unwrap();
        let written: Vec<RecordBatch> =
            TableBatches::open(folder.path(), Area::Events).unwrap().map(|batch| batch.unwrap()).collect();
        assert_eq!(concat_batches(&schema(), &written).unwrap(), concat_batches(&schema(), &of_log(LOG)).unwrap());
        assert!(TableBatches::open(folder.path(), Area::Quarantine).unwrap().next().is_none());
    }

    #[test]
    fn every_entry_of_a_log_is_a_row_and_what_is_no_record_keeps_its_bytes() {
        let batches = of_log(LOG);
        let [batch] = &batches[..] else { panic!("{} batches", batches.len()) };
        assert_eq!(batch.num_rows(), 5);
        let raw = batch.column_by_name("malformed_raw").unwrap().as_binary::<i32>();
        assert_eq!(raw.iter().collect::<Vec<_>>(), [None, None, None, Some(&b"17"[..]), None]);
        let resources = batch.column_by_name("resources").unwrap().as_list::<i32>();
        let lengths = resources.iter().map(|list| list.map(|list| list.len()));
        assert_eq!(lengths.collect::<Vec<_>>(), [Some(3), Some(0), None, None, Some(1)]);
        assert!(of_log(r#"{"Records":[]}"#).is_empty());
    }

    #[test]
    fn a_log_of_many_records_comes_in_batches_that_hold_every_row_once() {
        let record = format!(r#"{{"requestParameters":"{}"}}"#, "x".repeat(BATCH_BYTES / 8));
        let batches = of_log(&format!("[{}]", vec![record; 20].join(",")));
        assert!(batches.len() > 1);
        let indexes = batches.iter().flat_map(|batch| {
            batch.column_by_name("source_index").unwrap().as_primitive::<arrow::datatypes::Int64Type>().values()
        });
        assert_eq!(indexes.copied().collect::<Vec<i64>>(), (0..20).collect::<Vec<_>>());
    }

    #[test]
    fn what_is_no_file_of_the_table_and_what_is_no_table_are_errors() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("events")).unwrap();
        fs::write(folder.path().join("events/a.parquet"), "PAR1").unwrap();
        let error = TableBatches::open(folder.path(), Area::Events).unwrap().next().unwrap().unwrap_err();
        assert!(error.to_string().contains("a.parquet"), "{error}");
        let nowhere = TableBatches::open(&folder.path().join("nowhere"), Area::Events);
        assert_eq!(nowhere.err().map(|error| error.kind()), Some(io::ErrorKind::NotFound));
    }
}
