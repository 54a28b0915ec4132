//! The help of every command is that on disk. `TRYCMD=overwrite` writes it anew.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use clap::CommandFactory as _;
use trailproof::cli::args::Args;

#[test]
fn the_help_of_every_command_is_that_on_disk() {
    trycmd::TestCases::new().case("tests/help/*.toml");
}

/// The names of a command and of all below it, as files are named.
fn names(command: &clap::Command, above: &str, names: &mut BTreeSet<String>) {
    for below in command.get_subcommands() {
        let name = format!("{above}{}", below.get_name());
        self::names(below, &format!("{name}-"), names);
        names.insert(name);
    }
}

#[test]
fn every_command_has_its_help_on_disk() {
    let mut commands = BTreeSet::from(["trailproof".to_owned()]);
    names(&Args::command(), "", &mut commands);
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/help");
    let files = fs::read_dir(folder).expect("the folder is there").map(|entry| entry.expect("an entry").path());
    let files: Vec<_> = files.collect();
    // A case without what is printed would hold for everything.
    for ending in ["toml", "stdout"] {
        let named = files.iter().filter(|path| path.extension().is_some_and(|found| found == ending));
        let on_disk = named.map(|path| path.file_stem().expect("a name").to_string_lossy().into_owned());
        assert_eq!(on_disk.collect::<BTreeSet<_>>(), commands, "{ending}");
    }
}

/// What stands under a heading belongs there: the struct that is flattened before must not lend its own.
#[test]
fn options_stand_under_the_heading_of_their_kind() {
    let mut args = Args::command();
    args.build();
    for (option, heading) in [
        ("out", "Table"),
        ("from", "Scope"),
        ("kind", "Scope"),
        ("public_keys", "Proof"),
        ("as_of", "Proof"),
        ("report", "Output"),
        ("format", "Output"),
        ("progress", "Output"),
        ("concurrency", "Limits"),
        ("patience", "Limits"),
        ("profile", "AWS access"),
    ] {
        for command in ["scan", "verify", "ls"] {
            let command = args.find_subcommand(command).expect("a command");
            let found = command.get_arguments().find(|argument| argument.get_id() == option);
            if let Some(argument) = found {
                assert_eq!(argument.get_help_heading(), Some(heading), "{} --{option}", command.get_name());
            }
        }
    }
}
