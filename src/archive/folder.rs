//! The grammar of folders: which are CloudTrail's, which may lead to those, and which are another service's.
//!
//! ```text
//! folder := [ prefix "/" ] "AWSLogs/" [ org "/" ] account "/" ( "CloudTrail…/" | "CloudTrail-Digest/" ) rest
//! other  := [ prefix "/" ] "AWSLogs/" [ org "/" ] account "/" service "/"
//! ```
//!
//! One function decides for listings, which ask where to look, and for keys, which ask what was found. Invariants: every
//! folder above a key that lies in a folder of CloudTrail's leads there, and what lies below a folder of logs is never
//! another service's, because readers of that folder read it. A prefix may itself begin with `AWSLogs/`; it may not lead
//! through the folder of another service.

use super::ids::{AccountId, OrgId, Region};
use super::key::{DIGEST_FOLDER, LogKind};

const AWS_LOGS: &str = "AWSLogs/";

/// What all folders of logs and digests begin with.
const CLOUDTRAIL: &str = "CloudTrail";

/// Services that put a folder of theirs beside CloudTrail's. Others are told by the Region that follows the service.
const SERVICES: [&str; 12] = [
    "CloudFront",
    "Config",
    "GuardDuty",
    "WAFLogs",
    "elasticloadbalancing",
    "globalaccelerator",
    "network-firewall",
    "redshift",
    "verified-access",
    "vpc-lattice",
    "vpcdnsquerylogs",
    "vpcflowlogs",
];

/// What a folder of CloudTrail's holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Holds {
    /// Logs of a kind.
    Logs(LogKind),
    /// Logs, by the folder's name, of a kind that is not known.
    OtherLogs,
    /// Digests.
    Digests,
}

impl Holds {
    fn of(folder: &str) -> Option<Self> {
        if folder == DIGEST_FOLDER {
            return Some(Self::Digests);
        }
        let begins = folder.get(..CLOUDTRAIL.len())?.eq_ignore_ascii_case(CLOUDTRAIL);
        begins.then(|| LogKind::from_folder(folder).map_or(Self::OtherLogs, Self::Logs))
    }

    /// The kind of log, where it is known.
    pub fn kind(self) -> Option<LogKind> {
        match self {
            Self::Logs(kind) => Some(kind),
            Self::OtherLogs | Self::Digests => None,
        }
    }
}

/// A folder of logs or digests, and what of a path stands below it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Within<'a> {
    /// Everything before the account.
    pub root: &'a str,
    /// The organization that the root is of.
    pub org: Option<OrgId>,
    /// The account.
    pub account: AccountId,
    /// What the folder holds.
    pub holds: Holds,
    /// What follows the folder.
    pub rest: &'a str,
}

impl<'a> Within<'a> {
    /// The first folder below, as CloudTrail writes Regions.
    pub fn region(&self) -> Option<(Region, &'a str)> {
        let (region, rest) = self.rest.split_once('/')?;
        Some((region.parse().ok()?, rest))
    }

    /// The Region that the first folder below names, whatever its case.
    pub fn region_in_any_case(&self) -> Option<Region> {
        self.rest.split_once('/')?.0.to_ascii_lowercase().parse().ok()
    }

    /// The same folder as part of a longer path.
    fn extended(self, whole: &'a str, shorter: &str) -> Self {
        let start = shorter.len() - self.rest.len();
        Self { rest: &whole[start..], ..self }
    }
}

/// What the folders of a path come to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step<'a> {
    /// Nothing of CloudTrail's yet.
    Above,
    /// The folder of an organization.
    Organization(OrgId),
    /// The folder of an account.
    Account(Option<OrgId>, AccountId),
    /// Another service's.
    OtherService,
    /// A folder of logs or digests, or below one.
    Within(Within<'a>),
}

