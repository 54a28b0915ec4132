//! Where the AWS CLI's `validate-logs` and this program must agree, they do, object by object.

use std::collections::BTreeSet;
use std::process::Command;

use crate::support::chain::{BUCKET, Built, Chain};
use crate::support::s3::Server;

/// Keys of the objects that the CLI calls invalid, and all that it said.
fn by_the_cli(server: &Server) -> (BTreeSet<String>, String) {
    let home = tempfile::tempdir().unwrap();
    let output = Command::new("aws")
        .args(["cloudtrail", "validate-logs", "--verbose", "--region", "us-east-1", "--s3-bucket", BUCKET])
        .args(["--trail-arn", "arn:aws:cloudtrail:us-east-1:111122223333:trail/main"])
        .args(["--start-time", "2026-01-02T16:01:31Z", "--end-time", "2026-01-03T06:31:31Z"])
        .env("AWS_ENDPOINT_URL", server.url())
        .env("AWS_ACCESS_KEY_ID", "test")
        .env("AWS_SECRET_ACCESS_KEY", "test")
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .env("AWS_CONFIG_FILE", home.path().join("config"))
        .output()
        .expect("the AWS CLI is on the path");
    let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    let invalid = said.lines().filter(|line| line.contains("\tINVALID"));
    let keys =
        invalid.filter_map(|line| line.split('\t').nth(1)?.strip_prefix(&format!("s3://{BUCKET}/")).map(str::to_owned));
    (keys.collect(), said)
}

/// Keys of the objects that this program calls altered, moved or missing.
fn by_this_program(server: &Server) -> BTreeSet<String> {
    let period = ["--from", "2026-01-02T16:01:31Z", "--to", "2026-01-03T06:31:31Z"];
    let answer = server.run("verify", BUCKET, &period);
    let findings = answer.report["findings"].as_array().unwrap().iter();
    let tampered = findings.filter(|finding| finding["severity"] == "tamper");
    tampered.map(|finding| finding["object"].as_str().unwrap().to_owned()).collect()
}

mod needs_aws {
    use super::*;

    #[test]
    #[ignore = "needs `aws` on the path"]
    fn the_aws_cli_and_this_program_agree_on_every_object() {
        let changed = |change: fn(&mut Built)| {
            let mut built = Chain::new().build();
            change(&mut built);
            built
        };
        let gap = Chain::with(|number, draft| {
            if number == 6 {
                draft.previous = None;
            }
        });
        let cases: [(&str, Built); 7] = [
            ("clean", changed(|_| {})),
            (
                "changed log",
                changed(|built| {
                    let key = built.logs[5][0].clone();
                    built.rewrite(&key, |_| b"{}".to_vec());
                }),
            ),
            (
                "missing log",
                changed(|built| {
                    let key = built.logs[5][0].clone();
                    built.remove(&key);
                }),
            ),
            (
                "missing digest",
                changed(|built| {
                    let key = built.digests[5].clone();
                    built.remove(&key);
                }),
            ),
            (
                "bad signature",
                changed(|built| {
                    let key = built.digests[5].clone();
                    built.metadata(&key).insert("signature".into(), "ab".repeat(256));
                }),
            ),
            (
                "moved digest",
                changed(|built| {
                    let older = built.objects[&built.digests[2]].clone();
                    let key = built.digests[5].clone();
                    built.objects.insert(key, older);
                }),
            ),
            ("gap", gap.build()),
        ];
        for (name, built) in cases {
            let server = built.serve();
            let (theirs, said) = by_the_cli(&server);
            assert!(said.contains("digest files valid"), "{name}: {said}");
            assert_eq!(theirs.is_empty(), matches!(name, "clean" | "gap"), "{name}: {said}");
            assert_eq!(by_this_program(&server), theirs, "{name}: {said}");
        }
    }
}
