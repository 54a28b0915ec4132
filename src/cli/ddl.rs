//! `ddl`.

use std::io::Write as _;

use super::args::{DdlArgs, EngineArg};
use super::{Failure, Outcome};
use trailproof_table::ddl::{self, Engine, Request};

/// Runs `ddl`.
pub(super) fn run(args: DdlArgs) -> Result<Outcome, Failure> {
    let request = Request {
        engine: match args.engine {
            EngineArg::Athena => Engine::Athena,
            EngineArg::Duckdb => Engine::DuckDb,
            EngineArg::Spark => Engine::Spark,
        },
        location: args.location,
        table: args.table,
        view: args.view,
        partitioning: args.partition_by.into(),
        accounts: args.account,
        regions: args.region,
    };
    let statements = ddl::write(&request).map_err(Failure::usage)?;
    Ok(Outcome::of(0).print(|out| out.write_all(statements.as_bytes())))
}
