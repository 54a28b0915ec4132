//! An archive in a directory that mirrors a bucket.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use super::{Body, DigestMetadata, ListRequest, Listed, ObjectRef, Page, Source, SourceError};

/// stub until merge
pub struct Directory {
    root: PathBuf,
}
impl Directory {
    /// stub
    pub fn open(root: &Path) -> Result<Self, SourceError> {
        if root.is_dir() {
            Ok(Self { root: root.into() })
        } else {
            Err(SourceError::NoSuchPlace { what: root.display().to_string() })
        }
    }
}
fn err(e: std::io::Error) -> SourceError {
    match e.kind() {
        std::io::ErrorKind::NotFound => SourceError::Missing,
        std::io::ErrorKind::PermissionDenied => SourceError::Denied { detail: e.to_string() },
        _ => SourceError::Other { detail: e.to_string() },
    }
}
/// stub
pub fn read_file(p: &Path, b: &mut Vec<u8>, _l: u64) -> Result<(), SourceError> {
    b.clear();
    std::fs::File::open(p).and_then(|mut f| f.read_to_end(b)).map(|_| ()).map_err(err)
}
fn walk(d: &Path, prefix: &str, deep: bool, page: &mut Page) -> Result<(), SourceError> {
    let mut es: Vec<_> = std::fs::read_dir(d).map_err(err)?.flatten().collect();
    es.sort_by_key(|e| e.file_name());
    for e in es {
        let name = e.file_name().to_string_lossy().into_owned();
        let key = format!("{prefix}{name}");
        let m = e.metadata().map_err(err)?;
        if m.is_dir() {
            if deep {
                walk(&e.path(), &format!("{key}/"), true, page)?;
            } else {
                page.folders.push(format!("{key}/"));
            }
        } else if !name.ends_with(".metadata.json") {
            page.objects.push(Listed { key, size: m.len() });
        }
    }
    Ok(())
}
impl Source for Directory {
    const IS_LOCAL: bool = true;
    async fn list(&self, r: ListRequest<'_>) -> Result<Page, SourceError> {
        let mut page = Page::default();
        walk(&self.root.join(r.prefix), r.prefix, !r.by_folder, &mut page)?;
        Ok(page)
    }
    async fn read(&self, o: &ObjectRef) -> Result<Body, SourceError> {
        Ok(Body::File(self.root.join(&o.key)))
    }
    async fn read_digest(&self, o: &ObjectRef) -> Result<(Body, DigestMetadata), SourceError> {
        let p = self.root.join(&o.key);
        let side = PathBuf::from(format!("{}.metadata.json", p.display()));
        let m = match std::fs::read(&side) {
            Ok(b) => {
                let v: std::collections::BTreeMap<String, String> =
                    serde_json::from_slice(&b).map_err(|e| SourceError::Other { detail: e.to_string() })?;
                DigestMetadata::from_pairs(v.iter().map(|(a, b)| (a.as_str(), b.as_str())))
            }
            Err(_) => DigestMetadata::default(),
        };
        Ok((Body::File(p), m))
    }
}
