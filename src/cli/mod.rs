//! The command line: the only place that knows of arguments, the terminal, the clock and the environment.
//!
//! Invariant: the exit code is the command's answer. A reader that goes away changes nothing; what cannot be printed or
//! written turns 0 into 4, and never takes a 1 or a 3 away.

mod acknowledge;
pub mod args;
mod config;
mod ddl;
mod inspect;
mod json;
mod keys;
mod list;
mod output;
mod place;
mod progress;
mod remember;
mod shell;
mod signals;
mod summary;
pub mod synth;
mod text;
pub mod values;

use std::io::{self, StdoutLock, Write as _};
use std::process::ExitCode;

use args::{Args, Command, KeysCommand};

use trailproof_synth::SynthError;

/// The program's own output failed.
const OWN_FAILURE: u8 = 4;

/// What a command came to, and what went wrong while it was told.
#[derive(Debug)]
struct Outcome {
    answer: u8,
    troubles: Vec<anyhow::Error>,
}

/// Why a command came to no answer. The exit code tells whose fault it is.
#[derive(Debug, thiserror::Error)]
enum Failure {
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
}

impl Outcome {
    /// An answer that is still to be told.
    fn of(answer: u8) -> Self {
        Self { answer, troubles: Vec::new() }
    }

    /// Takes in that something could not be told.
    fn trouble(&mut self, error: impl Into<anyhow::Error>) {
        self.troubles.push(error.into());
    }

    /// Prints the answer. A reader that goes away has read what it wanted.
    fn print(mut self, print: impl FnOnce(&mut StdoutLock<'_>) -> io::Result<()>) -> Self {
        let mut out = io::stdout().lock();
        match print(&mut out).and_then(|()| out.flush()) {
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
                self.trouble(anyhow::Error::new(error).context("the answer cannot be printed"));
            }
            Ok(()) | Err(_) => {}
        }
        self
    }

    /// The answer where it is a bad one; else whether all of it was told.
    fn exit_code(&self) -> u8 {
        if self.answer == 0 && !self.troubles.is_empty() { OWN_FAILURE } else { self.answer }
    }
}

/// Runs `synth`.
fn make(args: &synth::SynthArgs) -> Result<Outcome, Failure> {
    let summary = synth::make(args).map_err(|error| match error {
        SynthError::File { .. } | SynthError::Key { .. } => Failure::own(error),
        _ => Failure::usage(error),
    })?;
    Ok(Outcome::of(0).print(|out| synth::tell(args, &summary, out)))
}

/// Runs a command to its exit code.
pub fn run(args: Args) -> ExitCode {
    let outcome = match args.command {
        Command::Scan(scan) => inspect::scan(scan),
        Command::Verify(verify) => inspect::verify(verify),
        Command::Ls(list) => list::run(list),
        Command::Keys(KeysCommand::Fetch(fetch)) => keys::fetch(fetch),
        Command::Acknowledge(args) => acknowledge::run(args),
        Command::Ddl(args) => ddl::run(args),
        Command::Synth(args) => make(&args),
    };
    match outcome {
        Ok(outcome) => {
            outcome.troubles.iter().for_each(|trouble| complain(&format!("{trouble:#}")));
            ExitCode::from(outcome.exit_code())
        }
        Err(failure) => {
            complain(&failure.to_string());
            ExitCode::from(match failure {
                Failure::Usage(_) => 2,
                Failure::Own(_) => OWN_FAILURE,
            })
        }
    }
}

/// Tells what became of arguments that name no command: the help or the version that was asked for, or what is wrong.
pub fn tell(answer: &clap::Error) -> ExitCode {
    let printed = answer.print().and_then(|()| io::stdout().flush());
    let is_untold = printed.is_err_and(|error| error.kind() != io::ErrorKind::BrokenPipe);
    match u8::try_from(answer.exit_code()) {
        Ok(0) if is_untold => ExitCode::from(OWN_FAILURE),
        Ok(code) => ExitCode::from(code),
        Err(_) => ExitCode::from(2),
    }
}

/// Writes an error to stderr. When not even that can be written, the exit code is all there is.
fn complain(error: &str) {
    let told: Vec<String> = error.lines().map(text::plain).collect();
    let _ = writeln!(io::stderr(), "error: {}", told.join("\n"));
}
