//! How far each chain reaches, held against the period that was asked for.
//!
//! ```text
//! from ├────────────── asked ──────────────┤ to, or the clock
//!   ████                                      ended before it
//!           ██████████████████████████████    begins in it
//!   ███████████████████████                   behind its siblings, or not covered to the end
//! ```
//!
//! What has ended, and what begins, is told together in one finding with a member for each chain. A member's text is the
//! whole fact, with its time, so that an operator who knows why can acknowledge exactly that and nothing that comes after.
//! Not here: accounts and Regions of which no digest is there at all (`pipeline::asked`).

use std::collections::BTreeMap;

use compact_str::CompactString;
use jiff::Timestamp;

use super::chain::ChainId;
use super::edges::Period;
use super::window::{ARRIVAL, EDGE, Window};
use crate::archive::ids::{OrgId, Region};
use crate::finding::{Finding, FindingId};

/// What findings about many chains together are about.
const WHOLE: &str = "the archive";

/// What the operator can do about a chain that ended or begins.
const ACKNOWLEDGE: &str = "find out why (an account that left, a Region switched off, a new account), then `trailproof acknowledge` \
     the report; what ends or begins after that is told again";

/// How far one chain reaches. Backfill chains reach nowhere: they list what other digests left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reach {
    /// Which chain.
    pub chain: ChainId,
    /// The time that its verified digests span.
    pub verified: Option<Window>,
    /// The same with the hours of its digests that could not be read or checked, which are told already.
    pub known: Option<Window>,
    /// The time in the name of the newest of these.
    pub newest: Option<Timestamp>,
    /// Whether its first verified digest has no predecessor, and nothing older of the chain is there.
    pub begins: bool,
    /// Its digests outside the time that was read, by their names alone.
    pub outside: Outside,
}

/// Digests of a chain that were not read, because they lie before or after what was asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Outside {
    /// The time in the name of the newest one before.
    pub before: Option<Timestamp>,
    /// Whether there are any after.
    pub after: bool,
}

/// What is said of a chain or a folder that ended: the whole fact.
pub fn ended(what: impl std::fmt::Display, end: Timestamp) -> String {
    format!("{what} ended {end}")
}

/// What the reaches of all chains come to, one member for each chain that is told with others.
#[derive(Debug, Default)]
pub struct Held {
    /// What is told of one chain alone.
    pub alone: Vec<Finding>,
    /// What ended before the period.
    pub ended: Vec<String>,
    /// What begins in it, or after it.
    pub begin: Vec<String>,
    /// What ends hours before others of the same trail.
    pub behind: Vec<String>,
}

impl Held {
    /// As findings: one for all that ended, one for all that begin, one for all that are behind.
    pub fn into_findings(self) -> Vec<Finding> {
        let mut findings = self.alone;
        findings.extend(together(FindingId::ChainEnded, self.ended, |chains| {
            format!("{chains} ended before the period: nothing covers what was asked for there")
        }));
        findings.extend(together(FindingId::ChainBegins, self.begin, |chains| {
            format!("nothing vouches for the time before the first digest of {chains}")
        }));
        findings.extend(together(FindingId::ChainBehind, self.behind, |chains| {
            format!(
                "the newest digest of {chains} is more than three hours older than that of others of the same trail"
            )
        }));
        findings
    }
}

/// Holds all chains of an archive against the period.
pub fn hold<'a>(reaches: impl Iterator<Item = &'a Reach> + Clone, period: &Period) -> Held {
    let mut newest: BTreeMap<Trail<'_>, Timestamp> = BTreeMap::new();
    for reach in reaches.clone() {
        if let Some(verified) = reach.verified {
            let newest = newest.entry(trail_of(&reach.chain)).or_insert(verified.to);
            *newest = verified.to.max(*newest);
        }
    }
    let mut held = Held::default();
    for reach in reaches {
        let chain = &reach.chain;
        let Some(known) = reach.known else {
            held.ended.extend(reach.outside.before.map(|end| ended(chain, end)));
            continue;
        };
        if period.from.is_some_and(|from| known.to <= from) {
            held.ended.push(ended(chain, reach.newest.unwrap_or(known.to)));
            continue;
        }
        if let Some(from) = period.from.filter(|from| known.from.duration_since(*from) > EDGE) {
            match reach.begins {
                true => held.begin.push(format!("{chain} begins {}", known.from)),
                false => held.alone.push(not_covered(chain, Window { from, to: known.from }, known)),
            }
        }
        if newest.get(&trail_of(chain)).is_some_and(|newest| newest.duration_since(known.to) > ARRIVAL) {
            held.behind.push(ended(chain, reach.newest.unwrap_or(known.to)));
        } else if period.due(reach.outside.after).is_some_and(|due| known.to < due) {
            held.alone.push(not_covered(chain, Window { from: known.to, to: period.latest() }, known));
        }
    }
    held
}

/// A trail, whose chains in all accounts and Regions go on together.
type Trail<'a> = (Option<&'a OrgId>, &'a CompactString, &'a Region);

fn trail_of(chain: &ChainId) -> Trail<'_> {
    (chain.org.as_ref(), &chain.trail, &chain.home_region)
}

fn not_covered(chain: &ChainId, gap: Window, covered: Window) -> Finding {
    let sentence = format!("{chain} covers nothing of {gap}, which was asked for");
    Finding::new(FindingId::PeriodNotCovered, chain.to_string(), sentence).compared(gap, covered)
}

