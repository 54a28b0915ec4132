//! What an archive holds, from names and sizes alone.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::ids::OrgId;
use super::key::{self, AccountRegion, DigestName, LogKind, LogName, ObjectName};

/// A place where accounts' folders lie: a bucket and everything before the account in its keys.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Root {
    /// Bucket name, empty for a directory.
    pub bucket: Arc<str>,
    /// Such as `AWSLogs/o-exampleorgid/`.
    pub prefix: String,
    /// The organization in the prefix; absent for trails that are not organization trails.
    pub org: Option<OrgId>,
}

/// Index into [`Inventory::roots`].
pub type RootIndex = u32;

/// A log object.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct LogObject {
    /// Its name within its account and Region.
    pub name: LogName,
    /// Under which root it lies.
    pub root: RootIndex,
    /// Stored bytes.
    pub size: u64,
}

/// A digest object.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ListedDigest {
    /// Its name within its account and Region.
    pub name: DigestName,
    /// Under which root it lies.
    pub root: RootIndex,
    /// Stored bytes.
    pub size: u64,
}

/// What one account and Region holds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Holdings {
    /// Log files.
    pub logs: Vec<LogObject>,
    /// Digests.
    pub digests: Vec<ListedDigest>,
}

/// How many objects, and their stored bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct Tally {
    /// Objects.
    pub objects: u64,
    /// Stored bytes.
    pub bytes: u64,
}

impl Tally {
    /// Counts one object.
    pub fn add(&mut self, bytes: u64) {
        self.objects += 1;
        self.bytes = self.bytes.saturating_add(bytes);
    }
}

/// Names of misnamed or foreign objects that are kept; the rest are only counted, because anyone may write millions.
const NAMES_KEPT: usize = 10_000;

/// Objects that are known by name only.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Named {
    /// All of them.
    pub tally: Tally,
    /// The first names in order.
    pub names: BTreeSet<String>,
}

impl Named {
    fn add(&mut self, name: &str, bytes: u64) {
        self.tally.add(bytes);
        self.names.insert(name.to_owned());
        if self.names.len() > NAMES_KEPT {
            self.names.pop_last();
        }
    }
}

/// What an archive holds.
#[derive(Debug, Clone, Default)]
pub struct Inventory {
    /// Where accounts' folders lie.
    pub roots: Vec<Root>,
    /// By account and Region.
    pub places: BTreeMap<AccountRegion, Holdings>,
    /// Objects in CloudTrail folders with names that CloudTrail would not give.
    pub misnamed: Named,
    /// Objects of anyone else.
    pub foreign: Named,
    /// Placeholders for folders.
    pub folders: u64,
    /// Folders of other services that were not looked into.
    pub left_alone: BTreeSet<String>,
}

impl Inventory {
    /// Files one object under what its key names.
    pub fn add(&mut self, bucket: &Arc<str>, key: &str, size: u64) {
        let parsed = key::parse(key);
        match parsed.name {
            ObjectName::Log(place, name) => {
                let root = self.root(bucket, parsed.root, parsed.org.as_ref());
                self.places.entry(place).or_default().logs.push(LogObject { name, root, size });
            }
            ObjectName::Digest(place, name) => {
                let root = self.root(bucket, parsed.root, parsed.org.as_ref());
                self.places.entry(place).or_default().digests.push(ListedDigest { name, root, size });
            }
            ObjectName::Misnamed { place, .. } => {
                self.places.entry(place).or_default();
                self.misnamed.add(key, size);
            }
            ObjectName::Folder => self.folders += 1,
            ObjectName::Foreign => self.foreign.add(key, size),
        }
    }

    /// The index of a root, added when it is new.
    pub fn root(&mut self, bucket: &Arc<str>, prefix: &str, org: Option<&OrgId>) -> RootIndex {
        let known = self.roots.iter().rposition(|root| root.bucket == *bucket && root.prefix == prefix);
        let index = known.unwrap_or_else(|| {
            self.roots.push(Root { bucket: bucket.clone(), prefix: prefix.to_owned(), org: org.cloned() });
            self.roots.len() - 1
        });
        RootIndex::try_from(index).unwrap_or(RootIndex::MAX)
    }

    /// Sorts what every account and Region holds and drops what was listed twice.
    pub fn settle(&mut self) {
        for holdings in self.places.values_mut() {
            holdings.logs.sort_unstable();
            holdings.logs.dedup();
            holdings.digests.sort_unstable();
            holdings.digests.dedup();
            holdings.logs.shrink_to_fit();
        }
    }

    /// Objects and bytes of each kind of log, and of digests.
    pub fn by_kind(&self) -> BTreeMap<&'static str, Tally> {
        let mut kinds: BTreeMap<&'static str, Tally> = BTreeMap::new();
        for holdings in self.places.values() {
            for log in &holdings.logs {
                kinds.entry(LogKind::folder(log.name.kind)).or_default().add(log.size);
            }
            for digest in &holdings.digests {
                kinds.entry(key::DIGEST_FOLDER).or_default().add(digest.size);
            }
        }
        kinds
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_past_all_counting_do_not_start_anew() {
        let mut tally = Tally::default();
        tally.add(u64::MAX);
        tally.add(2);
        assert_eq!(tally, Tally { objects: 2, bytes: u64::MAX });
    }
}
