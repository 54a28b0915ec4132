//! What a clean verdict does not prove: the list in README, and nothing besides, is what a touch may pass as.

/// What a clean verdict does not prove, as README says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Exemption {
    NotLogged,
    NewestDigests,
    Pending,
    UntrueRecords,
    UncoveredKinds,
    OtherObjects,
    CopiesOfLogs,
}

impl Exemption {
    pub const ALL: [Self; 7] = [
        Self::NotLogged,
        Self::NewestDigests,
        Self::Pending,
        Self::UntrueRecords,
        Self::UncoveredKinds,
        Self::OtherObjects,
        Self::CopiesOfLogs,
    ];

    /// The bullet in README.
    pub fn text(self) -> &'static str {
        match self {
            Self::NotLogged => {
                "the trail logged everything: events it was not set to log, and time in which it was off, leave no trace \
                 in a chain (gaps inside a chain are reported; time before its first digest is not covered)"
            }
            Self::NewestDigests => {
                "the newest digests of a chain were not deleted, unless an earlier run left a `--checkpoint`, \
                 `--from` or `--to` asks for that time (but for the last two hours before `--to`, where the chain \
                 is not seen to go on), or others of the trail go on for more than three hours; nor the oldest, \
                 with their logs, up to where a chain begins or begins anew, unless `--from` asks for that time; \
                 nor all of its digests of the period, where another trail covers the account and Region or \
                 nothing else of these is left, unless an earlier run left a `--checkpoint`; nor, without one, \
                 what came after an end that was acknowledged"
            }
            Self::Pending => {
                "logs of the last three hours that no digest lists yet are CloudTrail's: they are counted as pending, \
                 and their rows say so"
            }
            Self::UntrueRecords => {
                "the records are true: CloudTrail vouches for what it delivered, not for what a caller put into a user agent"
            }
            Self::UncoveredKinds => {
                "logs of a kind that no digest names (Insight, network activity, aggregated events) are untouched, once \
                 an operator has acknowledged that"
            }
            Self::OtherObjects => {
                "nothing else lies in the bucket: objects outside CloudTrail's log folders, objects there whose names begin \
                 with `.` or `_`, and objects that pose as digests change nothing that is proven"
            }
            Self::CopiesOfLogs => {
                "no log lies there twice: a copy under another name is a warning, and no rows are made of it"
            }
        }
    }
}
