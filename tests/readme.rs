//! What README shows is what the program prints.

use std::fs;
use std::path::Path;
use std::process::Command;

fn readme() -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).expect("README is there")
}

/// The fenced block that starts with this line.
fn block(text: &str, fence: &str) -> String {
    let after = text.split_once(&format!("{fence}\n")).expect("the block is there").1;
    after.split_once("\n```").expect("the block ends").0.to_owned()
}

/// Everything but the line that tells the speed.
fn without_speed(output: &str) -> Vec<&str> {
    output.lines().map(str::trim_end).filter(|line| !line.starts_with("read ")).collect()
}

#[test]
fn the_first_command_prints_what_readme_shows() {
    let readme = readme();
    let commands = block(&readme, "```sh newcomer");
    let first = commands.lines().next().expect("a command");
    let line = first.strip_prefix("cargo run --quiet -- ").expect("the first command runs the program");
    let folder = tempfile::tempdir().expect("a temporary directory");
    let table = folder.path().join("table").display().to_string();
    let args = line.split(' ').map(|arg| if arg == "target/first-table" { table.as_str() } else { arg });
    let output = Command::new(env!("CARGO_BIN_EXE_trailproof"))
        .args(args)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("the program runs");
    let printed = String::from_utf8(output.stdout).expect("UTF-8").replace(&table, "target/first-table");
    let shown = block(&readme, "```text");
    assert_eq!(without_speed(&printed), without_speed(&shown));
    assert_eq!(output.status.code(), Some(0));
}

#[test]
fn the_second_command_runs_the_tests() {
    let commands = block(&readme(), "```sh newcomer");
    assert!(commands.lines().nth(1).is_some_and(|line| line.starts_with("cargo test")), "{commands}");
}

#[test]
fn help_and_readme_give_the_same_exit_codes() {
    let output = Command::new(env!("CARGO_BIN_EXE_trailproof")).arg("--help").output().expect("the program runs");
    let help = String::from_utf8(output.stdout).expect("UTF-8");
    for code in ["0", "1", "2", "3", "4"] {
        assert!(help.lines().any(|line| line.trim_start().starts_with(&format!("{code}  "))), "--help: {code}");
        assert!(readme().contains(&format!("| {code} | ")), "README: {code}");
    }
}
