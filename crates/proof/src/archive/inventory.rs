//! What an archive holds, from names and sizes alone.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use jiff::civil::Date;

use super::folder::{self, Holds, Within};
use super::ids::{OrgId, Region};
use super::key::{self, AccountRegion, DigestName, LogKind, LogName, ObjectName, ParsedKey};
use super::scope::Scope;

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

/// An object with content below a folder of logs that is no log by its name. Whoever reads the folder reads it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct OddObject {
    /// Its key.
    pub key: Box<str>,
    /// Under which root it lies.
    pub root: RootIndex,
    /// Stored bytes.
    pub size: u64,
    /// The folder of a day that it lies in.
    pub day: Option<Date>,
}

/// What one account and Region holds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Holdings {
    /// Log files.
    pub logs: Vec<LogObject>,
    /// Digests.
    pub digests: Vec<ListedDigest>,
    /// Objects with content among the logs under other names: the first in order.
    pub odd: Vec<OddObject>,
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
    /// Both together.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self { objects: self.objects + other.objects, bytes: self.bytes.saturating_add(other.bytes) }
    }

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
    /// Those that are only counted.
    pub fn omitted(&self) -> u64 {
        self.tally.objects.saturating_sub(self.names.len() as u64)
    }

    fn add(&mut self, name: &str, bytes: u64) {
        self.tally.add(bytes);
        self.names.insert(name.to_owned());
        self.keep_first();
    }

    fn absorb(&mut self, other: Self) {
        self.tally = self.tally.and(other.tally);
        self.names.extend(other.names);
        self.keep_first();
    }

    fn keep_first(&mut self) {
        while self.names.len() > NAMES_KEPT {
            self.names.pop_last();
        }
    }
}

/// Objects with content below folders of logs that are no logs by their names, before they are sorted into places.
#[derive(Debug, Clone, Default)]
struct Odd {
    /// All of them.
    tally: Tally,
    /// The first in order, by key and bucket, each with the place it belongs to.
    kept: BTreeMap<(String, Arc<str>), (AccountRegion, OddObject)>,
    /// How many were not kept.
    omitted: u64,
}

/// What an archive holds.
#[derive(Debug, Clone, Default)]
pub struct Inventory {
    /// Where accounts' folders lie.
    pub roots: Vec<Root>,
    /// The index of each root by bucket and prefix, made anew where it is of other roots.
    numbers: HashMap<String, RootIndex>,
    /// Accounts and Regions of which a folder is there, each with its root, whether or not it was gone into.
    pub known: BTreeSet<(RootIndex, AccountRegion)>,
    /// By account and Region.
    pub places: BTreeMap<AccountRegion, Holdings>,
    /// Objects in CloudTrail folders with names that CloudTrail would not give, and that count for nothing: those among
    /// digests, those without content, and those whose names readers of a folder leave out.
    pub misnamed: Named,
    /// Objects with content below folders of logs, in no Region's folder.
    pub regionless: BTreeMap<AccountRegion, Vec<OddObject>>,
    odd: Odd,
    /// Objects of anyone else.
    pub foreign: Named,
    /// Placeholders for folders.
    pub folders: u64,
    /// Folders of other services that were not looked into: the first in order.
    pub left_alone: BTreeSet<String>,
    /// Whether there are more of them.
    pub left_alone_more: bool,
}

impl Inventory {
    /// One of these roots, in which nothing was found yet.
    pub fn with_roots(roots: Vec<Root>) -> Self {
        Self { roots, ..Self::default() }
    }

    /// Takes in that a folder of another service was not looked into.
    pub fn leave_alone(&mut self, prefix: String) {
        self.left_alone.insert(prefix);
        if self.left_alone.len() > NAMES_KEPT {
            self.left_alone.pop_last();
            self.left_alone_more = true;
        }
    }

