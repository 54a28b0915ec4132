//! `testdata/` is what `trailproof synth` makes: each archive is made again and compared byte for byte.
//!
//! After a deliberate change of `synth`, `TRAILPROOF_BLESS=1 cargo test --test all testdata::` writes them anew.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use trailproof_synth::{SynthOptions, Tamper};

/// The archives: the clean one, and a copy for each kind of tampering, which is its name.
fn cases() -> Vec<(&'static str, Option<Tamper>)> {
    let tampered = Tamper::ALL.map(|kind| (kind.name(), Some(kind)));
    [("clean", None)].into_iter().chain(tampered).collect()
}

/// The options in `testdata/README.md`.
fn options(dest: &Path, tamper: Option<Tamper>) -> SynthOptions {
    SynthOptions {
        accounts: 2,
        regions: 2,
        hours: 4,
        logs_per_hour: 2,
        records_per_log: 7,
        seed: 7,
        tamper: tamper.into_iter().collect(),
        ..SynthOptions::new(dest)
    }
}

fn testdata() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata")
}

/// Files by their path below `root`, with `/` between its parts.
fn files(root: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display())) {
            let path = entry.expect("the entry is there").path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let parts: Vec<_> = path.strip_prefix(root).expect("below the root").iter().collect();
            let name = parts.iter().map(|part| part.to_str().expect("UTF-8")).collect::<Vec<_>>().join("/");
            files.insert(name, fs::read(&path).expect("the file is there"));
        }
    }
    files
}

#[test]
fn every_archive_is_what_synth_makes() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let bless = std::env::var_os("TRAILPROOF_BLESS").is_some();
    for (name, tamper) in cases() {
        let (made, kept) = (dir.path().join(name), testdata().join(name));
        trailproof_synth::write(options(&made, tamper)).expect("the archive is made");
        if bless {
            let _ = fs::remove_dir_all(&kept);
            trailproof_synth::write(options(&kept, tamper)).expect("the archive is made");
        }
        let (made, kept) = (files(&made), files(&kept));
        let names = |files: &BTreeMap<String, Vec<u8>>| files.keys().cloned().collect::<BTreeSet<_>>();
        assert_eq!(names(&made), names(&kept), "{name}");
        let differing: Vec<_> = made.keys().filter(|file| made[*file] != kept[*file]).collect();
        assert_eq!(differing, Vec::<&String>::new(), "{name}");
    }
}

#[test]
fn there_is_an_archive_for_each_kind_of_tampering_and_no_other() {
    let folders = fs::read_dir(testdata()).expect("testdata is there").map(|entry| entry.expect("the entry is there"));
    let archives: BTreeSet<_> =
        folders.map(|entry| entry.path()).filter(|path| path.join("truth.json").is_file()).collect();
    assert_eq!(archives, cases().into_iter().map(|(name, _)| testdata().join(name)).collect());
}

#[test]
fn the_archives_are_small() {
    let size = |files: &BTreeMap<String, Vec<u8>>| files.values().map(Vec::len).sum::<usize>();
    assert!(size(&files(&testdata().join("clean"))) < 250_000);
    assert!(size(&files(&testdata())) < 1_000_000);
}

#[test]
fn the_readme_states_the_commands() {
    let readme = fs::read_to_string(testdata().join("README.md")).expect("the README is there");
    for (name, tamper) in cases() {
        let mut command = format!(
            "trailproof synth testdata/{name} --accounts 2 --regions 2 --hours 4 --logs-per-hour 2 --records-per-log 7 --seed 7"
        );
        if let Some(kind) = tamper {
            command.push_str(&format!(" --tamper {kind}"));
        }
        assert!(readme.lines().any(|line| line == command), "{command}");
    }
}
