//! AWS CloudTrail's records to rows, and rows to Parquet files that appear whole or not at all.
//!
//! ```text
//! event    inflated bytes to records, as spans of the source                       no I/O
//! columns  records to columns in which each distinct text stands once              no I/O
//! sink     columns to Parquet files
//! ddl      SQL that makes a written table readable, for each engine                no I/O
//! batches  rows as Arrow record batches, with the feature `arrow`
//! ```

#[cfg(feature = "arrow")]
pub mod batches;
pub mod columns;
pub mod ddl;
pub mod event;
pub mod sink;
