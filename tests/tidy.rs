//! Keeps the map in `docs/architecture.md` true: imports between modules point one way.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// A module, and what it may use.
type Module = (&'static str, &'static [&'static str]);

/// Every room: a crate's source folder, its modules, and the modules of the same crate that each may use. What a crate may
/// use of another is its manifest's to say, and the compiler's to hold.
const ROOMS: &[(&str, &[Module])] = &[
    (
        "crates/proof/src",
        &[
            ("sha256", &[]),
            ("gunzip", &[]),
            ("finding", &[]),
            ("archive", &[]),
            ("read", &[]),
            ("acknowledge", &["finding"]),
            ("verify", &["archive", "finding", "gunzip", "read", "sha256"]),
            ("report", &["acknowledge", "archive", "finding", "verify"]),
            ("checkpoint", &["archive", "finding", "report", "sha256", "verify"]),
        ],
    ),
    (
        "crates/table/src",
        &[
            ("event", &[]),
            ("columns", &["event"]),
            ("sink", &["columns"]),
            ("ddl", &["columns", "sink"]),
            ("batches", &["columns", "event", "sink"]),
        ],
    ),
    (
        "src",
        &[
            ("metrics", &[]),
            ("source", &[]),
            ("fetch", &["source"]),
            ("pipeline", &["fetch", "metrics", "source"]),
            ("cli", &["fetch", "metrics", "pipeline", "source"]),
        ],
    ),
];

/// The crates whose code nobody may give input or output, a runtime, a terminal or a clock.
const PURE: &[&str] =
    &["crates/proof/src", "crates/table/src/event", "crates/table/src/columns", "crates/table/src/ddl"];

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

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// The files below a folder of the project.
fn files_below(folder: &str) -> Vec<PathBuf> {
    let mut files = Vec::new();
    source_files(&root().join(folder), &mut files);
    assert!(!files.is_empty(), "{folder} has no source files");
    files
}

/// Every source file of the program and its crates.
fn files() -> Vec<PathBuf> {
    ROOMS.iter().flat_map(|(folder, _)| files_below(folder)).chain(files_below("crates/synth/src")).collect()
}

/// The top-level module that a file belongs to.
fn module_of(path: &Path) -> String {
    let parts: Vec<_> = path.components().map(|part| part.as_os_str().to_string_lossy().into_owned()).collect();
    let source = parts.iter().rposition(|part| part == "src").expect("a source file lies below src");
    parts[source + 1].trim_end_matches(".rs").to_owned()
}

/// The code of a file without its module of tests, which stands last. What else is there for tests only is code.
fn code_of(path: &Path) -> String {
    let text = fs::read_to_string(path).expect("a source file is readable");
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
        let whole = fs::read_to_string(&path).expect("a source file is readable");
        assert!(!code.contains("mod tests {") && whole.starts_with(&code), "{}", path.display());
    }
}

/// The module that each `crate::` of a file names.
fn used_by(path: &Path) -> Vec<String> {
    let code = code_of(path);
    let lines = code.lines().filter(|line| !line.trim_start().starts_with("//"));
    let uses = lines.flat_map(|line| line.split("crate::").skip(1));
    uses.map(|rest| rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()).collect()
}

#[test]
fn imports_point_one_way() {
    let mut wrong = Vec::new();
    for (folder, modules) in ROOMS {
        let allowed: BTreeMap<&str, &[&str]> = modules.iter().copied().collect();
        for path in files_below(folder) {
            let module = module_of(&path);
            if matches!(module.as_str(), "main" | "lib") {
                continue;
            }
            let Some(may_use) = allowed.get(module.as_str()) else {
                wrong.push(format!("{folder}: module {module} is not on the map"));
                continue;
            };
            let used = used_by(&path).into_iter().filter(|used| *used != module && !may_use.contains(&used.as_str()));
            wrong.extend(used.map(|used| format!("{}: {module} uses {used}", path.display())));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn only_the_command_line_touches_the_terminal_and_the_clock() {
    let command_line = [root().join("src/cli"), root().join("src/main.rs")];
    for path in files().iter().filter(|path| !command_line.iter().any(|room| path.starts_with(room))) {
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
    for path in files().iter().filter(|path| !path.starts_with(root().join("src/pipeline"))) {
        let code = code_of(path);
        for call in ["tokio::spawn", "spawn_blocking", "thread::spawn", "rayon::spawn"] {
            assert!(!code.contains(call), "{} uses {call}", path.display());
        }
    }
}

#[test]
fn the_pure_rooms_do_no_io() {
    for path in PURE.iter().flat_map(|folder| files_below(folder)) {
        let code = code_of(&path);
        for call in ["std::fs", "std::net", "tokio::"] {
            assert!(!code.contains(call), "{} uses {call}", path.display());
        }
    }
}

#[test]
fn the_maps_name_every_module() {
    let architecture = fs::read_to_string(root().join("docs/architecture.md")).expect("the map is there");
    for (folder, modules) in ROOMS {
        let face = fs::read_to_string(root().join(folder).join("lib.rs")).expect("a crate has a face");
        for (module, _) in *modules {
            assert!(architecture.contains(&format!("`{module}`")), "docs/architecture.md does not describe `{module}`");
            let row = format!("//! {module} ");
            assert!(face.lines().any(|line| line.starts_with(&row)), "{folder}/lib.rs does not describe `{module}`");
        }
    }
}