    /// Files one object under what its key names.
    ///
    /// What lies in a folder of logs that was asked for belongs to it, whatever lies between, but for logs and digests that
    /// were asked for themselves.
    pub fn add(&mut self, bucket: &Arc<str>, key: &str, size: u64, scope: &Scope) {
        if size == 0 && key.ends_with('/') {
            self.folders += 1;
            return;
        }
        let parsed = key::parse(key);
        let ParsedKey { root, org, name, outer } = parsed;
        if outer.is_some() && !is_asked_for(&name, org.as_ref(), scope) {
            let is_read = |outer: &Within<'_>| outer.holds != Holds::Digests && scope.includes_folder(outer);
            if let Some(outer) = folder::outers(key).find(is_read) {
                return self.add_misnamed(bucket, key, size, (outer.root, outer.org.as_ref()), key::misnamed(&outer));
            }
        }
        match (name, outer) {
            (ObjectName::Log(place, _) | ObjectName::Digest(place, _), Some(outer)) if !scope.includes(&place) => {
                let Within { root, ref org, .. } = outer;
                self.add_misnamed(bucket, key, size, (root, org.as_ref()), key::misnamed(&outer));
            }
            (ObjectName::Log(place, name), _) => {
                let root = self.root(bucket, root, org.as_ref());
                self.places.entry(place).or_default().logs.push(LogObject { name, root, size });
            }
            (ObjectName::Digest(place, name), _) => {
                let root = self.root(bucket, root, org.as_ref());
                self.places.entry(place).or_default().digests.push(ListedDigest { name, root, size });
            }
            (name @ ObjectName::Misnamed { .. }, _) => {
                self.add_misnamed(bucket, key, size, (root, org.as_ref()), name);
            }
            (ObjectName::Foreign, _) => self.foreign.add(key, size),
        }
    }

    fn add_misnamed(
        &mut self,
        bucket: &Arc<str>,
        key: &str,
        size: u64,
        (root, org): (&str, Option<&OrgId>),
        name: ObjectName,
    ) {
        let ObjectName::Misnamed { account, region, holds, day } = name else { return };
        if holds == Holds::Digests || size == 0 || is_left_out(key) {
            self.misnamed.add(key, size);
            return;
        }
        let root = self.root(bucket, root, org);
        let place = AccountRegion { account, region: region.unwrap_or_else(Region::none) };
        let object = OddObject { key: key.into(), root, size, day };
        self.odd.tally.add(size);
        self.odd.kept.insert((key.to_owned(), bucket.clone()), (place, object));
        if self.odd.kept.len() > NAMES_KEPT {
            self.odd.kept.pop_last();
            self.odd.omitted += 1;
        }
    }

    /// Notes the account and Region of a folder that is one of a Region.
    pub fn know(&mut self, bucket: &Arc<str>, folder: &Within<'_>) {
        if let (Some((region, "")), false) = (folder.region(), folder.holds == Holds::OtherLogs) {
            let root = self.root(bucket, folder.root, folder.org.as_ref());
            self.known.insert((root, AccountRegion { account: folder.account, region }));
        }
    }

    /// The index of a root, added when it is new.
    pub fn root(&mut self, bucket: &Arc<str>, prefix: &str, org: Option<&OrgId>) -> RootIndex {
        let number = |index: usize| RootIndex::try_from(index).unwrap_or(RootIndex::MAX);
        // Most objects lie where the one before them lies.
        if self.roots.last().is_some_and(|root| root.bucket == *bucket && root.prefix == prefix) {
            return number(self.roots.len() - 1);
        }
        // A bucket's name holds no `/`.
        let name = |bucket: &str, prefix: &str| format!("{bucket}/{prefix}");
        if self.numbers.len() != self.roots.len() {
            let named = self.roots.iter().enumerate();
            self.numbers = named.map(|(at, root)| (name(&root.bucket, &root.prefix), number(at))).collect();
        }
        *self.numbers.entry(name(bucket, prefix)).or_insert_with(|| {
            self.roots.push(Root { bucket: bucket.clone(), prefix: prefix.to_owned(), org: org.cloned() });
            number(self.roots.len() - 1)
        })
    }

