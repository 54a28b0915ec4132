//! Who may read what is written: keys and checkpoints their owner, tables and reports whom the umask lets.

use std::os::unix::fs::PermissionsExt as _;

use super::*;

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn tables_and_reports_follow_the_umask_and_checkpoints_are_the_owners_alone() {
    for (umask, expected) in [("027", 0o640), ("000", 0o666), ("077", 0o600)] {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let scan = scan(&testdata("clean"), &path("table"));
        let mut shell = Command::new("sh");
        shell.args(["-c", &format!("umask {umask}; exec \"$0\" \"$@\"")]).arg(scan.get_program()).args(scan.get_args());
        shell.arg("--report").arg(path("report.json")).arg("--checkpoint").arg(path("heads.json"));
        let (code, output) = ended(&mut shell);
        assert_eq!(code, 0, "{}", stderr(&output));
        let parts = parts(&path("table")).into_keys().map(|part| path("table").join(part));
        for file in parts.chain([path("table/report.json"), path("report.json")]) {
            assert_eq!(mode(&file), expected, "{}", file.display());
        }
        assert_eq!(mode(&path("heads.json")), 0o600);
    }
}

/// `acknowledge` of the facts of a report that hold a text.
fn acknowledge(report: &Path, file: &Path, text: &str) -> Command {
    let mut acknowledge = program();
    acknowledge.arg("acknowledge").arg(report).arg("--out").arg(file);
    acknowledge.args(["--who", "dana", "--why", "left", "--match", text]);
    acknowledge
}

#[test]
fn a_file_of_acknowledgements_stays_as_readable_as_it_was_and_where_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let finding = serde_json::json!({"id": "chain-ended", "object": "o", "members": ["one", "two", "three"]});
    fs::write(path("report.json"), serde_json::json!({"findings": [finding]}).to_string()).unwrap();
    fs::create_dir(path("shared")).unwrap();
    std::os::unix::fs::symlink("shared/accepted.json", path("accepted.json")).unwrap();
    for (text, before, expected) in [("one", None, 0o600), ("two", Some(0o664), 0o664), ("three", Some(0o600), 0o600)] {
        if let Some(before) = before {
            fs::set_permissions(path("shared/accepted.json"), fs::Permissions::from_mode(before)).unwrap();
        }
        let acknowledge = acknowledge(&path("report.json"), &path("accepted.json"), text);
        let mut shell = Command::new("sh");
        shell.args(["-c", "umask 027; exec \"$0\" \"$@\""]).arg(acknowledge.get_program()).args(acknowledge.get_args());
        let (code, output) = ended(&mut shell);
        assert_eq!(code, 0, "{}", stderr(&output));
        assert_eq!(mode(&path("shared/accepted.json")), expected, "{text}");
        assert!(path("accepted.json").is_symlink());
    }
}

#[test]
fn of_many_who_acknowledge_at_once_none_loses_what_another_accepted() {
    let folder = tempfile::tempdir().unwrap();
    let (told, accepted) = (folder.path().join("report.json"), folder.path().join("accepted.json"));
    let members: Vec<String> = (10..22).map(|number| format!("fact {number}")).collect();
    let finding = serde_json::json!({"id": "chain-ended", "object": "o", "members": members});
    fs::write(&told, serde_json::json!({"findings": [finding]}).to_string()).unwrap();
    let children: Vec<Child> =
        members.iter().map(|member| started(&mut acknowledge(&told, &accepted, member))).collect();
    for child in children {
        let (code, output) = finished(child);
        assert_eq!(code, 0, "{}", stderr(&output));
    }
    let accepted = fs::read_to_string(&accepted).unwrap();
    assert!(members.iter().all(|member| accepted.contains(member.as_str())), "{accepted}");
}
