//! The command line: the only place that knows of arguments, the terminal, the clock and the environment.

pub mod args;
mod config;
mod ddl;
mod inspect;
mod keys;
mod list;
mod place;
mod progress;
mod remember;
mod summary;
pub mod synth;
mod text;
pub mod values;

use std::io::{self, Write as _};
use std::process::ExitCode;

use args::{Args, Command, KeysCommand};

use crate::synth::SynthError;

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It came to an answer, whose exit code this is.
    Answer(u8),
    /// Whoever read its output went away.
    PipeClosed,
}

/// Why a command came to no answer. The exit code tells whose fault it is.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// What was asked for cannot be done: exit code 2.
    #[error("{0:#}")]
    Usage(anyhow::Error),
    /// The program's own output failed: exit code 4.
    #[error("{0:#}")]
    Own(anyhow::Error),
}

impl Failure {
    fn usage(error: impl Into<anyhow::Error>) -> Self {
        Self::Usage(error.into())
    }

    fn own(error: impl Into<anyhow::Error>) -> Self {
        Self::Own(error.into())
    }

    /// A failure to write to stdout: nobody's fault when the reader went away.
    fn output(error: io::Error) -> Result<Outcome, Self> {
        if error.kind() == io::ErrorKind::BrokenPipe { Ok(Outcome::PipeClosed) } else { Err(Self::own(error)) }
    }
}

/// Runs `synth`.
fn make(args: &synth::SynthArgs) -> Result<Outcome, Failure> {
    match synth::run(args, &mut io::stdout().lock()) {
        Ok(_) => Ok(Outcome::Answer(0)),
        Err(error) => match error.downcast::<io::Error>() {
            Ok(error) => Failure::output(error),
            Err(error) => Err(match error.downcast_ref::<SynthError>() {
                Some(SynthError::File { .. } | SynthError::Key { .. }) => Failure::Own(error),
                _ => Failure::Usage(error),
            }),
        },
    }
}

/// Runs a command to its exit code.
pub fn run(args: Args) -> ExitCode {
    let outcome = match args.command {
        Command::Scan(scan) => inspect::scan(scan),
        Command::Verify(verify) => inspect::verify(verify),
        Command::Ls(list) => list::run(list),
        Command::Keys(KeysCommand::Fetch(fetch)) => keys::fetch(fetch),
        Command::Ddl(args) => ddl::run(args),
        Command::Synth(args) => make(&args),
    };
    match outcome {
        Ok(Outcome::Answer(code)) => ExitCode::from(code),
        Ok(Outcome::PipeClosed) => ExitCode::SUCCESS,
        Err(failure) => {
            // When not even stderr can be written, the exit code is all there is.
            let told: Vec<String> = failure.to_string().lines().map(text::plain).collect();
            let _ = writeln!(io::stderr(), "error: {}", told.join("\n"));
            ExitCode::from(match failure {
                Failure::Usage(_) => 2,
                Failure::Own(_) => 4,
            })
        }
    }
}
