//! Columns to Parquet files: partitioned by day, whole or not at all.
//!
//! ```text
//! DEST/events/event_date=2026-03-01/part-00000.parquet       while it is written: .part-00000.parquet.partial
//! DEST/quarantine/event_date=2026-03-01/part-00001.parquet
//! ```
//!
//! Row groups are encoded by whoever hands in the rows; only appending them holds a file's lock. Files get their names
//! when the table is finished, all of them; a table that is dropped before takes its files with it.

mod file;
mod table;

use std::path::PathBuf;

pub use file::Encoding;
pub use table::{Area, FileWritten, Table};

/// The table cannot be written: this program's own failure, or a destination that is taken.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SinkError {
    /// The destination holds something already, and nothing is ever overwritten.
    #[error("{}: holds a table already; choose another --out, or move it away", path.display())]
    DestinationTaken {
        /// What stands there.
        path: PathBuf,
    },
    /// A file or folder cannot be written.
    #[error("{}: cannot be written", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The Parquet encoder refused.
    #[error("{}: cannot be encoded", path.display())]
    Encode {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: parquet::errors::ParquetError,
    },
    /// Columns cannot be put in order.
    #[error("rows cannot be put in order")]
    Order(#[from] arrow::error::ArrowError),
}
