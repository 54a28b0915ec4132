//! An ordinary organization, verified every night: new, closed and suspended accounts, Insights, objects that expire. It
//! must be able to end in exit code 0 every night, and what is accepted on the way must hide nothing.

use std::fs;

use super::runs::Runs;
use super::*;
use support::chain::{compact, gunzip};
use support::{Answer, Archive, run};

const MANAGEMENT: &str = "111122223333";
const MEMBER: &str = "222233334444";
const NEW: &str = "333344445555";
const LONG_CLOSED: &str = "444455556666";
const CLOSED: &str = "555566667777";
const SUSPENDED: &str = "666677778888";

fn time(text: &str) -> jiff::Timestamp {
    text.parse().unwrap()
}

/// Everything that CloudTrail ever delivers, from the first of January to the sixth, and a trail's older account.
fn everything() -> Built {
    let chain = |account: &str, first_end: &str, hours| Chain {
        root: "AWSLogs/o-exampleorgid/".into(),
        trail: "org".into(),
        account: account.into(),
        first_end: time(first_end),
        hours,
        ..Chain::new()
    };
    let whole = |account| chain(account, "2026-01-01T01:01:31Z", 123);
    let mut built = Built::default();
    whole(MANAGEMENT).build_into(&mut built);
    Chain { region: "eu-west-1".into(), ..whole(MANAGEMENT) }.build_into(&mut built);
    whole(MEMBER).build_into(&mut built);
    chain(NEW, "2026-01-03T14:01:31Z", 62).build_into(&mut built);
    chain(LONG_CLOSED, "2025-12-20T10:01:31Z", 5).build_into(&mut built);
    chain(CLOSED, "2026-01-01T01:01:31Z", 62).build_into(&mut built);
    chain(SUSPENDED, "2026-01-01T01:01:31Z", 30).build_into(&mut built);
    chain(SUSPENDED, "2026-01-04T06:01:31Z", 46).build_into(&mut built);
    for day in 1..=6 {
        let minute = time(&format!("2026-01-0{day}T01:20:00Z"));
        let log = whole(MEMBER).log_key(minute, "InsightInsightIn");
        let insight =
            log.replace("/CloudTrail/", "/CloudTrail-Insight/").replace("_CloudTrail_", "_CloudTrail-Insight_");
        built.objects.insert(insight, (gzip(b"{\"Records\":[]}"), BTreeMap::new()));
    }
    built
}

/// What the bucket holds at this time: what was delivered by then, and has not expired after so many days.
fn at(everything: &Built, now: &str, kept_from: &str) -> Built {
    let delivered = compact(time(now) - SignedDuration::from_mins(10));
    let objects = everything.objects.iter().filter(|(key, _)| {
        let name = key.rsplit('/').next().unwrap();
        // The last field but the random one; a digest's is the last.
        let written = name.split('_').find(|part| part.len() >= 14 && part.as_bytes()[8] == b'T').unwrap();
        let day = &key[..key.len() - name.len() - 1];
        written[..13] <= delivered[..13] && day[day.len() - 10..] >= *kept_from
    });
    Built {
        objects: objects.map(|(key, object)| (key.clone(), object.clone())).collect(),
        public_keys: everything.public_keys.clone(),
        ..Built::default()
    }
}

/// The auditor's desk: one file of what is accepted, from night to night.
struct Nightly {
    accepted: tempfile::TempDir,
}

impl Nightly {
    fn new() -> Self {
        let accepted = tempfile::tempdir().unwrap();
        let nothing = json!({"schema": "trailproof.acknowledgements/1", "acknowledgements": []});
        fs::write(accepted.path().join("accepted.json"), nothing.to_string()).unwrap();
        Self { accepted }
    }

    fn path(&self, name: &str) -> String {
        self.accepted.path().join(name).display().to_string()
    }

    /// The night's run, from the first moment of the day before.
    fn verify(&self, built: &Built, from: &str, now: &str) -> Answer {
        let archive = Archive::new();
        for (key, (body, metadata)) in &built.objects {
            archive.put(key, body, metadata);
        }
        archive.put_keys(&json!({ "PublicKeyList": built.public_keys }));
        let (accepted, report) = (self.path("accepted.json"), self.path("report.json"));
        let files = ["--acknowledgements", &accepted, "--report", &report];
        archive.verify(&[&files[..], &["--from", from, "--as-of", now]].concat())
    }

    fn acknowledge(&self) -> i32 {
        let args = ["acknowledge", &self.path("report.json"), "--out", &self.path("accepted.json")];
        let why = ["--who", "dana", "--why", "compared with the organization's accounts"];
        run(&args.into_iter().chain(why).map(str::to_owned).collect::<Vec<_>>()).code
    }
}

