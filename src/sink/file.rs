//! One Parquet file in the making.

use std::fs::File;
use std::io::BufWriter;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};

use arrow::array::RecordBatch;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_writer::{
    ArrowColumnChunk, ArrowColumnWriter, ArrowLeafColumn, ArrowRowGroupWriterFactory, compute_leaves,
};
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::metadata::KeyValue;
use parquet::file::properties::{EnabledStatistics, WriterProperties, WriterPropertiesPtr};
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::types::ColumnPath;
use rayon::iter::{IndexedParallelIterator as _, IntoParallelIterator as _, ParallelIterator as _};

use super::SinkError;
use crate::columns::schema;

/// Columns of long, mostly distinct texts: a dictionary of them costs time and saves nothing.
const WITHOUT_DICTIONARY: [&str; 8] = [
    "event_id",
    "request_id",
    "request_parameters",
    "response_elements",
    "additional_event_data",
    "extra_json",
    "malformed_raw",
    "raw_json",
];

/// Columns whose smallest and largest value help no query.
const WITHOUT_STATISTICS: [&str; 7] = [
    "request_parameters",
    "response_elements",
    "additional_event_data",
    "service_event_details",
    "extra_json",
    "malformed_raw",
    "raw_json",
];

/// A file under its temporary name.
pub(super) struct PartialFile {
    temporary: PathBuf,
    name: PathBuf,
    writer: SerializedFileWriter<BufWriter<File>>,
    rows: u64,
}

/// A finished file that has its temporary name still.
#[derive(Debug)]
pub(super) struct Finished {
    temporary: PathBuf,
    name: PathBuf,
    /// Rows.
    pub(super) rows: u64,
    /// Bytes.
    pub(super) bytes: u64,
}

/// One encoded row group.
pub(super) struct RowGroup {
    chunks: Vec<ArrowColumnChunk>,
    rows: u64,
}

fn properties() -> WriterPropertiesPtr {
    static PROPERTIES: LazyLock<WriterPropertiesPtr> = LazyLock::new(|| {
        let metadata = |key: &str, value: &str| KeyValue::new(key.to_owned(), value.to_owned());
        let mut builder = WriterProperties::builder()
            .set_compression(Compression::ZSTD(ZstdLevel::try_new(3).expect("3 is a zstd level")))
            .set_created_by(concat!("trailproof ", env!("CARGO_PKG_VERSION")).to_owned())
            .set_statistics_enabled(EnabledStatistics::Page)
            .set_key_value_metadata(Some(vec![
                metadata("trailproof.schema", schema::VERSION),
                metadata("trailproof.version", env!("CARGO_PKG_VERSION")),
            ]));
        for column in WITHOUT_DICTIONARY {
            builder = builder.set_column_dictionary_enabled(ColumnPath::from(column), false);
        }
        for column in WITHOUT_STATISTICS {
            builder = builder.set_column_statistics_enabled(ColumnPath::from(column), EnabledStatistics::None);
        }
        Arc::new(builder.build())
    });
    PROPERTIES.clone()
}

impl PartialFile {
    /// Starts a file that will be called `name`.
    pub(super) fn create(name: PathBuf) -> Result<(Self, ArrowRowGroupWriterFactory), SinkError> {
        let folder = name.parent().unwrap_or_else(|| Path::new("."));
        let file_name = name.file_name().unwrap_or_default().to_string_lossy();
        let temporary = folder.join(format!(".{file_name}.partial"));
        let file = std::fs::create_dir_all(folder)
            .and_then(|()| File::create_new(&temporary))
            .map_err(|source| SinkError::File { path: temporary.clone(), source })?;
        let properties = properties().as_ref().clone();
        let (writer, factory) = ArrowWriter::try_new(BufWriter::new(file), schema::schema(), Some(properties))
            .and_then(ArrowWriter::into_serialized_writer)
            .map_err(|source| SinkError::Encode { path: name.clone(), source })?;
        Ok((Self { temporary, name, writer, rows: 0 }, factory))
    }

    /// Bytes written so far.
    pub(super) fn bytes(&self) -> u64 {
        self.writer.bytes_written() as u64
    }

    /// Appends an encoded row group.
    pub(super) fn append(&mut self, group: RowGroup) -> Result<(), SinkError> {
        let path = self.name.clone();
        let append = || {
            let mut row_group = self.writer.next_row_group()?;
            for chunk in group.chunks {
                chunk.append_to_row_group(&mut row_group)?;
            }
            row_group.close().map(drop)
        };
        append().map_err(|source| SinkError::Encode { path, source })?;
        self.rows += group.rows;
        Ok(())
    }

    /// Writes the footer and makes the bytes last.
    pub(super) fn finish(mut self) -> Result<Finished, SinkError> {
        self.writer.finish().map_err(|source| SinkError::Encode { path: self.name.clone(), source })?;
        let bytes = self.bytes();
        let file = self.writer.inner().get_ref();
        file.sync_all().map_err(|source| SinkError::File { path: self.temporary.clone(), source })?;
        Ok(Finished { temporary: self.temporary, name: self.name, rows: self.rows, bytes })
    }

    /// Takes the unfinished file away.
    pub(super) fn remove(self) {
        // The table is being given up already; a file that cannot be removed has a name that no reader takes up.
        let _ = std::fs::remove_file(&self.temporary);
    }
}

impl Finished {
    /// Gives the file its name.
    pub(super) fn publish(&self) -> Result<&Path, SinkError> {
        std::fs::rename(&self.temporary, &self.name)
            .map_err(|source| SinkError::File { path: self.name.clone(), source })?;
        Ok(&self.name)
    }

    /// Takes the file away, whichever name it has.
    pub(super) fn remove(&self) {
        for path in [&self.temporary, &self.name] {
            // As above.
            let _ = std::fs::remove_file(path);
        }
    }
}

/// Who encodes a row group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// The calling thread alone: for workers that each have a row group to encode, and must not take up another job of
    /// the pool before they are done with the one at hand.
    Here,
    /// All workers, column by column: for the last row groups, when no other work is left.
    SideBySide,
}

/// Encodes rows as one row group. CPU work.
pub(super) fn encode(
    factory: &ArrowRowGroupWriterFactory,
    rows: &RecordBatch,
    encoding: Encoding,
) -> parquet::errors::Result<RowGroup> {
    let mut leaves = Vec::new();
    for (field, column) in rows.schema().fields().iter().zip(rows.columns()) {
        leaves.extend(compute_leaves(field, column)?);
    }
    let writers = factory.create_column_writers(0)?;
    let chunk = |(mut writer, leaf): (ArrowColumnWriter, ArrowLeafColumn)| {
        writer.write(&leaf)?;
        writer.close()
    };
    let chunks: parquet::errors::Result<Vec<ArrowColumnChunk>> = match encoding {
        Encoding::Here => writers.into_iter().zip(leaves).map(chunk).collect(),
        Encoding::SideBySide => writers.into_par_iter().zip(leaves).map(chunk).collect(),
    };
    Ok(RowGroup { chunks: chunks?, rows: rows.num_rows() as u64 })
}
