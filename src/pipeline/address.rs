//! What is said of an archive's address: that it is in question, and which would be right.

use std::collections::BTreeSet;

use trailproof_proof::archive::inventory::Inventory;
use trailproof_proof::archive::key;
use trailproof_proof::finding::{Finding, FindingId, Severity};
use trailproof_proof::report::Findings;
use trailproof_proof::verify::address::Offset;

/// Addresses that a hint names.
const NAMED: usize = 3;

/// Asks whether the archive was named rightly, in place of what follows from that it was not: no digest was verified, so
/// nothing is known to be altered, nor that nothing covers it.
pub(super) fn ask(offsets: &BTreeSet<Offset>, archive: &str, findings: &mut Findings) {
    findings.retain(|id| {
        !matches!(id.severity(), Severity::Tamper | Severity::Coverage) || id == FindingId::ObjectUnlisted
    });
    let Some(first) = offsets.first() else { return };
    let place = |prefix: &str| if prefix.is_empty() { "its top".to_owned() } else { format!("{prefix} in it") };
    let sentence = format!(
        "no digest lies where it says: what {} should hold lies at {} (of {} such places)",
        first.recorded,
        place(&first.found.key),
        offsets.len()
    );
    let mut hints: Vec<String> = offsets.iter().take(NAMED).map(|offset| rightly_named(offset, archive)).collect();
    hints.dedup();
    let more = if offsets.len() > NAMED { " (and so on)" } else { "" };
    let finding = Finding::new(FindingId::ArchiveAddress, archive, sentence);
    let finding = finding.compared(&first.recorded, &first.found);
    findings.add(finding.with_hint(format!("name {}{more}", hints.join("; or, for another, "))));
}

/// How the archive is named so that its digests lie where they say.
fn rightly_named(Offset { found, recorded }: &Offset, archive: &str) -> String {
    if !found.bucket.is_empty() {
        return format!("the archive {found} with --moved-from {recorded}");
    }
    let root = archive.trim_end_matches('/');
    let folder = match found.key.trim_end_matches('/') {
        "" => archive.to_owned(),
        below => format!("{root}/{below}"),
    };
    if recorded.key.is_empty() {
        return format!("the archive {folder}");
    }
    let above = found.key.is_empty().then(|| root.strip_suffix(recorded.key.trim_end_matches('/'))).flatten();
    match above {
        Some(above) if above.is_empty() || above.ends_with('/') => format!("the archive {}", folder_of(above)),
        _ => format!("the archive {folder} with --moved-from {recorded}"),
    }
}

/// A path that something was taken from the end of, as a folder.
fn folder_of(path: &str) -> &str {
    match path.trim_end_matches('/') {
        "" if path.is_empty() => ".",
        "" => "/",
        folder => folder,
    }
}

/// What to do where nothing of CloudTrail's was found: the address may lie too low for its names to tell.
pub(super) fn nothing_found(inventory: &Inventory, archive: &str) -> String {
    let plain = "check the archive's address and --from/--to; point at the folder that holds AWSLogs/".to_owned();
    if !inventory.foreign.names.iter().any(|name| key::is_named_like_cloudtrails(name)) {
        return plain;
    }
    let root = format!("{}/", archive.trim_end_matches('/'));
    let at = root.match_indices("AWSLogs/").map(|(at, _)| at).filter(|&at| at == 0 || root[..at].ends_with('/')).last();
    match at {
        Some(at) => format!("the address lies below AWSLogs/: name the archive {}", folder_of(&root[..at])),
        None => "the address lies below AWSLogs/: name the folder that holds AWSLogs/".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use trailproof_proof::archive::scope::Scope;
    use trailproof_proof::verify::digest::Recorded;

    #[test]
    fn the_right_archive_is_named_for_each_wrong_one() {
        let named = |archive: &str, found: (&str, &str), recorded: (&str, &str)| {
            let place = |(bucket, key): (&str, &str)| Recorded { bucket: bucket.into(), key: key.into() };
            rightly_named(&Offset { found: place(found), recorded: place(recorded) }, archive)
        };
        assert_eq!(named("mirrors/", ("", "b/"), ("b", "")), "the archive mirrors/b");
        assert_eq!(named("mirror/audit", ("", ""), ("b", "audit/")), "the archive mirror");
        assert_eq!(named("/audit/", ("", ""), ("b", "audit/")), "the archive /");
        assert_eq!(named("audit", ("", ""), ("b", "audit/")), "the archive .");
        assert_eq!(named("copy", ("", ""), ("b", "audit/")), "the archive copy with --moved-from s3://b/audit/");
        assert_eq!(named("caudit", ("", ""), ("b", "audit/")), "the archive caudit with --moved-from s3://b/audit/");
        assert_eq!(named("c", ("", "x/"), ("b", "y/")), "the archive c/x with --moved-from s3://b/y/");
        let below = |archive: &str| {
            let mut inventory = Inventory::default();
            let name = "CloudTrail/us-east-1/2026/01/02/111122223333_CloudTrail_us-east-1_x";
            inventory.add(&"".into(), name, 1, &Scope::default());
            nothing_found(&inventory, archive)
        };
        for (archive, named) in [
            ("mirror/AWSLogs/111122223333", "name the archive mirror"),
            ("AWSLogs/", "name the archive ."),
            ("/AWSLogs", "name the archive /"),
            ("o-exampleorgid/AWSLogs/o-exampleorgid", "name the archive o-exampleorgid"),
            (".", "name the folder that holds AWSLogs/"),
        ] {
            assert_eq!(below(archive), format!("the address lies below AWSLogs/: {named}"));
        }
        assert!(nothing_found(&Inventory::default(), ".").starts_with("check the archive's address"));
        assert_eq!(named("s3://c", ("c", "x/"), ("b", "")), "the archive s3://c/x/ with --moved-from s3://b/");
    }
}
