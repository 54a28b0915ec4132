//! An archive in a directory that mirrors a bucket.
//!
//! The path below the directory is the key. A digest's user metadata stands beside it as `<digest>.metadata.json`, which is
//! what `aws s3api head-object --query Metadata` prints. A log or digest that was unpacked (`X.json` where there is no
//! `X.json.gz`) is listed and read under the name that CloudTrail gave it.
//!
//! ```text
//! link ─┬─ to a file in the directory ──────────────▶ that file, under the link's name
//!       ├─ to a folder that is listed anyhow ───────▶ passed over: nothing is counted twice
//!       ├─ to another folder in the directory ──────▶ listed under the link's name
//!       └─ out of it, in a circle, or nowhere ──────▶ told, not followed
//! ```
//!
//! Invariants: nothing outside the directory is read; what is neither a file nor a folder is never opened; a listing ends.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::fs::{self, DirEntry, File};
use std::io::{ErrorKind, Read as _};
use std::path::{Component, Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use serde_json::Value;

use super::{Body, DigestMetadata, ListRequest, Listed, NotFollowed, ObjectRef, Page, Refused, Source, SourceError};
use crate::archive::folder::{self, Step};
use crate::archive::key::{self, ObjectName};

const METADATA_SUFFIX: &str = ".metadata.json";

/// The metadata that S3 keeps with an object has at most 2 KB.
const MAX_METADATA: u64 = 64 << 10;

/// What a stored log's or digest's name ends with, and what is left of it when it was unpacked.
const PACKED: &str = ".json.gz";
const UNPACKED: &str = ".json";

/// Links to folders that one path may lead through, so that a few of them do not make millions of paths.
const MAX_LINKS: usize = 2;

/// A directory that mirrors a bucket.
#[derive(Debug)]
pub struct Directory {
    root: PathBuf,
    /// The same without links.
    real: Arc<Path>,
    /// Whether folders that files were read from lie in the directory, by their keys.
    inside: RwLock<HashMap<String, bool>>,
}

/// A file of the directory, read by the worker that needs it.
#[derive(Debug, Clone)]
pub struct LocalFile {
    path: PathBuf,
    /// The directory, which a link may not lead out of.
    real: Arc<Path>,
}

impl LocalFile {
    /// Reads the file into `buffer`, which is cleared first and keeps its capacity.
    ///
    /// # Errors
    /// [`SourceError::TooLarge`] past `limit` bytes, [`SourceError::Other`] for what is no file or leads out of the directory,
    /// and what the file system reports.
    pub fn read(&self, buffer: &mut Vec<u8>, limit: u64) -> Result<(), SourceError> {
        match self.read_as(&self.path, buffer, limit) {
            Err(SourceError::Missing) => {
                let unpacked = self.path.to_str().and_then(|path| path.strip_suffix(PACKED));
                let unpacked = unpacked.ok_or(SourceError::Missing)?;
                self.read_as(Path::new(&format!("{unpacked}{UNPACKED}")), buffer, limit)
            }
            outcome => outcome,
        }
    }

    fn read_as(&self, path: &Path, buffer: &mut Vec<u8>, limit: u64) -> Result<(), SourceError> {
        buffer.clear();
        let mut metadata = fs::symlink_metadata(path).map_err(|error| fault(&error))?;
        if metadata.is_symlink() {
            let real = fs::canonicalize(path).map_err(|error| link_fault(&error))?;
            if !real.starts_with(&self.real) {
                return Err(refused(&NotFollowed::Outside));
            }
            metadata = fs::metadata(&real).map_err(|error| fault(&error))?;
        }
        if !metadata.is_file() {
            return Err(refused(&NotFollowed::NoFile));
        }
        let file = File::open(path).map_err(|error| fault(&error))?;
        file.take(limit.saturating_add(1)).read_to_end(buffer).map_err(|error| fault(&error))?;
        if buffer.len() as u64 > limit {
            return Err(SourceError::TooLarge { size: metadata.len().max(buffer.len() as u64), limit });
        }
        Ok(())
    }
}

/// Something in a folder.
enum Found {
    File(u64),
    Folder,
    /// A link to what is listed under another name.
    Elsewhere,
    Refused(NotFollowed),
}

impl Directory {
    /// Opens a directory.
    ///
    /// # Errors
    /// [`SourceError::NoSuchPlace`] when it is not there or is none.
    pub fn open(root: &Path) -> Result<Self, SourceError> {
        let missing = || SourceError::NoSuchPlace { what: format!("directory {}", root.display()) };
        if !root.is_dir() {
            return Err(missing());
        }
        let real = fs::canonicalize(root).map_err(|_| missing())?.into();
        Ok(Self { root: root.to_owned(), real, inside: RwLock::default() })
    }

    /// Where a key's file lies. A key that would lead out of the directory names nothing in it.
    fn file(&self, key: &str) -> Result<LocalFile, SourceError> {
        if !Path::new(key).components().all(|part| matches!(part, Component::Normal(_))) {
            return Err(SourceError::Missing);
        }
        let folder = key.rfind('/').map_or("", |at| &key[..at]);
        if !self.holds(folder) {
            return Err(refused(&NotFollowed::Outside));
        }
        Ok(LocalFile { path: self.root.join(key), real: self.real.clone() })
    }

    /// Whether a folder lies in the directory, whatever links lead to it. Of one that is not there no link may be the cause.
    fn holds(&self, folder: &str) -> bool {
        if let Some(&known) = self.inside.read().unwrap_or_else(PoisonError::into_inner).get(folder) {
            return known;
        }
        let inside = match fs::canonicalize(self.root.join(folder)) {
            Ok(real) => real.starts_with(&self.real),
            Err(_) => self.links_to(&format!("{folder}/")) == 0,
        };
        self.inside.write().unwrap_or_else(PoisonError::into_inner).insert(folder.to_owned(), inside);
        inside
    }

    /// Adds what lies in one folder, whose key is `prefix`, to `page`; with `deep`, what lies below it too.
    fn list_folder(&self, prefix: &str, deep: bool, page: &mut Page) -> Result<(), SourceError> {
        if !self.holds(prefix.trim_end_matches('/')) {
            return Err(refused(&NotFollowed::Outside));
        }
        let entries = match fs::read_dir(self.root.join(prefix)) {
            // As in a bucket, a prefix that nothing starts with is an empty one.
            Err(error) if error.kind() == ErrorKind::NotFound && !prefix.is_empty() => return Ok(()),
            entries => entries.map_err(|error| fault(&error))?,
        };
        let mut found = Vec::new();
        for entry in entries {
            let entry = entry.map_err(|error| fault(&error))?;
            let what = self.look_at(prefix, &entry)?;
            let name = key_part(&entry.file_name(), matches!(what, Found::Folder));
            found.push((name, what));
        }
        // A bucket lists `a-b` before `a/b`, so folders are put in order with their slash.
        found.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
        for (name, what) in as_cloudtrail_named(prefix, found) {
            let key = format!("{prefix}{name}");
            match what {
                Found::Folder if deep => self.list_folder(&key, true, page)?,
                Found::Folder => page.folders.push(key),
                Found::File(size) => page.objects.push(Listed { key, size }),
                Found::Refused(why) => page.refused.push(Refused { key, why }),
                Found::Elsewhere => {}
            }
        }
        Ok(())
    }

    fn look_at(&self, prefix: &str, entry: &DirEntry) -> Result<Found, SourceError> {
        let kind = entry.file_type().map_err(|error| fault(&error))?;
        Ok(match () {
            () if kind.is_dir() => Found::Folder,
            () if kind.is_file() => Found::File(entry.metadata().map_or(0, |metadata| metadata.len())),
            () if kind.is_symlink() => {
                let link = format!("{prefix}{}", key_part(&entry.file_name(), true));
                self.behind(prefix, &link, &entry.path())
            }
            () => Found::Refused(NotFollowed::NoFile),
        })
    }

    /// What a link in the folder `prefix` leads to; `as_folder` is its key if that is a folder.
    fn behind(&self, prefix: &str, as_folder: &str, link: &Path) -> Found {
        let real = match fs::canonicalize(link) {
            Ok(real) => real,
            Err(error) => return Found::Refused(NotFollowed::Nowhere { detail: error.to_string() }),
        };
        let Ok(metadata) = fs::metadata(&real) else {
            return Found::Refused(NotFollowed::Nowhere { detail: "it vanished".into() });
        };
        let Ok(inside) = real.strip_prefix(&self.real) else {
            return Found::Refused(if metadata.is_dir() { NotFollowed::FolderOutside } else { NotFollowed::Outside });
        };
        match () {
            () if metadata.is_file() => Found::File(metadata.len()),
            () if !metadata.is_dir() => Found::Refused(NotFollowed::NoFile),
            () if self.is_above(&real, prefix) => Found::Refused(NotFollowed::Circle),
            () if is_listed_anyhow(as_folder, &inside.to_string_lossy()) => Found::Elsewhere,
            () if self.links_to(prefix) >= MAX_LINKS => Found::Refused(NotFollowed::TooManyLinks),
            () => Found::Folder,
        }
    }

    /// Whether a folder is one of those that lead to `prefix`, or above one of them.
    fn is_above(&self, real: &Path, prefix: &str) -> bool {
        ways(prefix).any(|folder| fs::canonicalize(self.root.join(folder)).is_ok_and(|way| way.starts_with(real)))
    }

    /// How many links lead to `prefix`.
    fn links_to(&self, prefix: &str) -> usize {
        let is_link = |folder: &&str| {
            let path = self.root.join(folder.trim_end_matches('/'));
            !folder.is_empty() && fs::symlink_metadata(path).is_ok_and(|metadata| metadata.is_symlink())
        };
        ways(prefix).filter(is_link).count()
    }
}

/// The folders that lead to `prefix`, and itself.
fn ways(prefix: &str) -> impl Iterator<Item = &str> {
    [""].into_iter().chain(prefix.match_indices('/').map(|(at, _)| &prefix[..=at]))
}

/// Whether what lies in the folder `inside` is found under its own name too, so that a link to it adds nothing.
fn is_listed_anyhow(link: &str, inside: &str) -> bool {
    let leads_below_logs = |folder: &str| folder.split('/').any(|part| part == "AWSLogs");
    let own = format!("{}/", inside.replace('\\', "/"));
    match folder::locate(&own).step {
        Step::Organization(_) | Step::Account(..) | Step::Within(_) => true,
        Step::OtherService => false,
        Step::Above => leads_below_logs(&own) || !leads_below_logs(link),
    }
}

/// Leaves out the metadata of digests, and gives unpacked logs and digests the names that CloudTrail gave them.
fn as_cloudtrail_named(prefix: &str, mut found: Vec<(String, Found)>) -> Vec<(String, Found)> {
    if !found.iter().any(|(name, _)| name.ends_with(UNPACKED)) {
        return found;
    }
    let is_there = |name: &str| found.binary_search_by(|(other, _)| other.as_str().cmp(name)).is_ok();
    let named = |name: &str| key::parse(&format!("{prefix}{name}")).name;
    let is_metadata = |name: &str, what: &Found| {
        let Some(of) = name.strip_suffix(METADATA_SUFFIX) else { return false };
        let is_small = matches!(what, Found::File(size) if *size <= MAX_METADATA);
        let is_beside = is_there(of) || of.strip_suffix(".gz").is_some_and(is_there);
        is_small && is_beside && matches!(named(of), ObjectName::Digest(..))
    };
    let packed_name = |name: &str| {
        let packed = name.strip_suffix(UNPACKED).map(|stem| format!("{stem}{PACKED}"))?;
        let is_cloudtrails = matches!(named(&packed), ObjectName::Log(..) | ObjectName::Digest(..));
        (is_cloudtrails && !is_there(&packed)).then_some(packed)
    };
    let is_kept: Vec<bool> = found.iter().map(|(name, what)| !is_metadata(name, what)).collect();
    let renamed: Vec<Option<String>> = found.iter().map(|(name, _)| packed_name(name)).collect();
    for ((name, _), packed) in found.iter_mut().zip(renamed) {
        if let Some(packed) = packed {
            *name = packed;
        }
    }
    found.into_iter().zip(is_kept).filter(|(_, is_kept)| *is_kept).map(|(found, _)| found).collect()
}

/// A name as part of a key. One that is not Unicode is listed all the same, with what cannot be shown replaced: it is no
/// name that CloudTrail gives.
fn key_part(name: &OsStr, is_folder: bool) -> String {
    let name = name.to_string_lossy();
    if is_folder { format!("{name}/") } else { name.into_owned() }
}

fn refused(why: &NotFollowed) -> SourceError {
    SourceError::Other { detail: why.to_string() }
}

/// A link that cannot be resolved is there; only what it leads to is not.
fn link_fault(error: &std::io::Error) -> SourceError {
    refused(&NotFollowed::Nowhere { detail: error.to_string() })
}

fn fault(error: &std::io::Error) -> SourceError {
    match error.kind() {
        ErrorKind::NotFound => SourceError::Missing,
        ErrorKind::PermissionDenied => SourceError::Denied { detail: error.to_string() },
        ErrorKind::Interrupted | ErrorKind::TimedOut => SourceError::Broken { detail: error.to_string() },
        _ => SourceError::Other { detail: error.to_string() },
    }
}

/// The metadata beside a digest; none where there is no such file.
fn metadata_beside(digest: &LocalFile) -> Result<DigestMetadata, SourceError> {
    let mut beside = digest.path.as_os_str().to_owned();
    beside.push(METADATA_SUFFIX);
    let beside = LocalFile { path: beside.into(), real: digest.real.clone() };
    let mut text = Vec::new();
    match beside.read(&mut text, MAX_METADATA) {
        Ok(()) => {}
        Err(SourceError::Missing) => return Ok(DigestMetadata::default()),
        Err(error) => return Err(error),
    }
    let fields = match serde_json::from_slice(&text) {
        Ok(Value::Object(fields)) => fields,
        Ok(Value::Null) => return Ok(DigestMetadata::default()),
        Ok(_) | Err(_) => {
            let detail = format!("{} is not a JSON object", beside.path.display());
            return Err(SourceError::Other { detail });
        }
    };
    let texts = fields.iter().filter_map(|(name, value)| Some((name.as_str(), value.as_str()?)));
    Ok(DigestMetadata::from_pairs(texts))
}

impl Source for Directory {
    const IS_LOCAL: bool = true;

    async fn list(&self, request: ListRequest<'_>) -> Result<Page, SourceError> {
        let mut page = Page::default();
        self.list_folder(request.prefix, !request.by_folder, &mut page)?;
        if let Some(after) = request.after {
            page.objects.retain(|object| object.key.as_str() > after);
        }
        Ok(page)
    }

    async fn read(&self, object: &ObjectRef) -> Result<Body, SourceError> {
        Ok(Body::File(self.file(&object.key)?))
    }

    async fn read_digest(&self, object: &ObjectRef) -> Result<(Body, DigestMetadata), SourceError> {
        let file = self.file(&object.key)?;
        let metadata = metadata_beside(&file)?;
        Ok((Body::File(file), metadata))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn directory(files: &[(&str, &[u8])]) -> (tempfile::TempDir, Directory) {
        let folder = tempfile::tempdir().expect("a temporary directory");
        for (key, content) in files {
            let path = folder.path().join(key);
            fs::create_dir_all(path.parent().expect("a parent")).expect("made");
            fs::write(path, content).expect("written");
        }
        let directory = Directory::open(folder.path()).expect("it is there");
        (folder, directory)
    }

    #[test]
    fn a_file_larger_than_the_limit_is_not_read_whole() {
        let (_folder, directory) = directory(&[("log", &[7; 100])]);
        let read = |key: &str, limit| directory.file(key).and_then(|file| file.read(&mut Vec::new(), limit));
        assert_eq!(read("log", 100), Ok(()));
        assert_eq!(read("log", 99), Err(SourceError::TooLarge { size: 100, limit: 99 }));
        for missing in ["gone", "log/below", "gone/below", "../log", "/log"] {
            assert!(read(missing, 9).is_err(), "{missing}");
        }
        assert_eq!(read("gone/below", 9), Err(SourceError::Missing));
    }

    #[test]
    fn broken_metadata_is_told_and_missing_metadata_is_none() {
        let (folder, directory) = directory(&[("digest.json.gz", b"")]);
        let beside = folder.path().join("digest.json.gz.metadata.json");
        let metadata = || directory.file("digest.json.gz").and_then(|file| metadata_beside(&file));
        assert_eq!(metadata(), Ok(DigestMetadata::default()));
        fs::write(&beside, r#"{"Signature":"ab","odd":1}"#).expect("written");
        assert_eq!(metadata().map(|metadata| metadata.signature), Ok(Some("ab".into())));
        fs::write(&beside, "{").expect("written");
        assert!(matches!(metadata(), Err(SourceError::Other { .. })));
    }

    fn listed(directory: &Directory) -> (Vec<String>, Vec<(String, NotFollowed)>) {
        let mut page = Page::default();
        directory.list_folder("", true, &mut page).expect("listed");
        let refused = page.refused.into_iter().map(|refused| (refused.key, refused.why));
        (page.objects.into_iter().map(|object| object.key).collect(), refused.collect())
    }

    const LOGS: &str = "AWSLogs/111122223333/CloudTrail/us-east-1/2026/01/02";
    const LOG: &str = "111122223333_CloudTrail_us-east-1_20260102T0305Z_AbCdEfGhIjKlMnOp.json";

    #[test]
    fn an_unpacked_log_has_the_name_that_cloudtrail_gave_it_unless_that_is_there() {
        let (unpacked, packed) = (format!("{LOGS}/{LOG}"), format!("{LOGS}/{LOG}.gz"));
        let (_folder, directory) = directory(&[(&unpacked, b"{}"), (&format!("{LOGS}/notes.json"), b"x")]);
        assert_eq!(listed(&directory).0, [packed.clone(), format!("{LOGS}/notes.json")]);
        let mut buffer = Vec::new();
        directory.file(&packed).and_then(|file| file.read(&mut buffer, 9)).expect("read");
        assert_eq!(buffer, b"{}");
        fs::write(directory.root.join(&packed), b"packed").expect("written");
        assert_eq!(listed(&directory).0, [unpacked, packed, format!("{LOGS}/notes.json")]);
    }

    #[test]
    fn metadata_is_left_out_only_beside_its_digest() {
        let digest = |second: &str| {
            let name = "111122223333_CloudTrail-Digest_us-east-1_main_us-east-1_20260102T0301";
            format!("AWSLogs/111122223333/CloudTrail-Digest/us-east-1/2026/01/02/{name}{second}Z.json")
        };
        let (packed, unpacked, big) = (format!("{}.gz", digest("01")), digest("02"), format!("{}.gz", digest("03")));
        let of = |key: &str| format!("{key}.metadata.json");
        let alone = of(&format!("{}.gz", digest("04")));
        let beside_log = of(&format!("{LOGS}/{LOG}.gz"));
        let (_folder, directory) = directory(&[
            (&packed, b"x"),
            (&of(&packed), b"{}"),
            (&unpacked, b"x"),
            (&of(&format!("{unpacked}.gz")), b"{}"),
            (&big, b"x"),
            (&of(&big), &[b' '; (64 << 10) + 1]),
            (&alone, b"{}"),
            (&format!("{LOGS}/{LOG}.gz"), b"x"),
            (&beside_log, b"{}"),
            ("a.json.gz", b"x"),
            ("a.json.gz.metadata.json", b"{}"),
        ]);
        let among_digests = [packed, format!("{unpacked}.gz"), big.clone(), of(&big), alone];
        let among_logs = [format!("{LOGS}/{LOG}.gz"), beside_log];
        let foreign = ["a.json.gz", "a.json.gz.metadata.json"].map(str::to_owned);
        assert_eq!(listed(&directory).0, [&among_digests[..], &among_logs, &foreign].concat());
    }

    #[cfg(unix)]
    #[test]
    fn links_are_followed_inside_the_directory_and_nothing_is_counted_twice() {
        use std::os::unix::fs::symlink;

        let outside = tempfile::tempdir().expect("a temporary directory");
        fs::write(outside.path().join("secret"), b"x").expect("written");
        let stored = format!("store/us-east-1/2026/01/02/{LOG}.gz");
        let (folder, directory) = directory(&[(&stored, b"stored"), ("AWSLogs/111122223333/CloudTrail/x", b"x")]);
        let at = |key: &str| folder.path().join(key);
        let link = |to: PathBuf, key: &str| symlink(to, at(key)).expect("linked");
        link(at("store/us-east-1"), "AWSLogs/111122223333/CloudTrail/us-east-1");
        link(at(&stored), "file");
        link(at("AWSLogs"), "again");
        link(at("AWSLogs/111122223333"), "AWSLogs/444455556666");
        link(at("store"), "store/circle");
        link(outside.path().to_owned(), "out");
        link(outside.path().join("secret"), "secret");
        link(at("gone"), "nowhere");
        let (objects, refused) = listed(&directory);
        let linked = format!("AWSLogs/111122223333/CloudTrail/us-east-1/2026/01/02/{LOG}.gz");
        assert_eq!(objects, [linked.clone(), "AWSLogs/111122223333/CloudTrail/x".into(), "file".into(), stored]);
        let refused: Vec<(&str, &NotFollowed)> = refused.iter().map(|(key, why)| (key.as_str(), why)).collect();
        assert!(matches!(refused[0], ("nowhere", NotFollowed::Nowhere { .. })), "{refused:?}");
        let expected = [
            ("out", &NotFollowed::FolderOutside),
            ("secret", &NotFollowed::Outside),
            ("store/circle", &NotFollowed::Circle),
        ];
        assert_eq!(refused[1..], expected);
        let read = |key: &str| directory.file(key).and_then(|file| file.read(&mut Vec::new(), 9));
        assert_eq!((read(&linked), read("file")), (Ok(()), Ok(())));
        for key in ["out/secret", "secret", "nowhere", "nowhere/below"] {
            assert!(matches!(read(key), Err(SourceError::Other { .. })), "{key}: {:?}", read(key));
        }
    }

    #[cfg(unix)]
    #[test]
    fn links_to_one_another_make_no_endless_or_countless_paths() {
        use std::os::unix::fs::symlink;

        let (folder, directory) = directory(&[("store/a/x", b"x"), ("store/b/x", b"x"), ("store/c/x", b"x")]);
        let at = |key: &str| folder.path().join(key);
        fs::create_dir_all(at("AWSLogs/111122223333/CloudTrail")).expect("made");
        symlink(at("store/a"), at("AWSLogs/111122223333/CloudTrail/1")).expect("linked");
        for (from, to) in [("a", "b"), ("b", "c"), ("c", "a")] {
            for name in ["l1", "l2"] {
                symlink(at(&format!("store/{to}")), at(&format!("store/{from}/{name}"))).expect("linked");
            }
        }
        let (objects, refused) = listed(&directory);
        assert!(objects.len() < 20 && !refused.is_empty(), "{objects:?} {refused:?}");
        assert!(objects.contains(&"AWSLogs/111122223333/CloudTrail/1/l1/x".to_owned()), "{objects:?}");
    }

    #[cfg(unix)]
    #[test]
    fn a_pipe_is_told_and_never_opened() {
        let (folder, directory) = directory(&[("x", b"x")]);
        let made = std::process::Command::new("mkfifo").arg(folder.path().join("pipe")).status();
        assert!(made.is_ok_and(|status| status.success()), "mkfifo");
        assert_eq!(listed(&directory).1, [("pipe".to_owned(), NotFollowed::NoFile)]);
        let read = directory.file("pipe").and_then(|file| file.read(&mut Vec::new(), 9));
        assert_eq!(read, Err(refused(&NotFollowed::NoFile)));
    }
}
