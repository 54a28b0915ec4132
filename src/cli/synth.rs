//! `trailproof synth`: makes an archive to try everything else on.

use std::collections::BTreeSet;
use std::io::{self, Write};
use std::path::PathBuf;

use clap::builder::{PossibleValuesParser, TypedValueParser as _};
use jiff::Timestamp;

use super::shell;
use super::text::plain;
use trailproof_synth::{self as synth, Sizes, Summary, SynthError, SynthOptions, Tamper};

/// Make a signed CloudTrail archive of a made-up organization, with test keys.
///
/// DEST/bucket mirrors a bucket, DEST/public-keys.json holds the keys that prove it, DEST/truth.json what there is to
/// find. The same options make the same bytes. Nothing is ever overwritten.
#[derive(Debug, Clone, clap::Args)]
pub struct SynthArgs {
    /// Where to put the archive: a directory that does not exist yet, or is empty
    dest: PathBuf,
    /// Accounts in the organization
    #[arg(long, value_name = "N", default_value_t = 2)]
    accounts: u32,
    /// Regions, each in every account
    #[arg(long, value_name = "N", default_value_t = 2)]
    regions: u32,
    /// Hours, and so digests, of each account and Region
    #[arg(long, value_name = "N", default_value_t = 24)]
    hours: u32,
    /// Mean number of logs of an account and Region in an hour
    #[arg(long, value_name = "N", default_value_t = 10)]
    logs_per_hour: u32,
    /// Mean number of records in a log
    #[arg(long, value_name = "N", default_value_t = 40)]
    records_per_log: u32,
    /// Sizes of logs: mixed as in real archives (half of them tiny, few very large), or each within a quarter of the mean
    #[arg(long, value_enum, default_value_t = SizesArg::Mixed)]
    sizes: SizesArg,
    /// Another seed makes another archive with other keys
    #[arg(long, value_name = "S", default_value_t = 1)]
    seed: u64,
    /// When the first digest's hour starts
    #[arg(long, value_name = "TIME", default_value_t = synth::START)]
    start: Timestamp,
    /// Tamper with the finished archive; repeatable
    #[arg(long, value_name = "KIND", value_parser = tamper_parser())]
    tamper: Vec<Tamper>,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum SizesArg {
    Mixed,
    Even,
}

fn tamper_parser() -> impl clap::builder::TypedValueParser<Value = Tamper> {
    PossibleValuesParser::new(Tamper::ALL.map(Tamper::name)).try_map(|name| name.parse::<Tamper>())
}

impl From<&SynthArgs> for SynthOptions {
    fn from(args: &SynthArgs) -> Self {
        Self {
            accounts: args.accounts,
            regions: args.regions,
            hours: args.hours,
            logs_per_hour: args.logs_per_hour,
            records_per_log: args.records_per_log,
            sizes: match args.sizes {
                SizesArg::Mixed => Sizes::Mixed,
                SizesArg::Even => Sizes::Even,
            },
            seed: args.seed,
            start: args.start,
            tamper: BTreeSet::from_iter(args.tamper.iter().copied()),
            ..Self::new(&args.dest)
        }
    }
}

/// Makes the archive.
///
/// # Errors
/// When it cannot be made.
pub(super) fn make(args: &SynthArgs) -> Result<Summary, SynthError> {
    synth::write(args.into())
}

/// Tells what was made, and what to do next.
///
/// # Errors
/// Those of `out`.
pub(super) fn tell(args: &SynthArgs, summary: &Summary, out: &mut impl Write) -> io::Result<()> {
    let totals = summary.totals;
    let dest = plain(&args.dest.display().to_string());
    writeln!(out, "{dest}: {} digests, {} logs, {} records", totals.digests, totals.logs, totals.records)?;
    writeln!(out, "  {} accounts in {} Regions", summary.accounts.len(), summary.regions.len())?;
    writeln!(out, "  from {} to {}", summary.start, summary.end)?;
    let (raw, stored) = (mega(totals.raw_bytes), mega(totals.gz_bytes));
    writeln!(out, "  {raw} MB of JSON, {stored} MB stored")?;
    for tampered in &summary.tampered {
        writeln!(out, "  {}:", tampered.kind)?;
        for object in &tampered.objects {
            writeln!(out, "    {object}")?;
        }
    }
    let (bucket, keys) = (shell::path(&args.dest.join("bucket")), shell::path(&args.dest.join("public-keys.json")));
    writeln!(out, "next: trailproof verify {bucket} --public-keys {keys}")
}

/// Bytes as megabytes with one decimal.
fn mega(bytes: u64) -> String {
    format!("{:.1}", bytes as f64 / 1e6)
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;

    #[derive(clap::Parser)]
    struct Cli {
        #[command(flatten)]
        args: SynthArgs,
    }

    #[test]
    fn what_was_made_and_tampered_with_is_told_with_the_next_command() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let dest = dir.path().join("made").display().to_string();
        let line = ["synth", &dest, "--accounts", "1", "--regions", "1", "--hours", "3", "--tamper", "injected-log"];
        let args = Cli::parse_from(line).args;
        let mut out = Vec::new();
        let summary = make(&args).expect("the archive is made");
        tell(&args, &summary, &mut out).expect("memory takes it");
        let out = String::from_utf8(out).expect("UTF-8");
        let logs = summary.totals.logs;
        assert!(out.starts_with(&format!("{dest}: 3 digests, {logs} logs, ")), "{out}");
        assert!(out.contains(&format!("  injected-log:\n    {}\n", summary.tampered[0].objects[0])), "{out}");
        assert!(out.ends_with(&format!("--public-keys {dest}/public-keys.json\n")), "{out}");
    }

    #[test]
    fn an_unknown_kind_of_tampering_is_a_usage_error_that_lists_the_kinds() {
        let error = Cli::try_parse_from(["synth", "x", "--tamper", "burnt"]).err().expect("no such kind").to_string();
        assert!(Tamper::ALL.iter().all(|kind| error.contains(kind.name())), "{error}");
    }
}
