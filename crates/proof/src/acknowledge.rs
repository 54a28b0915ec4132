//! What an operator has looked into and accepts: chains that ended or begin, ends that expired, kinds that no digest names.
//!
//! An acknowledgement takes one fact out of the verdict: the exact text of a finding's member, or of its object with what
//! was found, under the finding's id. The text has the time in it, so whatever happens after it is another fact and is told
//! again. Alteration, malformed evidence and what could not be read cannot be acknowledged: a file that tries is an error.
//! Every report repeats the acknowledgements that it made use of: who, when and why.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::finding::Finding;

/// The name and version of the file's shape.
pub const SCHEMA: &str = "trailproof.acknowledgements/1";

/// What can be acknowledged, by the ids of findings.
const IDS: [&str; 6] =
    ["chain-ended", "chain-begins", "head-expired", "kind-never-covered", "chain-restart", "chain-start-missing"];

/// An end is one fact, whether it is told inside the period, behind its siblings, or before it.
const SAME: [(&str, &str); 1] = [("chain-behind", "chain-ended")];

/// The id under which a finding is acknowledged, where that can be done.
pub fn id_of(finding: &str) -> Option<&'static str> {
    let same = SAME.iter().find(|(told, _)| *told == finding).map_or(finding, |(_, id)| *id);
    IDS.into_iter().find(|id| *id == same)
}

/// One fact that somebody accepts.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Acknowledgement {
    /// The finding's id.
    pub id: String,
    /// The fact.
    pub member: String,
    /// Who accepts it.
    pub who: String,
    /// When.
    pub when: Timestamp,
    /// Why.
    pub why: String,
}

/// The acknowledgements of a file, by id and fact.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Acknowledgements(BTreeMap<(&'static str, String), Acknowledgement>);

/// A file that acknowledges nothing that can be acknowledged.
#[derive(Debug, thiserror::Error)]
pub enum AcknowledgementError {
    /// Not JSON, or not in the shape of acknowledgements.
    #[error("not a file of acknowledgements ({0})")]
    Shape(#[from] serde_json::Error),
    /// Another version's.
    #[error("its shape is {0:?}, not {SCHEMA}")]
    Schema(String),
    /// What is not for an operator to accept.
    #[error("{0:?} cannot be acknowledged; what can: {list}", list = IDS.join(", "))]
    Id(String),
    /// Nobody, or no reason.
    #[error("{0:?} is acknowledged without saying who, or why")]
    Empty(String),
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    schema: String,
    acknowledgements: Vec<Acknowledgement>,
}

impl Acknowledgements {
    /// Reads a file.
    ///
    /// # Errors
    /// [`AcknowledgementError`] when any part of it is not as it should be: a file is taken whole or not at all.
    pub fn parse(bytes: &[u8]) -> Result<Self, AcknowledgementError> {
        let file: File = serde_json::from_slice(bytes)?;
        if file.schema != SCHEMA {
            return Err(AcknowledgementError::Schema(file.schema));
        }
        let mut all = Self::default();
        for acknowledgement in file.acknowledgements {
            all.add(acknowledgement)?;
        }
        Ok(all)
    }

    /// Takes one in; answers whether it is new. One that was there already stays as it is.
    ///
    /// # Errors
    /// [`AcknowledgementError`] when it cannot be acknowledged, or does not say who and why.
    pub fn add(&mut self, acknowledgement: Acknowledgement) -> Result<bool, AcknowledgementError> {
        let Acknowledgement { id, member, who, why, .. } = &acknowledgement;
        let Some(id) = id_of(id) else { return Err(AcknowledgementError::Id(id.clone())) };
        if [member, who, why].into_iter().any(|text| text.trim().is_empty()) {
            return Err(AcknowledgementError::Empty(member.clone()));
        }
        let fact = (id, member.clone());
        let Entry::Vacant(place) = self.0.entry(fact) else { return Ok(false) };
        place.insert(Acknowledgement { id: id.to_owned(), ..acknowledgement });
        Ok(true)
    }

    /// The file's content.
    pub fn write(&self) -> String {
        let file = File { schema: SCHEMA.to_owned(), acknowledgements: self.0.values().cloned().collect() };
        serde_json::to_string_pretty(&file).expect("texts always serialise") + "\n"
    }

