//! The shared attack and fault cases, from a directory and through S3.

use std::fs;

use crate::support::case::Case;
use crate::support::s3::Server;
use crate::support::{Answer, Archive, shared, worst};

fn cases() -> Vec<Case> {
    let paths = fs::read_dir(shared("cases")).unwrap().map(|entry| entry.unwrap().path());
    let cases: Vec<Case> = paths
        .filter(|path| path.extension().is_some_and(|extension| extension == "json"))
        .map(|path| serde_json::from_slice(&fs::read(path).unwrap()).unwrap())
        .collect();
    assert_eq!(cases.len(), 51);
    cases.into_iter().map(without_cloudtrails_word).collect()
}

/// Neither a file of keys nor a test server is CloudTrail: neither can say that there is no such key.
fn without_cloudtrails_word(case: Case) -> Case {
    match case.id.as_str() {
        "D10" => Case { want: "inconclusive".to_owned(), ..case },
        _ => case,
    }
}

fn check(cases: Vec<Case>, run: impl Fn(&Case) -> Answer) {
    let mut wrong = Vec::new();
    for case in cases {
        let answer = run(&case);
        if worst(&answer.report) != case.want || answer.code != case.exit_code() {
            let (id, want, got) = (&case.id, &case.want, worst(&answer.report));
            wrong.push(format!("{id}: want {want}, got {got} (exit {}) {}", answer.code, answer.stderr));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

mod needs_shared {
    use super::*;

    #[test]
    #[ignore = "needs ../shared"]
    fn every_case_from_a_directory_ends_in_the_severity_it_should() {
        let cases = cases().into_iter().filter(|case| !case.needs_s3());
        check(cases.collect(), |case| {
            let archive = Archive::new();
            for object in &case.objects {
                archive.put(&object.key, &object.body(), &object.metadata);
            }
            archive.put_keys(&serde_json::json!({ "PublicKeyList": case.keys() }));
            archive.verify(&["--from", &case.args.start, "--to", &case.args.end])
        });
    }

    #[test]
    #[ignore = "needs ../shared"]
    fn every_case_through_s3_ends_in_the_severity_it_should() {
        check(cases(), |case| {
            let server = Server::start(7);
            server.store.put_case(case);
            let period = ["--from", &case.args.start, "--to", &case.args.end, "--patience", "0s"];
            server.run("verify", &case.trail_bucket, &period)
        });
    }
}