/// What is open: each id with its members.
fn open(answer: &Answer) -> Vec<(String, Vec<String>)> {
    let findings = answer.report["findings"].as_array().unwrap_or_else(|| panic!("{}", answer.stderr));
    let told = findings.iter().map(|finding| {
        let members = finding["members"].as_array().into_iter().flatten().map(|one| one.as_str().unwrap().to_owned());
        (finding["id"].as_str().unwrap().to_owned(), members.collect())
    });
    let mut told: Vec<_> = told.collect();
    told.sort();
    told
}

fn fact(account: &str, what: &str) -> String {
    format!("o-exampleorgid/{account}/us-east-1 trail org of us-east-1 {what}")
}

#[test]
fn an_ordinary_organization_ends_in_0_every_night_and_hides_nothing() {
    let everything = everything();
    let nightly = Nightly::new();
    let of = |id: &str, members: Vec<String>| (id.to_owned(), members);
    let nights = [
        (
            ["2026-01-02", "2026-01-03T03:00:00Z", "2025/12/20"],
            vec![
                of("chain-behind", vec![fact(SUSPENDED, "ended 2026-01-02T06:01:31Z")]),
                of("chain-ended", vec![fact(LONG_CLOSED, "ended 2025-12-20T14:01:31Z")]),
                of("kind-never-covered", vec![]),
            ],
        ),
        // The account that was closed long ago has expired.
        (
            ["2026-01-03", "2026-01-04T03:00:00Z", "2026/01/01"],
            vec![
                of("chain-begins", vec![fact(NEW, "begins 2026-01-03T13:01:31Z")]),
                of("chain-behind", vec![fact(CLOSED, "ended 2026-01-03T14:01:31Z")]),
            ],
        ),
        (
            ["2026-01-04", "2026-01-05T03:00:00Z", "2026/01/02"],
            vec![of("chain-begins", vec![fact(SUSPENDED, "begins 2026-01-04T05:01:31Z")])],
        ),
        (["2026-01-05", "2026-01-06T03:00:00Z", "2026/01/03"], vec![]),
    ];
    for ([from, now, kept_from], news) in &nights {
        let built = at(&everything, now, kept_from);
        let answer = nightly.verify(&built, from, now);
        assert_eq!((answer.code, open(&answer)), (if news.is_empty() { 0 } else { 3 }, news.clone()), "{now}");
        assert!(answer.report["logs"]["pending"].as_u64().unwrap() > 0, "logs of the last hours wait");
        if !news.is_empty() {
            assert_eq!(nightly.acknowledge(), 0);
            let again = nightly.verify(&built, from, now);
            assert_eq!((again.code, open(&again)), (0, vec![]), "{now}");
        }
    }
    let [from, now, kept_from] = nights[3].0;
    hides_nothing(&nightly, &at(&everything, now, kept_from), from, now);
}

