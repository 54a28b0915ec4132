//! The exit code is the verdict, whatever becomes of what is printed and written.

use std::fs::File;
use std::process::Stdio;

use super::*;

/// An archive, and the exit code of its verdict.
const VERDICTS: [(&str, i32); 3] = [("clean", 0), ("changed-log", 1), ("injected-log", 3)];

/// A pipe that nobody reads.
fn unread() -> Stdio {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    writer.into()
}

fn full() -> File {
    File::options().write(true).open("/dev/full").unwrap()
}

#[test]
fn a_reader_that_goes_away_leaves_the_verdicts_code() {
    let folder = tempfile::tempdir().unwrap();
    for (archive, code) in VERDICTS {
        for format in ["human", "json"] {
            let mut verify = over("verify", &testdata(archive));
            let status = verify.args(["--format", format]).stdout(unread()).status().unwrap();
            assert_eq!(status.code(), Some(code), "verify {archive} {format}");
            let mut scan = scan(&testdata(archive), &folder.path().join(format!("{archive}-{format}")));
            let (ended, output) = ended(scan.args(["--format", format]).stdout(unread()));
            assert_eq!((ended, stderr(&output)), (code, String::new()), "scan {archive} {format}");
        }
    }
}

#[test]
fn a_reader_that_looks_for_a_word_leaves_the_verdicts_code() {
    let script = r#""$0" "$@" --format json | grep -q schema; echo "${PIPESTATUS[0]}""#;
    for (archive, code) in VERDICTS {
        let verify = over("verify", &testdata(archive));
        let (_, output) =
            ended(Command::new("bash").args(["-c", script]).arg(verify.get_program()).args(verify.get_args()));
        assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), code.to_string(), "{archive}");
    }
}

#[test]
fn an_answer_that_finds_no_room_makes_a_clean_verdict_worse_and_no_other_better() {
    for (archive, code) in [("clean", 4), ("changed-log", 1), ("injected-log", 3)] {
        for format in ["human", "json"] {
            let (ended, output) = ended(over("verify", &testdata(archive)).args(["--format", format]).stdout(full()));
            assert_eq!(ended, code, "{archive} {format}");
            assert!(stderr(&output).contains("the answer cannot be printed"), "{}", stderr(&output));
        }
    }
}

#[test]
fn a_closed_stdout_leaves_the_verdicts_code() {
    for (archive, code) in VERDICTS {
        let verify = over("verify", &testdata(archive));
        let mut shell = Command::new("sh");
        shell.args(["-c", "exec \"$0\" \"$@\" >&- 2>&-"]).arg(verify.get_program()).args(verify.get_args());
        assert_eq!(ended(&mut shell).0, code, "{archive}");
    }
}

#[test]
fn a_report_that_cannot_be_written_in_the_end_loses_no_verdict() {
    for (archive, code, word) in
        [("clean", 4, "VERIFIED"), ("changed-log", 1, "ALTERED"), ("injected-log", 3, "INCOMPLETE")]
    {
        let (ended, output) = ended(over("verify", &testdata(archive)).args(["--report", "/dev/full"]));
        assert_eq!(ended, code, "{archive}");
        assert!(String::from_utf8_lossy(&output.stdout).starts_with(word));
        assert!(stderr(&output).contains("/dev/full cannot be written"), "{}", stderr(&output));
    }
}

#[test]
fn a_report_goes_into_a_pipe_as_well() {
    let script = r#""$0" "$@" --report >(cat >&2) >/dev/null; code=$?; wait $!; exit "$code""#;
    let verify = over("verify", &testdata("changed-log"));
    let mut shell = Command::new("bash");
    let (code, output) = ended(shell.args(["-c", script]).arg(verify.get_program()).args(verify.get_args()));
    let report: Value = serde_json::from_str(&stderr(&output)).unwrap();
    assert_eq!((code, &report["verdict"]), (1, &"altered".into()));
}

