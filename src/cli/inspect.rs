//! `scan` and `verify`.

use std::io::{self, Write as _};
use std::sync::{Arc, OnceLock};

use anyhow::anyhow;
use jiff::{SignedDuration, Timestamp};

use super::args::{DedupeArg, Format, ScanArgs, VerifyArgs};
use super::output::{self, ReportFile};
use super::place::Place;
use super::progress::Progress;
use super::remember::Remembered;
use super::signals::Signals;
use super::summary::Told;
use super::text::{Paint, plain};
use super::values::ArchiveAddress;
use super::{Failure, Outcome, config, json, summary};
use crate::acknowledge::Acknowledgements;
use crate::archive::scope::Scope;
use crate::fetch::Patience;
use crate::finding::Finding;
use crate::pipeline::Context;
use crate::pipeline::keys::{KeyService, Keys};
use crate::pipeline::rows::{Dedupe, RowWriter, RowsOptions};
use crate::pipeline::run::{self, Archive, Ending, RunError};
use crate::report::{Clock, Output, Report, Tool};
use crate::sink::{Claim, Partitioning, SinkError};
use crate::source::aws::{AwsOnDemand, AwsOptions};
use crate::source::directory::Directory;
use crate::source::{Purpose, Source, SourceError};

/// Runs `verify`.
pub(super) fn verify(args: VerifyArgs) -> Result<Outcome, Failure> {
    inspect(args, "verify", None)
}

/// Runs `scan`.
pub(super) fn scan(args: ScanArgs) -> Result<Outcome, Failure> {
    if args.kms_key.is_some() && matches!(args.out, ArchiveAddress::Directory(_)) {
        return Err(Failure::usage(anyhow!("--kms-key is for a table in S3; --out {} is a directory", args.out)));
    }
    let table = TableArgs {
        dest: args.out,
        kms_key: args.kms_key,
        raw: args.raw,
        partitioning: args.partition_by.into(),
        dedupe: match args.dedupe {
            DedupeArg::None => Dedupe::None,
            DedupeArg::Exact => Dedupe::Exact,
        },
    };
    inspect(args.verify, "scan", Some(table))
}

/// Where a table is wanted, and how.
struct TableArgs {
    dest: ArchiveAddress,
    kms_key: Option<String>,
    raw: bool,
    partitioning: Partitioning,
    dedupe: Dedupe,
}

