//! `scan` and `verify`.

use std::io::{self, Write as _};
use std::sync::{Arc, OnceLock};

use anyhow::anyhow;
use jiff::{SignedDuration, Timestamp};

use super::args::{DedupeArg, Format, ScanArgs, TableArgs, VerifyArgs};
use super::output::{self, ReportFile};
use super::place::Place;
use super::progress::Progress;
use super::remember::Remembered;
use super::signals::Signals;
use super::summary::Told;
use super::text::{Paint, plain};
use super::values::ArchiveAddress;
use super::{Failure, Outcome, config, json, summary};
use crate::pipeline::Context;
use crate::pipeline::keys::{KeyService, Keys};
use crate::pipeline::rows::{Dedupe, RowWriter, RowsOptions};
use crate::pipeline::run::{self, Archive, Ending, RunError};
use crate::source::aws::{AwsOnDemand, AwsOptions};
use crate::source::directory::Directory;
use crate::source::{Purpose, Source, SourceError};
use trailproof_proof::acknowledge::Acknowledgements;
use trailproof_proof::archive::scope::Scope;
use trailproof_proof::finding::Finding;
use trailproof_proof::report::{Clock, Output, Report, Tool};
use trailproof_table::sink::{Claim, SinkError};

/// Runs `verify`.
pub(super) fn verify(args: VerifyArgs) -> Result<Outcome, Failure> {
    inspect(args, "verify", None)
}

/// Runs `scan`.
pub(super) fn scan(args: ScanArgs) -> Result<Outcome, Failure> {
    let ScanArgs { table, verify } = args;
    if table.kms_key.is_some() && matches!(table.out, ArchiveAddress::Directory(_)) {
        return Err(Failure::usage(anyhow!("--kms-key is for a table in S3; --out {} is a directory", table.out)));
    }
    inspect(verify, "scan", Some(table))
}

fn inspect(args: VerifyArgs, command: &'static str, table: Option<TableArgs>) -> Result<Outcome, Failure> {
    let now = Timestamp::now();
    let scope = |clock: Clock| config::scope(&args.scope, clock.now);
    // A period the wrong way round is told before anything is asked.
    scope(clock(&args, None, now))?;
    let remembered = Remembered::open(args.proof.checkpoint.as_deref(), &args.archive)?;
    let checkpoint = remembered.checkpoint();
    let scope = |clock: Clock| {
        let scope = scope(clock)?;
        let heads_from = checkpoint.earliest_open(&scope, remembered.prefix());
        Ok(Scope { heads_from, ..scope })
    };
    let acknowledgements = config::acknowledgements(args.proof.acknowledgements.as_deref())?;
    let (ring, mut key_findings) = config::keys(&args.proof.public_keys)?;
    key_findings.extend(remembered.finding());
    let runtime = config::runtime()?;
    let signals = Signals::listen(&runtime).map_err(Failure::own)?;
    let moves = config::moves(&args.proof.moved_from, &args.archive);
    let aws = Arc::new(AwsOnDemand::new(AwsOptions::from(&args.aws)));
    runtime.block_on(aws.check()).map_err(unreachable_archive)?;
    let key_archive = config::key_archive(args.proof.key_archive.as_deref(), &args.archive)?;
    let place = match &table {
        Some(table) => {
            let open = Place::open(&table.out, &runtime, &aws, table.kms_key.clone(), &args.limits);
            Some(runtime.block_on(signals.or_stopped(open))?)
        }
        None => None,
    };
    // Keys are asked for up to what time it is, whatever the run is made as of.
    let keys = |server_ahead| match (!args.proof.public_keys.is_empty()).then_some(ring) {
        Some(ring) => Keys::Files(ring),
        None => {
            let told = Clock::of(None, server_ahead, now);
            Keys::service(aws.clone()).with_archive(key_archive).asked_at(told.now)
        }
    };
    let wanted = table.as_ref().zip(place.as_ref());
    let job = Job { args: &args, command, table: wanted, acknowledgements, key_findings, signals: &signals };
    let outputs;
    let ended = match &args.archive {
        ArchiveAddress::Directory(path) => {
            let source = Directory::open(path).map_err(Failure::usage)?;
            let server_ahead = source.server_time_offset();
            let clock = clock(&args, server_ahead, now);
            let context = config::context(source, scope(clock)?, moves, checkpoint.clone(), &args.limits)?;
            outputs = Outputs::open(&args, place.as_ref())?;
            runtime.block_on(job.run(&context, clock, "".into(), String::new(), &keys(server_ahead)))
        }
        ArchiveAddress::S3 { bucket, prefix } => {
            let patience = args.limits.patience;
            let connect = async { config::bucket(&aws, bucket, patience).await.map_err(unreachable_archive) };
            let source = runtime.block_on(signals.or_stopped(connect))?;
            let server_ahead = source.server_time_offset();
            let clock = clock(&args, server_ahead, now);
            let context = config::context(source, scope(clock)?, moves, checkpoint.clone(), &args.limits)?;
            outputs = Outputs::open(&args, place.as_ref())?;
            runtime.block_on(job.run(&context, clock, bucket.as_str().into(), prefix.clone(), &keys(server_ahead)))
        }
    };
    if let Ok(ended) = &ended {
        signals.know(ended.report.exit_code);
    }
    let settle = || place.iter().for_each(|place| place.settle(&runtime));
    settle();
    let Ended { mut report, table_failure } = ended?;
    report.checkpoint = remembered.summary(&report);
    let mut outcome = Outcome::of(report.exit_code);
    if let Some(error) = table_failure.map(anyhow::Error::new) {
        report.output_failed = Some(format!("{error:#}"));
        outcome.trouble(error.context("the table cannot be written"));
        report.exit_code = outcome.exit_code();
    }
    let mut outcome = finish(&args, &mut report, table.as_ref().zip(place.as_ref()), outputs, outcome)?;
    settle();
    // Last of all: what no report tells must not count as known to the next run.
    if outcome.troubles.is_empty()
        && let Err(error) = remembered.advance(&report)
    {
        outcome.trouble(error);
    }
    Ok(outcome)
}

