//! `docs/verification.md` explains every finding, with its severity, and none that does not exist.

use std::fs;
use std::path::Path;

use trailproof_proof::finding::{FindingId, Severity};

fn exit_code(severity: Severity) -> u8 {
    match severity {
        Severity::Tamper | Severity::Malformed => 1,
        Severity::Coverage | Severity::Inconclusive => 3,
        Severity::Warning => 0,
    }
}

#[test]
fn every_finding_is_explained_in_order_with_its_severity() {
    let page =
        fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/verification.md")).expect("it is there");
    let sections: Vec<(&str, &str)> = page
        .split("\n## ")
        .skip(1)
        .map(|section| section.split_once("\n\n").expect("a section has a heading and a text"))
        .collect();
    let ids: Vec<&str> = FindingId::ALL.iter().map(|id| id.as_str()).collect();
    assert_eq!(sections.iter().map(|(heading, _)| *heading).collect::<Vec<_>>(), ids);
    for (id, (heading, text)) in FindingId::ALL.iter().zip(sections) {
        let severity = format!("{:?}", id.severity()).to_lowercase();
        let expected = format!("*{severity}, exit code {}.*", exit_code(id.severity()));
        assert!(text.starts_with(&expected), "{heading}");
        for part in ["Honest causes: ", "Malicious causes: ", "What to do: "] {
            assert!(text.contains(part), "{heading}: {part}");
        }
    }
}

/// The sources of the tests below a folder.
fn sources(folder: &Path, text: &mut String) {
    for entry in fs::read_dir(folder).expect("the folder is there") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            sources(&path, text);
        } else if path.extension().is_some_and(|ending| ending == "rs") && !path.ends_with(file!()) {
            text.push_str(&fs::read_to_string(path).expect("a source is readable"));
        }
    }
}

#[test]
fn every_finding_is_met_by_an_integration_test() {
    let mut text = String::new();
    sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests"), &mut text);
    let without = FindingId::ALL.iter().map(|id| id.as_str()).filter(|id| !text.contains(&format!("\"{id}\"")));
    assert_eq!(without.collect::<Vec<_>>(), Vec::<&str>::new());
}
