//! One sequence of moves, run.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::fs;
use std::path::Path;
use std::sync::{Arc, LazyLock, Mutex};

use serde::{Deserialize, Serialize};
use trailproof::checkpoint::Checkpoint;
use trailproof::pipeline::logs::{Integrity, LogContent, LogSink};
use trailproof::report::{Records, Report};
use trailproof::source::DigestMetadata;
use trailproof::source::directory::Directory;
use trailproof::verify::digest::{Recorded, Relocation};

use super::judge::{Expected, Judge};
use super::model::{WORLDS, World};
use super::moves::{Move, Offered};
use super::options::{Options, Remembered, night};
use super::state::{COPIED_TO, State};
use crate::support::chain::{BUCKET, OTHER_KEY};
use crate::support::inprocess::{Memory, Setup, keys, report_to, runtime};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Sequence {
    pub world: String,
    pub options: Options,
    pub moves: Vec<Move>,
}

/// What a run came to.
pub struct Outcome {
    pub code: u8,
    /// Ids and objects of what was found.
    pub findings: Vec<String>,
    /// The logs that rows were made of.
    pub rows: Vec<(String, Integrity)>,
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

    /// All buckets in a directory.
    fn write(&self, folder: &Path) {
        let copied = if self.copied.is_some() { COPIED_TO } else { "" };
        for (place, object) in &self.objects {
            let is_unpacked = self.unpacked.contains(place);
            let key = if is_unpacked { place.1.trim_end_matches(".gz") } else { &place.1 };
            let path = folder.join(copied).join(key);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, if is_unpacked { &object.content[..] } else { &object.stored[..] }).unwrap();
            let DigestMetadata { signature, signature_algorithm, backfill_generation } = &object.metadata;
            if object.metadata != DigestMetadata::default() {
                let beside = folder.join(copied).join(format!("{}.metadata.json", place.1));
                let metadata = serde_json::json!({"signature": signature, "signature-algorithm": signature_algorithm,
                    "backfill-generation-timestamp": backfill_generation});
                fs::write(beside, metadata.to_string()).unwrap();
            }
        }
    }
}

fn run(world: &World, options: &Options, state: &State, checkpoint: Checkpoint) -> (Report, Vec<(String, Integrity)>) {
    let offered = match state.offered {
        Offered::All => keys(&world.keys),
        Offered::None => keys(&[]),
        Offered::SomebodyElses => keys(&[OTHER_KEY.listed()]),
    };
    let copied = if state.copied.is_some() { COPIED_TO } else { "" };
    let place = |key: &str| Recorded { bucket: BUCKET.into(), key: key.into() };
    let moves = state.copied.filter(|&told| told).map(|_| Relocation { from: place(""), to: place(COPIED_TO) });
    let setup = Setup {
        scope: options.scope(),
        checkpoint,
        moves: moves.into_iter().collect(),
        prefix: format!("{copied}{}", options.prefix),
        now: options.now(world),
        ..Setup::default()
    };
    let rows = Arc::new(Rows::default());
    let sink = Some(rows.clone());
    let report = if options.local {
        let folder = tempfile::tempdir().unwrap();
        state.write(folder.path());
        let told = if state.copied == Some(true) { COPIED_TO } else { "" };
        let source = Directory::open(&folder.path().join(told)).unwrap();
        let setup = Setup { moves: Vec::new(), prefix: String::new(), ..setup };
        runtime().block_on(report_to(source, "", &offered, setup, sink))
    } else {
        runtime().block_on(report_to(state.source(options.page_size()), BUCKET, &offered, setup, sink))
    };
    let rows = std::mem::take(&mut *rows.0.lock().unwrap());
    (report, rows)
}

type Kept<K, V> = LazyLock<Mutex<BTreeMap<K, V>>>;

/// What an earlier run over the untouched archive left.
fn remembered(world: &World, options: &Options) -> Checkpoint {
    static KEPT: Kept<(&str, bool, Remembered), Checkpoint> = LazyLock::new(Mutex::default);
    let of = |world: &World, nights: &[i64]| {
        let mut checkpoint = Checkpoint::default();
        for &hours in nights {
            let mut then = State::of(world);
            then.objects.retain(|place, _| world.at(place).is_some_and(|thing| thing.time() <= night(hours)));
            let options = Options { later: hours - 6, local: options.local, ..Options::default() };
            checkpoint.advance(&run(world, &options, &then, checkpoint.clone()).0);
        }
        checkpoint
    };
    let key = (world.name, options.local, options.checkpoint.clone());
    if let Some(kept) = KEPT.lock().unwrap().get(&key) {
        return kept.clone();
    }
    let checkpoint = match options.checkpoint {
        Remembered::None => Checkpoint::default(),
        Remembered::After(hours) => of(world, &[hours]),
        Remembered::TwoNights(first, second) => of(world, &[first, second]),
        Remembered::Foreign => of(WORLDS.iter().find(|other| other.name != world.name).unwrap(), &[6]),
    };
    KEPT.lock().unwrap().insert(key, checkpoint.clone());
    checkpoint
}

fn outcome(world: &World, options: &Options, state: &State) -> Outcome {
    let (report, rows) = run(world, options, state, remembered(world, options));
    let findings = report.findings.iter().map(|finding| format!("{} {}", finding.id.as_str(), finding.object));
    Outcome { code: report.exit_code, findings: findings.collect(), rows }
}

/// The exit code for the archive as CloudTrail left it.
pub fn untouched(world: &World, options: &Options) -> u8 {
    static KEPT: Kept<(&str, Options), u8> = LazyLock::new(Mutex::default);
    let key = (world.name, options.clone());
    if let Some(&kept) = KEPT.lock().unwrap().get(&key) {
        return kept;
    }
    let code = outcome(world, options, &State::of(world)).code;
    KEPT.lock().unwrap().insert(key, code);
    code
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