/// Every way to take something away or to put something in is told, with all that is accepted.
fn hides_nothing(nightly: &Nightly, honest: &Built, from: &str, now: &str) {
    let key = |account: &str, part: &str| -> String {
        let holds = |key: &&String| key.contains(account) && key.contains(part);
        honest.objects.keys().find(holds).unwrap_or_else(|| panic!("{account} {part}")).clone()
    };
    let forged = |account: &str, minute: &str| {
        let chain = Chain { root: "AWSLogs/o-exampleorgid/".into(), account: account.into(), ..Chain::new() };
        chain.log_key(time(minute), "ForgedForgedForg")
    };
    let in_period = |key: &String| key.contains("/2026/01/05/") || key.contains("/2026/01/06/");
    type Change<'a> = Box<dyn Fn(&mut Built) + 'a>;
    let remove = |account: &'static str, which: Box<dyn Fn(&String) -> bool>| -> Change<'_> {
        Box::new(move |built| built.objects.retain(|key, _| !(key.contains(&format!("/{account}/")) && which(key))))
    };
    let plant = |key: String| -> Change<'_> {
        Box::new(move |built| {
            built.objects.insert(key.clone(), (gzip(b"{\"Records\":[{}]}"), BTreeMap::new()));
        })
    };
    let log = key(MANAGEMENT, "_CloudTrail_us-east-1_20260105T12");
    let digest = key(MEMBER, "_CloudTrail-Digest_us-east-1_org_us-east-1_20260105T12");
    let last = key(CLOSED, "_CloudTrail-Digest_us-east-1_org_us-east-1_20260103T14");
    let changed: Change<'_> = Box::new(|built| {
        let body = built.body(&log);
        *body = gzip(&[&gunzip(body)[..], b" "].concat());
    });
    let hours = |digest: bool| {
        move |key: &String| {
            let late = ["20260105T23", "20260106T00", "20260106T01", "20260106T02"];
            late.iter().any(|hour| key.contains(hour)) && (digest || !key.contains("Digest"))
        }
    };
    let moves: Vec<(&str, &str, Change<'_>)> = vec![
        ("a log is changed", "log-altered", changed),
        ("a log is deleted", "log-missing", Box::new(|built| built.remove(&log))),
        ("a digest is deleted", "digest-missing", Box::new(|built| built.remove(&digest))),
        ("an account's period is deleted", "chain-ended", remove(MEMBER, Box::new(in_period))),
        (
            "all but an account's oldest day is deleted",
            "chain-ended",
            remove(MEMBER, Box::new(|key| !key.contains("/2026/01/03/"))),
        ),
        (
            "all of an account's digests are deleted, and its logs of the period",
            "chain-ended",
            remove(MEMBER, Box::new(move |key| in_period(key) || key.contains("Digest"))),
        ),
        (
            "a Region's period is deleted",
            "chain-ended",
            remove(MANAGEMENT, Box::new(move |key| in_period(key) && key.contains("/eu-west-1/"))),
        ),
        ("an account's last hours are deleted", "chain-behind", remove(MEMBER, Box::new(hours(true)))),
        ("a new account's period is deleted", "chain-ended", remove(NEW, Box::new(in_period))),
        ("a suspended account's period is deleted again", "chain-ended", remove(SUSPENDED, Box::new(in_period))),
        ("a closed account's last digest is deleted", "chain-ended", Box::new(|built| built.remove(&last))),
        ("a log is put into a closed account", "log-uncovered", plant(forged(CLOSED, "2026-01-05T12:00:00Z"))),
        ("a log is put where it looks new", "log-unlisted", plant(forged(CLOSED, "2026-01-06T03:20:00Z"))),
        ("a log is put into an hour that is covered", "log-unlisted", plant(forged(MEMBER, "2026-01-05T12:00:00Z"))),
        (
            "a log of a made-up account is put in",
            "log-uncovered",
            plant(forged("999900001111", "2026-01-05T12:00:00Z")),
        ),
        (
            "a closed account is made to look as if it had ended later",
            "chain-ended",
            plant(last.replace("20260103T14", "20260104T14").replace("/2026/01/03/", "/2026/01/04/")),
        ),
    ];
    for (name, told, change) in moves {
        let mut built =
            Built { objects: honest.objects.clone(), public_keys: honest.public_keys.clone(), ..Built::default() };
        change(&mut built);
        assert!(built.objects != honest.objects, "{name}: nothing was changed");
        let answer = nightly.verify(&built, from, now);
        let found = ids(&answer.report);
        assert!(answer.code != 0 && found.iter().any(|id| id == told), "{name}: exit {} {found:?}", answer.code);
    }
}

/// The day of a closed account's last digest is expiring: some of it is gone, and some is still there.
#[test]
fn a_lifecycle_rule_that_is_partway_through_a_day_accuses_nobody() {
    let everything = everything();
    let runs = Runs::new();
    let evening = at(&everything, "2026-01-05T03:00:00Z", "2026/01/02");
    runs.run(&evening, &["--from", "2026-01-02", "--as-of", "2026-01-05T03:00:00Z"]);
    let (from, now) = ("2026-01-05", "2026-01-06T03:00:00Z");
    let last = |built: &Built| {
        let of_it = |key: &&String| key.contains(CLOSED) && key.contains("Digest");
        built.objects.keys().filter(of_it).max().unwrap().clone()
    };
    let head = last(&evening);
    let told_of_it = |built: &Built| {
        let before = fs::read(runs.file()).unwrap();
        let answer = runs.run(built, &["--from", from, "--as-of", now]);
        fs::write(runs.file(), before).unwrap();
        let findings = answer.report["findings"].as_array().unwrap().iter();
        let about = findings.filter(|finding| finding["object"] == head).map(|finding| finding["id"].as_str().unwrap());
        (answer.code, about.map(str::to_owned).collect::<Vec<_>>())
    };
    let kept = |is_left: &dyn Fn(&str) -> bool| {
        let mut built = at(&everything, now, "2026/01/02");
        built.objects.retain(|key, _| is_left(key));
        built
    };
    let is_later = |key: &str| !key.contains("/2026/01/02/") && !key.contains("/2026/01/03/");
    let told = |code, id: &str| (code, vec![id.to_owned()]);
    let partway = kept(&|key| is_later(key) || key.contains("/2026/01/03/") && key.contains(MEMBER));
    assert_eq!(told_of_it(&partway), told(3, "digest-unreadable"));
    assert_eq!(told_of_it(&kept(&is_later)), told(3, "head-expired"));
    let day_before = kept(&|key| is_later(key) || key.contains("/2026/01/02/") && key.contains(MEMBER));
    assert_eq!(told_of_it(&day_before), told(1, "chain-vanished"));
}
