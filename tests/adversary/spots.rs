//! Where something is planted.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::model::{Owner, Place, Thing, World, base, minutes};
use super::options::is_false;
use crate::support::chain::{BUCKET, compact};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Spot {
    /// Under a log's name in the folders of a segment's account and Region. Minutes count from the first digest hour.
    Log {
        near: usize,
        insight: bool,
        minute: i64,
        days_off: i8,
        #[serde(default, skip_serializing_if = "Under::is_its_root")]
        under: Under,
    },
    /// Below a log folder, under a name that no log has.
    Odd { near: usize, day: u8, shape: Odd },
    /// Under a digest's name. Seconds count from the first digest hour.
    Digest {
        near: usize,
        second: i64,
        days_off: i8,
        backfill: bool,
        /// Of a trail that nothing else is of.
        #[serde(default, skip_serializing_if = "is_false")]
        other_trail: bool,
    },
    /// Below a digest folder, under a name that no digest has.
    OddDigest { near: usize },
    /// Where no folder of CloudTrail's logs or digests is.
    Outside { near: usize, shape: u8 },
}

/// Under which folders a log's name is planted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Under {
    #[default]
    ItsRoot,
    /// `evil/AWSLogs/…`
    OtherPrefix,
    /// `AWSLogs/AWSLogs/…`
    Twice,
    /// `AWSLogs/o-evilevilevil/…`
    OtherOrg,
    /// Of an account that nothing else is of.
    OtherAccount,
    /// Of a Region that nothing else is of.
    OtherRegion,
}

impl Under {
    pub const OTHERS: [Self; 5] =
        [Self::OtherPrefix, Self::Twice, Self::OtherOrg, Self::OtherAccount, Self::OtherRegion];

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
    fn is_its_root(&self) -> bool {
        *self == Self::ItsRoot
    }

