//! One sequence of moves, run.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, LazyLock, Mutex};

use serde::{Deserialize, Serialize};
use trailproof::pipeline::keys::Keys;
use trailproof::pipeline::logs::{Integrity, LogContent, LogSink};
use trailproof::pipeline::run::RunError;
use trailproof::source::DigestMetadata;
use trailproof::source::directory::Directory;
use trailproof_proof::acknowledge::{self, Acknowledgement, Acknowledgements};
use trailproof_proof::checkpoint::Checkpoint;
use trailproof_proof::finding::Finding;
use trailproof_proof::report::{Records, Report};
use trailproof_proof::verify::digest::{Recorded, Relocation};

use super::judge::{Expected, Judge};
use super::model::{WORLDS, World, stored};
use super::moves::{Move, Offered, Trouble};
use super::objects::FORGED;
use super::options::{Options, Remembered, night};
use super::state::{COPIED_TO, State};
use crate::support::chain::{BUCKET, OTHER_KEY};
use crate::support::inprocess::{CloudTrail, Memory, Setup, keys, report_to, runtime};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Sequence {
    pub world: String,
    pub options: Options,
    pub moves: Vec<Move>,
}

/// What a run came to.
#[derive(Clone)]
pub struct Outcome {
    pub code: u8,
    /// What was found, warnings too: id, object and all that is said of it.
    pub findings: Vec<String>,
    /// The logs that rows were made of.
    pub rows: Vec<(String, Integrity)>,
}

impl Outcome {
    /// What was found, but for warnings.
    pub fn told(&self) -> impl Iterator<Item = &str> {
        self.findings.iter().map(String::as_str).filter(|finding| !finding.starts_with("Warning"))
    }

    /// Whether anything that was found names an object.
    pub fn names(&self, key: &str) -> bool {
        self.findings.iter().any(|finding| finding.contains(key))
    }
}

/// Keeps what is said of each log.
#[derive(Default)]
struct Rows(Mutex<Vec<(String, Integrity)>>);

impl LogSink for Rows {
    type Error = Infallible;
    type Batch = ();

    fn begin(&self) {}

    fn take(&self, (): &mut (), log: &LogContent<'_>) -> Result<Records, Infallible> {
        self.0.lock().unwrap().push((log.key.to_owned(), log.integrity));
        Ok(Records::default())
    }

    fn end(&self, (): &mut ()) -> Result<(), Infallible> {
        Ok(())
    }

    fn put(&self, (): ()) -> Result<(), Infallible> {
        Ok(())
    }
}

impl State {
    fn source(&self, page_size: usize) -> Memory {
        let mut memory = Memory::empty();
        let here = |(bucket, key): &(String, String)| {
            let moved = self.copied.is_some() && bucket == BUCKET;
            if moved { format!("{COPIED_TO}{key}") } else { key.clone() }
        };
        for (place, object) in &self.objects {
            let entry = (object.stored.clone(), object.metadata.clone());
            match place.0 == BUCKET {
                true => memory.objects.insert(here(place), entry),
                false => memory.elsewhere.entry(place.0.clone()).or_default().insert(here(place), entry),
            };
        }
        memory.refused = self.trouble.iter().map(|(place, trouble)| (here(place), trouble.error())).collect();
        let passing = self.passing.iter().map(|(place, times)| (here(place), u32::from(*times)));
        memory.passing = Arc::new(Mutex::new(passing.collect()));
        memory.not_listed = self.denied.iter().map(|folder| here(&(BUCKET.into(), folder.clone()))).collect();
        memory.page_size = page_size;
        memory
    }