    /// Adds what another inventory holds, which is settled.
    pub fn absorb(&mut self, other: Self) {
        let Self {
            roots, known, places, misnamed, regionless, odd, foreign, folders, left_alone, left_alone_more, ..
        } = other;
        self.misnamed.absorb(misnamed);
        self.foreign.absorb(foreign);
        self.folders += folders;
        self.left_alone_more |= left_alone_more;
        left_alone.into_iter().for_each(|prefix| self.leave_alone(prefix));
        self.odd.tally = self.odd.tally.and(odd.tally);
        self.odd.omitted += odd.omitted;
        let roots: Vec<RootIndex> =
            roots.iter().map(|root| self.root(&root.bucket, &root.prefix, root.org.as_ref())).collect();
        let moved = |root: RootIndex| roots[root as usize];
        self.known.extend(known.into_iter().map(|(root, place)| (moved(root), place)));
        for (place, odd) in regionless {
            let into = self.regionless.entry(place).or_default();
            into.extend(odd.into_iter().map(|odd| OddObject { root: moved(odd.root), ..odd }));
        }
        for (place, Holdings { logs, digests, odd }) in places {
            let into = self.places.entry(place).or_default();
            into.logs.extend(logs.into_iter().map(|log| LogObject { root: moved(log.root), ..log }));
            into.digests.extend(digests.into_iter().map(|digest| ListedDigest { root: moved(digest.root), ..digest }));
            into.odd.extend(odd.into_iter().map(|odd| OddObject { root: moved(odd.root), ..odd }));
        }
    }

    /// What belongs to no account and Region: what is only counted or known by name.
    #[must_use]
    pub fn aside(self) -> Self {
        let (roots, known, places, regionless) = Default::default();
        Self { roots, known, places, regionless, ..self }
    }

    /// Sorts what every account and Region holds and drops what was listed twice.
    pub fn settle(&mut self) {
        for (place, object) in std::mem::take(&mut self.odd.kept).into_values() {
            match place.region == Region::none() {
                true => self.regionless.entry(place).or_default().push(object),
                false => self.places.entry(place).or_default().odd.push(object),
            }
        }
        for holdings in self.places.values_mut() {
            holdings.logs.sort_unstable();
            holdings.logs.dedup();
            holdings.digests.sort_unstable();
            holdings.digests.dedup();
            holdings.odd.sort_unstable();
            holdings.odd.dedup();
            holdings.logs.shrink_to_fit();
        }
    }

    /// All objects with content below folders of logs that are no logs by their names.
    pub fn odd_tally(&self) -> Tally {
        self.odd.tally
    }

    /// How many of them are only counted.
    pub fn odd_omitted(&self) -> u64 {
        self.odd.omitted
    }