    fn change(self, owner: &Owner) -> Owner {
        let mut owner = owner.clone();
        match self {
            Self::ItsRoot => {}
            Self::OtherPrefix => owner.root = format!("evil/{}", owner.root),
            Self::Twice => owner.root = format!("AWSLogs/{}", owner.root),
            Self::OtherOrg => (owner.root, owner.org) = ("AWSLogs/o-evilevilevil/".into(), Some("o-evilevilevil")),
            Self::OtherAccount => owner.account = "999900001111".into(),
            Self::OtherRegion => owner.region = "sa-east-1".into(),
        }
        owner
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Odd {
    /// `CloudTrail/us-east-1/2026/01/02/zz.json.gz`
    InDay,
    /// `CloudTrail/us-east-1/2026/01/02/<a log's name without .gz>`
    Inflated,
    /// `CloudTrail/us-east-1/2026/01/02/x/<a log's name>`
    BelowDay,
    /// `CloudTrail/us-east-1/zz.json.gz`
    InRegion,
    /// `CloudTrail/us-east-1/2026/01/zz.json.gz`
    InMonth,
    /// `CloudTrail/us-east-1/_x/2026/01/02/<a log's name>`
    HiddenFolder,
    /// `CloudTrail/evil.json.gz`
    InKind,
    /// `CloudTrail-Insight/evil.json.gz`
    InInsight,
    /// `CloudTrail/US-EAST-1/2026/01/02/<a log's name>`
    UpperRegion,
    /// `CloudTrail/nowhere/2026/01/02/<a log's name>`
    NoRegion,
    /// `CloudTrail/us-east-1/2026/01/02/<a log's name>/`
    Slash,
    /// `CloudTrail/us-east-1/2026/13/02/<a log's name>`
    NoMonth,
    /// `CloudTrail/us-east-1//2026/01/02/<a log's name>`
    EmptyPart,
    /// `CloudTrail/us-east-1/2026/01/02/<another account's log name>`
    AnotherAccount,
    /// `CloudTrail/us-east-1/2026/01/02/evil.metadata.json`
    Metadata,
    /// `CloudTrail/us-east-1/2026/01/02/<a log's name>.metadata.json`
    MetadataOfLog,
    /// `CloudTrail/us-east-1/AWSLogs/999900001111/CloudTrail/us-east-1/2026/01/02/<a log's name>`
    NestedLog,
    /// `CloudTrail/us-east-1/AWSLogs/999900001111/CloudTrail-Digest/us-east-1/2026/01/02/<a digest's name>`
    NestedDigest,
    /// `CloudTrail/us-east-1/2026/01/02/AWSLogs/o-evilevilevil/999900001111/CloudTrail/us-east-1/2025/01/02/<a log's name>`
    NestedOrganization,
    /// `CloudTrail/us-east-1/2026/01/02/AWSLogs/evil.json.gz`
    NestedOther,
    /// `CloudTrail/us-east-1/2026/01/02/.evil.json.gz`
    Dot,
    /// `CloudTrail/us-east-1/_SUCCESS`
    Underscore,
}

impl Odd {
    pub const ALL: [Self; 22] = [
        Self::InDay,
        Self::Inflated,
        Self::BelowDay,
        Self::InRegion,
        Self::InMonth,
        Self::HiddenFolder,
        Self::InKind,
        Self::InInsight,
        Self::UpperRegion,
        Self::NoRegion,
        Self::Slash,
        Self::NoMonth,
        Self::EmptyPart,
        Self::AnotherAccount,
        Self::Metadata,
        Self::MetadataOfLog,
        Self::NestedLog,
        Self::NestedDigest,
        Self::NestedOrganization,
        Self::NestedOther,
        Self::Dot,
        Self::Underscore,
    ];

    /// Whether it lies in the folder of a day.
    pub fn is_dated(self) -> bool {
        matches!(
            self,
            Self::InDay
                | Self::Inflated
                | Self::BelowDay
                | Self::UpperRegion
                | Self::NoRegion
                | Self::Slash
                | Self::AnotherAccount
                | Self::Metadata
                | Self::MetadataOfLog
                | Self::NestedOrganization
                | Self::NestedOther
                | Self::Dot
        )
    }

    /// Whether its folder is a Region's that can be asked for.
    pub fn is_of_region(self) -> bool {
        !matches!(self, Self::InKind | Self::InInsight | Self::UpperRegion | Self::NoRegion)
    }
}

impl Spot {
    /// Another log's place next to one.
    pub fn log_of(world: &World, log: &Thing, minute: Timestamp) -> Self {
        let same = |owner: &Owner| owner.account == log.owner.account && owner.region == log.owner.region;
        let near = world.segments.iter().position(|segment| same(&segment.owner)).unwrap();
        Self::Log {
            near,
            insight: false,
            minute: minute.duration_since(base()).as_mins(),
            days_off: 0,
            under: Under::ItsRoot,
        }
    }

    pub fn owner(&self, world: &World) -> Owner {
        let (Self::Log { near, .. }
        | Self::Odd { near, .. }
        | Self::Digest { near, .. }
        | Self::OddDigest { near }
        | Self::Outside { near, .. }) = self;
        let owner = &world.segments[*near % world.segments.len()].owner;
        match self {
            Self::Log { under, .. } => under.change(owner),
            _ => owner.clone(),
        }
    }

    /// The moment that its name tells.
    pub fn time(&self) -> Timestamp {
        match self {
            Self::Log { minute, .. } => base() + minutes(*minute),
            Self::Digest { second, .. } => base() + SignedDuration::from_secs(*second),
            Self::Odd { day, .. } => base() + minutes(if *day == 0 { 60 } else { 5 * 60 }),
            _ => base(),
        }
    }

    /// Whose finding it may be told in.
    pub fn told_of(&self, world: &World) -> Owner {
        let owner = self.owner(world);
        match self {
            Self::Odd { shape: Odd::NestedLog | Odd::NestedDigest | Odd::NestedOrganization, .. } => nested(&owner),
            _ => owner,
        }
    }

    /// Whose log its name makes it to be, when that was delivered, and how many days its folder is off. In a directory, a
    /// log may be unpacked.
    pub fn as_log(&self, world: &World, local: bool) -> Option<(Owner, Timestamp, i8)> {
        let owner = self.owner(world);
        match self {
            Self::Log { insight: false, days_off, .. } => Some((owner, self.time(), *days_off)),
            Self::Odd { shape: Odd::Inflated, .. } if local => Some((owner, self.time(), 0)),
            Self::Odd { shape: Odd::NestedLog, .. } => Some((nested(&owner), self.time(), 0)),
            _ => None,
        }
    }

    /// Whether the last part of its name begins with a dot or an underscore.
    pub fn is_hidden(&self) -> bool {
        matches!(self, Self::Odd { shape: Odd::Dot | Odd::Underscore, .. })
    }

    pub fn place(&self, world: &World) -> Place {
        (BUCKET.to_owned(), self.key(world))
    }

    fn key(&self, world: &World) -> String {
        let owner = self.owner(world);
        let time = self.time();
        match self {
            Self::Log { near, insight, days_off, .. } => {
                owner.log_key(*insight, time, &day_folder(time, *days_off), &format!("Planted{near:02}Planted"))
            }
            Self::Digest { near, days_off, backfill, other_trail, .. } => {
                let trail = if *other_trail { "evil" } else { &world.segments[*near % world.segments.len()].trail };
                owner.digest_key(trail, time, &day_folder(time, *days_off), *backfill)
            }
            Self::Odd { shape, .. } => odd_key(&owner, *shape, time),
            Self::OddDigest { .. } => {
                format!("{}{}/2026/01/02/evil.json.gz", owner.kind_folder("CloudTrail-Digest"), owner.region)
            }
            Self::Outside { shape, .. } => match shape % 4 {
                0 => "evil.json.gz".to_owned(),
                1 => format!("{}evil.json.gz", owner.root),
                2 => format!("{}{}/Config/us-east-1/2026/1/2/evil.json.gz", owner.root, owner.account),
                _ => format!("{}{}/evil.json.gz", owner.root, owner.account),
            },
        }
    }
}

/// Another account's folders below the logs of a Region.
fn nested(owner: &Owner) -> Owner {
    let root = format!("{}{}/AWSLogs/", owner.kind_folder("CloudTrail"), owner.region);
    Owner { root, org: None, account: "999900001111".into(), region: owner.region.clone() }
}

fn odd_key(owner: &Owner, shape: Odd, time: Timestamp) -> String {
    let (folder, region, account) = (owner.kind_folder("CloudTrail"), &owner.region, &owner.account);
    let day = day_folder(time, 0);
    let log = format!("{account}_CloudTrail_{region}_{}Z_OddOddOddOddOddO.json.gz", &compact(time)[..13]);
    match shape {
        Odd::InDay => format!("{folder}{region}/{day}/zz.json.gz"),
        Odd::Inflated => format!("{folder}{region}/{day}/{}", log.trim_end_matches(".gz")),
        Odd::BelowDay => format!("{folder}{region}/{day}/x/{log}"),
        Odd::InRegion => format!("{folder}{region}/zz.json.gz"),
        Odd::InMonth => format!("{folder}{region}/{}/zz.json.gz", &day[..7]),
        Odd::HiddenFolder => format!("{folder}{region}/_x/{day}/{log}"),
        Odd::InKind => format!("{folder}evil.json.gz"),
        Odd::InInsight => format!("{}evil.json.gz", owner.kind_folder("CloudTrail-Insight")),
        Odd::UpperRegion => format!("{folder}{}/{day}/{log}", region.to_uppercase()),
        Odd::NoRegion => format!("{folder}nowhere/{day}/{log}"),
        Odd::Slash => format!("{folder}{region}/{day}/{log}/"),
        Odd::NoMonth => format!("{folder}{region}/2026/13/02/{log}"),
        Odd::EmptyPart => format!("{folder}{region}//{day}/{log}"),
        Odd::AnotherAccount => format!("{folder}{region}/{day}/{}", log.replace(account, "999988887777")),
        Odd::Metadata => format!("{folder}{region}/{day}/evil.metadata.json"),
        Odd::MetadataOfLog => format!("{folder}{region}/{day}/{log}.metadata.json"),
        Odd::NestedLog => nested(owner).log_key(false, time, &day, "NestedNestedNest"),
        Odd::NestedDigest => nested(owner).digest_key("main", time, &day, false),
        Odd::NestedOrganization => {
            let root = format!("{folder}{region}/{day}/AWSLogs/o-evilevilevil/");
            let evil = Owner { root, account: "999900001111".into(), ..owner.clone() };
            let year_before = time - SignedDuration::from_hours(365 * 24);
            evil.log_key(false, year_before, &day_folder(year_before, 0), "NestedNestedNest")
        }
        Odd::NestedOther => format!("{folder}{region}/{day}/AWSLogs/evil.json.gz"),
        Odd::Dot => format!("{folder}{region}/{day}/.evil.json.gz"),
        Odd::Underscore => format!("{folder}{region}/_SUCCESS"),
    }
}

/// `2026/01/02`, so many days on.
fn day_folder(time: Timestamp, days_off: i8) -> String {
    crate::support::chain::day(time + SignedDuration::from_hours(24 * i64::from(days_off)))
}