    /// Takes what is acknowledged out of a finding. What is left of it, if anything is, comes back with what was taken.
    pub fn take_from(&self, mut finding: Finding) -> (Option<Finding>, Vec<Acknowledgement>) {
        let Some(id) = id_of(finding.id.as_str()).filter(|_| !self.0.is_empty()) else {
            return (Some(finding), Vec::new());
        };
        let of = |fact: &str| self.0.get(&(id, fact.to_owned())).cloned();
        if finding.members.is_empty() {
            return match of(&fact(&finding.object, finding.found.as_deref())) {
                Some(taken) => (None, vec![taken]),
                None => (Some(finding), Vec::new()),
            };
        }
        let mut taken = Vec::new();
        finding.members.retain(|member| {
            let known = of(member);
            let is_open = known.is_none();
            taken.extend(known);
            is_open
        });
        if finding.members.is_empty() {
            return (None, taken);
        }
        if !taken.is_empty() {
            finding.sentence = format!("{}; {} of them acknowledged", finding.sentence, taken.len());
        }
        (Some(finding), taken)
    }
}

/// The fact that a finding without members states: its object, with what was found of it.
pub fn fact(object: &str, found: Option<&str>) -> String {
    found.map_or_else(|| object.to_owned(), |found| format!("{object}: {found}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::{FindingId, Severity};

    fn of(id: &str, member: &str) -> Acknowledgement {
        let when = "2026-01-04T09:00:00Z".parse().expect("time");
        Acknowledgement { id: id.into(), member: member.into(), who: "dana".into(), when, why: "left".into() }
    }

    fn file(entries: &[Acknowledgement]) -> String {
        serde_json::json!({"schema": SCHEMA, "acknowledgements": entries}).to_string()
    }

    fn parsed(entries: &[Acknowledgement]) -> Acknowledgements {
        Acknowledgements::parse(file(entries).as_bytes()).expect("whole")
    }

    #[test]
    fn a_file_is_read_back_whole() {
        let all = parsed(&[of("chain-ended", "b ended"), of("kind-never-covered", "CloudTrail-Insight")]);
        assert_eq!(Acknowledgements::parse(all.write().as_bytes()).expect("whole"), all);
    }

    #[test]
    fn what_is_not_for_an_operator_to_accept_is_an_error() {
        for id in FindingId::ALL.iter().map(|id| id.as_str()).chain(["", "chain", "CHAIN-ENDED"]) {
            let can = IDS.contains(&id) || id == "chain-behind";
            assert_eq!(Acknowledgements::parse(file(&[of(id, "x")]).as_bytes()).is_ok(), can, "{id}");
        }
        for id in FindingId::ALL.iter().filter(|id| id_of(id.as_str()).is_some()) {
            assert_eq!(id.severity(), Severity::Coverage, "{}", id.as_str());
        }
        let nobody = Acknowledgement { who: " ".into(), ..of("chain-ended", "x") };
        let no_reason = Acknowledgement { why: String::new(), ..of("chain-ended", "x") };
        for text in [file(&[nobody]), file(&[no_reason]), file(&[]).replace("/1", "/2"), "[]".into(), String::new()] {
            assert!(Acknowledgements::parse(text.as_bytes()).is_err(), "{text}");
        }
    }

    #[test]
    fn exactly_the_fact_is_taken_and_the_rest_is_left() {
        let all =
            parsed(&[of("chain-ended", "a ended 1"), of("chain-behind", "b ended 2"), of("chain-begins", "c ended 3")]);
        let told = |id, members: &[&str]| {
            let members = members.iter().map(|member| (*member).to_owned()).collect();
            let (left, taken) = all.take_from(Finding::new(id, "the archive", "ended").with_members(members));
            (left.map(|left| (left.members, left.sentence)), taken.len())
        };
        let left = |members: &[&str], sentence: &str| {
            Some((members.iter().map(|member| (*member).to_owned()).collect(), sentence.to_owned()))
        };
        assert_eq!(told(FindingId::ChainEnded, &["a ended 1", "b ended 2"]), (None, 2));
        assert_eq!(told(FindingId::ChainBehind, &["a ended 1"]), (None, 1));
        let some = left(&["a ended 0", "c ended 3"], "ended; 1 of them acknowledged");
        assert_eq!(told(FindingId::ChainEnded, &["a ended 0", "a ended 1", "c ended 3"]), (some, 1));
        assert_eq!(told(FindingId::LogAltered, &["a ended 1"]), (left(&["a ended 1"], "ended"), 0));
    }

    #[test]
    fn the_fact_of_a_finding_without_members_has_what_was_found() {
        let all = parsed(&[of("chain-restart", "key: one to two"), of("kind-never-covered", "CloudTrail-Insight")]);
        let is_taken = |finding| all.take_from(finding).0.is_none();
        let restart = || Finding::new(FindingId::ChainRestart, "key", "begins anew");
        assert!(is_taken(restart().compared("a predecessor", "one to two")));
        assert!(!is_taken(restart().compared("a predecessor", "zero to two")));
        assert!(!is_taken(restart()));
        assert!(is_taken(Finding::new(FindingId::KindNeverCovered, "CloudTrail-Insight", "3 logs")));
        assert!(!is_taken(Finding::new(FindingId::KindNeverCovered, "CloudTrail-Aggregated", "3 logs")));
    }
}
