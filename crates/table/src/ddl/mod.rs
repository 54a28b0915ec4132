//! SQL that makes a written table readable: the table itself, and a view of it with AWS's own column names.
//!
//! ```text
//! COLUMNS ──▶ table   every column, each day found without a crawler
//!               └──▶ view   eventtime, useridentity.sessioncontext.sessionissuer.arn, requestparameters, …
//! ```
//!
//! Invariants: the table's columns are those of [`crate::columns::schema::COLUMNS`]; a name or location that could end a
//! quoted text cannot be made; nothing that exists is replaced.
//!
//! Spec: <https://docs.aws.amazon.com/athena/latest/ug/cloudtrail-logs.html>

mod dialect;
mod names;
mod table;
mod view;

use crate::sink::Partitioning;
use trailproof_proof::archive::ids::{AccountId, Region};

pub use names::{Location, TableName};

/// Who shall read the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Engine {
    /// Amazon Athena, engine version 3.
    Athena,
    /// `DuckDB`.
    DuckDb,
    /// Apache Spark, from 3.4 on.
    Spark,
}

/// What to write SQL for.
#[derive(Debug, Clone)]
pub struct Request {
    /// Who shall read the table.
    pub engine: Engine,
    /// Where the table lies: what `scan --out` was given.
    pub location: Location,
    /// What to call the table.
    pub table: TableName,
    /// What to call the view.
    pub view: TableName,
    /// How the table was written.
    pub partitioning: Partitioning,
    /// The accounts of the table: Athena cannot find them by itself.
    pub accounts: Vec<AccountId>,
    /// The Regions of the table, likewise.
    pub regions: Vec<Region>,
}

/// Why there is no SQL for a request.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum DdlError {
    /// The table and its view cannot have one name.
    #[error("{name}: the view needs another name than the table")]
    OneName {
        /// The name of both.
        name: TableName,
    },
    /// Athena reads from S3 alone.
    #[error("{location}: Athena reads from S3 alone; expected s3://BUCKET[/PREFIX]")]
    NotS3 {
        /// The location asked for.
        location: Location,
    },
    /// Athena makes the names of folders from lists.
    #[error(
        "Athena finds the folders of accounts and Regions by their names alone; expected --account and --region, each repeated"
    )]
    NoLists,
}

/// The statements, each ended by `;`.
///
/// # Errors
/// [`DdlError`] for requests that no SQL answers.
pub fn write(request: &Request) -> Result<String, DdlError> {
    if request.table == request.view {
        return Err(DdlError::OneName { name: request.view.clone() });
    }
    if request.engine == Engine::Athena {
        if !request.location.is_s3() {
            return Err(DdlError::NotS3 { location: request.location.clone() });
        }
        let has_lists = !request.accounts.is_empty() && !request.regions.is_empty();
        if request.partitioning == Partitioning::DateAccountRegion && !has_lists {
            return Err(DdlError::NoLists);
        }
    }
    Ok(format!("{}\n{}", table::statement(request), view::statement(request)))
}
