//! Findings: what was looked at and is not as it should be, or could not be looked at. Data only.
//!
//! A finding's [`FindingId`] is stable; its severity follows from the id alone and decides the exit code.

use serde::Serialize;

/// How bad a finding is, by its cause. Ordered: the later, the worse.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Worth knowing; changes nothing that was proven.
    Warning,
    /// Something could not be read or checked. Says nothing about alteration.
    Inconclusive,
    /// Something is not covered by any digest, so nothing vouches for it.
    Coverage,
    /// Something CloudTrail would not have written, and that cannot be understood.
    Malformed,
    /// Something is not as CloudTrail delivered it.
    Tamper,
}

macro_rules! finding_ids {
    ($($(#[doc = $doc:literal])+ $variant:ident = $id:literal, $severity:ident;)+) => {
        /// What a finding says, by a name that stays the same from version to version.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum FindingId { $($(#[doc = $doc])+ $variant,)+ }

        impl FindingId {
            /// Every id, in the order that the documentation uses.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// The stable name.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $id,)+ }
            }

            /// How bad it is.
            pub fn severity(self) -> Severity {
                match self { $(Self::$variant => Severity::$severity,)+ }
            }
        }
    };
}

finding_ids! {
    /// A log's content differs from what its digest records.
    LogAltered = "log-altered", Tamper;
    /// A log's listed content is followed by bytes that other readers would read.
    LogTrailingData = "log-trailing-data", Tamper;
    /// A digest lists a log that the archive no longer holds.
    LogMissing = "log-missing", Tamper;
    /// A digest's signature does not hold over its content.
    DigestAltered = "digest-altered", Tamper;
    /// A digest lies elsewhere than where CloudTrail put it.
    DigestMoved = "digest-moved", Tamper;
    /// A digest names a key that CloudTrail does not know.
    DigestUnknownKey = "digest-unknown-key", Tamper;
    /// A digest names a key of another Region.
    DigestForeignKey = "digest-foreign-key", Tamper;
    /// A digest's signature algorithm is not CloudTrail's.
    DigestAlgorithm = "digest-algorithm", Tamper;
    /// A digest's content is followed by bytes that other readers would read.
    DigestTrailingData = "digest-trailing-data", Tamper;
    /// A signed digest points to a digest that the archive no longer holds.
    DigestMissing = "digest-missing", Tamper;
    /// A digest records another hash than its predecessor has.
    LinkHashDiffers = "link-hash-differs", Tamper;
    /// A digest records another signature than its predecessor has.
    LinkSignatureDiffers = "link-signature-differs", Tamper;
    /// A digest points past a digest that lies between.
    LinkSkipsDigest = "link-skips-digest", Tamper;
    /// A digest's hours reach back over those of other digests.
    WindowReachesBack = "window-reaches-back", Tamper;
    /// A digest is signed for another account than the folder it lies in.
    DigestForeignAccount = "digest-foreign-account", Tamper;
    /// A digest lists an object outside its own account, Region or bucket.
    EntryOutOfScope = "entry-out-of-scope", Tamper;
    /// A digest lists an object that is not a log.
    EntryNotALog = "entry-not-a-log", Tamper;
    /// A digest that the checkpoint remembers is gone, or other content lies in its place.
    HeadWentBack = "head-went-back", Tamper;
    /// A chain that was there at the checkpoint is gone.
    ChainVanished = "chain-vanished", Tamper;
    /// A digest is not the JSON document that CloudTrail writes.
    DigestMalformed = "digest-malformed", Malformed;
    /// A digest is signed with a key too weak to prove anything.
    KeyWeak = "key-weak", Malformed;
    /// A chain begins anew: logging or validation was off before.
    ChainRestart = "chain-restart", Coverage;
    /// Hours between two linked digests that neither covers.
    ChainGap = "chain-gap", Coverage;
    /// The oldest digest's predecessor, and all before it, are gone.
    ChainStartMissing = "chain-start-missing", Coverage;
    /// The period asked for is not covered at its start or end.
    PeriodNotCovered = "period-not-covered", Coverage;
    /// Something that was asked for by name is not there.
    AskedNotFound = "asked-not-found", Coverage;
    /// Chains, or accounts and Regions, that ended before the period asked for.
    ChainEnded = "chain-ended", Coverage;
    /// Chains of which the first digest lies in the period asked for.
    ChainBegins = "chain-begins", Coverage;
    /// Chains that ended hours before others of the same trail.
    ChainBehind = "chain-behind", Coverage;
    /// The address leaves out the folders of logs.
    LogsNotListed = "logs-not-listed", Coverage;
    /// A chain's newest digest is older than was allowed.
    HeadStale = "head-stale", Coverage;
    /// A log that no digest names, although its hour is covered, or none ever will.
    LogUnlisted = "log-unlisted", Coverage;
    /// An object with content among logs, under no log's name, that no digest vouches for.
    ObjectUnlisted = "object-unlisted", Coverage;
    /// Logs in hours that no digest covers.
    LogUncovered = "log-uncovered", Coverage;
    /// Logs of a kind that no digest ever names.
    KindNeverCovered = "kind-never-covered", Coverage;
    /// A digest that the checkpoint remembers is gone, with everything of its time.
    HeadExpired = "head-expired", Coverage;
    /// Logs that the oldest digests list are gone, with everything of their time.
    LogExpired = "log-expired", Coverage;
    /// Nothing was found that could be verified.
    NothingToVerify = "nothing-to-verify", Coverage;
    /// A log could not be read.
    LogUnreadable = "log-unreadable", Inconclusive;
    /// A digest could not be read.
    DigestUnreadable = "digest-unreadable", Inconclusive;
    /// A folder could not be listed, so what it holds is unknown.
    ListingFailed = "listing-failed", Inconclusive;
    /// The key that a digest names could not be had.
    KeyUnavailable = "key-unavailable", Inconclusive;
    /// A saved key does not fit its fingerprint.
    KeyFileCorrupt = "key-file-corrupt", Inconclusive;
    /// A digest is signed with a key that CloudTrail did not use at that time.
    KeyOutOfValidity = "key-out-of-validity", Inconclusive;
    /// A digest's signature was lost, and no later digest holds it.
    SignatureLost = "signature-lost", Inconclusive;
    /// A backfill digest does not say when it was made, so its key is not known.
    BackfillUndated = "backfill-undated", Inconclusive;
    /// A link in a directory that leads out of it, in a circle, or nowhere.
    LinkNotFollowed = "link-not-followed", Inconclusive;
    /// Something in a directory that is neither a file nor a folder.
    NotAFile = "not-a-file", Inconclusive;
    /// More was there than is looked at.
    CapReached = "cap-reached", Inconclusive;
    /// All digests lie at one and the same distance from where they say that they lie.
    ArchiveAddress = "archive-address", Inconclusive;
    /// The run was stopped before it had looked at everything.
    RunInterrupted = "run-interrupted", Inconclusive;
    /// An object in a CloudTrail folder whose name CloudTrail would not give it.
    NameUnexpected = "name-unexpected", Warning;
    /// An object that no digest names, with the content of a log that one does.
    LogCopied = "log-copied", Warning;
    /// An object posing as a digest that no signed digest knows.
    DigestPlanted = "digest-planted", Warning;
    /// A digest's signature was lost and recovered from the next digest.
    SignatureRecovered = "signature-recovered", Warning;
    /// An object's gzip container is not as CloudTrail writes it; its content is.
    ContainerDamaged = "container-damaged", Warning;
    /// A digest writes a hash or signature in upper case.
    HexUpperCase = "hex-upper-case", Warning;
    /// A log is listed more than once.
    LogListedTwice = "log-listed-twice", Warning;
    /// Two digests of a chain cover some of the same time.
    WindowsOverlap = "windows-overlap", Warning;
    /// A digest's recorded end is not the time in its name.
    EndUnlikeName = "end-unlike-name", Warning;
    /// The checkpoint is new: nothing was compared with an earlier run.
    CheckpointNew = "checkpoint-new", Warning;
    /// Keys that CloudTrail gave could not be kept for later runs.
    KeysNotKept = "keys-not-kept", Warning;
    /// Keys came from an endpoint that is not CloudTrail's own.
    KeysFromEndpoint = "keys-from-endpoint", Warning;
    /// A kept key served of which nothing says who gave it.
    KeyOriginUnknown = "key-origin-unknown", Warning;
    /// A log that is as delivered, or not covered, holds something that is not a record.
    RecordsMalformed = "records-malformed", Warning;
}

impl Serialize for FindingId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// Members of a finding that a report keeps; its sentence says how many there are.
pub const MEMBERS_KEPT: usize = 100_000;

/// Longest key that a finding holds whole, in bytes: S3's are at most 1,024, and a bucket stands before some.
pub const MAX_KEY: usize = 1_100;

/// Longest other text that a finding holds whole, in bytes.
pub const MAX_TEXT: usize = 2_000;

/// A text, or the first `most` bytes of it and how many characters more there were.
pub fn cut(text: impl Into<String>, most: usize) -> String {
    let mut text = text.into();
    if text.len() > most {
        let end = text.floor_char_boundary(most);
        let more = text[end..].chars().count();
        text.truncate(end);
        text.shrink_to_fit();
        text.push_str(&format!("… ({more} more)"));
    }
    text
}

/// One finding: the object, the fact, the expected fact.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Finding {
    /// How bad it is; follows from `id`.
    pub severity: Severity,
    /// What it says.
    pub id: FindingId,
    /// The object that it is about, or the folder, or the chain.
    pub object: String,
    /// The digest that says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
    /// What should have been found.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expected: Option<String>,
    /// What was found.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub found: Option<String>,
    /// One sentence for people.
    pub sentence: String,
    /// Where many are told together, what is said of each: a whole fact, which can be acknowledged alone.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub members: Vec<String>,
    /// What would mend it, or what to do next.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

impl Finding {
    /// A finding about `object`, with its sentence. Texts that are longer than any honest one are cut, here and below:
    /// they may be the archive's own, and are as long as somebody likes.
    pub fn new(id: FindingId, object: impl Into<String>, sentence: impl Into<String>) -> Self {
        Self {
            severity: id.severity(),
            id,
            object: cut(object, MAX_KEY),
            digest: None,
            expected: None,
            found: None,
            sentence: cut(sentence, MAX_TEXT),
            members: Vec::new(),
            hint: None,
        }
    }

    /// Names the digest that says so.
    #[must_use]
    pub fn by_digest(mut self, digest: impl Into<String>) -> Self {
        self.digest = Some(cut(digest, MAX_KEY));
        self
    }

    /// States what should have been found and what was.
    #[must_use]
    pub fn compared(mut self, expected: impl ToString, found: impl ToString) -> Self {
        self.expected = Some(cut(expected.to_string(), MAX_TEXT));
        self.found = Some(cut(found.to_string(), MAX_TEXT));
        self
    }

    /// Says of what it is told.
    #[must_use]
    pub fn with_members(mut self, members: Vec<String>) -> Self {
        self.members = members;
        self
    }

    /// Keeps the first [`MEMBERS_KEPT`] members, for the report.
    #[must_use]
    pub fn cut(mut self) -> Self {
        self.members.truncate(MEMBERS_KEPT);
        self
    }

    /// Says what would mend it, where that is known.
    #[must_use]
    pub fn with_optional_hint(self, hint: Option<&str>) -> Self {
        match hint {
            Some(hint) => self.with_hint(hint),
            None => self,
        }
    }

    /// Says what would mend it.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(cut(hint, MAX_TEXT));
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_texts_are_cut_wherever_they_stand_and_say_so() {
        let long = "ä".repeat(5_000_000);
        let finding =
            Finding::new(FindingId::DigestMoved, &long, &long).by_digest(&long).compared(&long, &long).with_hint(&long);
        let key = format!("{}… (4999450 more)", "ä".repeat(550));
        let text = format!("{}… (4999000 more)", "ä".repeat(1000));
        assert_eq!((finding.object, finding.digest), (key.clone(), Some(key)));
        assert_eq!((finding.expected, finding.found), (Some(text.clone()), Some(text.clone())));
        assert_eq!((finding.sentence, finding.hint), (text.clone(), Some(text)));
    }

    #[test]
    fn what_fits_is_kept_whole() {
        let whole = "a".repeat(MAX_TEXT);
        assert_eq!(cut(whole.as_str(), MAX_TEXT), whole);
        // Between two bytes of a character nothing is cut.
        assert_eq!(cut("aä", 2), "a… (1 more)");
    }
}
