//! One Parquet file in the making.

use std::sync::{Arc, LazyLock};

use bytes::Bytes;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::{WriterProperties, WriterPropertiesPtr};
use parquet::file::writer::SerializedFileWriter;

use super::encode::{Chunk, RowGroup};
use super::store::{self, Store, StoredFile};
use super::{SinkError, schema};
use crate::columns::schema::VERSION;

/// A file that row groups are appended to.
pub(super) struct OpenFile {
    path: String,
    writer: SerializedFileWriter<Box<dyn StoredFile>>,
    rows: u64,
}

/// A file with its footer, not published yet.
pub(super) struct Finished {
    /// Path below the destination.
    pub(super) path: String,
    /// Rows.
    pub(super) rows: u64,
    /// Bytes.
    pub(super) bytes: u64,
    file: Box<dyn StoredFile>,
}

fn properties() -> WriterPropertiesPtr {
    static PROPERTIES: LazyLock<WriterPropertiesPtr> = LazyLock::new(|| {
        let metadata = |key: &str, value: &str| KeyValue::new(key.to_owned(), value.to_owned());
        let properties = WriterProperties::builder()
            .set_created_by(concat!("trailproof ", env!("CARGO_PKG_VERSION")).to_owned())
            .set_key_value_metadata(Some(vec![
                metadata("trailproof.schema", VERSION),
                metadata("trailproof.version", env!("CARGO_PKG_VERSION")),
            ]));
        Arc::new(properties.build())
    });
    PROPERTIES.clone()
}

impl OpenFile {
    /// Starts a file.
    pub(super) fn create(store: &dyn Store, path: String) -> Result<Self, SinkError> {
        let place = || store::place(store, &path);
        let file = store.create(&path).map_err(|source| SinkError::File { place: place(), source })?;
        let schema = schema::parquet().root_schema_ptr();
        let writer = SerializedFileWriter::new(file, schema, properties())
            .map_err(|source| SinkError::Encode { place: place(), source })?;
        Ok(Self { path, writer, rows: 0 })
    }

    /// Bytes written so far.
    pub(super) fn bytes(&self) -> u64 {
        self.writer.bytes_written() as u64
    }

    /// Row groups so far.
    pub(super) fn row_groups(&self) -> usize {
        self.writer.flushed_row_groups().len()
    }

    /// Appends an encoded row group.
    pub(super) fn append(&mut self, group: RowGroup) -> Result<(), SinkError> {
        let append = || {
            let mut row_group = self.writer.next_row_group()?;
            for Chunk { bytes, close } in group.chunks {
                row_group.append_column(&Bytes::from(bytes), close)?;
            }
            row_group.close().map(drop)
        };
        append().map_err(|source| SinkError::Encode { place: self.path.clone(), source })?;
        self.rows += group.rows;
        Ok(())
    }

    /// Writes the footer and makes the bytes last.
    pub(super) fn finish(self) -> Result<Finished, SinkError> {
        let Self { path, writer, rows } = self;
        let mut file = writer.into_inner().map_err(|source| SinkError::Encode { place: path.clone(), source })?;
        let bytes = file.seal().map_err(|source| SinkError::File { place: path.clone(), source })?;
        Ok(Finished { path, rows, bytes, file })
    }
}

impl Finished {
    /// Gives the file its name.
    pub(super) fn publish(&mut self) -> Result<(), SinkError> {
        self.file.publish().map_err(|source| SinkError::File { place: self.path.clone(), source })
    }

    /// Takes the file away, published or not.
    pub(super) fn discard(mut self) {
        self.file.discard();
    }
}
