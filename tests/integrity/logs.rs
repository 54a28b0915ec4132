//! Log objects: content, container, and logs that no digest names.

use super::*;

#[test]
fn logs() {
    let log = |built: &Built| built.logs[5][0].clone();
    let other = |built: &Built| built.logs[3][1].clone();
    check(vec![
        after("nothing wrong", 0, &[], |_| {}),
        after("content changed", 1, &["log-altered"], |built| {
            let key = log(built);
            built.rewrite(&key, |content| String::from_utf8(content).unwrap().replace("main-5", "main-6").into_bytes());
        }),
        after("two logs exchanged", 1, &["log-altered"], |built| built.exchange(&log(built), &other(built))),
        after("an older log over a newer one", 1, &["log-altered"], |built| {
            let older = built.objects[&other(built)].clone();
            built.objects.insert(log(built), older);
        }),
        after("emptied", 1, &["log-altered"], |built| {
            let key = log(built);
            built.body(&key).clear();
        }),
        after("emptied of records", 1, &["log-altered"], |built| {
            let key = log(built);
            built.rewrite(&key, |_| b"{\"Records\":[]}".to_vec());
        }),
        after("deleted", 1, &["log-missing"], |built| built.remove(&log(built))),
        after("cut short", 1, &["log-altered"], |built| {
            let key = log(built);
            let body = built.body(&key);
            body.truncate(body.len() / 2);
        }),
        after("recompressed", 0, &[], |built| {
            let key = log(built);
            let content = support::chain::gunzip(built.body(&key));
            let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::none());
            std::io::Write::write_all(&mut encoder, &content).unwrap();
            *built.body(&key) = encoder.finish().unwrap();
        }),
        after("second member with data", 1, &["log-trailing-data"], |built| {
            let key = log(built);
            built.body(&key).extend(gzip(b"{\"Records\":[{}]}"));
        }),
        after("garbage after the member", 1, &["log-trailing-data"], |built| {
            let key = log(built);
            built.body(&key).extend(b"garbage");
        }),
        after("a member hidden before a copied trailer", 1, &["log-trailing-data"], |built| {
            let key = log(built);
            let body = built.body(&key);
            let trailer = body[body.len() - 8..].to_vec();
            body.extend(gzip(b"{\"Records\":[{}]}"));
            body.extend(trailer);
        }),
        after("padded with NUL", 0, &["container-damaged"], |built| {
            let key = log(built);
            built.body(&key).extend([0; 512]);
        }),
        after("empty member in front", 0, &["container-damaged"], |built| {
            let key = log(built);
            let body = built.body(&key);
            *body = [gzip(b""), body.clone()].concat();
        }),
        after("empty member behind", 0, &["container-damaged"], |built| {
            let key = log(built);
            built.body(&key).extend(gzip(b""));
        }),
        after("split over members", 0, &["container-damaged"], |built| {
            let key = log(built);
            let content = support::chain::gunzip(built.body(&key));
            let (a, b) = content.split_at(9);
            *built.body(&key) = [gzip(a), gzip(b)].concat();
        }),
        after("no trailer", 0, &["container-damaged"], |built| {
            let key = log(built);
            let body = built.body(&key);
            body.truncate(body.len() - 8);
        }),
        after("wrong trailer", 0, &["container-damaged"], |built| {
            let key = log(built);
            let body = built.body(&key);
            let at = body.len() - 7;
            body[at] ^= 1;
        }),
        after("data in the header", 0, &["container-damaged"], |built| {
            let key = log(built);
            let body = built.body(&key);
            body[3] |= 4;
            let rest = body.split_off(10);
            body.extend([3, 0, b'a', b'b', b'c']);
            body.extend(rest);
        }),
        after("stored inflated", 0, &["container-damaged"], |built| {
            let key = log(built);
            *built.body(&key) = support::chain::gunzip(built.body(&key));
        }),
        after("injected in a covered hour", 3, &["log-unlisted"], |built| {
            let key = Chain::new().log_key("2026-01-02T20:15:00Z".parse().unwrap(), "ForgedForgedForg");
            built.objects.insert(key, (gzip(b"{\"Records\":[]}"), BTreeMap::new()));
        }),
        after("newer than the newest digest", 0, &[], |built| {
            let key = Chain::new().log_key("2026-01-03T06:10:00Z".parse().unwrap(), "PendingPendingPe");
            built.objects.insert(key, (gzip(b"{\"Records\":[]}"), BTreeMap::new()));
        }),
        after("kinds that no digest names", 3, &["kind-never-covered"], |built| {
            for kind in ["CloudTrail-Insight", "CloudTrail-NetworkActivity"] {
                for minute in ["2026-01-02T20:15:00Z", "2026-01-02T21:15:00Z"] {
                    let key = Chain::new().log_key(minute.parse().unwrap(), "InsightInsightIn");
                    let key =
                        key.replace("/CloudTrail/", &format!("/{kind}/")).replace("_CloudTrail_", &format!("_{kind}_"));
                    built.objects.insert(key, (gzip(b"{\"Records\":[]}"), BTreeMap::new()));
                }
            }
        }),
    ]);
}

#[test]
fn a_bomb_is_told_and_memory_is_kept() {
    let mut built = Chain::new().build();
    let key = built.logs[5][0].clone();
    *built.body(&key) = gzip(&vec![b' '; 300 << 20]);
    let answer = built.verify(&["--max-memory", "128MiB"]);
    assert_eq!((answer.code, ids(&answer.report)), (1, vec!["log-altered".to_owned()]), "{}", answer.stderr);
}

#[test]
fn logs_before_the_first_digest_are_uncovered() {
    let mut built = Chain::new().build();
    let key = Chain::new().log_key("2026-01-02T12:00:00Z".parse().unwrap(), "EarlierEarlierEa");
    built.objects.insert(key, (gzip(b"{\"Records\":[]}"), BTreeMap::new()));
    let answer = built.verify(&[]);
    assert_eq!((answer.code, ids(&answer.report)), (3, vec!["log-uncovered".to_owned()]));
    // They also show that the uncovered start of a period is no mere matter of when digests arrive.
    let answer = built.verify(&PERIOD);
    assert_eq!((answer.code, ids(&answer.report)), (3, vec!["period-not-covered".to_owned()]));
}