fn inspect(args: VerifyArgs, command: &'static str, table: Option<TableArgs>) -> Result<Outcome, Failure> {
    let now = Timestamp::now();
    let scope = |clock: Clock| config::scope(&args.scope, clock.now);
    // A period the wrong way round is told before anything is asked.
    scope(clock(&args, None, now))?;
    let remembered = Remembered::open(args.checkpoint.as_deref(), &args.archive)?;
    let checkpoint = remembered.checkpoint();
    let scope = |clock: Clock| {
        let scope = scope(clock)?;
        let heads_from = checkpoint.earliest_open(&scope, remembered.prefix());
        Ok(Scope { heads_from, ..scope })
    };
    let acknowledgements = config::acknowledgements(args.acknowledgements.as_deref())?;
    let (ring, mut key_findings) = config::keys(&args.public_keys)?;
    key_findings.extend(remembered.finding());
    let runtime = config::runtime()?;
    let signals = Signals::listen(&runtime).map_err(Failure::own)?;
    let moves = config::moves(&args.moved_from, &args.archive);
    let aws = Arc::new(AwsOnDemand::new(AwsOptions::from(&args.aws)));
    runtime.block_on(aws.check()).map_err(unreachable_archive)?;
    let key_archive = config::key_archive(args.key_archive.as_deref(), &args.archive)?;
    let place = match &table {
        Some(table) => {
            let patience = Patience::of(args.limits.patience);
            let open = Place::open(&table.dest, &runtime, &aws, table.kms_key.clone(), patience);
            Some(runtime.block_on(signals.or_stopped(open))?)
        }
        None => None,
    };
    let keys = match (!args.public_keys.is_empty()).then_some(ring) {
        Some(ring) => Keys::Files(ring),
        None => Keys::service(aws.clone()).with_archive(key_archive).asked_at(now),
    };
    let wanted = table.as_ref().zip(place.as_ref());
    let job = Job { args: &args, command, table: wanted, acknowledgements, key_findings, signals: &signals };
    let outputs;
    let ended = match &args.archive {
        ArchiveAddress::Directory(path) => {
            let source = Directory::open(path).map_err(Failure::usage)?;
            let clock = clock(&args, source.server_time_offset(), now);
            let context = config::context(source, scope(clock)?, moves, checkpoint.clone(), &args.limits)?;
            outputs = Outputs::open(&args, place.as_ref())?;
            runtime.block_on(job.run(&context, clock, "".into(), String::new(), &keys))
        }
        ArchiveAddress::S3 { bucket, prefix } => {
            let patience = args.limits.patience;
            let connect = async { config::bucket(&aws, bucket, patience).await.map_err(unreachable_archive) };
            let source = runtime.block_on(signals.or_stopped(connect))?;
            let clock = clock(&args, source.server_time_offset(), now);
            let context = config::context(source, scope(clock)?, moves, checkpoint.clone(), &args.limits)?;
            outputs = Outputs::open(&args, place.as_ref())?;
            runtime.block_on(job.run(&context, clock, bucket.as_str().into(), prefix.clone(), &keys))
        }
    };
    let settle = || place.iter().for_each(|place| place.settle(&runtime));
    settle();
    let Ended { mut report, table_failure } = ended?;
    report.checkpoint = remembered.summary(&report);
    let mut outcome = Outcome::of(report.exit_code);
    if let Some(error) = table_failure {
        outcome.trouble(anyhow::Error::new(error).context("the table cannot be written"));
    }
    let mut outcome = finish(&args, &report, table.as_ref().zip(place.as_ref()), outputs, outcome)?;
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
        if let Some(file) = &args.checkpoint {
            output::check(file)?;
        }
        if let Some(file) = &args.report {
            let others = args.public_keys.iter().chain(&args.checkpoint).chain(&args.acknowledgements);
            output::is_no_other(file, others)?;
        }
        // The report may be wanted in the folder that is made for the table.
        let claim = place.map(Place::claim).transpose()?;
        if let Some(recovered) = claim.as_ref().and_then(|claim| claim.recovered.as_deref()) {
            // Nobody who reads stderr is no reason to stop.
            let _ = writeln!(io::stderr(), "note: {}", plain(recovered));
        }
        let report = args.report.as_deref().map(ReportFile::open).transpose()?;
        Ok(Self { claim, report })
    }
}

/// What time it is for the run. A span back, such as `--as-of 1h`, is counted from the source's own time.
fn clock(args: &VerifyArgs, server_ahead: Option<SignedDuration>, local: Timestamp) -> Clock {
    let told = Clock::of(None, server_ahead, local);
    Clock::of(args.as_of.map(|time| time.resolve(told.now)), server_ahead, local)
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
    /// Why there is no table, although everything was read.
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
                    partitioning: table.partitioning,
                    dedupe: table.dedupe,
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
        let max_age = self.args.max_age;
        let archive = Archive { bucket, prefix, clock, max_age, acknowledgements: self.acknowledgements, tool };
        let progress = Progress::new(self.args.progress, context.metrics.clone());
        let (sink, destination) = (rows.clone(), self.table.map(|(table, _)| table.dest.to_string()));
        let table_failure = Arc::new(OnceLock::new());
        let failed = table_failure.clone();
        let finish = move |ending| match ending {
            // What was read is told, whatever becomes of the table.
            Ending::Whole => Ok(commit(rows, destination).unwrap_or_else(|error| {
                failed.get_or_init(|| error);
                None
            })),
            Ending::Interrupted => Ok(None),
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
            RunError::Sink(error) => Failure::own(error),
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
    report: &Report,
    table: Option<(&TableArgs, &Place)>,
    outputs: Outputs,
    mut outcome: Outcome,
) -> Result<Outcome, Failure> {
    let json = json::pretty(report).map_err(Failure::own)?;
    // A destination without a table stays as it was.
    let beside = table.filter(|_| report.output.is_some()).map(|(_, place)| place.put_report(&json));
    drop(outputs.claim);
    let asked = outputs.report.map(|file| file.write(&json));
    let mut told = None;
    for written in [beside, asked].into_iter().flatten() {
        match written {
            Ok(place) => told = Some(place),
            Err(error) => outcome.trouble(error),
        }
    }
    let told = Told { report: told.as_deref(), table: table.map(|(table, _)| &table.dest) };
    Ok(outcome.print(|out| match args.format {
        Format::Json => out.write_all(&json),
        Format::Human => summary::write(out, report, &told, Paint::for_stdout()),
    }))
}