    /// All buckets in a directory; `outside` is another.
    fn write(&self, root: &Path, outside: &Path) {
        let folder = &root.join(if self.copied.is_some() { COPIED_TO } else { "" });
        fs::create_dir_all(folder).unwrap();
        for (number, (place, object)) in self.objects.iter().enumerate() {
            let is_unpacked = self.unpacked.contains(place);
            let key = if is_unpacked { place.1.trim_end_matches(".gz") } else { &place.1 };
            let path = folder.join(key);
            let content = if is_unpacked { &object.content[..] } else { &object.stored[..] };
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            match self.trouble.get(place) {
                None if self.linked.contains(place) => {
                    let elsewhere = folder.join(format!("elsewhere-{number}"));
                    fs::write(&elsewhere, content).unwrap();
                    symlink(elsewhere, &path).unwrap();
                }
                None => fs::write(&path, content).unwrap(),
                Some(trouble) => spoil(*trouble, &path, outside, content),
            }
            let DigestMetadata { signature, signature_algorithm, backfill_generation } = &object.metadata;
            if object.metadata != DigestMetadata::default() {
                let metadata = serde_json::json!({"signature": signature, "signature-algorithm": signature_algorithm,
                    "backfill-generation-timestamp": backfill_generation});
                fs::write(folder.join(format!("{}.metadata.json", place.1)), metadata.to_string()).unwrap();
            }
        }
        for (number, linked) in self.linked_folders.keys().enumerate() {
            let there = outside.join(format!("logs-{number}"));
            fs::create_dir(&there).unwrap();
            fs::write(there.join("evil.json.gz"), stored(FORGED)).unwrap();
            fs::create_dir_all(folder.join(linked).parent().unwrap()).unwrap();
            symlink(there, folder.join(linked)).unwrap();
        }
        for (number, denied) in self.denied.iter().enumerate() {
            let (here, there) = (folder.join(denied.trim_end_matches('/')), outside.join(format!("folder-{number}")));
            // It may lie below another that was moved already.
            if here.is_dir() && here.canonicalize().unwrap().starts_with(folder.canonicalize().unwrap()) {
                fs::rename(&here, &there).unwrap();
                symlink(there, here).unwrap();
            }
        }
    }
}

/// Puts what cannot be read in a file's place.
fn spoil(trouble: Trouble, path: &Path, outside: &Path, content: &[u8]) {
    match trouble {
        Trouble::Broken | Trouble::Unavailable => symlink("nowhere", path).unwrap(),
        Trouble::Kms => symlink(path.file_name().unwrap(), path).unwrap(),
        Trouble::Glacier => assert!(Command::new("mkfifo").arg(path).status().unwrap().success()),
        Trouble::Denied | Trouble::Proxy | Trouble::Vanished => {
            let there = outside.join(path.file_name().unwrap());
            fs::write(&there, content).unwrap();
            symlink(there, path).unwrap();
        }
    }
}

/// What a run has from earlier ones.
#[derive(Clone, Default)]
struct Before {
    checkpoint: Checkpoint,
    acknowledgements: Acknowledgements,
}

