//! Signals: the first stops a run cleanly, another ends it at once.

use std::os::unix::process::ExitStatusExt as _;

use super::*;
use crate::support::ids;

const SIGNALS: [&str; 3] = ["INT", "TERM", "HUP"];

/// A scan that has begun to write.
fn writing(archive: &Path, out: &Path) -> Child {
    let child = started(scan(archive, out).args(["--format", "json", "--threads", "1", "--max-memory", "128MiB"]));
    wait_until("a file of the table", || files(out).keys().any(|name| name.contains("/.part-")));
    child
}

#[test]
fn a_signal_takes_partial_files_away_and_leaves_the_destination_free() {
    let folder = tempfile::tempdir().unwrap();
    let (archive, out) = (&*LARGE, folder.path().join("table"));
    for name in SIGNALS {
        let child = writing(archive, &out);
        signal(&child, name);
        let (code, output) = finished(child);
        assert_eq!((code, ids(&report(&output))), (3, vec!["run-interrupted".to_owned()]), "{}", stderr(&output));
        assert_eq!(files(&out), BTreeMap::new(), "{name}");
        assert_eq!(fs::read_dir(&out).unwrap().count(), 0, "{name}");
    }
    assert_eq!(ended(&mut scan(archive, &out)).0, 0);
}

#[test]
fn a_signal_takes_open_uploads_away_and_leaves_the_prefix_free() {
    for name in SIGNALS {
        let server = Server::start(100);
        let mut scan = scan_in_s3(&server);
        server.store.slow_down(Duration::from_millis(20));
        let child = started(scan.args(["--format", "json", "--concurrency", "1"]));
        wait_until("a log", || server.store.seen().iter().any(|request| request.contains("_CloudTrail_")));
        signal(&child, name);
        let (code, output) = finished(child);
        assert_eq!((code, ids(&report(&output))), (3, vec!["run-interrupted".to_owned()]), "{}", stderr(&output));
        assert_eq!((server.store.objects(TABLES).len(), server.store.open_uploads()), (0, 0), "{name}");
        server.store.slow_down(Duration::ZERO);
        assert_eq!(ended(&mut scan_in_s3(&server)).0, 0, "{name}");
    }
}

/// `timeout` sends its signal to the program and then to its group.
#[test]
fn the_same_signal_twice_at_once_stops_cleanly() {
    let folder = tempfile::tempdir().unwrap();
    let (archive, out) = (&*LARGE, folder.path().join("table"));
    let child = writing(archive, &out);
    signal(&child, "TERM");
    signal(&child, "HUP");
    assert_eq!(finished(child).0, 3);
    assert_eq!(files(&out), BTreeMap::new());
}

#[test]
fn a_second_signal_ends_a_run_that_waits() {
    let server = Server::start(100);
    let mut scan = scan_in_s3(&server);
    server.store.slow_down(Duration::from_secs(300));
    let mut child = started(&mut scan);
    wait_until("a request", || server.store.seen().iter().any(|request| request.starts_with("GET ")));
    signal(&child, "TERM");
    std::thread::sleep(Duration::from_millis(600));
    assert!(child.try_wait().unwrap().is_none(), "it waits for an answer");
    signal(&child, "INT");
    let begun = Instant::now();
    let (code, output) = finished(child);
    assert!(begun.elapsed() < Duration::from_secs(5));
    assert_eq!((code, output.status.signal()), (4, None), "{}", stderr(&output));
    assert!(stderr(&output).contains("stopped at once; no report was written"), "{}", stderr(&output));
}

/// As `nohup` starts it.
#[test]
fn a_signal_that_the_program_was_started_to_ignore_is_ignored() {
    if !Path::new("/proc/self/status").exists() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let (archive, out) = (&*LARGE, folder.path().join("table"));
    let scan = scan(archive, &out);
    let mut shell = Command::new("sh");
    shell.args(["-c", "trap '' HUP; exec \"$0\" \"$@\""]).arg(scan.get_program()).args(scan.get_args());
    let child = started(&mut shell);
    wait_until("a file of the table", || files(&out).keys().any(|name| name.contains("/.part-")));
    signal(&child, "HUP");
    let (code, output) = finished(child);
    assert_eq!(code, 0, "{}", stderr(&output));
}
