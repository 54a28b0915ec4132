//! What can be typed.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args as ClapArgs, Parser, Subcommand, ValueEnum};

use jiff::SignedDuration;

use super::synth::SynthArgs;
use super::values::{self, ArchiveAddress, Memory, Moment};
use trailproof_proof::archive::ids::{AccountId, OrgId, Region};
use trailproof_proof::archive::key::LogKind;
use trailproof_table::ddl::{Location, TableName};
use trailproof_table::sink::Partitioning;

/// Reads a whole AWS CloudTrail archive, proves it against its digest chain, and writes it as Parquet.
#[derive(Debug, Parser)]
#[command(name = "trailproof", version, max_term_width = 100, after_help = EXIT_CODES, subcommand_required = true)]
pub struct Args {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

const EXIT_CODES: &str = "\
Exit codes:
  0  complete and clean (warnings allowed)
  1  something is altered or malformed
  2  usage or configuration
  3  nothing is known to be altered, but something was not covered or not readable
  4  the program's own failure (disk full, cannot write)
1 wins over 3; the report shows both. Output that cannot be printed or written turns 0 into 4, and
takes no 1 or 3 away; a reader that goes away changes nothing.";

/// The subcommands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Verify an archive and write its records as Parquet
    #[command(after_help = SCAN_EXAMPLES)]
    Scan(ScanArgs),
    /// Verify an archive without writing a table
    #[command(after_help = VERIFY_EXAMPLES)]
    Verify(VerifyArgs),
    /// Show what an archive holds, from names and sizes alone
    #[command(after_help = LS_EXAMPLES)]
    Ls(LsArgs),
    /// Print the SQL that makes a written table readable for Athena, DuckDB or Spark
    #[command(after_help = DDL_EXAMPLES)]
    Ddl(DdlArgs),
    /// Make a signed archive of a made-up organization, with test keys
    #[command(after_help = SYNTH_EXAMPLES)]
    Synth(SynthArgs),
    /// CloudTrail's public keys
    #[command(subcommand)]
    Keys(KeysCommand),
    /// Accept what a report leaves open: accounts that left, new ones, expired ends, kinds that no digest names
    #[command(after_help = ACKNOWLEDGE_EXAMPLES)]
    Acknowledge(AcknowledgeArgs),
}

const SCAN_EXAMPLES: &str = "\
Examples:
  trailproof scan s3://org-trail-logs --from 7d --out ./march
  trailproof scan ./mirror --public-keys keys.json --out ./table --account 111122223333";

const VERIFY_EXAMPLES: &str = "\
Examples:
  trailproof verify s3://org-trail-logs --from 2026-03-01 --to 2026-03-02 --report proof.json
  trailproof verify s3://org-trail-logs --role-arn arn:aws:iam::111122223333:role/audit";

const LS_EXAMPLES: &str = "\
Examples:
  trailproof ls s3://org-trail-logs
  trailproof ls ./mirror --format json";

const DDL_EXAMPLES: &str = "\
Prints two statements: the table, with every column of docs/schema.md, and a view of it with AWS's
own column names (useridentity.arn, eventtime, requestparameters), which published CloudTrail
queries name.

Examples:
  trailproof ddl athena --location s3://lake/cloudtrail
  trailproof ddl duckdb --location ./week | duckdb week.db
  trailproof ddl spark --location s3a://lake/cloudtrail --table proven --view cloudtrail";

const SYNTH_EXAMPLES: &str = "\
Examples:
  trailproof synth ./made --accounts 3 --regions 2 --hours 24
  trailproof synth ./bad --tamper changed-log --tamper deleted-digest";

const FETCH_EXAMPLES: &str = "\
Examples:
  trailproof keys fetch --region eu-west-1 --region us-east-1 --from 90d --out keys.json";

const ACKNOWLEDGE_EXAMPLES: &str = "\
Adds the open facts of a report to a file that --acknowledgements takes. A fact has its time in it:
what ends, begins or expires at another time is told again. Alteration and what could not be read
cannot be acknowledged.

Examples:
  trailproof verify s3://org-trail-logs --from 1d --report proof.json
  trailproof acknowledge proof.json --out accepted.json --who dana --why left --match 444455556666
  trailproof verify s3://org-trail-logs --from 1d --acknowledgements accepted.json";

