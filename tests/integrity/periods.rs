//! What was asked for, and archives that were copied.

use super::*;

#[test]
fn periods_scopes_and_moves() {
    let with_args = |name, args: &[&'static str], code, findings: &[&'static str]| Case {
        args: args.to_vec(),
        ..case(name, Chain::new().build(), code, findings)
    };
    let moved = Chain { bucket: "where-it-was".into(), root: "old/AWSLogs/".into(), ..Chain::new() }.build();
    let mut copied = Built { public_keys: moved.public_keys.clone(), ..Built::default() };
    for (key, object) in &moved.objects {
        copied.objects.insert(key.replace("old/", ""), object.clone());
    }
    let mut unmapped = Built { public_keys: moved.public_keys, ..Built::default() };
    unmapped.objects.clone_from(&copied.objects);
    check(vec![
        with_args("no period", &[], 0, &[]),
        with_args("outside the archive", &["--from", "2026-02-01", "--to", "2026-02-02"], 3, &["nothing-to-verify"]),
        with_args(
            "ends long after the newest digest",
            &["--from", "2026-01-02T16:01:31Z", "--to", "2026-01-03T12:00:00Z"],
            3,
            &["period-not-covered"],
        ),
        with_args(
            "starts long before the first",
            &["--from", "2026-01-02T10:00:00Z", "--to", "2026-01-03T06:31:31Z"],
            3,
            &["period-not-covered"],
        ),
        with_args("a part of it", &["--from", "2026-01-02T20:00:00Z", "--to", "2026-01-03T01:00:00Z"], 0, &[]),
        with_args("a stale head", &["--max-age", "3h"], 3, &["head-stale"]),
        with_args("another account", &["--account", "999922223333"], 3, &["nothing-to-verify"]),
        with_args("this trail", &["--trail", "main"], 0, &[]),
        Case { args: vec!["--moved-from", "s3://where-it-was/old"], ..case("moved, and said so", copied, 0, &[]) },
        Case { args: vec![], ..case("moved, and not said", unmapped, 1, &["digest-moved", "log-uncovered"]) },
    ]);
}
