//! Acknowledgements: what they take out of the verdict, and what they never do.

use std::fs;

use super::*;
use support::{Answer, Archive, run};

const OTHER: &str = "444455556666";

/// An archive with a report, and a file of what is accepted.
struct Desk {
    archive: Archive,
}

impl Desk {
    fn new(built: &Built) -> Self {
        let archive = Archive::new();
        for (key, (body, metadata)) in &built.objects {
            archive.put(key, body, metadata);
        }
        archive.put_keys(&json!({ "PublicKeyList": built.public_keys }));
        Self { archive }
    }

    fn path(&self, name: &str) -> String {
        self.archive.path(name).display().to_string()
    }

    fn verify(&self, more: &[&str]) -> Answer {
        self.archive.verify(&[&["--report", &self.path("report.json")], more].concat())
    }

    fn verify_with_file(&self, more: &[&str]) -> Answer {
        self.verify(&[&["--acknowledgements", &self.path("accepted.json")], more].concat())
    }

    fn acknowledge(&self, more: &[&str]) -> Answer {
        let (file, report) = (self.path("accepted.json"), self.path("report.json"));
        let args = [&["acknowledge", &report, "--out", &file, "--who", "dana"], more].concat();
        run(&args.iter().map(|arg| (*arg).to_owned()).collect::<Vec<_>>())
    }
}

fn told(answer: &Answer) -> (i32, Vec<String>) {
    (answer.code, ids(&answer.report))
}

fn found(code: i32, ids: &[&str]) -> (i32, Vec<String>) {
    (code, ids.iter().map(|id| (*id).to_owned()).collect())
}

/// Two accounts, of which the second ended eight hours before the first, and logs of a kind that no digest names.
fn with_an_account_that_left(hours: usize) -> Built {
    let mut built = Chain { hours: 16, ..Chain::new() }.build();
    Chain { account: OTHER.into(), hours, ..Chain::new() }.build_into(&mut built);
    let log = Chain::new().log_key("2026-01-02T20:15:00Z".parse().unwrap(), "InsightInsightIn");
    let insight = log.replace("/CloudTrail/", "/CloudTrail-Insight/").replace("_CloudTrail_", "_CloudTrail-Insight_");
    built.objects.insert(insight, (gzip(b"{\"Records\":[]}"), BTreeMap::new()));
    built
}

#[test]
fn what_is_acknowledged_is_repeated_and_leaves_the_verdict() {
    let desk = Desk::new(&with_an_account_that_left(8));
    assert_eq!(told(&desk.verify(&[])), found(3, &["chain-behind", "kind-never-covered"]));
    assert_eq!(desk.acknowledge(&["--why", "no digest names them", "--id", "kind-never-covered"]).code, 0);
    assert_eq!(told(&desk.verify_with_file(&[])), found(3, &["chain-behind"]));
    assert_eq!(desk.acknowledge(&["--why", "left, ticket 4711", "--match", OTHER]).code, 0);
    let answer = desk.verify_with_file(&[]);
    assert_eq!(told(&answer), found(0, &[]));
    let acknowledged = answer.report["acknowledged"].as_array().unwrap();
    let of = |name: &str| acknowledged.iter().map(|one| one[name].as_str().unwrap().to_owned()).collect::<Vec<_>>();
    assert_eq!(of("id"), ["chain-ended", "kind-never-covered"]);
    assert_eq!(of("why"), ["left, ticket 4711", "no digest names them"]);
    assert_eq!(of("who"), ["dana", "dana"]);
    // The same end, before the period this time: it is the same fact.
    let later = ["--from", "2026-01-03T05:00:00Z", "--as-of", "2026-01-03T10:30:00Z"];
    assert_eq!(told(&desk.verify(&later)), found(3, &["chain-ended"]));
    let answer = desk.verify_with_file(&later);
    assert_eq!(told(&answer), found(0, &[]));
    assert_eq!(answer.report["verified_through"], "2026-01-03T09:01:31Z");
}

#[test]
fn what_happens_after_an_acknowledgement_is_told_again() {
    let desk = Desk::new(&with_an_account_that_left(8));
    desk.verify(&[]);
    assert_eq!(desk.acknowledge(&["--why", "looked into"]).code, 0);
    let accepted = fs::read(desk.archive.path("accepted.json")).unwrap();
    for (built, expected) in [
        // An hour less of what was left, an hour more of what was to be over, and a log changed.
        (with_an_account_that_left(7), found(3, &["chain-behind"])),
        (with_an_account_that_left(9), found(3, &["chain-behind"])),
        (
            {
                let mut built = with_an_account_that_left(8);
                let key = built.logs[18][0].clone();
                built.rewrite(&key, |_| b"{}".to_vec());
                built
            },
            found(1, &["log-altered"]),
        ),
    ] {
        let desk = Desk::new(&built);
        fs::write(desk.archive.path("accepted.json"), &accepted).unwrap();
        assert_eq!(told(&desk.verify_with_file(&[])), expected);
    }
}