/// `acknowledge`.
#[derive(Debug, ClapArgs)]
pub struct AcknowledgeArgs {
    /// Report of a run: what `--report` wrote, or the report.json beside a table
    #[arg(value_name = "REPORT")]
    pub report: PathBuf,
    /// File to add to; it is made when it is not there
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
    /// Who accepts it
    #[arg(long, value_name = "NAME")]
    pub who: String,
    /// Why
    #[arg(long, value_name = "TEXT")]
    pub why: String,
    /// Only findings of this id, such as chain-ended; repeatable
    #[arg(long, value_name = "ID")]
    pub id: Vec<String>,
    /// Only facts that hold this text, such as an account
    #[arg(long = "match", value_name = "TEXT")]
    pub matching: Option<String>,
}

/// Commands about keys.
#[derive(Debug, Subcommand)]
pub enum KeysCommand {
    /// Save CloudTrail's public keys for offline use
    #[command(after_help = FETCH_EXAMPLES)]
    Fetch(FetchArgs),
}

/// `scan`.
#[derive(Debug, ClapArgs)]
pub struct ScanArgs {
    /// What to write.
    #[command(flatten)]
    pub table: TableArgs,
    /// What verify takes too.
    #[command(flatten)]
    pub verify: VerifyArgs,
}

/// What a table is made of and where it goes.
#[derive(Debug, ClapArgs)]
#[command(next_help_heading = "Table")]
pub struct TableArgs {
    /// Folder, or s3://BUCKET[/PREFIX], for the table; must not hold one yet
    #[arg(long, value_name = "DEST")]
    pub out: ArchiveAddress,
    /// Encrypt a table in S3 with this KMS key instead of the bucket's default
    #[arg(long, value_name = "KEY")]
    pub kms_key: Option<String>,
    /// Keep each record's exact bytes in a column of their own
    #[arg(long)]
    pub raw: bool,
    /// Folders of the table; with account and region, those of the folder that a log lay in
    #[arg(long, value_enum, value_name = "COLUMNS", default_value_t = PartitionBy::Date)]
    pub partition_by: PartitionBy,
    /// What to do with records that are delivered more than once: none keeps every copy; exact keeps one of those that are
    /// the same byte for byte, holding about 32 bytes of memory for each record. Duplicates are counted either way
    #[arg(long, value_enum, default_value_t = DedupeArg::None)]
    pub dedupe: DedupeArg,
}

/// What the table is partitioned by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum PartitionBy {
    /// One folder a day: fewest files, whatever is asked for
    #[value(name = "event_date")]
    Date,
    /// One folder a day, account and Region, as Security Lake has it: many files
    #[value(name = "event_date,account,region")]
    DateAccountRegion,
}

impl From<PartitionBy> for Partitioning {
    fn from(columns: PartitionBy) -> Self {
        match columns {
            PartitionBy::Date => Self::Date,
            PartitionBy::DateAccountRegion => Self::DateAccountRegion,
        }
    }
}

/// What to do with records that are delivered more than once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum DedupeArg {
    /// Keep every copy
    None,
    /// Keep one of those that are the same byte for byte
    Exact,
}

/// `verify`, and the part of `scan` that is the same.
#[derive(Debug, ClapArgs)]
pub struct VerifyArgs {
    /// s3://BUCKET[/PREFIX], or a directory that mirrors a bucket
    #[arg(value_name = "ARCHIVE", help_heading = None)]
    pub archive: ArchiveAddress,
    /// Which part of it.
    #[command(flatten)]
    pub scope: ScopeArgs,
    /// What it is proven with.
    #[command(flatten)]
    pub proof: ProofArgs,
    /// What is told, and where.
    #[command(flatten)]
    pub output: OutputArgs,
    /// How much to do at once.
    #[command(flatten)]
    pub limits: LimitArgs,
    /// How to reach AWS.
    #[command(flatten)]
    pub aws: AwsArgs,
}

