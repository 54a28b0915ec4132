//! Finds the calls that turn a trail off or change it, to name what a break in a chain was caused by.
//!
//! Whoever can write to the archive could name an innocent, and whoever may not stop a trail can try. So a cause is a record
//! of a log that a signed digest vouches for, of a call that did not fail, in the account of the chain; or, where the trail
//! is an organization's, of the account that owns the trail by the ARN that the call names.

use std::collections::BTreeSet;

use compact_str::CompactString;
use jiff::{SignedDuration, Timestamp};
use memchr::memmem;
use serde::Deserialize;
use serde::de::IgnoredAny;

use trailproof_proof::archive::ids::{AccountId, OrgId, Region};
use trailproof_proof::finding::Finding;
use trailproof_proof::verify::chain::{Break, ChainId};

/// Calls after which a trail logs, or is validated, no more.
const CALLS: [&str; 3] = ["StopLogging", "UpdateTrail", "DeleteTrail"];

/// Events kept of one log; more of them say nothing more.
const KEPT: usize = 100;

/// How long before a gap the call that explains it may have been made: the digest of its hour is the last.
const BEFORE: SignedDuration = SignedDuration::from_hours(1);

/// The names of trails whose chains break off.
#[derive(Debug, Clone, Default)]
pub struct Watched(BTreeSet<CompactString>);

impl Watched {
    /// The trails of these breaks.
    pub fn of(breaks: &[Break]) -> Self {
        Self(breaks.iter().map(|broken| broken.chain.trail.clone()).collect())
    }
}

/// One such call, of a verified log.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct TrailEvent {
    /// When it was made.
    pub time: Timestamp,
    /// Which call.
    pub call: String,
    /// The account that it was made in: that of the log's folder.
    pub account: AccountId,
    /// The organization of the log's folder.
    pub org: Option<OrgId>,
    /// The trail's name.
    pub trail: CompactString,
    /// The Region in which the trail was created, where the record tells.
    pub home: Option<Region>,
    /// The account that owns the trail, where the trail was named by its ARN.
    pub owner: Option<AccountId>,
    /// Who made it.
    pub caller: String,
    /// The event's id.
    pub event_id: String,
}

#[derive(Deserialize)]
struct Log<'a> {
    #[serde(rename = "Records", borrow)]
    records: Vec<&'a serde_json::value::RawValue>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Record {
    event_time: Timestamp,
    event_source: String,
    event_name: String,
    #[serde(rename = "eventID")]
    event_id: String,
    aws_region: Option<String>,
    recipient_account_id: Option<String>,
    #[serde(default)]
    user_identity: Caller,
    request_parameters: Trail,
    error_code: Option<IgnoredAny>,
    error_message: Option<IgnoredAny>,
}

#[derive(Default, Deserialize)]
struct Caller {
    arn: Option<String>,
}

#[derive(Deserialize)]
struct Trail {
    name: String,
}

/// Calls about watched trails in the content of a verified log of this account. A log that is not as expected holds none
/// that can be told.
pub fn in_content(content: &[u8], account: AccountId, org: Option<&OrgId>, watched: &Watched) -> Vec<TrailEvent> {
    if watched.0.is_empty() || !CALLS.iter().any(|call| memmem::find(content, call.as_bytes()).is_some()) {
        return Vec::new();
    }
    let Ok(log) = serde_json::from_slice::<Log<'_>>(content) else { return Vec::new() };
    let records = log.records.iter().filter_map(|raw| serde_json::from_str::<Record>(raw.get()).ok());
    let events = records.filter(|record| record.changed_a_trail(account)).map(|record| record.event(account, org));
    events.filter(|event| watched.0.contains(&event.trail)).take(KEPT).collect()
}

impl Record {
    /// Whether it is of such a call, made in this account, that did not fail.
    fn changed_a_trail(&self, account: AccountId) -> bool {
        self.event_source == "cloudtrail.amazonaws.com"
            && CALLS.contains(&self.event_name.as_str())
            && self.error_code.is_none()
            && self.error_message.is_none()
            && self.recipient_account_id.as_ref().is_none_or(|recipient| recipient == account.as_str())
    }

    fn event(self, account: AccountId, org: Option<&OrgId>) -> TrailEvent {
        let named = self.request_parameters.name;
        let (trail, home, owner) = match parse_arn(&named) {
            Some((home, owner, trail)) => (trail.into(), Some(home), Some(owner)),
            None => (named.as_str().into(), self.aws_region.and_then(|region| region.parse().ok()), None),
        };
        TrailEvent {
            time: self.event_time,
            call: self.event_name,
            account,
            org: org.cloned(),
            trail,
            home,
            owner,
            caller: self.user_identity.arn.unwrap_or_else(|| "an unnamed caller".into()),
            event_id: self.event_id,
        }
    }
}

/// `arn:aws:cloudtrail:us-east-1:111122223333:trail/main`, in any partition.
fn parse_arn(text: &str) -> Option<(Region, AccountId, &str)> {
    let mut parts = text.splitn(6, ':');
    let is_arn = parts.next() == Some("arn") && parts.next().is_some() && parts.next() == Some("cloudtrail");
    let (home, owner) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
    parts.next()?.strip_prefix("trail/").filter(|_| is_arn).map(|trail| (home, owner, trail))
}

impl TrailEvent {
    fn is_near(&self, broken: &Break) -> bool {
        self.time.duration_since(broken.window.from) >= -BEFORE && self.time <= broken.window.to
    }

    fn names_trail_of(&self, chain: &ChainId) -> bool {
        self.trail == chain.trail && self.home.as_ref().is_none_or(|home| *home == chain.home_region)
    }

