//! `ls`.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};
use std::sync::Arc;

use jiff::Timestamp;
use jiff::civil::Date;
use serde::Serialize;

use super::args::{Format, LimitArgs, LsArgs};
use super::text::{bytes, count, counted, plain};
use super::values::ArchiveAddress;
use super::{Failure, Outcome, config, json};
use crate::pipeline::discover::{self, Thoroughness};
use crate::source::aws::{AwsOnDemand, AwsOptions};
use crate::source::directory::Directory;
use crate::source::{Purpose, Source, SourceError};
use trailproof_proof::archive::ids::OrgId;
use trailproof_proof::archive::inventory::{Inventory, Tally};
use trailproof_proof::archive::key::{AccountRegion, DIGEST_FOLDER};
use trailproof_proof::finding::Finding;

/// Names of objects that are not CloudTrail's, shown on a terminal.
const NAMES_SHOWN: usize = 5;

/// Runs `ls`.
pub(super) fn run(args: LsArgs) -> Result<Outcome, Failure> {
    let now = Timestamp::now();
    let scope = config::scope(&args.scope, now)?;
    let runtime = config::runtime()?;
    let limits =
        LimitArgs { concurrency: args.concurrency, threads: Some(1), patience: args.patience, max_memory: None };
    let (inventory, findings) = runtime.block_on(async {
        match &args.archive {
            ArchiveAddress::Directory(path) => {
                let source = Directory::open(path).map_err(Failure::usage)?;
                look(config::context(source, scope, Vec::new(), Arc::default(), &limits)?, "", "").await
            }
            ArchiveAddress::S3 { bucket, prefix } => {
                let unreachable =
                    |error| config::unreachable("the archive cannot be reached", &error, Purpose::Listing);
                let aws = AwsOnDemand::new(AwsOptions::from(&args.aws));
                let source = config::bucket(&aws, bucket, args.patience).await.map_err(unreachable)?;
                look(config::context(source, scope, Vec::new(), Arc::default(), &limits)?, bucket, prefix).await
            }
        }
    })?;
    let listing = Listing::of(&args.archive, &inventory, findings);
    let outcome = Outcome::of(listing.exit_code());
    match args.format {
        Format::Json => {
            let json = json::pretty(&listing).map_err(Failure::own)?;
            Ok(outcome.print(|out| out.write_all(&json)))
        }
        Format::Human => Ok(outcome.print(|out| listing.write(out))),
    }
}

async fn look<S: Source>(
    context: crate::pipeline::Context<S>,
    bucket: &str,
    prefix: &str,
) -> Result<(Inventory, Vec<Finding>), Failure> {
    let found = discover::discover(&context, &bucket.into(), prefix, Thoroughness::Everything).await;
    found.map_err(|error: SourceError| Failure::usage(error))
}

/// What `ls` prints; the shape is `trailproof.ls/1`.
#[derive(Serialize)]
struct Listing {
    schema: &'static str,
    archive: String,
    rows: Vec<Row>,
    misnamed: Others,
    foreign: Others,
    folders: u64,
    unlisted_folders: Vec<Finding>,
}

/// One kind of object of one account and Region.
#[derive(Serialize, PartialEq, Eq, PartialOrd, Ord)]
struct Row {
    #[serde(skip_serializing_if = "Option::is_none")]
    org: Option<OrgId>,
    #[serde(flatten)]
    place: AccountRegion,
    kind: &'static str,
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    trails: BTreeSet<String>,
    first_day: String,
    last_day: String,
    objects: u64,
    bytes: u64,
}

#[derive(Serialize)]
struct Others {
    #[serde(flatten)]
    tally: Tally,
    names: Vec<String>,
}

#[derive(Default)]
struct Sum {
    tally: Tally,
    days: Option<(Date, Date)>,
    trails: BTreeSet<String>,
}

impl Sum {
    fn add(&mut self, day: Date, size: u64) {
        self.tally.add(size);
        let (first, last) = self.days.unwrap_or((day, day));
        self.days = Some((first.min(day), last.max(day)));
    }
}

