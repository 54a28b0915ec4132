//! The `trailproof` command.

use std::process::ExitCode;

use clap::Parser as _;
use trailproof::cli;

fn main() -> ExitCode {
    match cli::args::Args::try_parse() {
        Ok(args) => cli::run(args),
        Err(answer) => cli::tell(&answer),
    }
}
