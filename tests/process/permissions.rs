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