/// Where a path leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Located<'a> {
    /// What its folders come to.
    pub step: Step<'a>,
    /// The folder of CloudTrail's that all of it lies below, where the step is one of another root further down.
    pub outer: Option<Within<'a>>,
}

/// Takes the folders of a path, each of which ends in `/`; what follows the last of them is a file's name.
pub fn locate(path: &str) -> Located<'_> {
    let Some(at) = last_logs_folder(path) else { return Located { step: Step::Above, outer: None } };
    let step = step(path, at + AWS_LOGS.len());
    if at == 0 {
        return Located { step, outer: None };
    }
    let before = locate(&path[..at]);
    let outer = match before.step {
        Step::OtherService => return Located { step: Step::OtherService, outer: None },
        Step::Within(within) => Some(within),
        Step::Above | Step::Organization(_) | Step::Account(..) => before.outer,
    };
    match (step, outer.map(|within| within.extended(path, &path[..at]))) {
        (Step::Above, Some(outer)) if !path[at..].ends_with(AWS_LOGS) => {
            Located { step: Step::Within(outer), outer: None }
        }
        (Step::OtherService, Some(outer)) => Located { step: Step::Within(outer), outer: None },
        (step, outer) => Located { step, outer },
    }
}

/// The folders of CloudTrail's that a path lies in besides that of its own root, the nearest first.
pub fn outers(path: &str) -> impl Iterator<Item = Within<'_>> {
    std::iter::successors(locate(path).outer, |inner| Some(locate(inner.root).outer?.extended(path, inner.root)))
}

/// Where the last folder `AWSLogs/` of a path begins.
fn last_logs_folder(path: &str) -> Option<usize> {
    let mut end = path.len();
    while let Some(at) = path[..end].rfind(AWS_LOGS) {
        if at == 0 || path.as_bytes()[at - 1] == b'/' {
            return Some(at);
        }
        end = at;
    }
    None
}

