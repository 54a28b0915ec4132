//! An archive in a directory that mirrors a bucket.
//!
//! The path below the directory is the key. A digest's user metadata stands beside it as `<digest>.metadata.json`, which is
//! what `aws s3api head-object --query Metadata` prints. Links to directories are not followed, so that a listing ends.

use std::ffi::OsStr;
use std::fs::{self, DirEntry, File, FileType};
use std::io::{ErrorKind, Read as _};
use std::path::{Component, Path, PathBuf};

use serde_json::Value;

use super::{Body, DigestMetadata, ListRequest, Listed, ObjectRef, Page, Source, SourceError};

const METADATA_SUFFIX: &str = ".metadata.json";

/// A directory that mirrors a bucket.
#[derive(Debug)]
pub struct Directory {
    root: PathBuf,
}

impl Directory {
    /// Opens a directory.
    ///
    /// # Errors
    /// [`SourceError::NoSuchPlace`] when it is not there or is none.
    pub fn open(root: &Path) -> Result<Self, SourceError> {
        if root.is_dir() {
            return Ok(Self { root: root.to_owned() });
        }
        Err(SourceError::NoSuchPlace { what: format!("directory {}", root.display()) })
    }

    /// Where a key's file lies. A key that would lead out of the directory names nothing in it.
    fn file(&self, key: &str) -> Result<PathBuf, SourceError> {
        let inside = Path::new(key).components().all(|part| matches!(part, Component::Normal(_)));
        if inside { Ok(self.root.join(key)) } else { Err(SourceError::Missing) }
    }

    /// Adds what lies in one folder, whose key is `prefix`, to `page`; with `deep`, what lies below it too.
    fn list_folder(&self, prefix: &str, deep: bool, page: &mut Page) -> Result<(), SourceError> {
        let entries = match fs::read_dir(self.root.join(prefix)) {
            // As in a bucket, a prefix that nothing starts with is an empty one.
            Err(error) if error.kind() == ErrorKind::NotFound && !prefix.is_empty() => return Ok(()),
            entries => entries.map_err(|error| fault(&error))?,
        };
        let mut names = Vec::new();
        for entry in entries {
            let entry = entry.map_err(|error| fault(&error))?;
            let kind = entry.file_type().map_err(|error| fault(&error))?;
            let Some(name) = key_part(&entry.file_name(), kind.is_dir()) else { continue };
            let size = match kind.is_dir() {
                true => 0,
                false => size_of(&entry, kind),
            };
            names.push((name, size, kind.is_dir()));
        }
        // A bucket lists `a-b` before `a/b`, so folders are put in order with their slash.
        names.sort_unstable();
        for (name, size, is_folder) in names {
            let key = format!("{prefix}{name}");
            if is_folder && deep {
                self.list_folder(&key, true, page)?;
            } else if is_folder {
                page.folders.push(key);
            } else {
                page.objects.push(Listed { key, size });
            }
        }
        Ok(())
    }
}

/// Bytes of a file, or of the one that a link leads to. A link that leads nowhere has no size; reading it will tell.
fn size_of(entry: &DirEntry, kind: FileType) -> u64 {
    let metadata = if kind.is_symlink() { fs::metadata(entry.path()) } else { entry.metadata() };
    metadata.map_or(0, |metadata| metadata.len())
}

/// A name as part of a key; `None` for the metadata of another object. A name that is not Unicode is listed all the same,
/// with what cannot be shown replaced: it is no name that CloudTrail gives.
fn key_part(name: &OsStr, is_folder: bool) -> Option<String> {
    let name = name.to_string_lossy();
    match is_folder {
        true => Some(format!("{name}/")),
        false => (!name.ends_with(METADATA_SUFFIX)).then(|| name.into_owned()),
    }
}

fn fault(error: &std::io::Error) -> SourceError {
    match error.kind() {
        ErrorKind::NotFound => SourceError::Missing,
        ErrorKind::PermissionDenied => SourceError::Denied { detail: error.to_string() },
        ErrorKind::Interrupted | ErrorKind::TimedOut => SourceError::Broken { detail: error.to_string() },
        _ => SourceError::Other { detail: error.to_string() },
    }
}

/// Reads a file into `buffer`, which is cleared first and keeps its capacity.
///
/// # Errors
/// [`SourceError::TooLarge`] past `limit` bytes, and what the file system reports.
pub fn read_file(path: &Path, buffer: &mut Vec<u8>, limit: u64) -> Result<(), SourceError> {
    buffer.clear();
    let file = File::open(path).map_err(|error| fault(&error))?;
    file.take(limit.saturating_add(1)).read_to_end(buffer).map_err(|error| fault(&error))?;
    if buffer.len() as u64 > limit {
        let size = fs::metadata(path).map_or(buffer.len() as u64, |metadata| metadata.len());
        return Err(SourceError::TooLarge { size, limit });
    }
    Ok(())
}

/// The metadata beside a digest; none where there is no such file.
fn metadata_beside(path: &Path) -> Result<DigestMetadata, SourceError> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(METADATA_SUFFIX);
    let text = match fs::read(&beside) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(DigestMetadata::default()),
        Err(error) => return Err(fault(&error)),
    };
    let fields = match serde_json::from_slice(&text) {
        Ok(Value::Object(fields)) => fields,
        Ok(Value::Null) => return Ok(DigestMetadata::default()),
        Ok(_) | Err(_) => {
            let detail = format!("{} is not a JSON object", Path::new(&beside).display());
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
        let path = self.file(&object.key)?;
        let metadata = metadata_beside(&path)?;
        Ok((Body::File(path), metadata))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_larger_than_the_limit_is_not_read_whole() {
        let folder = tempfile::tempdir().expect("a temporary directory");
        let path = folder.path().join("log");
        fs::write(&path, vec![7; 100]).expect("written");
        let mut buffer = Vec::new();
        assert_eq!(read_file(&path, &mut buffer, 100), Ok(()));
        assert_eq!(read_file(&path, &mut buffer, 99), Err(SourceError::TooLarge { size: 100, limit: 99 }));
        assert_eq!(read_file(&folder.path().join("gone"), &mut buffer, 9), Err(SourceError::Missing));
    }

    #[test]
    fn broken_metadata_is_told_and_missing_metadata_is_none() {
        let folder = tempfile::tempdir().expect("a temporary directory");
        let path = folder.path().join("digest.json.gz");
        assert_eq!(metadata_beside(&path), Ok(DigestMetadata::default()));
        let beside = folder.path().join("digest.json.gz.metadata.json");
        fs::write(&beside, r#"{"Signature":"ab","odd":1}"#).expect("written");
        assert_eq!(metadata_beside(&path).map(|metadata| metadata.signature), Ok(Some("ab".into())));
        fs::write(&beside, "{").expect("written");
        assert!(matches!(metadata_beside(&path), Err(SourceError::Other { .. })));
    }
}