/// What a run writes to, made sure of before anything is read.
struct Outputs {
    /// Holds the table's destination until the report lies beside the table.
    claim: Option<Claim>,
    report: Option<ReportFile>,
}

impl Outputs {
    fn open(args: &VerifyArgs, place: Option<&Place>) -> Result<Self, Failure> {
        if let Some(file) = &args.proof.checkpoint {
            output::check(file)?;
        }
        if let Some(file) = &args.output.report {
            let others =
                args.proof.public_keys.iter().chain(&args.proof.checkpoint).chain(&args.proof.acknowledgements);
            output::is_no_other(file, others)?;
        }
        // The report may be wanted in the folder that is made for the table.
        let claim = place.map(Place::claim).transpose()?;
        if let Some(recovered) = claim.as_ref().and_then(|claim| claim.recovered.as_deref()) {
            // Nobody who reads stderr is no reason to stop.
            let _ = writeln!(io::stderr(), "note: {}", plain(recovered));
        }
        let report = args.output.report.as_deref().map(ReportFile::open).transpose()?;
        Ok(Self { claim, report })
    }
}

/// What time it is for the run. A span back, such as `--as-of 1h`, is counted from the source's own time.
fn clock(args: &VerifyArgs, server_ahead: Option<SignedDuration>, local: Timestamp) -> Clock {
    let told = Clock::of(None, server_ahead, local);
    Clock::of(args.proof.as_of.map(|time| time.resolve(told.now)), server_ahead, local)
}

/// The bucket itself cannot be reached: nothing was looked at.
fn unreachable_archive(error: SourceError) -> Failure {
    config::unreachable("the archive cannot be reached", &error, Purpose::Listing)
}

struct Job<'a> {
    args: &'a VerifyArgs,
    command: &'static str,
    table: Option<(&'a TableArgs, &'a Place)>,
    acknowledgements: Acknowledgements,
    key_findings: Vec<Finding>,
    signals: &'a Signals,
}

/// A run that came to a report.
struct Ended {
    report: Report,
    /// Why the table that was asked for could not be written.
    table_failure: Option<SinkError>,
}