/// Both go into one file, the report first, as they would go to a terminal.
#[test]
fn a_report_goes_to_where_stdout_goes_as_well() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("both");
    for name in ["/dev/stdout", "/dev/fd/1", "/proc/self/fd/1", "both"] {
        fs::write(&file, "before\n").unwrap();
        for stdout in [File::create(&file).unwrap(), File::options().append(true).open(&file).unwrap()] {
            let mut verify = over("verify", &testdata("changed-log"));
            let verify = verify.args(["--report", name]).current_dir(folder.path()).stdout(stdout);
            let before = fs::read(&file).unwrap().len();
            let (code, output) = ended(verify);
            assert_eq!(code, 1, "{name}: {}", stderr(&output));
            let written = fs::read_to_string(&file).unwrap();
            let mut values = serde_json::Deserializer::from_str(&written[before..]).into_iter::<Value>();
            assert_eq!(values.next().unwrap().unwrap()["verdict"], "altered", "{name}: {written}");
            let told = written[before + values.byte_offset()..].trim_start();
            assert!(told.starts_with("ALTERED") && told.contains("\nnext "), "{name}: {told}");
        }
    }
}

/// The table is given up when everything was read: what was read is told.
#[test]
fn a_table_that_finds_no_room_in_the_end_loses_no_verdict() {
    let folder = tempfile::tempdir().unwrap();
    for (archive, code) in [("clean", 4), ("changed-log", 1), ("injected-log", 3)] {
        let whole = folder.path().join(format!("{archive}-whole"));
        ended(&mut scan(&testdata(archive), &whole));
        let largest = parts(&whole).values().map(Vec::len).max().unwrap();
        let out = folder.path().join(archive);
        let scan = scan(&testdata(archive), &out);
        let limits = format!("trap '' XFSZ; ulimit -f {}; exec \"$0\" \"$@\" --format json", (largest - 1) / 512);
        let mut shell = Command::new("sh");
        let (ended, output) = ended(shell.args(["-c", &limits]).arg(scan.get_program()).args(scan.get_args()));
        assert_eq!(ended, code, "{archive}: {}", stderr(&output));
        assert!(stderr(&output).contains("the table cannot be written"), "{}", stderr(&output));
        assert_eq!(report(&output)["output"], Value::Null);
        assert_eq!(files(&out), BTreeMap::new());
    }
}

/// No file may grow past 512 bytes, so that the first row group already fails.
#[test]
fn a_table_that_finds_no_room_on_the_way_loses_no_verdict() {
    let folder = tempfile::tempdir().unwrap();
    for (archive, code, word) in [
        (testdata("clean"), 4, "verified"),
        (testdata("changed-log"), 1, "altered"),
        (testdata("injected-log"), 3, "incomplete"),
        (LARGE.clone(), 4, "verified"),
    ] {
        let (_, whole) = ended(over("verify", &archive).args(["--format", "json"]));
        let (whole, out) = (report(&whole), folder.path().join(archive.file_name().unwrap()));
        let scan = scan(&archive, &out);
        let script = "trap '' XFSZ; ulimit -f 1; exec \"$0\" \"$@\" --threads 1 --max-memory 128MiB --format json";
        let mut shell = Command::new("sh");
        let (ended, output) = ended(shell.args(["-c", script]).arg(scan.get_program()).args(scan.get_args()));
        assert_eq!(ended, code, "{}: {}", archive.display(), stderr(&output));
        assert!(stderr(&output).contains("the table cannot be written"), "{}", stderr(&output));
        let report = report(&output);
        assert_eq!((report["verdict"].as_str(), report["exit_code"].as_i64()), (Some(word), Some(code.into())));
        assert_eq!((&report["logs"], &report["findings"]), (&whole["logs"], &whole["findings"]));
        assert_eq!((&report["output"], &report["records"]), (&Value::Null, &whole["records"]));
        assert!(report["output_failed"].as_str().unwrap().contains("File too large"), "{report}");
        assert_eq!(files(&out), BTreeMap::new());
    }
}

