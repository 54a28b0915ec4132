//! Records to columns: one table of columns, one builder.
//!
//! Every record becomes one row, and the row holds the whole record: what no column takes as it is stands in `extra_json`
//! in the source's own bytes. No I/O; how columns are written is the sink's ([`crate::sink`]).

mod build;
mod extra;
mod known;
pub mod schema;
mod value;
mod values;

pub use build::{Dated, RowBuilder, Rows, Source};
pub use values::{Flags, Lists, Numbers, Texts, Values};