#[test]
fn an_account_without_digests_is_acknowledged_up_to_its_newest_log() {
    let with_logs_of = |days: &[&str]| {
        let mut built = Chain { hours: 60, ..Chain::new() }.build();
        for day in days {
            let minute = format!("2025-12-{day}T12:00:00Z").parse().unwrap();
            let log = Chain { account: OTHER.into(), ..Chain::new() }.log_key(minute, "NoDigestNoDigest");
            built.objects.insert(log, (gzip(b"{\"Records\":[]}"), BTreeMap::new()));
        }
        Desk::new(&built)
    };
    let nights = [
        ["--from", "2026-01-03T00:00:00Z", "--as-of", "2026-01-05T06:00:00Z"],
        ["--from", "2026-01-04T00:00:00Z", "--as-of", "2026-01-05T07:00:00Z"],
    ];
    let desk = with_logs_of(&["20"]);
    assert_eq!(told(&desk.verify(&nights[0])), found(3, &["chain-ended"]));
    assert_eq!(desk.acknowledge(&["--why", "validation is off there"]).code, 0);
    for night in &nights {
        assert_eq!(told(&desk.verify_with_file(night)), found(0, &[]));
    }
    let later = with_logs_of(&["20", "21"]);
    fs::copy(desk.archive.path("accepted.json"), later.archive.path("accepted.json")).unwrap();
    assert_eq!(told(&later.verify_with_file(&nights[1])), found(3, &["chain-ended"]));
}

#[test]
fn a_restart_is_acknowledged_with_its_span() {
    let restart = |gone: std::ops::Range<usize>| {
        let chain = Chain::with(|number, draft| {
            if number == 8 {
                draft.previous = None;
            }
        });
        let mut built = chain.build();
        for number in gone {
            let keys = [vec![built.digests[number].clone()], built.logs[number].clone()].concat();
            keys.iter().for_each(|key| built.remove(key));
        }
        built
    };
    let desk = Desk::new(&restart(6..8));
    assert_eq!(told(&desk.verify(&[])), found(3, &["chain-restart"]));
    assert_eq!(desk.acknowledge(&["--why", "StopLogging, change 12"]).code, 0);
    assert_eq!(told(&desk.verify_with_file(&[])), found(0, &[]));
    // Another hour of the older part is gone: the break is as old, and longer.
    let longer = Desk::new(&restart(5..8));
    fs::copy(desk.archive.path("accepted.json"), longer.archive.path("accepted.json")).unwrap();
    assert_eq!(told(&longer.verify_with_file(&[])), found(3, &["chain-restart"]));
}

#[test]
fn alteration_and_what_could_not_be_read_cannot_be_acknowledged() {
    let mut built = Chain::new().build();
    let (log, digest) = (built.logs[5][0].clone(), built.digests[11].clone());
    built.rewrite(&log, |_| b"{}".to_vec());
    built.metadata(&digest).clear();
    let desk = Desk::new(&built);
    assert_eq!(told(&desk.verify(&[])), found(1, &["log-altered", "signature-lost"]));
    for id in [&[][..], &["--id", "log-altered"], &["--id", "signature-lost"], &["--id", "period-not-covered"]] {
        let answer = desk.acknowledge(&[&["--why", "never mind"], id].concat());
        assert_eq!(answer.code, 2, "{}", answer.stderr);
        assert!(!desk.archive.path("accepted.json").exists());
    }
    for id in ["log-altered", "signature-lost", "log-unlisted", "nothing-to-verify", "no-such-id"] {
        let entry = json!({"id": id, "member": log, "who": "eve", "when": "2026-01-04T00:00:00Z", "why": "never mind"});
        let file = json!({"schema": "trailproof.acknowledgements/1", "acknowledgements": [entry]});
        fs::write(desk.archive.path("accepted.json"), file.to_string()).unwrap();
        let answer = desk.verify_with_file(&[]);
        assert_eq!(answer.code, 2, "{id}: {}", answer.stderr);
        assert!(answer.stderr.contains("accepted.json"), "{}", answer.stderr);
    }
}

#[test]
fn a_file_that_is_missing_or_damaged_is_a_usage_error_and_is_not_replaced() {
    let desk = Desk::new(&with_an_account_that_left(8));
    assert_eq!(desk.verify_with_file(&[]).code, 2);
    desk.verify(&[]);
    for text in ["", "{}", "[]", "null"] {
        fs::write(desk.archive.path("accepted.json"), text).unwrap();
        assert_eq!(desk.verify_with_file(&[]).code, 2, "{text:?}");
        assert_eq!(desk.acknowledge(&["--why", "left"]).code, 2, "{text:?}");
        assert_eq!(fs::read_to_string(desk.archive.path("accepted.json")).unwrap(), text);
    }
}

#[cfg(unix)]
#[test]
fn the_file_is_its_owners_alone() {
    use std::os::unix::fs::PermissionsExt as _;
    let desk = Desk::new(&with_an_account_that_left(8));
    desk.verify(&[]);
    desk.acknowledge(&["--why", "left"]);
    let mode = fs::metadata(desk.archive.path("accepted.json")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}
