//! Keeps the map in `docs/architecture.md` true: imports between modules point one way.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Every module, and the modules of this crate that it may use.
const MAY_USE: &[(&str, &[&str])] = &[
    ("sha256", &[]),
    ("finding", &[]),
    ("metrics", &[]),
    ("acknowledge", &["finding"]),
    ("archive", &[]),
    ("gunzip", &[]),
    ("event", &[]),
    ("source", &["archive"]),
    ("fetch", &["source"]),
    ("verify", &["archive", "finding", "gunzip", "sha256", "source"]),
    ("report", &["acknowledge", "archive", "finding", "verify"]),
    ("checkpoint", &["archive", "finding", "report", "sha256", "verify"]),
    ("columns", &["event"]),
    ("sink", &["columns"]),
    ("ddl", &["archive", "columns", "sink"]),
    ("synth", &["archive", "sha256"]),
    (
        "pipeline",
        &[
            "acknowledge",
            "archive",
            "checkpoint",
            "columns",
            "event",
            "fetch",
            "finding",
            "gunzip",
            "metrics",
            "report",
            "sha256",
            "sink",
            "source",
            "verify",
        ],
    ),
    (
        "cli",
        &[
            "acknowledge",
            "archive",
            "checkpoint",
            "ddl",
            "fetch",
            "finding",
            "metrics",
            "pipeline",
            "report",
            "sink",
            "source",
            "synth",
            "verify",
        ],
    ),
];

fn source_files(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("src is readable") {
        let path = entry.expect("src is readable").path();
        if path.is_dir() {
            source_files(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
}

/// The top-level module that a file belongs to.
fn module_of(path: &Path) -> String {
    let below = path.strip_prefix(root().join("src")).expect("a file of src");
    let first = below.components().next().expect("a file has a name").as_os_str().to_string_lossy();
    first.trim_end_matches(".rs").to_owned()
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn files() -> Vec<PathBuf> {
    let mut files = Vec::new();
    source_files(&root().join("src"), &mut files);
    files
}

/// The code of a file without its module of tests, which stands last. What else is there for tests only is code.
fn code_of(path: &Path) -> String {
    let text = fs::read_to_string(path).expect("src is readable");
    let tests = text.match_indices("\n#[cfg(").map(|(at, _)| at).find(|at| {
        let mut lines = text[at + 1..].lines();
        let is_for_tests = lines.next().is_some_and(|line| line.contains("test"));
        is_for_tests && lines.next().is_some_and(|line| line.ends_with("mod tests {"))
    });
    text[..tests.unwrap_or(text.len())].to_owned()
}

#[test]
fn only_the_module_of_tests_is_left_out_of_a_files_code() {
    let plan = code_of(&root().join("src/pipeline/plan.rs"));
    let (for_tests, behind) = plan.split_once("#[cfg(test)]").expect("a function that is for tests only");
    assert!(for_tests.contains("pub struct PlacePlan") && behind.contains("fn add_recorded"));
    for path in files() {
        let code = code_of(&path);
        let whole = fs::read_to_string(&path).expect("src is readable");
        assert!(!code.contains("mod tests {") && whole.starts_with(&code), "{}", path.display());
    }
}

#[test]
fn imports_point_one_way() {
    let allowed: BTreeMap<&str, &[&str]> = MAY_USE.iter().copied().collect();
    let mut wrong = Vec::new();
    for path in files() {
        let module = module_of(&path);
        if matches!(module.as_str(), "main" | "lib") {
            continue;
        }
        let Some(may_use) = allowed.get(module.as_str()) else {
            wrong.push(format!("module {module} is not on the map"));
            continue;
        };
        let code = code_of(&path);
        for line in code.lines().filter(|line| !line.trim_start().starts_with("//")) {
            for (at, _) in line.match_indices("crate::") {
                let rest = &line[at + "crate::".len()..];
                let used: String = rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
                if used != module && !may_use.contains(&used.as_str()) {
                    wrong.push(format!("{}: {module} uses {used}", path.display()));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn only_the_command_line_touches_the_terminal_and_the_clock() {
    for path in files().iter().filter(|path| !matches!(module_of(path).as_str(), "cli" | "main")) {
        let code = code_of(path);
        for call in
            ["io::stdout", "io::stderr", "println!", "Timestamp::now", "SystemTime::now", "env::var", "env::args"]
        {
            // A signed request carries the time at which it was signed.
            let signs = call == "SystemTime::now" && path.ends_with("source/s3/access.rs");
            assert!(signs || !code.contains(call), "{} uses {call}", path.display());
        }
    }
}

#[test]
fn only_the_pipeline_spawns() {
    for path in files().iter().filter(|path| !matches!(module_of(path).as_str(), "pipeline")) {
        let code = code_of(path);
        for call in ["tokio::spawn", "spawn_blocking", "thread::spawn", "rayon::spawn"] {
            assert!(!code.contains(call), "{} uses {call}", path.display());
        }
    }
}

#[test]
fn the_pure_modules_do_no_io() {
    for path in files() {
        if matches!(
            module_of(&path).as_str(),
            "acknowledge" | "archive" | "gunzip" | "verify" | "event" | "columns" | "ddl" | "finding" | "report"
        ) {
            let code = code_of(&path);
            for call in ["std::fs", "std::net", "tokio::"] {
                assert!(!code.contains(call), "{} uses {call}", path.display());
            }
        }
    }
}

#[test]
fn every_module_is_described_on_the_map() {
    let map = fs::read_to_string(root().join("docs/architecture.md")).expect("the map is there");
    for (module, _) in MAY_USE {
        assert!(map.contains(&format!("`{module}`")), "docs/architecture.md does not describe `{module}`");
    }
}