/// What the folders behind an `AWSLogs/` come to, whatever stands before it.
fn step(path: &str, start: usize) -> Step<'_> {
    let tail = &path[start..];
    let Some((first, after)) = tail.split_once('/') else { return Step::Above };
    let org = if first.starts_with("o-") { first.parse::<OrgId>().ok() } else { None };
    let from_account = if org.is_some() { after } else { tail };
    let Some((account, rest)) = from_account.split_once('/') else {
        return org.map_or(Step::Above, Step::Organization);
    };
    let Ok(account) = account.parse::<AccountId>() else {
        // VPC flow logs with names that Hive reads.
        return if account.starts_with("aws-account-id=") { Step::OtherService } else { Step::Above };
    };
    let Some((folder, rest)) = rest.split_once('/') else { return Step::Account(org, account) };
    if let Some(holds) = Holds::of(folder) {
        let root = &path[..path.len() - from_account.len()];
        return Step::Within(Within { root, org, account, holds, rest });
    }
    let has_region = || rest.split_once('/').is_some_and(|(next, _)| next.parse::<Region>().is_ok());
    if SERVICES.contains(&folder) || has_region() { Step::OtherService } else { Step::Above }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(path: &str) -> String {
        let located = locate(path);
        let step = match located.step {
            Step::Above => "above".to_owned(),
            Step::Organization(org) => format!("organization {org}"),
            Step::Account(org, account) => format!("account {account} of {org:?}"),
            Step::OtherService => "other service".to_owned(),
            Step::Within(within) => format!("{} {:?} {:?}", within.account, within.holds, within.rest),
        };
        let outer = located.outer.map(|outer| format!(" inside {} {:?}", outer.account, outer.rest));
        step + &outer.unwrap_or_default()
    }

    #[test]
    fn each_folder_is_what_its_path_says() {
        for (path, expected) in [
            ("", "above"),
            ("data/", "above"),
            ("AWSLogs/", "above"),
            ("xAWSLogs/111122223333/CloudTrail/", "above"),
            ("AWSLogs/o-exampleorgid/", "organization o-exampleorgid"),
            ("AWSLogs/111122223333/", "account 111122223333 of None"),
            ("AWSLogs/111122223333/Config/", "other service"),
            ("AWSLogs/111122223333/Config/AWSLogs/111122223333/CloudTrail/", "other service"),
            ("AWSLogs/111122223333/newservice/", "above"),
            ("AWSLogs/111122223333/newservice/us-east-1/", "other service"),
            ("AWSLogs/111122223333/trail/AWSLogs/111122223333/CloudTrail/x", "111122223333 Logs(CloudTrail) \"x\""),
            ("AWSLogs/aws-account-id=111122223333/", "other service"),
            ("AWSLogs/audit/", "above"),
            (
                "AWSLogs/audit/AWSLogs/111122223333/CloudTrail/us-east-1/",
                "111122223333 Logs(CloudTrail) \"us-east-1/\"",
            ),
            ("AWSLogs/AWSLogs/111122223333/CloudTrail-Digest/", "111122223333 Digests \"\""),
            ("AWSLogs/111122223333/CloudTrail-Insight/zz.gz", "111122223333 Logs(Insight) \"zz.gz\""),
            ("AWSLogs/111122223333/CloudTrail-New/zz.gz", "111122223333 OtherLogs \"zz.gz\""),
            ("AWSLogs/111122223333/cloudtrail/zz.gz", "111122223333 OtherLogs \"zz.gz\""),
            ("AWSLogs/111122223333/CloudTrail", "account 111122223333 of None"),
            ("AWSLogs/111122223333/CloudTrail/AWSLogs/", "above inside 111122223333 \"AWSLogs/\""),
            ("AWSLogs/111122223333/CloudTrail/AWSLogs/x", "111122223333 Logs(CloudTrail) \"AWSLogs/x\""),
            (
                "AWSLogs/111122223333/CloudTrail/AWSLogs/444455556666/Config/x",
                "111122223333 Logs(CloudTrail) \"AWSLogs/444455556666/Config/x\"",
            ),
            (
                "AWSLogs/111122223333/CloudTrail/AWSLogs/444455556666/CloudTrail/x",
                "444455556666 Logs(CloudTrail) \"x\" inside 111122223333 \"AWSLogs/444455556666/CloudTrail/x\"",
            ),
        ] {
            assert_eq!(told(path), expected, "{path}");
        }
    }

    #[test]
    fn every_folder_around_a_path_is_told_the_nearest_first() {
        let third = "AWSLogs/111122223333/CloudTrail/AWSLogs/o-exampleorgid/222233334444/CloudTrail-Insight/2026/AWSLogs/333344445555/CloudTrail-Digest/x";
        let around: Vec<(String, &str)> = outers(third)
            .map(|within| (within.account.to_string(), within.rest.split('/').next().expect("a part")))
            .collect();
        assert_eq!(around, [("222233334444".to_owned(), "2026"), ("111122223333".to_owned(), "AWSLogs")]);
        assert!(outers("AWSLogs/111122223333/CloudTrail/x").next().is_none());
    }

    proptest::proptest! {
        #[test]
        fn every_folder_above_what_is_cloudtrails_leads_there(
            parts in proptest::collection::vec(
                "AWSLogs|o-exampleorgid|111122223333|444455556666|CloudTrail|CloudTrail-Digest|CloudTrail-X|Config|trail|us-east-1|US-EAST-1|2026|x?", 1..14
            )
        ) {
            let key = parts.join("/");
            let located = locate(&key);
            let is_cloudtrails = located.outer.is_some() || matches!(located.step, Step::Within(_));
            let folders = key.match_indices('/').map(|(at, _)| &key[..=at]);
            if is_cloudtrails {
                for folder in folders {
                    proptest::prop_assert!(locate(folder).step != Step::OtherService, "{folder} of {key}");
                }
            }
        }
    }
}
