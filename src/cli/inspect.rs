//! `scan` and `verify`.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use anyhow::anyhow;
use jiff::{SignedDuration, Timestamp};

use super::args::{DedupeArg, Format, ScanArgs, VerifyArgs};
use super::place::Place;
use super::progress::Progress;
use super::remember::Remembered;
use super::text::Paint;
use super::values::ArchiveAddress;
use super::{Failure, Outcome, config, summary};
use crate::archive::scope::Scope;
use crate::fetch::Retry;
use crate::finding::Finding;
use crate::pipeline::Context;
use crate::pipeline::digests::{KeyService, Keys};
use crate::pipeline::key_archive::KeptKeys;
use crate::pipeline::rows::{Dedupe, RowWriter, RowsOptions};
use crate::pipeline::run::{self, Archive, Ending, RunError};
use crate::report::{Clock, Output, Report, Tool};
use crate::sink::{Partitioning, SinkError};
use crate::source::aws::{AwsOnDemand, AwsOptions};
use crate::source::directory::Directory;
use crate::source::s3::S3Source;
use crate::source::{Source, SourceError};

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
    let (ring, mut key_findings) = config::keys(&args.public_keys)?;
    key_findings.extend(remembered.finding());
    let runtime = config::runtime()?;
    let moves = config::moves(&args.moved_from, &args.archive);
    let aws = Arc::new(AwsOnDemand::new(AwsOptions::from(&args.aws)));
    let place = match &table {
        Some(table) => Some(Place::open(&table.dest, &runtime, &aws, table.kms_key.clone())?),
        None => None,
    };
    let keys = match (!args.public_keys.is_empty()).then_some(ring) {
        Some(ring) => Keys::Files(ring),
        None => Keys::service(KeptKeys::new(aws.clone(), config::key_archive(args.key_archive.as_deref()), now)),
    };
    let job = Job { args: &args, command, table: table.as_ref().zip(place.as_ref()), key_findings };
    let outcome = match &args.archive {
        ArchiveAddress::Directory(path) => {
            let source = Directory::open(path).map_err(Failure::usage)?;
            let clock = clock(&args, source.server_time_offset(), now);
            let context = config::context(source, scope(clock)?, moves, checkpoint.clone(), &args.limits)?;
            runtime.block_on(job.run(&context, clock, "".into(), String::new(), &keys))
        }
        ArchiveAddress::S3 { bucket, prefix } => {
            let source = runtime.block_on(connect(&aws, bucket)).map_err(unreachable_archive)?;
            let clock = clock(&args, source.server_time_offset(), now);
            let context = config::context(source, scope(clock)?, moves, checkpoint.clone(), &args.limits)?;
            runtime.block_on(job.run(&context, clock, bucket.as_str().into(), prefix.clone(), &keys))
        }
    };
    if let Some(Place::Bucket(bucket)) = &place {
        runtime.block_on(bucket.settle());
    }
    let mut report = outcome?;
    report.checkpoint = remembered.summary(&report);
    let answer = finish(&args, &report, place.as_ref())?;
    // Last of all: what this run says is out before the next run takes it as known.
    remembered.advance(&report)?;
    Ok(answer)
}

/// What time it is for the run. A span back, such as `--as-of 1h`, is counted from the source's own time.
fn clock(args: &VerifyArgs, server_ahead: Option<SignedDuration>, local: Timestamp) -> Clock {
    let told = Clock::of(None, server_ahead, local);
    Clock::of(args.as_of.map(|time| time.resolve(told.now)), server_ahead, local)
}

/// A source for the bucket. Where S3 does not answer, the run goes on: what cannot be listed is then told as that.
async fn connect(aws: &AwsOnDemand, bucket: &str) -> Result<S3Source, SourceError> {
    let aws = aws.get().await;
    match Retry::default().run(|| S3Source::connect(aws, bucket)).await {
        Err(error) if error.is_transient() => S3Source::in_configured_region(aws, bucket).await,
        settled => settled,
    }
}

/// The bucket itself cannot be reached: nothing was looked at.
fn unreachable_archive(error: SourceError) -> Failure {
    let hint = error.hint().map(|hint| format!("\nhint: {hint}")).unwrap_or_default();
    Failure::Usage(anyhow!("the archive cannot be reached: {error}{hint}"))
}

struct Job<'a> {
    args: &'a VerifyArgs,
    command: &'static str,
    table: Option<(&'a TableArgs, &'a Place)>,
    key_findings: Vec<Finding>,
}

impl Job<'_> {
    async fn run<S: Source, K: KeyService>(
        self,
        context: &Context<S>,
        clock: Clock,
        bucket: Arc<str>,
        prefix: String,
        keys: &Keys<K>,
    ) -> Result<Report, Failure> {
        let rows = match self.table {
            Some((table, place)) => {
                let options = RowsOptions {
                    store: place.store()?,
                    batch_bytes: context.batch_bytes(),
                    raw: table.raw,
                    partitioning: table.partitioning,
                    dedupe: table.dedupe,
                };
                let rows = context.compute(move || RowWriter::create(options)).await.map_err(refused)?;
                Some(Arc::new(rows))
            }
            None => None,
        };
        let tool = Tool {
            name: env!("CARGO_PKG_NAME"),
            version: env!("CARGO_PKG_VERSION"),
            command: self.command,
            archive: self.args.archive.to_string(),
            arguments: std::env::args().skip(1).collect(),
        };
        let archive = Archive { bucket, prefix, clock, max_age: self.args.max_age, tool };
        let progress = Progress::new(self.args.progress, context.metrics.clone());
        let (sink, destination) = (rows.clone(), self.table.map(|(table, _)| table.dest.to_string()));
        let finish = move |ending| match ending {
            Ending::Whole => commit(rows, destination),
            Ending::Interrupted => Ok(None),
        };
        let running = run::run(context, archive, keys, self.key_findings, sink, finish);
        tokio::pin!(running);
        let report = loop {
            tokio::select! {
                report = &mut running => break report,
                () = progress.show() => {}
                _ = tokio::signal::ctrl_c() => {
                    if context.cancelled.swap(true, Ordering::Relaxed) {
                        return Err(Failure::Own(anyhow!("stopped at once; no report was written")));
                    }
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
        Ok(report)
    }
}

fn refused(error: SinkError) -> Failure {
    match error {
        SinkError::DestinationTaken { .. } => Failure::usage(error),
        error => Failure::own(error),
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

/// Writes the report where it is wanted and prints the answer.
fn finish(args: &VerifyArgs, report: &Report, table: Option<&Place>) -> Result<Outcome, Failure> {
    let mut json = serde_json::to_vec_pretty(report).map_err(Failure::own)?;
    json.push(b'\n');
    let beside = table.map(|place| place.put_report(&json)).transpose()?;
    if let Some(file) = &args.report {
        config::write_whole(file, &json)?;
    }
    let told = args.report.as_ref().map(|file| file.display().to_string()).or(beside);
    let mut out = io::stdout().lock();
    let printed = match args.format {
        Format::Json => io::Write::write_all(&mut out, &json),
        Format::Human => summary::write(&mut out, report, told.as_deref(), Paint::for_stdout()),
    };
    match printed {
        Ok(()) => Ok(Outcome::Answer(report.exit_code)),
        Err(error) => Failure::output(error),
    }
}
