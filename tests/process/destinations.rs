//! One run at a time writes to a destination, and nothing that stands there is replaced.

use super::*;
use crate::support::s3::Fault;

const CLAIM: &str = ".trailproof-claim";

/// Runs as many scans at once; their exit codes, sorted.
fn at_once(number: usize, mut scan: impl FnMut() -> Command) -> (Vec<i32>, Vec<Output>) {
    let children: Vec<Child> = (0..number).map(|_| started(scan().args(["--format", "json"]))).collect();
    let (mut codes, outputs): (Vec<i32>, Vec<Output>) = children.into_iter().map(finished).unzip();
    codes.sort_unstable();
    (codes, outputs)
}

/// The report beside a table is that of the one run that made it.
fn one_made_it(codes: &[i32], outputs: &[Output], beside: &[u8]) {
    assert_eq!(codes.iter().filter(|code| **code == 0).count(), 1, "{codes:?}");
    assert!(codes.iter().skip(1).all(|code| *code == 2), "{codes:?}");
    let winner = outputs.iter().find(|output| output.status.success()).unwrap();
    assert_eq!(winner.stdout, beside);
    for output in outputs.iter().filter(|output| !output.status.success()) {
        let said = stderr(output);
        assert!(
            said.contains("another run is writing a table here") || said.contains("holds a table already"),
            "{said}"
        );
    }
}

#[test]
fn of_scans_into_one_directory_at_once_one_writes_its_table_and_the_others_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let alone = folder.path().join("alone");
    assert_eq!(ended(&mut scan(&testdata("clean"), &alone)).0, 0);
    for round in 0..6 {
        let out = folder.path().join(format!("table-{round}"));
        let (codes, outputs) = at_once(4, || scan(&testdata("clean"), &out));
        one_made_it(&codes, &outputs, &fs::read(out.join("report.json")).unwrap());
        assert!(parts(&out) == parts(&alone));
        assert_eq!(files(&out).len(), parts(&alone).len() + 1, "{:?}", files(&out).keys());
    }
}

#[test]
fn of_scans_into_one_prefix_at_once_one_writes_its_table_and_the_others_are_refused() {
    for _ in 0..4 {
        let server = Server::start(100);
        let (codes, outputs) = at_once(3, || scan_in_s3(&server));
        let objects = server.store.objects(TABLES);
        one_made_it(&codes, &outputs, &objects["some/where/report.json"]);
        let parts = objects.keys().filter(|key| key.ends_with(".parquet")).count();
        assert_eq!((parts + 1, server.store.open_uploads()), (objects.len(), 0), "{:?}", objects.keys());
    }
}

#[test]
fn somebodys_file_is_never_replaced() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["report.json", "events/mine", "quarantine/event_date=2026-01-01/part-00000.parquet", "events"] {
        let out = folder.path().join(name.replace('/', "-"));
        fs::create_dir_all(out.join(name).parent().unwrap()).unwrap();
        fs::write(out.join(name), "mine").unwrap();
        let before = files(&out);
        let (code, output) = ended(&mut scan(&testdata("clean"), &out));
        assert_eq!(code, 2, "{name}: {}", stderr(&output));
        assert!(stderr(&output).contains("choose another --out"), "{}", stderr(&output));
        assert_eq!(files(&out), before, "{name}");
    }
    let server = Server::start(100);
    let mut scan = scan_in_s3(&server);
    server.store.put(TABLES, "some/where/report.json", b"mine".to_vec(), BTreeMap::new());
    let (code, output) = ended(&mut scan);
    assert_eq!(code, 2, "{}", stderr(&output));
    assert!(
        stderr(&output).contains("s3://tables-bucket/some/where/report.json: is there already"),
        "{}",
        stderr(&output)
    );
    assert_eq!(server.store.objects(TABLES).into_keys().collect::<Vec<_>>(), ["some/where/report.json"]);
}