    /// Those of them that are known by name, when the inventory is settled.
    pub fn odd(&self) -> impl Iterator<Item = &OddObject> {
        self.places.values().map(|holdings| &holdings.odd).chain(self.regionless.values()).flatten()
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

/// Whether an object was asked for by its own name, under a root of this organization or of none.
fn is_asked_for(name: &ObjectName, org: Option<&OrgId>, scope: &Scope) -> bool {
    let includes = |place| scope.includes(place) && scope.includes_organization(org);
    match name {
        ObjectName::Log(place, log) => {
            includes(place) && scope.includes_kind(log.kind) && scope.includes_log(log.minute)
        }
        ObjectName::Digest(place, digest) => includes(place) && scope.includes_digest(digest.end),
        ObjectName::Misnamed { .. } | ObjectName::Foreign => false,
    }
}

/// Whether readers of a folder leave a file of this name out, as Athena, Spark and Hive do.
pub fn is_left_out(key: &str) -> bool {
    let name = key.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
    name.starts_with(['.', '_'])
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The names of odd objects and of misnamed ones that an inventory of these keys holds, each with a byte.
    fn told(keys: &[&str], scope: &Scope) -> (Vec<String>, Vec<String>) {
        let mut inventory = Inventory::default();
        let bucket: Arc<str> = "b".into();
        keys.iter().for_each(|key| inventory.add(&bucket, key, 1, scope));
        inventory.settle();
        (inventory.odd().map(|odd| odd.key.to_string()).collect(), inventory.misnamed.names.into_iter().collect())
    }

    #[test]
    fn what_readers_of_a_folder_of_logs_read_is_odd_and_the_rest_is_misnamed() {
        let logs = "AWSLogs/111122223333/CloudTrail/";
        let odd = ["evil.json.gz", "US-EAST-1/x", "us-east-1/2026/01/02/x/", "us-east-1/_x/y", "us-east-1/x"];
        let odd: Vec<String> = odd.iter().map(|name| format!("{logs}{name}")).collect();
        let left_out = [".DS_Store", "us-east-1/_temporary", "us-east-1/.x/"].map(|name| format!("{logs}{name}"));
        let among_digests = "AWSLogs/111122223333/CloudTrail-Digest/x".to_owned();
        let keys: Vec<&str> = odd.iter().chain(&left_out).chain([&among_digests]).map(String::as_str).collect();
        let (mut found, misnamed) = told(&keys, &Scope::default());
        let mut expected = odd.clone();
        found.sort();
        expected.sort();
        assert_eq!(found, expected);
        assert_eq!(misnamed.len(), 4, "{misnamed:?}");
    }

    #[test]
    fn a_log_of_another_account_inside_a_folder_that_was_asked_for_belongs_to_the_folder() {
        let key = "AWSLogs/111122223333/CloudTrail/AWSLogs/444455556666/CloudTrail/us-east-1/2026/01/02/444455556666_CloudTrail_us-east-1_20260102T0305Z_AbCdEfGhIjKlMnOp.json.gz";
        assert_eq!(told(&[key], &Scope::default()).0, [] as [&str; 0]);
        let scope = Scope { accounts: vec!["111122223333".parse().expect("an account")], ..Scope::default() };
        assert_eq!(told(&[key], &scope).0, [key]);
    }

    #[test]
    fn of_a_flood_of_other_services_folders_the_first_are_named_and_that_there_are_more_is_told() {
        let mut inventory = Inventory::default();
        let name = |number: usize| format!("AWSLogs/111122223333/service-{number:06}/");
        // A page that is listed again names the same ones.
        for _ in 0..2 {
            (0..NAMES_KEPT).rev().for_each(|number| inventory.leave_alone(name(number)));
        }
        assert_eq!((inventory.left_alone.len(), inventory.left_alone_more), (NAMES_KEPT, false));
        inventory.leave_alone(name(NAMES_KEPT));
        assert_eq!((inventory.left_alone.len(), inventory.left_alone_more), (NAMES_KEPT, true));
        assert!(inventory.left_alone.contains(&name(0)) && !inventory.left_alone.contains(&name(NAMES_KEPT)));
    }

    #[test]
    fn what_lies_in_a_folder_of_logs_belongs_to_it_unless_it_was_asked_for_itself() {
        let outer = "AWSLogs/111122223333/CloudTrail/us-east-1/2026/01/02/AWSLogs";
        let log = |root: &str, kind: &str, region: &str, day: &str| {
            let name = day.replace('/', "");
            format!(
                "{outer}{root}/222233334444/{kind}/{region}/{day}/222233334444_{kind}_{region}_{name}T0305Z_AbCdEfGhIjKlMnOp.json.gz"
            )
        };
        let digests = format!("{outer}/222233334444/CloudTrail-Digest");
        let digest = |day: &str| {
            let name = day.replace('/', "");
            format!(
                "{digests}/us-east-1/{day}/222233334444_CloudTrail-Digest_us-east-1_main_us-east-1_{name}T030131Z.json.gz"
            )
        };
        let day = "2026/01/02";
        let own = [log("", "CloudTrail", "us-east-1", day), digest(day)];
        let odd = [
            log("", "CloudTrail", "us-east-1", "2025/01/02"),
            log("", "CloudTrail", "eu-west-1", day),
            log("", "CloudTrail-Insight", "us-east-1", day),
            digest("2025/01/02"),
            format!("{digests}/evil.json.gz"),
            format!("{digests}/us-east-1/2025/01/02/evil.json.gz"),
            format!("{outer}/222233334444/CloudTrail/us-east-1/2025/01/02/evil.json.gz"),
            format!("{digests}/AWSLogs/333344445555/CloudTrail-Digest/evil.json.gz"),
        ];
        let time = |text: &str| text.parse().ok();
        let scope = Scope {
            from: time("2026-01-02T00:00:00Z"),
            to: time("2026-01-03T00:00:00Z"),
            accounts: ["111122223333", "222233334444"].map(|account| account.parse().expect("an account")).to_vec(),
            regions: vec!["us-east-1".parse().expect("a Region")],
            kinds: vec![LogKind::CloudTrail],
            ..Scope::default()
        };
        let own: Vec<&str> = own.iter().map(String::as_str).collect();
        assert_eq!(told(&own, &scope), (vec![], vec![]));
        let of_another = log("/o-exampleorgid", "CloudTrail", "us-east-1", day);
        let (mut found, misnamed) = told(&odd.each_ref().map(String::as_str), &scope);
        let mut expected = odd.to_vec();
        found.sort();
        expected.sort();
        assert_eq!((found, misnamed), (expected, vec![]));
        let organization = vec!["o-anotherorgid".parse().expect("an organization")];
        let key = of_another.replacen("AWSLogs/", "AWSLogs/o-anotherorgid/", 1);
        assert_eq!(told(&[&key], &Scope { organizations: organization, ..scope }).0, [key]);
    }

    #[test]
    fn a_root_keeps_its_number_however_many_there_are() {
        let buckets: [Arc<str>; 2] = ["a".into(), "b".into()];
        let mut inventory = Inventory::with_roots(vec![Root { bucket: "b".into(), prefix: "9/".into(), org: None }]);
        let of = |number: usize| (&buckets[number % 2], format!("{}/", number / 2));
        let all: Vec<usize> = (0..10_000).collect();
        let numbers = |inventory: &mut Inventory| -> Vec<RootIndex> {
            let root = |&number: &usize| of(number);
            all.iter().map(root).map(|(bucket, prefix)| inventory.root(bucket, &prefix, None)).collect()
        };
        let first = numbers(&mut inventory);
        assert_eq!(numbers(&mut inventory), first);
        assert_eq!((first[19], inventory.roots.len()), (0, all.len()));
    }

    #[test]
    fn what_is_only_counted_is_counted_in_the_whole_too() {
        let bucket: Arc<str> = "b".into();
        let mut late = Inventory::default();
        let logs = "AWSLogs/111122223333/CloudTrail/us-east-1";
        for n in 0..NAMES_KEPT + 5 {
            late.add(&bucket, &format!("{logs}/{n:06}"), 1, &Scope::default());
        }
        late.add(&bucket, &format!("{logs}/.x"), 7, &Scope::default());
        late.settle();
        let mut whole = Inventory::default();
        whole.add(&bucket, "AWSLogs/111122223333/CloudTrail/us-east-1/_y", 1, &Scope::default());
        whole.absorb(late.aside());
        assert_eq!(
            (whole.odd_tally().objects, whole.odd_omitted(), whole.odd().count()),
            (NAMES_KEPT as u64 + 5, 5, 0)
        );
        assert_eq!((whole.misnamed.tally, whole.misnamed.names.len()), (Tally { objects: 2, bytes: 8 }, 2));
    }

    #[test]
    fn of_a_flood_of_odd_names_the_first_are_kept_and_all_are_counted() {
        let (mut inventory, bucket): (_, Arc<str>) = (Inventory::default(), "b".into());
        for n in (0..NAMES_KEPT + 5).rev() {
            inventory.add(&bucket, &format!("AWSLogs/111122223333/CloudTrail/{n:06}"), 1, &Scope::default());
        }
        inventory.settle();
        let last = inventory.odd().last().map(|odd| odd.key.to_string());
        assert_eq!((inventory.odd_tally().objects, inventory.odd().count()), (NAMES_KEPT as u64 + 5, NAMES_KEPT));
        assert_eq!(last, Some(format!("AWSLogs/111122223333/CloudTrail/{:06}", NAMES_KEPT - 1)));
    }

    #[test]
    fn sizes_past_all_counting_do_not_start_anew() {
        let mut tally = Tally::default();
        tally.add(u64::MAX);
        tally.add(2);
        assert_eq!(tally, Tally { objects: 2, bytes: u64::MAX });
    }
}
