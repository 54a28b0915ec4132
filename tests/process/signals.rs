//! Signals: the first stops a run cleanly, another ends it at once.

use std::os::unix::process::ExitStatusExt as _;

use super::*;
use crate::support::ids;

const SIGNALS: [&str; 3] = ["INT", "TERM", "HUP"];

/// A scan that has begun to write, and waits for `CONT`.
fn writing(archive: &Path, out: &Path) -> Child {
    let mut scan = scan(archive, out);
    scan.args(["--format", "json", "--threads", "1", "--max-memory", "128MiB"]);
    held(&mut heeding(&scan), out)
}

#[test]
fn a_signal_takes_partial_files_away_and_leaves_the_destination_free() {
    let folder = tempfile::tempdir().unwrap();
    let (archive, out) = (&*LARGE, folder.path().join("table"));
    for name in SIGNALS {
        let child = writing(archive, &out);
        signal(&child, name);
        signal(&child, "CONT");
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
        let child = started(&mut heeding(scan.args(["--format", "json", "--concurrency", "1"])));
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
    signal(&child, "CONT");
    assert_eq!(finished(child).0, 3);
    assert_eq!(files(&out), BTreeMap::new());
}

#[test]
fn a_second_signal_ends_a_run_that_waits() {
    let server = Server::start(100);
    let scan = scan_in_s3(&server);
    server.store.slow_down(Duration::from_secs(300));
    let mut child = started(&mut heeding(&scan));
    wait_until("a request", || server.store.seen().iter().any(|request| request.starts_with("GET ")));
    signal(&child, "TERM");
    std::thread::sleep(Duration::from_millis(600));
    assert!(child.try_wait().unwrap().is_none(), "it waits for an answer");
    signal(&child, "INT");
    let (code, output) = finished(child);
    assert_eq!((code, output.status.signal()), (4, None), "{}", stderr(&output));
    assert!(stderr(&output).contains("stopped at once; no report was written"), "{}", stderr(&output));
}

/// A stream (1 or 2) of the program is a pipe that is full, and that nobody reads until the program has ended.
fn with_a_full(stream: u8, command: &Command) -> Command {
    let script = format!("timeout 0.5 cat /dev/zero >&{stream}; exec \"$0\" \"$@\"");
    let mut shell = heeding(command);
    let args: Vec<_> = shell.get_args().map(ToOwned::to_owned).collect();
    let variables: Vec<_> =
        shell.get_envs().map(|(name, value)| (name.to_owned(), value.unwrap().to_owned())).collect();
    shell = Command::new("sh");
    shell.args(["-c", &script, "env"]).args(args).envs(variables).stdin(Stdio::null());
    shell
}

#[test]
fn a_second_signal_ends_a_run_whose_messages_nobody_reads() {
    let server = Server::start(100);
    let scan = scan_in_s3(&server);
    server.store.slow_down(Duration::from_secs(300));
    let child = started(&mut with_a_full(2, &scan));
    wait_until("a request", || server.store.seen().iter().any(|request| request.starts_with("GET ")));
    signal(&child, "TERM");
    std::thread::sleep(Duration::from_millis(600));
    signal(&child, "INT");
    assert_eq!(ended_unread(child), 4);
}

#[test]
fn a_second_signal_hides_no_verdict_that_is_known() {
    let folder = tempfile::tempdir().unwrap();
    for (archive, code) in [("clean", 4), ("changed-log", 1), ("injected-log", 3)] {
        let told = folder.path().join(format!("{archive}.json"));
        let mut verify = over("verify", &testdata(archive));
        let child = started(&mut with_a_full(1, verify.arg("--report").arg(&told)));
        // The answer is printed behind it.
        wait_until("the report", || told.exists());
        signal(&child, "TERM");
        std::thread::sleep(Duration::from_millis(600));
        signal(&child, "INT");
        assert_eq!(ended_unread(child), code, "{archive}");
    }
}

/// The exit code of a program whose output is read only when it has ended; it must within two minutes.
fn ended_unread(mut child: Child) -> i32 {
    let begun = Instant::now();
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return status.code().unwrap_or(-1);
        }
        if begun.elapsed() > Duration::from_secs(120) {
            signal(&child, "KILL");
            panic!("it did not end");
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// As `nohup` starts it.
#[test]
fn a_signal_that_the_program_was_started_to_ignore_is_ignored() {
    if !Path::new("/proc/self/status").exists() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let (archive, out) = (&*LARGE, folder.path().join("table"));
    let mut scan = scan(archive, &out);
    scan.args(["--threads", "1", "--max-memory", "128MiB"]);
    let mut shell = Command::new("sh");
    shell.args(["-c", "trap '' HUP; exec \"$0\" \"$@\""]).arg(scan.get_program()).args(scan.get_args());
    let child = held(&mut shell, &out);
    signal(&child, "HUP");
    signal(&child, "CONT");
    let (code, output) = finished(child);
    assert_eq!(code, 0, "{}", stderr(&output));
}
