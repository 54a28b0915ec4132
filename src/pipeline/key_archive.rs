//! Keeps every key that CloudTrail ever gave, because nobody knows for how long it goes on giving them.
//!
//! One file a Region, in the shape of `keys fetch`. Only CloudTrail's own answers are added, each key with who gave it, when
//! and to whom; keys of other endpoints never are. Files of earlier versions name no giver: what they hold is of unknown
//! origin. Kept keys are never taken to be all there are.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use crate::source::aws::endpoint;
use trailproof_proof::archive::ids::Region;
use trailproof_proof::verify::key_file;
use trailproof_proof::verify::keys::{GivenKey, Origin};
use trailproof_table::sink::whole::{self, Readers};

/// A folder of kept keys.
#[derive(Debug, Clone)]
pub struct KeyArchive {
    folder: PathBuf,
}

impl KeyArchive {
    /// An archive in a folder, which is made when it is first needed.
    pub fn new(folder: PathBuf) -> Self {
        Self { folder }
    }

    fn file(&self, region: &Region) -> PathBuf {
        self.folder.join(format!("{region}.json"))
    }

    /// The kept keys of a Region, none where none were kept.
    ///
    /// # Errors
    /// Those of reading; a file in another shape counts as one.
    pub fn load(&self, region: &Region) -> io::Result<Vec<GivenKey>> {
        match fs::read(self.file(region)) {
            Ok(bytes) => key_file::parse(&bytes).map_err(|error| io::Error::new(ErrorKind::InvalidData, error)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(Vec::new()),
            Err(error) => Err(error),
        }
    }

    /// Where a kept key of a Region came from; none where it is not to be trusted: another Region's, or one whose giver was
    /// not CloudTrail.
    pub fn origin(key: &GivenKey, region: &Region) -> Option<Origin> {
        if key.region.as_ref().is_some_and(|of| of != region) {
            return None;
        }
        match &key.provenance {
            None => Some(Origin::KeptUnknown),
            Some(from) => endpoint::is_cloudtrails_own(&from.endpoint, region).then(|| Origin::Kept(from.clone())),
        }
    }

    /// Adds keys that CloudTrail gave. A file that cannot be read is left as it is.
    ///
    /// # Errors
    /// Those of reading and writing.
    pub fn save(&self, region: &Region, given: &[GivenKey]) -> io::Result<()> {
        make_private_folder(&self.folder)?;
        // Held until this ends: two runs that add to one file lose nothing of either.
        let lock = whole::open_lock(&self.file(region))?;
        lock.lock()?;
        let before = self.load(region)?;
        let mut all: BTreeMap<String, &GivenKey> =
            before.iter().map(|key| (key.fingerprint.to_ascii_lowercase(), key)).collect();
        let mut is_new = false;
        for key in given {
            let kept = all.get(&key.fingerprint.to_ascii_lowercase());
            let is_as_kept = |kept: &&GivenKey| {
                kept.der == key.der
                    && kept.validity == key.validity
                    && matches!(Self::origin(kept, region), Some(Origin::Kept(_)))
            };
            if !kept.is_some_and(is_as_kept) {
                is_new = true;
                all.insert(key.fingerprint.to_ascii_lowercase(), key);
            }
        }
        if !is_new {
            return Ok(());
        }
        let keys: Vec<GivenKey> = all.into_values().cloned().collect();
        whole::replace(&self.file(region), Readers::Owner, key_file::write(&keys).as_bytes())
    }
}

/// Makes a folder, and those above it, that only its owner may enter.
fn make_private_folder(path: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use trailproof_proof::verify::keys::Provenance;
    use trailproof_proof::verify::window::Window;

    fn region() -> Region {
        "eu-west-1".parse().expect("Region")
    }

    fn key(endpoint: Option<&str>) -> GivenKey {
        GivenKey {
            fingerprint: "ab".into(),
            der: vec![1],
            region: Some(region()),
            validity: Some(Window { from: Timestamp::UNIX_EPOCH, to: Timestamp::UNIX_EPOCH }),
            fetched: Some(Timestamp::UNIX_EPOCH),
            provenance: endpoint.map(|endpoint| Provenance { endpoint: endpoint.into(), caller: Some("AKIA".into()) }),
        }
    }

    const OWN: &str = "https://cloudtrail.eu-west-1.amazonaws.com";

    #[test]
    fn what_is_kept_is_there_again_with_its_origin() {
        let folder = tempfile::tempdir().expect("a temporary directory");
        let archive = KeyArchive::new(folder.path().join("keys"));
        assert_eq!(archive.load(&region()).expect("nothing is there"), []);
        archive.save(&region(), &[key(Some(OWN))]).expect("can be written");
        let kept = archive.load(&region()).expect("can be read");
        assert_eq!(kept, [key(Some(OWN))]);
        assert!(matches!(KeyArchive::origin(&kept[0], &region()), Some(Origin::Kept(_))));
        // What is there already is not written again, with its first time.
        let later = GivenKey { fetched: Some(Timestamp::MAX), ..key(Some(OWN)) };
        archive.save(&region(), &[later]).expect("can be written");
        assert_eq!(archive.load(&region()).expect("can be read"), [key(Some(OWN))]);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let mode = fs::metadata(archive.file(&region())).expect("the file").permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
    }

    #[test]
    fn a_key_of_unknown_origin_is_replaced_by_the_same_from_cloudtrail() {
        let folder = tempfile::tempdir().expect("a temporary directory");
        let archive = KeyArchive::new(folder.path().to_owned());
        let old = key(None);
        fs::write(archive.file(&region()), key_file::write(std::slice::from_ref(&old))).expect("can be written");
        assert_eq!(KeyArchive::origin(&old, &region()), Some(Origin::KeptUnknown));
        archive.save(&region(), &[key(Some(OWN))]).expect("can be written");
        assert_eq!(archive.load(&region()).expect("can be read"), [key(Some(OWN))]);
    }

    #[test]
    fn a_file_that_cannot_be_read_is_not_written_over() {
        let folder = tempfile::tempdir().expect("a temporary directory");
        let archive = KeyArchive::new(folder.path().to_owned());
        fs::write(archive.file(&region()), "hello").expect("can be written");
        assert!(archive.save(&region(), &[key(Some(OWN))]).is_err());
        assert_eq!(fs::read_to_string(archive.file(&region())).expect("is there"), "hello");
    }

    #[test]
    fn a_key_of_another_giver_or_region_is_not_trusted() {
        for endpoint in ["http://127.0.0.1:9000", "https://cloudtrail.us-east-1.amazonaws.com"] {
            assert_eq!(KeyArchive::origin(&key(Some(endpoint)), &region()), None, "{endpoint}");
        }
        assert_eq!(KeyArchive::origin(&key(Some(OWN)), &"us-east-1".parse().expect("Region")), None);
    }
}