/// Runs to the report; nothing where the checkpoint is another archive's, which is an error of usage.
fn run(world: &World, options: &Options, state: &State, before: Before) -> (Option<Report>, Vec<(String, Integrity)>) {
    let offered = match state.offered {
        // Only CloudTrail can say that it knows no such key.
        Offered::All => Keys::service(CloudTrail::of(&world.keys)),
        Offered::None => keys(&[]),
        Offered::SomebodyElses => keys(&[OTHER_KEY.listed()]),
    };
    let copied = if state.copied.is_some() { COPIED_TO } else { "" };
    let place = |key: &str| Recorded { bucket: BUCKET.into(), key: key.into() };
    let moves = state.copied.filter(|&told| told).map(|_| Relocation { from: place(""), to: place(COPIED_TO) });
    let setup = Setup {
        scope: options.scope(),
        checkpoint: before.checkpoint,
        acknowledgements: before.acknowledgements,
        moves: moves.into_iter().collect(),
        prefix: format!("{copied}{}", options.prefix),
        now: options.now(world),
        ..Setup::default()
    };
    let rows = Arc::new(Rows::default());
    let sink = Some(rows.clone());
    let report = if options.local {
        let (folder, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        state.write(folder.path(), outside.path());
        let told = if state.copied == Some(true) { COPIED_TO } else { "" };
        let source = Directory::open(&folder.path().join(told)).unwrap();
        let setup = Setup { moves: Vec::new(), prefix: String::new(), ..setup };
        runtime().block_on(report_to(source, "", &offered, setup, sink))
    } else {
        runtime().block_on(report_to(state.source(options.page_size()), BUCKET, &offered, setup, sink))
    };
    let report = match report {
        Err(RunError::AnotherArchive) => None,
        report => Some(report.unwrap()),
    };
    let rows = std::mem::take(&mut *rows.0.lock().unwrap());
    (report, rows)
}

type Kept<K, V> = LazyLock<Mutex<BTreeMap<K, V>>>;

/// What was worked out before, or is now.
fn kept<K: Ord, V: Clone>(kept: &Mutex<BTreeMap<K, V>>, key: K, work_out: impl FnOnce() -> V) -> V {
    if let Some(known) = kept.lock().unwrap().get(&key) {
        return known.clone();
    }
    let value = work_out();
    kept.lock().unwrap().insert(key, value.clone());
    value
}

/// What earlier runs over the untouched archive left.
fn remembered(world: &World, options: &Options) -> Checkpoint {
    static KEPT: Kept<(&str, bool, Remembered), Checkpoint> = LazyLock::new(Mutex::default);
    let bucket = if options.local { "" } else { BUCKET };
    let of = |world: &World, nights: &[i64]| {
        let mut checkpoint = Checkpoint::new(bucket, "");
        for &hours in nights {
            let mut then = State::of(world);
            then.objects.retain(|place, _| world.at(place).is_some_and(|thing| thing.time() <= night(hours)));
            let options = Options { later: hours - 6, local: options.local, ..Options::default() };
            let before = Before { checkpoint: checkpoint.clone(), ..Before::default() };
            checkpoint.advance(&run(world, &options, &then, before).0.unwrap());
        }
        checkpoint
    };
    let other = || WORLDS.iter().find(|other| other.name != world.name).unwrap();
    kept(&KEPT, (world.name, options.local, options.checkpoint.clone()), || match options.checkpoint {
        Remembered::None => Checkpoint::default(),
        Remembered::After(hours) => of(world, &[hours]),
        Remembered::TwoNights(first, second) => of(world, &[first, second]),
        Remembered::Foreign => of(other(), &[6]),
    })
}

/// What an operator accepts of what a run over the untouched archive leaves open.
fn accepted(world: &World, options: &Options) -> Acknowledgements {
    static KEPT: Kept<(&str, Options), Acknowledgements> = LazyLock::new(Mutex::default);
    let mut options = Options { acknowledged: false, short_pages: false, ..options.clone() };
    if options.checkpoint == Remembered::Foreign {
        options.checkpoint = Remembered::None;
    }
    kept(&KEPT, (world.name, options.clone()), || {
        let mut all = Acknowledgements::default();
        let before = Before { checkpoint: remembered(world, &options), ..Before::default() };
        let report = run(world, &options, &State::of(world), before).0.unwrap();
        for finding in report.findings.iter().filter(|finding| acknowledge::id_of(finding.id.as_str()).is_some()) {
            let facts = match finding.members.as_slice() {
                [] => vec![acknowledge::fact(&finding.object, finding.found.as_deref())],
                members => members.to_vec(),
            };
            for member in facts {
                let (id, who, why) = (finding.id.as_str().to_owned(), "dana".to_owned(), "a test".to_owned());
                all.add(Acknowledgement { id, member, who, when: world.now, why }).unwrap();
            }
        }
        all
    })
}

fn outcome(world: &World, options: &Options, state: &State) -> Outcome {
    let acknowledgements = if options.acknowledged { accepted(world, options) } else { Acknowledgements::default() };
    let before = Before { checkpoint: remembered(world, options), acknowledgements };
    let (report, rows) = run(world, options, state, before);
    let Some(report) = report else { return Outcome { code: 2, findings: Vec::new(), rows } };
    let findings = report.findings.iter().map(|finding| {
        let Finding { severity, object, found, sentence, members, .. } = finding;
        format!("{severity:?} {} {object} {found:?} {sentence} {members:?}", finding.id.as_str())
    });
    Outcome { code: report.exit_code, findings: findings.collect(), rows }
}

/// What is told of the archive as CloudTrail left it.
pub fn untouched(world: &World, options: &Options) -> Outcome {
    static KEPT: Kept<(&str, Options), Outcome> = LazyLock::new(Mutex::default);
    kept(&KEPT, (world.name, options.clone()), || outcome(world, options, &State::of(world)))
}

impl Sequence {
    pub fn world(&self) -> &'static World {
        WORLDS.iter().find(|world| world.name == self.world).expect("the sequence names an archive")
    }

    pub fn line(&self) -> String {
        serde_json::to_string(self).unwrap()
    }

    /// What must be told, and what the run told.
    pub fn play(&self) -> (Expected, Outcome) {
        let world = self.world();
        let state = State::played(world, &self.moves);
        let expected = Judge::expect(world, &self.options, &self.moves, &state);
        (expected, outcome(world, &self.options, &state))
    }
}