#[test]
fn a_bucket_for_the_table_that_refuses_in_passing_is_asked_again() {
    let server = Server::start(100);
    let mut scan = scan_in_s3(&server);
    server.store.fail_request_at_first(0, Fault::Code("SlowDown"), 2);
    let (code, output) = ended(&mut scan);
    assert_eq!(code, 0, "{}", stderr(&output));
    let first = server.store.seen().swap_remove(0);
    assert!(first.starts_with(&format!("HEAD /{TABLES}")), "{first}");
    assert!(server.store.objects(TABLES).contains_key("some/where/report.json"));
}

#[test]
fn a_report_that_cannot_be_put_beside_its_table_is_told_in_every_other() {
    let server = Server::start(100);
    let mut scan = scan_in_s3(&server);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("report.json");
    server.store.fail("some/where/report.json", Fault::Code("AccessDenied"), u32::MAX);
    let (code, output) = ended(scan.args(["--format", "json", "--report"]).arg(&file));
    assert_eq!(code, 4, "{}", stderr(&output));
    assert!(server.store.objects(TABLES).keys().any(|key| key.ends_with(".parquet")));
    let told = report(&output);
    assert_eq!(told, serde_json::from_slice::<Value>(&fs::read(&file).unwrap()).unwrap());
    assert_eq!((&told["exit_code"], &told["verdict"]), (&4.into(), &"verified".into()));
    assert!(told["output"]["rows"].as_u64().unwrap() > 0);
    let why = told["output_failed"].as_str().unwrap();
    assert!(why.contains("report.json: cannot be written") && why.contains("AccessDenied"), "{why}");
}

#[test]
fn what_else_lies_in_a_destination_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["notes.txt", "report.json.partial", ".report.json.partial", "events.txt"] {
        fs::write(folder.path().join(name), "mine").unwrap();
    }
    let before = files(folder.path());
    let (code, output) = ended(&mut scan(&testdata("clean"), folder.path()));
    assert_eq!(code, 0, "{}", stderr(&output));
    assert!(before.iter().all(|file| files(folder.path()).get(file.0) == Some(file.1)));
}

/// Another program puts a file where one of the table is about to be named.
#[test]
fn a_file_that_appears_while_a_table_is_written_is_not_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let (archive, out) = (&*LARGE, folder.path().join("table"));
    let child = held(scan(archive, &out).args(["--threads", "1", "--max-memory", "128MiB"]), &out);
    let partial = files(&out).into_keys().find(|name| name.ends_with(".partial") && name.contains("part-")).unwrap();
    let theirs = out.join(partial.replace("/.part", "/part").trim_end_matches(".partial"));
    fs::write(&theirs, "theirs").unwrap();
    signal(&child, "CONT");
    let (code, output) = finished(child);
    assert_eq!(code, 4, "{}", stderr(&output));
    assert!(String::from_utf8_lossy(&output.stdout).starts_with("VERIFIED"));
    let name = theirs.strip_prefix(&out).unwrap().display().to_string();
    assert_eq!(files(&out), BTreeMap::from([(name, b"theirs".to_vec())]));
}

#[test]
fn an_object_that_appears_while_a_table_is_written_is_not_replaced() {
    let server = Server::start(100);
    let mut scan = scan_in_s3(&server);
    server.store.slow_down(Duration::from_millis(20));
    let child = started(scan.args(["--concurrency", "1"]));
    wait_until("a log", || server.store.seen().iter().any(|request| request.contains("_CloudTrail_")));
    let theirs = "some/where/events/event_date=2026-03-01/part-00001.parquet";
    server.store.put(TABLES, theirs, b"theirs".to_vec(), BTreeMap::new());
    let (code, output) = finished(child);
    assert_eq!(code, 4, "{}", stderr(&output));
    assert!(stderr(&output).contains("is there already, and nothing is replaced"), "{}", stderr(&output));
    assert!(String::from_utf8_lossy(&output.stdout).starts_with("VERIFIED"));
    let left = server.store.objects(TABLES);
    assert_eq!(
        left.into_iter().map(|(key, body)| (key, body.to_vec())).collect::<Vec<_>>(),
        [(theirs.to_owned(), b"theirs".to_vec())]
    );
    assert_eq!(server.store.open_uploads(), 0);
}