/// What an archive is proven with.
#[derive(Debug, ClapArgs)]
#[command(next_help_heading = "Proof")]
pub struct ProofArgs {
    /// Saved public keys; without, CloudTrail is asked for each digest's Region
    #[arg(long, value_name = "FILE")]
    pub public_keys: Vec<PathBuf>,
    /// Where the archive was when it was written, if it was copied to ARCHIVE; repeatable
    #[arg(long, value_name = "s3://BUCKET[/PREFIX]", value_parser = values::recorded_place)]
    pub moved_from: Vec<ArchiveAddress>,
    /// Remember in this file the digests that no later one vouches for, and prove that those of the last run are still
    /// there and that their chains go on from them; made when it is not there
    #[arg(long, value_name = "FILE")]
    pub checkpoint: Option<PathBuf>,
    /// Leave out of the verdict what this file of `trailproof acknowledge` accepts; the report repeats who, when and why
    #[arg(long, value_name = "FILE")]
    pub acknowledgements: Option<PathBuf>,
    /// Report a chain whose newest digest is older than this, such as 3h
    #[arg(long, value_name = "SPAN", value_parser = values::span)]
    pub max_age: Option<SignedDuration>,
    /// Take this to be the time, instead of S3's clock or the local one: RFC 3339, a date, or back from now. A run that is
    /// repeated as of the same time waits for the same logs and expects the same digests
    #[arg(long, value_name = "TIME", value_parser = values::moment)]
    pub as_of: Option<Moment>,
    /// Where to keep the keys that CloudTrail itself gives, for when it gives them no more [default: trailproof/keys in
    /// $XDG_DATA_HOME or ~/.local/share; nowhere without an absolute one]
    #[arg(long, value_name = "DIR")]
    pub key_archive: Option<PathBuf>,
}

/// What is told, and where.
#[derive(Debug, ClapArgs)]
#[command(next_help_heading = "Output")]
pub struct OutputArgs {
    /// Also write the report, as JSON, to this file
    #[arg(long, value_name = "FILE")]
    pub report: Option<PathBuf>,
    /// What to print on stdout
    #[arg(long, value_enum, default_value_t = Format::Human)]
    pub format: Format,
    /// How to show progress on stderr; auto shows bars on a terminal only
    #[arg(long, value_enum, default_value_t = ProgressMode::Auto)]
    pub progress: ProgressMode,
}

/// Which part of an archive.
#[derive(Debug, Default, ClapArgs)]
#[command(next_help_heading = "Scope")]
pub struct ScopeArgs {
    /// First moment: RFC 3339, a date (its first moment, UTC), or back from now such as 7d, 12h
    #[arg(long, value_name = "TIME", value_parser = values::moment)]
    pub from: Option<Moment>,
    /// The moment after the last, in the same forms. Times are those of delivery, in log names
    #[arg(long, value_name = "TIME", value_parser = values::moment)]
    pub to: Option<Moment>,
    /// Only this account; repeatable
    #[arg(long, value_name = "ID")]
    pub account: Vec<AccountId>,
    /// Only this Region; repeatable
    #[arg(long, value_name = "NAME")]
    pub region: Vec<Region>,
    /// Only this organization; repeatable
    #[arg(long, value_name = "ID")]
    pub org: Vec<OrgId>,
    /// Only this trail, and the logs that its digests list; repeatable
    #[arg(long, value_name = "NAME")]
    pub trail: Vec<String>,
    /// Only this kind of log: CloudTrail, Insight, NetworkActivity, Aggregated; repeatable
    #[arg(long, value_name = "KIND", value_parser = values::kind)]
    pub kind: Vec<LogKind>,
}

/// How much to do at once.
#[derive(Debug, ClapArgs)]
#[command(next_help_heading = "Limits")]
pub struct LimitArgs {
    /// Requests in flight
    #[arg(long, value_name = "N", default_value_t = 128, value_parser = clap::value_parser!(u16).range(1..=4096))]
    pub concurrency: u16,
    /// CPU workers; all cores when not given
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub threads: Option<u16>,
    /// How long S3 is waited for while it refuses or does not answer; what stays unread after that is told as unread
    #[arg(long, value_name = "SPAN", value_parser = values::wait, default_value = "2m")]
    pub patience: Duration,
    /// Memory to stay under, such as 1GiB [default: 512MiB, or 128MiB for each CPU worker where that is more]
    #[arg(long, value_name = "SIZE")]
    pub max_memory: Option<Memory>,
}

