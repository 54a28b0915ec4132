//! Names that are hard to write down, and text that is not what it looks like.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::PermissionsExt as _;

use super::*;

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let (path, name) = entry.map(|entry| (entry.path(), entry.file_name())).unwrap();
        if path.is_dir() {
            copy(&path, &to.join(name));
        } else {
            fs::copy(&path, to.join(name)).unwrap();
        }
    }
}

#[test]
fn paths_need_not_be_utf_8() {
    let folder = tempfile::tempdir().unwrap();
    let odd = |name: &[u8]| folder.path().join(OsStr::from_bytes(name));
    let archive = odd(b"arch\xffive");
    copy(&testdata("clean"), &archive);
    let (out, written, heads) = (odd(b"t\xfeable"), odd(b"r\xfd.json"), odd(b"h\xfc.json"));
    let mut scan = scan(&archive, &out);
    let (code, output) = ended(scan.arg("--report").arg(&written).arg("--checkpoint").arg(&heads));
    assert_eq!(code, 0, "{}", stderr(&output));
    assert!(!parts(&out).is_empty() && written.exists() && heads.exists());
    let (code, output) = ended(program().arg("ls").arg(archive.join("bucket")).args(["--format", "json"]));
    assert_eq!((code, report(&output)["misnamed"]["objects"].as_u64()), (0, Some(0)));
    for args in [[b"ls".as_slice(), b"s3://buck\xffet"], [b"verify", b"s3://bucket/\xff"], [b"l\xff", b"x"]] {
        let (code, output) = ended(program().args(args.map(OsStr::from_bytes)));
        assert_eq!(code, 2, "{}", stderr(&output));
    }
}

/// What `duckdb` would be given, by a shell that runs the printed command: its SQL, and where it is run.
fn next_command(folder: &Path, out: &OsStr) -> (String, PathBuf) {
    let (code, output) = ended(scan(&testdata("clean"), Path::new(out)).current_dir(folder));
    assert_eq!(code, 0, "{}", stderr(&output));
    let printed = String::from_utf8(output.stdout).unwrap();
    let line = printed.lines().find_map(|line| line.strip_prefix("next ")).unwrap().trim();
    let (code, output) = ended(
        Command::new("bash")
            .args(["-c", line])
            .current_dir(folder)
            .env("PATH", path_with(folder))
            .env("HOME", "/wrong"),
    );
    assert_eq!(code, 0, "{line}: {}", stderr(&output));
    let mut told = output.stdout.splitn(2, |byte| *byte == 1);
    let (place, sql) = (told.next().unwrap(), told.next().unwrap());
    (String::from_utf8(sql.to_vec()).unwrap(), OsStr::from_bytes(place).into())
}

/// A search path on which `duckdb` prints its folder and its SQL.
fn path_with(folder: &Path) -> String {
    let bin = folder.join("bin");
    fs::create_dir_all(&bin).unwrap();
    fs::write(bin.join("duckdb"), "#!/bin/sh\nprintf '%s\\001%s' \"$(pwd)\" \"$2\"\n").unwrap();
    fs::set_permissions(bin.join("duckdb"), fs::Permissions::from_mode(0o755)).unwrap();
    format!("{}:{}", bin.display(), std::env::var("PATH").unwrap())
}

#[test]
fn the_printed_command_names_the_table_whatever_it_is_called() {
    let folder = tempfile::tempdir().unwrap();
    for name in [
        b"plain".as_slice(),
        b"carol's case",
        b"[2026] *?",
        b"$HOME/`id`",
        b"a \"b\" !x ; # (c) & d",
        b"back\\slash",
        b"~",
        b"-dash",
        b"b\xffytes\xe2\x80\xae\n1",
        "größe".as_bytes(),
    ] {
        let out = OsStr::from_bytes(name);
        let out = if name.starts_with(b"-") { Path::new(".").join(out) } else { out.into() };
        let (sql, place) = next_command(folder.path(), out.as_os_str());
        let (_, rest) = sql.split_once("read_parquet('").unwrap();
        let (pattern, _) = rest.split_once("events/**/*.parquet') group by 1").unwrap();
        let named = pattern.replace("''", "'").replace("[[]", "[").replace("[*]", "*").replace("[?]", "?");
        assert!(!pattern.contains(['*', '?']) || named != pattern, "{sql}");
        let table = place.join(named).join("events");
        assert_eq!(
            table.canonicalize().unwrap(),
            folder.path().join(&out).join("events").canonicalize().unwrap(),
            "{sql}"
        );
    }
}

#[test]
fn a_made_archives_next_command_is_quoted() {
    let folder = tempfile::tempdir().unwrap();
    let mut synth = program();
    synth.args(["synth", "it's [made] $HOME", "--accounts", "1", "--regions", "1", "--hours", "2"]);
    let (code, output) = ended(synth.current_dir(folder.path()));
    assert_eq!(code, 0, "{}", stderr(&output));
    let printed = String::from_utf8(output.stdout).unwrap();
    let line = printed.lines().last().unwrap().strip_prefix("next: trailproof ").unwrap();
    let run = format!("\"$0\" {line}");
    let mut shell = Command::new("sh");
    let (code, output) = ended(shell.args(["-c", &run, env!("CARGO_BIN_EXE_trailproof")]).current_dir(folder.path()));
    assert_eq!(code, 0, "{run}: {}", stderr(&output));
}

#[test]
fn what_a_reader_cannot_see_is_escaped_in_every_answer() {
    let folder = tempfile::tempdir().unwrap();
    copy(&testdata("clean"), folder.path());
    let logs = folder.path().join("bucket/AWSLogs/111122223333/CloudTrail/us-east-1/2026/03/01");
    fs::create_dir_all(&logs).unwrap();
    let hostile = "x\u{202e}\u{9b}31m\u{7f}\u{2066}\u{200b}.json.gz";
    fs::write(logs.join(hostile), "x").unwrap();
    let written = folder.path().join("report.json");
    let seen = |text: &[u8], what: &str| {
        let text = str::from_utf8(text).unwrap();
        let unseen = |c: &char| (c.is_control() && *c != '\n') || "\u{202e}\u{2066}\u{200b}".contains(*c);
        assert_eq!(text.chars().find(unseen), None, "{what}: {text}");
        text.contains("31m")
    };
    for format in ["json", "human"] {
        let mut verify = over("verify", folder.path());
        let (_, output) = ended(verify.args(["--format", format, "--report"]).arg(&written));
        assert!(seen(&output.stdout, format) && seen(&fs::read(&written).unwrap(), "the report"), "it is told");
        let (_, output) = ended(program().arg("ls").arg(folder.path().join("bucket")).args(["--format", format]));
        assert!(seen(&output.stdout, "ls"), "it is told");
    }
    let report: Value = serde_json::from_slice(&fs::read(&written).unwrap()).unwrap();
    let objects = report["findings"].as_array().unwrap().iter().map(|finding| finding["object"].as_str().unwrap());
    assert!(objects.into_iter().any(|object| object.ends_with(hostile)), "{report}");
}