#[test]
fn a_destination_that_a_killed_run_left_is_used_again() {
    let folder = tempfile::tempdir().unwrap();
    let (archive, out, alone) = (&*LARGE, folder.path().join("table"), folder.path().join("alone"));
    assert_eq!(ended(&mut scan(archive, &alone)).0, 0);
    let begun = || {
        let child = started(&mut scan(archive, &out));
        wait_until("a file of the table", || files(&out).keys().any(|name| name.contains("/.part-")));
        child
    };
    let mut killed = begun();
    let (code, output) = ended(&mut scan(archive, &out));
    assert_eq!(code, 2);
    assert!(stderr(&output).contains("another run is writing a table here"), "{}", stderr(&output));
    killed.kill().unwrap();
    killed.wait().unwrap();
    // What the killed run may have named already, and what is not its.
    let part = out.join("events/event_date=2026-01-01/part-00077.parquet");
    fs::create_dir_all(part.parent().unwrap()).unwrap();
    fs::write(&part, "PAR1").unwrap();
    fs::write(out.join("events/mine"), "mine").unwrap();
    let (code, output) = ended(&mut scan(archive, &out));
    let said = stderr(&output);
    assert_eq!(code, 2, "{said}");
    let named = [out.join("events"), out.join(CLAIM)].map(|path| path.display().to_string());
    assert!(named.iter().all(|path| said.contains(path)) && said.contains("; remove "), "{said}");
    fs::remove_file(out.join("events/mine")).unwrap();
    let (code, output) = ended(&mut scan(archive, &out));
    assert_eq!(code, 0, "{}", stderr(&output));
    assert!(stderr(&output).contains("files that a run left when it was killed"), "{}", stderr(&output));
    assert!(parts(&out) == parts(&alone));
    assert_eq!(files(&out).len(), parts(&alone).len() + 1, "{:?}", files(&out).keys());
}

#[test]
fn partial_files_without_a_claim_are_told_with_what_to_remove() {
    let folder = tempfile::tempdir().unwrap();
    let partial = folder.path().join("events/event_date=2026-01-01/.part-00000.parquet.partial");
    fs::create_dir_all(partial.parent().unwrap()).unwrap();
    fs::write(&partial, "PAR1").unwrap();
    let (code, output) = ended(&mut scan(&testdata("clean"), folder.path()));
    let remove = format!("remove {}, or choose another --out", folder.path().join("events").display());
    assert_eq!(code, 2);
    assert!(stderr(&output).contains(&remove), "{}", stderr(&output));
    fs::remove_dir_all(folder.path().join("events")).unwrap();
    assert_eq!(ended(&mut scan(&testdata("clean"), folder.path())).0, 0);
}

#[test]
fn a_prefix_that_a_killed_run_left_is_told_with_what_to_remove() {
    let server = Server::start(100);
    server.store.slow_down(Duration::from_millis(200));
    let mut killed = started(&mut scan_in_s3(&server));
    let claim = format!("some/where/{CLAIM}");
    wait_until("the claim", || server.store.objects(TABLES).contains_key(&claim));
    killed.kill().unwrap();
    killed.wait().unwrap();
    server.store.slow_down(Duration::ZERO);
    let (code, output) = ended(&mut scan_in_s3(&server));
    let remove = format!("if none is, remove s3://{TABLES}/{claim}");
    assert_eq!(code, 2);
    assert!(stderr(&output).contains(&remove), "{}", stderr(&output));
    server.store.remove(TABLES, &claim);
    let (code, output) = ended(&mut scan_in_s3(&server));
    assert_eq!(code, 0, "{}", stderr(&output));
}