/// One finding for all members, if there are any.
fn together(id: FindingId, mut members: Vec<String>, sentence: impl Fn(&str) -> String) -> Option<Finding> {
    members.sort_unstable();
    members.dedup();
    let sentence = match members.len() {
        0 => return None,
        1 => sentence("1 chain"),
        many => sentence(&format!("{many} chains")),
    };
    Some(Finding::new(id, WHOLE, sentence).with_hint(ACKNOWLEDGE).with_members(members))
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

    use super::*;
    use crate::archive::key::AccountRegion;

    fn at(hour: i64) -> Timestamp {
        Timestamp::from_second(1_767_312_000 + hour * 3600).expect("in range")
    }

    fn reach(account: &str, from: i64, to: i64) -> Reach {
        let region = || "us-east-1".parse().expect("Region");
        let place = AccountRegion { account: account.parse().expect("account"), region: region() };
        let window = Some(Window { from: at(from), to: at(to) });
        Reach {
            chain: ChainId { org: None, place, trail: "main".into(), home_region: region(), backfill: false },
            verified: window,
            known: window,
            newest: Some(at(to)),
            begins: false,
            outside: Outside::default(),
        }
    }

    fn period(from: Option<i64>, to: Option<i64>, now: i64) -> Period {
        Period { from: from.map(at), to: to.map(at), now: at(now), max_age: None, digests_from: None }
    }

    fn ids(reaches: &[Reach], period: &Period) -> Vec<FindingId> {
        hold(reaches.iter(), period).into_findings().iter().map(|finding| finding.id).collect()
    }

    const A: &str = "111122223333";
    const B: &str = "444455556666";

    #[test]
    fn what_ended_before_the_period_is_one_finding_that_says_when() {
        let gone = Reach { known: None, outside: Outside { before: Some(at(-9)), after: false }, ..reach(B, 0, 0) };
        let reaches = [reach(A, -5, 0), reach(A, 0, 9), gone];
        let findings = hold(reaches.iter(), &period(Some(0), Some(9), 99)).into_findings();
        let [finding] = findings.as_slice() else { panic!("{findings:?}") };
        assert_eq!(finding.id, FindingId::ChainEnded);
        let members = [
            "111122223333/us-east-1 trail main of us-east-1 ended 2026-01-02T00:00:00Z",
            "444455556666/us-east-1 trail main of us-east-1 ended 2026-01-01T15:00:00Z",
        ];
        assert_eq!(finding.members, members);
    }

    #[test]
    fn a_chain_three_hours_behind_its_siblings_is_told_whatever_was_asked_for() {
        for period in [period(None, None, 99), period(Some(-9), None, 9), period(None, Some(8), 99)] {
            assert_eq!(ids(&[reach(A, -9, 9), reach(B, -9, 6)], &period), []);
            assert_eq!(ids(&[reach(A, -9, 9), reach(B, -9, 5)], &period), [FindingId::ChainBehind]);
        }
        // What could not be read makes no other chain look as if it were behind.
        let unread = Reach { known: Some(Window { from: at(-9), to: at(50) }), ..reach(A, -9, 9) };
        assert_eq!(ids(&[unread, reach(B, -9, 9)], &period(None, None, 99)), []);
    }

    #[test]
    fn the_end_that_was_asked_for_is_covered_to_the_second_where_the_chain_goes_on() {
        let goes_on = |to| Reach { outside: Outside { before: None, after: true }, ..reach(A, 0, to) };
        let asked = period(Some(0), Some(9), 99);
        assert_eq!(ids(&[reach(A, 0, 7)], &asked), []);
        assert_eq!(ids(&[reach(A, 0, 6)], &asked), [FindingId::PeriodNotCovered]);
        assert_eq!(ids(&[goes_on(9)], &asked), []);
        assert_eq!(ids(&[goes_on(8)], &asked), [FindingId::PeriodNotCovered]);
    }

    #[test]
    fn a_start_alone_asks_up_to_what_must_have_arrived() {
        assert_eq!(ids(&[reach(A, 0, 7)], &period(Some(0), None, 10)), []);
        assert_eq!(ids(&[reach(A, 0, 6)], &period(Some(0), None, 10)), [FindingId::PeriodNotCovered]);
        assert_eq!(ids(&[reach(A, 0, 7)], &period(Some(0), Some(99), 10)), []);
        assert_eq!(ids(&[reach(A, 0, 6)], &period(None, None, 99)), []);
    }

    #[test]
    fn a_start_that_is_not_covered_is_a_chain_that_begins_or_one_of_which_a_part_is_gone() {
        let begins = |from| Reach { begins: true, ..reach(A, from, 9) };
        let asked = period(Some(0), Some(9), 99);
        assert_eq!(ids(&[begins(2), reach(B, 2, 9)], &asked), []);
        assert_eq!(ids(&[begins(3)], &asked), [FindingId::ChainBegins]);
        assert_eq!(ids(&[reach(A, 3, 9)], &asked), [FindingId::PeriodNotCovered]);
        let member = hold([begins(3)].iter(), &asked).begin;
        assert_eq!(member, ["111122223333/us-east-1 trail main of us-east-1 begins 2026-01-02T03:00:00Z"]);
        let second_more =
            Reach { known: Some(Window { from: at(2) + SignedDuration::from_secs(1), to: at(9) }), ..begins(2) };
        assert_eq!(ids(&[second_more], &asked), [FindingId::ChainBegins]);
    }
}
