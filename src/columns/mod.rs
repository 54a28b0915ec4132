//! Records to Arrow columns: one table of columns, one builder.
//!
//! Every record becomes one row, and the row holds the whole record: what no column takes as it is stands in `extra_json`
//! in the source's own bytes. No I/O.

mod build;
mod extra;
pub mod schema;
mod value;

pub use build::{RowBuilder, Rows, Source};
