//! The `trailproof` command.

use std::process::ExitCode;

use clap::Parser as _;
use trailproof::cli;

fn main() -> ExitCode {
    cli::run(cli::args::Args::parse())
}