#[test]
fn what_cannot_be_written_is_told_before_anything_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "mine").unwrap();
    let (below, text) = (file.join("below"), |path: &Path| path.display().to_string());
    for more in [
        ["--report".to_owned(), text(&below)],
        ["--report".to_owned(), text(folder.path())],
        ["--report".to_owned(), text(&folder.path().join("no/such/folder"))],
        ["--checkpoint".to_owned(), text(&folder.path().join("no/such/folder"))],
        ["--out".to_owned(), text(&below)],
    ] {
        let server = Server::start(100);
        let mut scan = scan_in_s3(&server);
        if more[0] == "--out" {
            let kept = scan
                .get_args()
                .map(ToOwned::to_owned)
                .filter(|arg| arg != "--out" && !arg.to_string_lossy().starts_with(&format!("s3://{TABLES}")));
            let kept: Vec<_> = kept.collect();
            let variables: Vec<_> =
                scan.get_envs().map(|(name, value)| (name.to_owned(), value.unwrap().to_owned())).collect();
            scan = program();
            scan.args(kept).envs(variables);
        }
        let (code, output) = ended(scan.args(&more));
        assert_eq!(code, 4, "{more:?}: {}", stderr(&output));
        assert!(stderr(&output).contains("cannot be written"), "{more:?}: {}", stderr(&output));
        let read = server.store.seen().into_iter().filter(|request| request.starts_with("GET /example-org-trail"));
        assert_eq!(read.collect::<Vec<_>>(), Vec::<String>::new(), "{more:?}");
        assert!(server.store.objects(TABLES).is_empty(), "{more:?} left something");
    }
    assert_eq!(files(folder.path()), BTreeMap::from([("file".to_owned(), b"mine".to_vec())]));
}

#[test]
fn a_report_is_not_written_over_a_file_that_the_run_needs() {
    let folder = tempfile::tempdir().unwrap();
    let (keys, heads) = (folder.path().join("keys.json"), folder.path().join("heads.json"));
    fs::copy(testdata("clean/public-keys.json"), &keys).unwrap();
    std::os::unix::fs::symlink(&keys, folder.path().join("link")).unwrap();
    let before = fs::read(&keys).unwrap();
    for report in [&keys, &heads, &folder.path().join("link")] {
        let mut verify = program();
        verify
            .arg("verify")
            .arg(testdata("clean/bucket"))
            .arg("--public-keys")
            .arg(&keys)
            .arg("--checkpoint")
            .arg(&heads);
        let (code, output) = ended(verify.arg("--report").arg(report));
        assert_eq!(code, 2, "{}", stderr(&output));
        assert!(stderr(&output).contains("which this run needs too"), "{}", stderr(&output));
        assert!(fs::read(&keys).unwrap() == before && !heads.exists());
    }
}

#[test]
fn a_listing_that_is_not_read_keeps_its_code() {
    let folder = tempfile::tempdir().unwrap();
    for (archive, closed, out_of_room) in [(testdata("clean/bucket"), 0, 4), (folder.path().to_owned(), 3, 3)] {
        let ls = |stdout: Stdio| program().arg("ls").arg(&archive).stdout(stdout).status().unwrap().code();
        assert_eq!((ls(unread()), ls(full().into())), (Some(closed), Some(out_of_room)), "{}", archive.display());
    }
}

#[test]
fn what_was_asked_for_and_cannot_be_printed_is_a_failure() {
    for args in [vec!["ddl", "duckdb", "--location", "x"], vec!["--help"], vec!["--version"], vec!["scan", "--help"]] {
        let told = |stdout: Stdio| program().args(&args).stdout(stdout).stderr(Stdio::null()).status().unwrap().code();
        assert_eq!((told(unread()), told(full().into())), (Some(0), Some(4)), "{args:?}");
    }
}
