//! Which part of an archive is asked for.

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use super::folder::{Holds, Within};
use super::ids::{AccountId, OrgId, Region};
use super::key::{AccountRegion, LogKind};

/// What was asked for; an empty list asks for all.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Scope {
    /// First moment, by the time in log names (delivery, not events).
    pub from: Option<Timestamp>,
    /// The moment after the last.
    pub to: Option<Timestamp>,
    /// Accounts.
    pub accounts: Vec<AccountId>,
    /// Regions.
    pub regions: Vec<Region>,
    /// Organizations.
    pub organizations: Vec<OrgId>,
    /// Trails, by name: their digests, and the logs these list.
    pub trails: Vec<String>,
    /// Kinds of log.
    pub kinds: Vec<LogKind>,
    /// Digests are read from here on even when the period starts later, because a checkpoint's heads lie there.
    #[serde(skip)]
    pub heads_from: Option<Timestamp>,
}

/// How long after the last moment asked for its digests may end.
pub const DIGEST_SLACK: SignedDuration = SignedDuration::from_hours(2);

impl Scope {
    /// Whether an account and Region is asked for.
    pub fn includes(&self, place: &AccountRegion) -> bool {
        self.includes_account(place.account) && self.includes_region(&place.region)
    }

    /// Whether what lies under this organization's root, or under none, is asked for.
    pub fn includes_organization(&self, org: Option<&OrgId>) -> bool {
        self.organizations.is_empty() || org.is_some_and(|org| self.organizations.contains(org))
    }

    /// Whether an account is asked for.
    pub fn includes_account(&self, account: AccountId) -> bool {
        self.accounts.is_empty() || self.accounts.contains(&account)
    }

    /// Whether a Region is asked for.
    pub fn includes_region(&self, region: &Region) -> bool {
        self.regions.is_empty() || self.regions.contains(region)
    }

    /// Whether a kind of log is asked for.
    pub fn includes_kind(&self, kind: LogKind) -> bool {
        self.kinds.is_empty() || self.kinds.contains(&kind)
    }

    /// Whether a folder of logs or digests is asked for, as far as its organization, account, kind and Region tell. One that is
    /// of no Region may be of any.
    pub fn includes_folder(&self, within: &Within<'_>) -> bool {
        let kind = within.holds == Holds::Digests
            || self.kinds.is_empty()
            || within.holds.kind().is_some_and(|kind| self.includes_kind(kind));
        kind && self.includes_organization(within.org.as_ref())
            && self.includes_account(within.account)
            && within.region_in_any_case().is_none_or(|region| self.includes_region(&region))
    }

    /// Whether a trail is asked for.
    pub fn includes_trail(&self, trail: &str) -> bool {
        self.trails.is_empty() || self.trails.iter().any(|asked| asked == trail)
    }

    /// Whether a log named for this minute is asked for.
    pub fn includes_log(&self, minute: Timestamp) -> bool {
        self.from.is_none_or(|from| minute >= from) && self.to.is_none_or(|to| minute < to)
    }

    /// The first moment from which digests are read.
    pub fn digests_from(&self) -> Option<Timestamp> {
        self.from.map(|from| self.heads_from.map_or(from, |heads| heads.min(from)))
    }

    /// Whether a digest that ends at this time may list logs that are asked for.
    pub fn includes_digest(&self, end: Timestamp) -> bool {
        let last = self.to.map(|to| to.checked_add(DIGEST_SLACK).unwrap_or(Timestamp::MAX));
        self.digests_from().is_none_or(|from| end >= from) && last.is_none_or(|last| end <= last)
    }
}