/// How to reach AWS.
#[derive(Debug, Default, ClapArgs)]
#[command(next_help_heading = "AWS access")]
pub struct AwsArgs {
    /// Profile of the shared configuration; beats keys in the environment
    #[arg(long, value_name = "NAME")]
    pub profile: Option<String>,
    /// Role to assume, such as the audit account's cross-account role
    #[arg(long, value_name = "ARN")]
    pub role_arn: Option<String>,
    /// Endpoint for S3 and CloudTrail. Keys from it serve this run only, unless it is CloudTrail's own in the Region
    #[arg(long, value_name = "URL")]
    pub endpoint_url: Option<String>,
    /// Refuse an archive whose bucket belongs to another account
    #[arg(long, value_name = "ID")]
    pub expected_bucket_owner: Option<AccountId>,
}

/// `ls`.
#[derive(Debug, ClapArgs)]
pub struct LsArgs {
    /// s3://BUCKET[/PREFIX], or a directory that mirrors a bucket
    #[arg(value_name = "ARCHIVE")]
    pub archive: ArchiveAddress,
    /// Which part of it.
    #[command(flatten)]
    pub scope: ScopeArgs,
    /// What to print on stdout
    #[arg(long, value_enum, default_value_t = Format::Human, help_heading = "Output")]
    pub format: Format,
    /// Requests in flight
    #[arg(long, value_name = "N", default_value_t = 128, help_heading = "Limits")]
    #[arg(value_parser = clap::value_parser!(u16).range(1..=4096))]
    pub concurrency: u16,
    /// How long S3 is waited for while it refuses or does not answer; what stays unread after that is told as unread
    #[arg(long, value_name = "SPAN", value_parser = values::wait, default_value = "2m", help_heading = "Limits")]
    pub patience: Duration,
    /// How to reach AWS.
    #[command(flatten)]
    pub aws: AwsArgs,
}

/// `keys fetch`.
#[derive(Debug, ClapArgs)]
pub struct FetchArgs {
    /// Region whose digests are to be checked; repeatable
    #[arg(long, value_name = "NAME", required = true, num_args = 1..)]
    pub region: Vec<Region>,
    /// First moment: RFC 3339, a date, or back from now such as 90d
    #[arg(long, value_name = "TIME", value_parser = values::moment)]
    pub from: Moment,
    /// Last moment; now when not given
    #[arg(long, value_name = "TIME", value_parser = values::moment)]
    pub to: Option<Moment>,
    /// File to write; must not exist
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
    /// How to reach AWS.
    #[command(flatten)]
    pub aws: AwsArgs,
}

/// `ddl`.
#[derive(Debug, ClapArgs)]
pub struct DdlArgs {
    /// Who shall read the table
    #[arg(value_enum)]
    pub engine: EngineArg,
    /// Where the table lies: the folder that holds events/, as a URI or a path
    #[arg(long, value_name = "URI")]
    pub location: Location,
    /// What to call the table
    #[arg(long, value_name = "NAME", default_value = "trailproof")]
    pub table: TableName,
    /// What to call the view with AWS's own column names
    #[arg(long, value_name = "NAME", default_value = "cloudtrail_logs")]
    pub view: TableName,
    /// What the table was written with
    #[arg(long, value_enum, value_name = "COLUMNS", default_value_t = PartitionBy::Date)]
    pub partition_by: PartitionBy,
    /// An account of the table; repeatable. Athena needs all of them for a table that is partitioned by account
    #[arg(long, value_name = "ID")]
    pub account: Vec<AccountId>,
    /// A Region of the table; repeatable, likewise
    #[arg(long, value_name = "NAME")]
    pub region: Vec<Region>,
}

/// Who shall read a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum EngineArg {
    /// Amazon Athena, engine version 3
    Athena,
    /// DuckDB
    Duckdb,
    /// Apache Spark, from 3.4 on
    Spark,
}

/// What to print.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// A summary for people
    Human,
    /// The whole report
    Json,
}

/// How to show progress.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ProgressMode {
    /// Bars, on a terminal only
    Auto,
    /// Nothing
    Never,
    /// One JSON object a second
    Json,
}
