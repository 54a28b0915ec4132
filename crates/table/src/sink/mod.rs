//! Columns to Parquet files: partitioned by day, whole or not at all. [`whole`] writes the small files beside them.
//!
//! ```text
//! DEST/events/event_date=2026-03-01/part-00000.parquet       while it is written: .part-00000.parquet.partial
//! DEST/quarantine/event_date=2026-03-01/part-00001.parquet
//! ```
//!
//! Row groups are encoded on the workers, each by itself, and appended in one order, whichever is ready first: the same
//! archive makes the same files. Files get their names when the table is finished, all of them; a table that is dropped
//! before takes its files with it.
//!
//! A destination is claimed before the first file is made and until the report lies beside the table, so that two runs never
//! write to one; nothing that stands there is ever replaced.

mod claim;
mod encode;
mod file;
mod schema;
mod store;
mod table;
pub mod whole;

pub use claim::{CLAIM, Claim, REPORT, Standing};
pub use encode::{Encoder, RowGroup};
#[cfg(feature = "arrow")]
pub(crate) use schema::parquet as schema;
pub use store::{Directory, Store, StoredFile};
pub use table::{Area, FileWritten, Partition, Partitioning, Table};

/// The table cannot be written: this program's own failure, or a destination that is taken.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SinkError {
    /// The destination is not free, and nothing is ever overwritten.
    #[error("{place}: {standing}")]
    DestinationTaken {
        /// What stands there.
        place: String,
        /// How it is taken.
        standing: Standing,
    },
    /// A file or folder cannot be written.
    #[error("{place}: cannot be written")]
    File {
        /// Which.
        place: String,
        /// Why.
        source: std::io::Error,
    },
    /// Rows or a file cannot be encoded.
    #[error("{place}: cannot be encoded")]
    Encode {
        /// Which file or rows.
        place: String,
        /// Why.
        source: parquet::errors::ParquetError,
    },
}