    /// Whether the trail's owner, another account of the chain's organization, made the call.
    fn is_by_owner(&self, chain: &ChainId) -> bool {
        chain.org.is_some() && self.org == chain.org && self.owner == Some(self.account)
    }
}

/// The call that explains a break: the first in the chain's own account; else the first of the trail's owner, unless there
/// are several accounts that own a trail of this name, which nothing tells apart.
fn cause<'a>(broken: &Break, events: &'a [TrailEvent]) -> Option<&'a TrailEvent> {
    let near = || events.iter().filter(|event| event.is_near(broken) && event.names_trail_of(&broken.chain));
    let own = near().filter(|event| event.account == broken.chain.place.account).min();
    own.or_else(|| {
        let by_owner = || near().filter(|event| event.is_by_owner(&broken.chain));
        let first = by_owner().min()?;
        by_owner().all(|event| event.owner == first.owner).then_some(first)
    })
}

/// The finding of a break, with the call that explains it where there is one.
pub fn name_cause(broken: Break, events: &[TrailEvent]) -> Finding {
    match cause(&broken, events) {
        Some(TrailEvent { time, call, caller, event_id, .. }) => {
            let cause = format!("{call} at {time} by {caller} (event {event_id})");
            broken.finding.with_hint(format!("explained by {cause}; find out whether that was meant"))
        }
        None => broken.finding,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use trailproof_proof::archive::key::AccountRegion;
    use trailproof_proof::finding::FindingId;
    use trailproof_proof::verify::window::Window;

    const CHAIN: &str = "111122223333";
    const OTHER: &str = "444455556666";
    const THIRD: &str = "777788889999";
    const ORG: &str = "o-0123456789";

    fn account(text: &str) -> AccountId {
        text.parse().expect("an account")
    }

    fn arn(owner: &str, trail: &str) -> String {
        format!("arn:aws:cloudtrail:us-east-1:{owner}:trail/{trail}")
    }

    /// A successful call about a trail, with some fields changed.
    fn call(trail: &str, change: impl FnOnce(&mut Value)) -> Value {
        let mut record = json!({
            "eventTime": "2026-01-02T10:30:00Z", "eventSource": "cloudtrail.amazonaws.com", "eventName": "StopLogging",
            "eventID": "e1", "awsRegion": "us-east-1", "userIdentity": {"arn": "arn:aws:iam::111122223333:user/eve"},
            "requestParameters": {"name": trail}, "responseElements": null,
        });
        change(&mut record);
        record
    }

    /// What is said of a break in the chain of account `CHAIN`, given the records of logs, by account.
    fn told(org: Option<&str>, logs: &[(&str, Value)]) -> Option<String> {
        let time = |text: &str| text.parse().expect("time");
        let org: Option<OrgId> = org.map(|org| org.parse().expect("an organization"));
        let region: Region = "us-east-1".parse().expect("Region");
        let broken = Break {
            finding: Finding::new(FindingId::ChainRestart, "digest", "begins anew"),
            chain: ChainId {
                org: org.clone(),
                place: AccountRegion { account: account(CHAIN), region: "eu-west-1".parse().expect("Region") },
                trail: "main".into(),
                home_region: region,
                backfill: false,
            },
            window: Window { from: time("2026-01-02T11:01:31Z"), to: time("2026-01-02T14:01:31Z") },
        };
        let watched = Watched::of(std::slice::from_ref(&broken));
        let events: Vec<TrailEvent> = logs
            .iter()
            .flat_map(|(of, record)| {
                let content = json!({ "Records": [record] }).to_string();
                in_content(content.as_bytes(), account(of), org.as_ref(), &watched)
            })
            .collect();
        name_cause(broken, &events).hint
    }

    #[test]
    fn a_gap_names_the_call_that_explains_it() {
        for named in ["main".to_owned(), arn(CHAIN, "main")] {
            let hint = told(None, &[(CHAIN, call(&named, |_| ()))]).expect("named");
            let expected = "StopLogging at 2026-01-02T10:30:00Z by arn:aws:iam::111122223333:user/eve (event e1)";
            assert!(hint.contains(expected), "{hint}");
        }
    }

    #[test]
    fn a_call_that_failed_or_was_about_another_trail_explains_nothing() {
        for record in [
            call("other", |_| ()),
            call("main", |record| record["errorCode"] = "AccessDenied".into()),
            call("main", |record| record["errorMessage"] = "denied".into()),
            call("main", |record| record["awsRegion"] = "eu-west-1".into()),
            call("main", |record| record["recipientAccountId"] = OTHER.into()),
            call("main", |record| record["eventSource"] = "s3.amazonaws.com".into()),
            call("main", |record| record["eventTime"] = "2026-01-02T10:01:30Z".into()),
            call("arn:aws:cloudtrail:eu-west-1:111122223333:trail/main", |_| ()),
        ] {
            assert_eq!(told(None, &[(CHAIN, record.clone())]), None, "{record}");
        }
    }

    #[test]
    fn another_accounts_call_counts_only_where_that_account_owns_the_organizations_trail() {
        let of_owner = || (OTHER, call(&arn(OTHER, "main"), |_| ()));
        assert!(told(Some(ORG), &[of_owner()]).is_some());
        assert_eq!(told(None, &[of_owner()]), None, "the trail of one account has no other owner");
        assert_eq!(told(Some(ORG), &[(OTHER, call("main", |_| ()))]), None, "a trail of its own may have the name");
        assert_eq!(told(Some(ORG), &[(OTHER, call(&arn(THIRD, "main"), |_| ()))]), None);
        let several = [of_owner(), (THIRD, call(&arn(THIRD, "main"), |_| ()))];
        assert_eq!(told(Some(ORG), &several), None, "which of them owns the trail is not known");
    }
}