impl Job<'_> {
    async fn run<S: Source, K: KeyService>(
        self,
        context: &Context<S>,
        clock: Clock,
        bucket: Arc<str>,
        prefix: String,
        keys: &Keys<K>,
    ) -> Result<Ended, Failure> {
        let rows = match self.table {
            Some((table, place)) => {
                let options = RowsOptions {
                    store: place.store(),
                    batch_bytes: context.batch_bytes(),
                    raw: table.raw,
                    partitioning: table.partition_by.into(),
                    dedupe: match table.dedupe {
                        DedupeArg::None => Dedupe::None,
                        DedupeArg::Exact => Dedupe::Exact,
                    },
                };
                Some(Arc::new(RowWriter::new(options)))
            }
            None => None,
        };
        let tool = Tool {
            name: env!("CARGO_PKG_NAME"),
            version: env!("CARGO_PKG_VERSION"),
            command: self.command,
            archive: self.args.archive.to_string(),
            arguments: std::env::args_os().skip(1).map(|arg| arg.display().to_string()).collect(),
        };
        let max_age = self.args.proof.max_age;
        let archive = Archive { bucket, prefix, clock, max_age, acknowledgements: self.acknowledgements, tool };
        let progress = Progress::new(self.args.output.progress, context.metrics.clone());
        let (sink, destination) = (rows.clone(), self.table.map(|(table, _)| table.out.to_string()));
        let table_failure = Arc::new(OnceLock::new());
        let failed = table_failure.clone();
        let finish = move |ending| {
            let written = match ending {
                Ending::Whole => commit(rows, destination),
                Ending::Interrupted => Ok(None),
                Ending::Failed(error) => Err(error),
            };
            // What was read is told, whatever becomes of the table.
            written.unwrap_or_else(|error| {
                failed.get_or_init(|| error);
                None
            })
        };
        let running = run::run(context, archive, keys, self.key_findings, sink, finish);
        tokio::pin!(running);
        let report = loop {
            tokio::select! {
                report = &mut running => break report,
                () = progress.show() => {}
                () = self.signals.stop(), if !context.is_cancelled() => {
                    context.cancelled.ask();
                    self.table.inspect(|(_, place)| place.stop());
                }
            }
        };
        drop(progress);
        let report = report.map_err(|error| match error {
            RunError::Archive(error) => unreachable_archive(error),
            RunError::AnotherArchive => Failure::Usage(error.into()),
        })?;
        report.check_counts().map_err(Failure::own)?;
        Ok(Ended { report, table_failure: Arc::into_inner(table_failure).and_then(OnceLock::into_inner) })
    }
}

/// Puts the table's files in place.
fn commit(rows: Option<Arc<RowWriter>>, destination: Option<String>) -> Result<Option<Output>, SinkError> {
    let Some((rows, destination)) = rows.zip(destination) else { return Ok(None) };
    let rows = Arc::into_inner(rows).expect("the workers have let go of the table before the run finishes");
    let duplicates = rows.duplicates()?;
    let mut files = rows.finish()?;
    files.sort_unstable();
    let rows = files.iter().map(|file| file.rows).sum();
    Ok(Some(Output { destination, rows, duplicates, files }))
}

/// Writes the report where it is wanted and prints the answer, each whatever becomes of the others.
fn finish(
    args: &VerifyArgs,
    report: &mut Report,
    table: Option<(&TableArgs, &Place)>,
    outputs: Outputs,
    mut outcome: Outcome,
) -> Result<Outcome, Failure> {
    let mut json = json::pretty(report).map_err(Failure::own)?;
    let mut told = None;
    // A destination without a table stays as it was.
    match table.filter(|_| report.output.is_some()).map(|(_, place)| place.put_report(&json)) {
        Some(Err(error)) => {
            report.output_failed = Some(format!("{error:#}"));
            outcome.trouble(error);
            report.exit_code = outcome.exit_code();
            json = json::pretty(report).map_err(Failure::own)?;
        }
        Some(Ok(place)) => told = Some(place),
        None => {}
    }
    drop(outputs.claim);
    if let Some(written) = outputs.report.map(|file| file.write(&json)) {
        match written {
            Ok(place) => told = Some(place),
            Err(error) => outcome.trouble(error),
        }
    }
    let told = Told { report: told.as_deref(), table: table.map(|(table, _)| &table.out) };
    Ok(outcome.print(|out| match args.output.format {
        Format::Json => out.write_all(&json),
        Format::Human => summary::write(out, report, &told, Paint::for_stdout()),
    }))
}
