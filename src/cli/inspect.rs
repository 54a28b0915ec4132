//! `scan` and `verify`.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use anyhow::anyhow;
use jiff::Timestamp;

use super::args::{Format, ScanArgs, VerifyArgs};
use super::progress::Progress;
use super::text::Paint;
use super::values::ArchiveAddress;
use super::{Failure, Outcome, config, summary};
use crate::fetch::Retry;
use crate::finding::Finding;
use crate::pipeline::Context;
use crate::pipeline::digests::{KeyService, Keys};
use crate::pipeline::key_archive::KeptKeys;
use crate::pipeline::rows::{RowWriter, RowsOptions};
use crate::pipeline::run::{self, Archive, Ending, RunError};
use crate::report::{Output, Report, Tool};
use crate::sink::SinkError;
use crate::source::aws::{Aws, AwsOptions};
use crate::source::directory::Directory;
use crate::source::s3::S3Source;
use crate::source::{Source, SourceError};

/// Runs `verify`.
pub(super) fn verify(args: VerifyArgs) -> Result<Outcome, Failure> {
    inspect(args, "verify", None)
}

/// Runs `scan`.
pub(super) fn scan(args: ScanArgs) -> Result<Outcome, Failure> {
    inspect(args.verify, "scan", Some(TableArgs { dest: args.out, raw: args.raw }))
}

/// Where a table is wanted, and how.
struct TableArgs {
    dest: PathBuf,
    raw: bool,
}

fn inspect(args: VerifyArgs, command: &'static str, table: Option<TableArgs>) -> Result<Outcome, Failure> {
    let now = Timestamp::now();
    let mut scope = config::scope(&args.scope, now)?;
    let checkpoint = config::checkpoint(args.checkpoint.as_deref())?;
    scope.heads_from = checkpoint.earliest();
    let (ring, key_findings) = config::keys(&args.public_keys)?;
    let runtime = config::runtime()?;
    let moves = config::moves(&args.moved_from, &args.archive);
    let aws = AwsOptions::from(&args.aws);
    let saved = (!args.public_keys.is_empty()).then_some(ring);
    let job = Job { args: &args, command, table, now, key_findings };
    let (report, destination) = runtime.block_on(async {
        let aws = Aws::load(aws).await;
        let keys = match saved {
            Some(ring) => Keys::Files(ring),
            None => Keys::service(KeptKeys::new(aws.clone(), config::key_archive(args.key_archive.as_deref()), now)),
        };
        match &args.archive {
            ArchiveAddress::Directory(path) => {
                let source = Directory::open(path).map_err(Failure::usage)?;
                let context = config::context(source, scope, moves, checkpoint.clone(), &args.limits)?;
                job.run(&context, "".into(), String::new(), &keys).await
            }
            ArchiveAddress::S3 { bucket, prefix } => {
                let source = connect(&aws, bucket).await.map_err(unreachable_archive)?;
                let context = config::context(source, scope, moves, checkpoint.clone(), &args.limits)?;
                job.run(&context, bucket.as_str().into(), prefix.clone(), &keys).await
            }
        }
    })?;
    if let Some(file) = args.checkpoint.as_deref().filter(|_| !report.interrupted) {
        let mut next = checkpoint;
        next.advance(&report.chains);
        config::write_whole(file, next.write(now).as_bytes())?;
    }
    finish(&args, &report, destination.as_deref())
}

/// A source for the bucket. Where S3 does not answer, the run goes on: what cannot be listed is then told as that.
async fn connect(aws: &Aws, bucket: &str) -> Result<S3Source, SourceError> {
    match Retry::default().run(|| S3Source::connect(aws, bucket)).await {
        Err(error) if error.is_transient() => Ok(S3Source::in_configured_region(aws, bucket)),
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
    table: Option<TableArgs>,
    now: Timestamp,
    key_findings: Vec<Finding>,
}

impl Job<'_> {
    /// The report, and the folder of the table.
    async fn run<S: Source, K: KeyService>(
        self,
        context: &Context<S>,
        bucket: Arc<str>,
        prefix: String,
        keys: &Keys<K>,
    ) -> Result<(Report, Option<PathBuf>), Failure> {
        let destination = self.table.as_ref().map(|options| options.dest.clone());
        let rows = match self.table {
            Some(TableArgs { dest, raw }) => {
                let memory_budget = context.max_memory / 4;
                let workers = context.workers.clone();
                let options = RowsOptions { dest, memory_budget, workers, raw };
                Some(Arc::new(RowWriter::create(options).map_err(refused)?))
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
        let archive = Archive { bucket, prefix, now: self.now, max_age: self.args.max_age, tool };
        let progress = Progress::new(self.args.progress, context.metrics.clone());
        let (sink, committed) = (rows.clone(), destination.clone());
        let finish = move |ending| match ending {
            Ending::Whole => commit(rows, committed),
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
            RunError::Sink(error) => Failure::own(error),
        })?;
        report.check_counts().map_err(Failure::own)?;
        Ok((report, destination))
    }
}

fn refused(error: SinkError) -> Failure {
    match error {
        SinkError::DestinationTaken { .. } => Failure::usage(error),
        error => Failure::own(error),
    }
}

/// Puts the table's files in place.
fn commit(rows: Option<Arc<RowWriter>>, destination: Option<PathBuf>) -> Result<Option<Output>, SinkError> {
    let Some((rows, destination)) = rows.zip(destination) else { return Ok(None) };
    let rows = Arc::into_inner(rows).expect("the workers have let go of the table before the run finishes");
    let mut files = rows.finish()?;
    files.sort_unstable();
    let rows = files.iter().map(|file| file.rows).sum();
    Ok(Some(Output { destination: destination.display().to_string(), rows, files }))
}

/// Writes the report where it is wanted and prints the answer.
fn finish(args: &VerifyArgs, report: &Report, destination: Option<&Path>) -> Result<Outcome, Failure> {
    let mut json = serde_json::to_vec_pretty(report).map_err(Failure::own)?;
    json.push(b'\n');
    let beside = destination.map(|folder| folder.join("report.json"));
    for file in beside.iter().chain(&args.report) {
        config::write_whole(file, &json)?;
    }
    let mut out = io::stdout().lock();
    let printed = match args.format {
        Format::Json => io::Write::write_all(&mut out, &json),
        Format::Human => {
            summary::write(&mut out, report, args.report.as_deref().or(beside.as_deref()), Paint::for_stdout())
        }
    };
    match printed {
        Ok(()) => Ok(Outcome::Answer(report.exit_code)),
        Err(error) => Failure::output(error),
    }
}
