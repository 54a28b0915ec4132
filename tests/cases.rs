//! The shared attack and fault cases, from a directory. Skipped with a line where `../shared/cases` is absent.

mod support;

use std::collections::BTreeMap;
use std::fs;

use support::{Answer, Archive, shared, worst};

#[derive(serde::Deserialize)]
struct Case {
    id: String,
    want: String,
    args: Args,
    objects: Vec<Object>,
    public_keys: Vec<Key>,
}

#[derive(serde::Deserialize)]
struct Args {
    start: String,
    end: String,
}

#[derive(serde::Deserialize)]
struct Object {
    key: String,
    body_base64: String,
    metadata: BTreeMap<String, String>,
    error: Option<String>,
    read_fault: Option<String>,
}

#[derive(serde::Deserialize)]
struct Key {
    fingerprint: String,
    der_base64: String,
}

impl Case {
    fn needs_s3(&self) -> bool {
        self.objects.iter().any(|object| object.error.is_some() || object.read_fault.is_some())
    }

    fn answer(&self) -> Answer {
        use base64::Engine as _;
        let archive = Archive::new();
        for object in &self.objects {
            let body = base64::engine::general_purpose::STANDARD.decode(&object.body_base64).expect("base64");
            archive.put(&object.key, &body, &object.metadata);
        }
        let keys: Vec<_> = self
            .public_keys
            .iter()
            .map(|key| serde_json::json!({"Value": key.der_base64, "Fingerprint": key.fingerprint}))
            .collect();
        archive.put_keys(&serde_json::json!({ "PublicKeyList": keys }));
        archive.verify(&["--from", &self.args.start, "--to", &self.args.end])
    }
}

#[test]
fn every_shared_case_ends_in_the_severity_it_should() {
    let Some(folder) = shared("cases") else { return };
    let mut wrong = Vec::new();
    let mut run = 0;
    for entry in fs::read_dir(folder).expect("cases are readable") {
        let path = entry.expect("cases are readable").path();
        if path.extension().is_none_or(|extension| extension != "json") {
            continue;
        }
        let case: Case = serde_json::from_slice(&fs::read(&path).expect("readable")).expect("a case");
        if case.needs_s3() {
            continue;
        }
        run += 1;
        let answer = case.answer();
        let exit = match case.want.as_str() {
            "tamper" | "malformed" => 1,
            "coverage" | "inconclusive" => 3,
            _ => 0,
        };
        if worst(&answer.report) != case.want || answer.code != exit {
            wrong.push(format!(
                "{}: want {}, got {} (exit {})",
                case.id,
                case.want,
                worst(&answer.report),
                answer.code
            ));
        }
    }
    assert!(run > 40, "only {run} cases were run");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
