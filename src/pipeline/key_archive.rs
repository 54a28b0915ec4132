//! Keeps every key that CloudTrail ever gave, because nobody knows for how long it goes on giving them.
//!
//! One file a Region, in the shape of `keys fetch`. Answers of CloudTrail are added to it; where CloudTrail has no answer
//! any more, or cannot be asked, the kept keys serve. They are never taken to be all there are.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::PathBuf;

use jiff::Timestamp;
use tokio::sync::Mutex;

use super::digests::{KeyAnswer, KeyService};
use crate::archive::ids::Region;
use crate::source::SourceError;
use crate::verify::key_file;
use crate::verify::keys::GivenKey;
use crate::verify::window::Window;

/// Another key service, with an archive of what it answered.
pub struct KeptKeys<K> {
    inner: K,
    folder: PathBuf,
    now: Timestamp,
    /// One writer at a time.
    writing: Mutex<()>,
}

impl<K> KeptKeys<K> {
    /// Keeps the answers of `inner` in `folder`, which is made when it is first needed.
    pub fn new(inner: K, folder: PathBuf, now: Timestamp) -> Self {
        Self { inner, folder, now, writing: Mutex::default() }
    }

    fn file(&self, region: &Region) -> PathBuf {
        self.folder.join(format!("{region}.json"))
    }

    fn load(&self, region: &Region) -> Vec<GivenKey> {
        // No file, or one that is damaged, holds no keys; each key that is read is checked against its fingerprint.
        std::fs::read(self.file(region)).ok().and_then(|bytes| key_file::parse(&bytes).ok()).unwrap_or_default()
    }

    fn save(&self, region: &Region, fetched: &[GivenKey]) -> std::io::Result<()> {
        let mut all: BTreeMap<String, GivenKey> =
            self.load(region).into_iter().map(|key| (key.fingerprint.clone(), key)).collect();
        let before = all.len();
        for key in fetched {
            let kept = || GivenKey { fetched: Some(self.now), ..key.clone() };
            all.entry(key.fingerprint.clone()).or_insert_with(kept);
        }
        if all.len() == before {
            return Ok(());
        }
        let keys: Vec<GivenKey> = all.into_values().collect();
        std::fs::create_dir_all(&self.folder)?;
        let partial = self.folder.join(format!(".{region}.{}.partial", std::process::id()));
        let mut file = std::fs::File::create(&partial)?;
        file.write_all(key_file::write(&keys).as_bytes())?;
        file.sync_all()?;
        std::fs::rename(partial, self.file(region))
    }
}

impl<K: KeyService> KeyService for KeptKeys<K> {
    async fn list(&self, region: &Region, window: Window) -> Result<KeyAnswer, SourceError> {
        let asked = self.inner.list(region, window).await;
        let alone = self.writing.lock().await;
        let answer = match asked {
            Ok(answer) if !answer.keys.is_empty() => {
                let not_kept = self.save(region, &answer.keys).err().map(|error| error.to_string());
                return Ok(KeyAnswer { not_kept, ..answer });
            }
            other => other,
        };
        let kept = self.load(region);
        drop(alone);
        let fits = |key: &GivenKey| key.validity.is_none_or(|valid| valid.from <= window.to && window.from <= valid.to);
        let keys: Vec<GivenKey> = kept.into_iter().filter(fits).collect();
        if keys.is_empty() { answer } else { Ok(KeyAnswer { keys, complete: false, not_kept: None }) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Service(Result<Vec<GivenKey>, SourceError>);

    impl KeyService for Service {
        async fn list(&self, _: &Region, _: Window) -> Result<KeyAnswer, SourceError> {
            self.0.clone().map(|keys| KeyAnswer { keys, complete: true, not_kept: None })
        }
    }

    #[tokio::test]
    async fn a_key_once_fetched_serves_when_cloudtrail_answers_no_more() {
        let folder = tempfile::tempdir().expect("a temporary directory");
        let region: Region = "eu-west-1".parse().expect("Region");
        let window = Window { from: Timestamp::UNIX_EPOCH, to: Timestamp::UNIX_EPOCH };
        let key = GivenKey {
            fingerprint: "ab".into(),
            der: vec![1],
            region: Some(region.clone()),
            validity: Some(window),
            fetched: None,
        };
        let kept = |answer| KeptKeys::new(Service(answer), folder.path().join("keys"), Timestamp::UNIX_EPOCH);
        let first = kept(Ok(vec![key.clone()])).list(&region, window).await.expect("an answer");
        assert_eq!((first.keys, first.complete, first.not_kept), (vec![key.clone()], true, None));
        for silence in [Ok(Vec::new()), Err(SourceError::Denied { detail: "no".into() })] {
            let later = kept(silence).list(&region, window).await.expect("an answer");
            let expected = GivenKey { fetched: Some(Timestamp::UNIX_EPOCH), ..key.clone() };
            assert_eq!((later.keys, later.complete), (vec![expected], false));
        }
        let elsewhere: Region = "us-east-1".parse().expect("Region");
        assert!(kept(Err(SourceError::Missing)).list(&elsewhere, window).await.is_err());
    }
}