impl Listing {
    fn of(archive: &ArchiveAddress, inventory: &Inventory, unlisted_folders: Vec<Finding>) -> Self {
        let mut sums: BTreeMap<(Option<OrgId>, AccountRegion, &'static str), Sum> = BTreeMap::new();
        for (place, holdings) in &inventory.places {
            for log in &holdings.logs {
                let org = inventory.roots[log.root as usize].org.clone();
                sums.entry((org, place.clone(), log.name.kind.folder())).or_default().add(log.name.day, log.size);
            }
            for digest in &holdings.digests {
                let org = inventory.roots[digest.root as usize].org.clone();
                let sum = sums.entry((org, place.clone(), DIGEST_FOLDER)).or_default();
                sum.add(digest.name.day, digest.size);
                sum.trails.insert(digest.name.trail.to_string());
            }
        }
        let rows = sums.into_iter().filter_map(|((org, place, kind), sum)| {
            let (first, last) = sum.days?;
            let Tally { objects, bytes } = sum.tally;
            let (first_day, last_day) = (first.to_string(), last.to_string());
            Some(Row { org, place, kind, trails: sum.trails, first_day, last_day, objects, bytes })
        });
        let others = |named: &trailproof_proof::archive::inventory::Named| Others {
            tally: named.tally,
            names: named.names.iter().cloned().collect(),
        };
        let mut misnamed = others(&inventory.misnamed);
        misnamed.tally = misnamed.tally.and(inventory.odd_tally());
        misnamed.names.extend(inventory.odd().map(|odd| odd.key.to_string()));
        misnamed.names.sort_unstable();
        Self {
            schema: "trailproof.ls/1",
            archive: archive.to_string(),
            rows: rows.collect(),
            misnamed,
            foreign: others(&inventory.foreign),
            folders: inventory.folders,
            unlisted_folders,
        }
    }

    /// Something that could not be listed leaves the answer incomplete; so does finding nothing.
    fn exit_code(&self) -> u8 {
        if self.rows.is_empty() || !self.unlisted_folders.is_empty() { 3 } else { 0 }
    }

    fn write(&self, out: &mut impl Write) -> io::Result<()> {
        let header =
            ["ORGANIZATION", "ACCOUNT", "REGION", "KIND", "TRAILS", "FIRST DAY", "LAST DAY", "OBJECTS", "BYTES"];
        let mut table: Vec<[String; 9]> = vec![header.map(str::to_owned)];
        table.extend(self.rows.iter().map(Row::cells));
        let widths: [usize; 9] =
            std::array::from_fn(|column| table.iter().map(|row| row[column].chars().count()).max().unwrap_or(0));
        for row in &table {
            let mut line = String::new();
            for (column, (cell, width)) in row.iter().zip(widths).enumerate() {
                let numeric = column >= 7;
                line += &if numeric { format!("{cell:>width$}  ") } else { format!("{cell:<width$}  ") };
            }
            writeln!(out, "{}", line.trim_end())?;
        }
        let objects: u64 = self.rows.iter().map(|row| row.objects).sum();
        let stored: u64 = self.rows.iter().map(|row| row.bytes).fold(0, u64::saturating_add);
        writeln!(out, "\n{}, {}", counted(objects, "CloudTrail object"), bytes(stored))?;
        for (others, what) in [
            (&self.misnamed, "in CloudTrail folders under unexpected names"),
            (&self.foreign, "not CloudTrail's, left alone"),
        ] {
            if others.tally.objects > 0 {
                writeln!(out, "{} {what}:", counted(others.tally.objects, "object"))?;
                for name in others.names.iter().take(NAMES_SHOWN) {
                    writeln!(out, "  {}", plain(name))?;
                }
                if others.tally.objects > NAMES_SHOWN as u64 {
                    writeln!(out, "  … and {} more (--format json)", count(others.tally.objects - NAMES_SHOWN as u64))?;
                }
            }
        }
        for finding in &self.unlisted_folders {
            writeln!(out, "{}: {}", plain(&finding.object), plain(&finding.sentence))?;
        }
        if self.rows.is_empty() {
            writeln!(out, "nothing of CloudTrail's was found; point at the folder or prefix that holds AWSLogs/")?;
        }
        Ok(())
    }
}

impl Row {
    fn cells(&self) -> [String; 9] {
        [
            self.org.as_ref().map_or_else(|| "-".to_owned(), ToString::to_string),
            self.place.account.to_string(),
            self.place.region.to_string(),
            self.kind.to_owned(),
            if self.trails.is_empty() { "-".into() } else { self.trails.iter().cloned().collect::<Vec<_>>().join(",") },
            self.first_day.clone(),
            self.last_day.clone(),
            count(self.objects),
            bytes(self.bytes),
        ]
    }
}
