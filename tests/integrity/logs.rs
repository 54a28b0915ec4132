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
            let content = crate::support::chain::gunzip(built.body(&key));
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
            let content = crate::support::chain::gunzip(built.body(&key));
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
            *built.body(&key) = crate::support::chain::gunzip(built.body(&key));
        }),
        after("injected in a covered hour", 3, &["log-unlisted"], |built| {
            let key = Chain::new().log_key("2026-01-02T20:15:00Z".parse().unwrap(), "ForgedForgedForg");
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

/// A member of which every part can be chosen.
fn member(flags: u8, fields: &[u8], content: &[u8]) -> Vec<u8> {
    let plain = gzip(content);
    let mut header = plain[..10].to_vec();
    header[3] = flags;
    [&header, fields, &plain[10..]].concat()
}

#[test]
fn logs_in_odd_containers() {
    let stored = |name, code, findings: &[&'static str], store: fn(&[u8]) -> Vec<u8>| {
        after(name, code, findings, move |built| {
            let key = built.logs[5][0].clone();
            let content = crate::support::chain::gunzip(built.body(&key));
            *built.body(&key) = store(&content);
        })
    };
    check(vec![
        stored("plain text that is no log", 1, &["log-altered"], |_| b"hello, this is no log\n".to_vec()),
        stored("only NUL bytes", 1, &["log-altered"], |_| vec![0; 100]),
        stored("NUL bytes in front", 1, &["log-altered"], |content| [vec![0; 4], gzip(content)].concat()),
        stored("a new line behind the content", 1, &["log-altered"], |content| gzip(&[content, b"\n"].concat())),
        stored("members in another order", 1, &["log-altered"], |content| {
            let (a, b) = content.split_at(9);
            [gzip(b), gzip(a)].concat()
        }),
        stored("a member with data in front", 1, &["log-altered"], |content| [gzip(b"{}"), gzip(content)].concat()),
        stored("another content of the same length behind", 1, &["log-trailing-data"], |content| {
            [gzip(content), gzip(&vec![b'x'; content.len()])].concat()
        }),
        stored("the content twice", 1, &["log-trailing-data"], |content| [gzip(content), gzip(content)].concat()),
        stored("an empty member, then one with data", 1, &["log-trailing-data"], |content| {
            [gzip(content), gzip(b""), gzip(b"{}")].concat()
        }),
        stored("NUL padding, then a member", 1, &["log-trailing-data"], |content| {
            [gzip(content), vec![0; 512], gzip(b"{}")].concat()
        }),
        stored("half a member behind", 1, &["log-trailing-data"], |content| {
            [gzip(content), gzip(b"{\"Records\":[{\"eventID\":\"forged\"}]}")[..25].to_vec()].concat()
        }),
        stored("a wrong length", 0, &["container-damaged"], |content| {
            let mut object = gzip(content);
            *object.last_mut().unwrap() ^= 1;
            object
        }),
        stored("half a trailer", 0, &["container-damaged"], |content| {
            let object = gzip(content);
            object[..object.len() - 3].to_vec()
        }),
        stored("no end of the stream behind the whole content", 0, &["container-damaged"], |content| {
            let mut stream = flate2::Compress::new(flate2::Compression::new(6), false);
            let mut deflated = Vec::with_capacity(content.len() + 100);
            stream.compress_vec(content, &mut deflated, flate2::FlushCompress::Sync).unwrap();
            [&gzip(b"")[..10], &deflated].concat()
        }),
        stored("a file name in the header", 0, &[], |content| member(8, b"log.json\0", content)),
        stored("a header checksum", 0, &[], |content| member(2, &[0, 0], content)),
        stored("a comment in the header", 0, &["container-damaged"], |content| member(16, b"hidden\0", content)),
        stored("a payload for a file name", 0, &["container-damaged"], |content| {
            member(8, &[vec![b'x'; 4000], vec![0]].concat(), content)
        }),
        stored("another method of compression", 1, &["log-altered"], |content| {
            let mut object = gzip(content);
            object[2] = 7;
            object
        }),
        stored("reserved flags", 1, &["log-altered"], |content| member(0x80, b"", content)),
    ]);
}

#[test]
fn logs_that_no_digest_names() {
    let content = b"{\"Records\":[]}";
    check(vec![
        after("moved to another name", 1, &["log-copied", "log-missing"], |built| {
            let key = built.logs[5][0].clone();
            let object = built.objects.remove(&key).unwrap();
            built.objects.insert(key.replace("lg0005", "lg9995"), object);
        }),
        after("copied to another name", 0, &["log-copied"], |built| {
            let key = built.logs[5][0].clone();
            let object = built.objects[&key].clone();
            built.objects.insert(key.replace("lg0005", "lg9995"), object);
        }),
        after("a forged log without content", 3, &["log-unlisted"], |built| {
            built.add_log("2026-01-02T20:15:00Z", "ForgedForgedForg", b"");
        }),
        after("a forged log of an account without digests", 3, &["log-uncovered"], |built| {
            let key = Chain { account: "999922223333".into(), ..Chain::new() }
                .log_key("2026-01-02T20:15:00Z".parse().unwrap(), "ForgedForgedForg");
            built.objects.insert(key, (gzip(content), BTreeMap::new()));
        }),
        after("a forged log under another root", 3, &["log-uncovered"], |built| {
            let key = Chain { root: "copy/AWSLogs/".into(), ..Chain::new() }
                .log_key("2026-01-02T20:15:00Z".parse().unwrap(), "ForgedForgedForg");
            built.objects.insert(key, (gzip(content), BTreeMap::new()));
        }),
        after("a log of another year in the folder of a day that was asked for", 3, &["log-unlisted"], |built| {
            let key = Chain::new().log_key("2026-01-02T20:15:00Z".parse().unwrap(), "ForgedForgedForg");
            built.objects.insert(key.replace("20260102T", "20200102T"), (gzip(content), BTreeMap::new()));
        }),
        after("a bomb that no digest names", 3, &["log-unlisted"], |built| {
            built.add_log("2026-01-02T20:15:00Z", "BombBombBombBomb", &vec![b' '; 40 << 20]);
        }),
        Case {
            args: vec![],
            ..after("long after the newest digest", 3, &["log-uncovered"], |built| {
                built.add_log("2026-01-03T09:15:00Z", "LaterLaterLaterL", content);
            })
        },
    ]);
}

#[test]
fn every_kind_that_no_digest_names_is_told_once() {
    let mut built = Chain::new().build();
    for kind in ["CloudTrail-Insight", "CloudTrail-NetworkActivity", "CloudTrail-Aggregated"] {
        for minute in ["2026-01-02T20:15:00Z", "2026-01-02T21:15:00Z"] {
            let key = Chain::new().log_key(minute.parse().unwrap(), "InsightInsightIn");
            let key = key.replace("/CloudTrail/", &format!("/{kind}/")).replace("_CloudTrail_", &format!("_{kind}_"));
            built.objects.insert(key, (gzip(b"{\"Records\":[]}"), BTreeMap::new()));
        }
    }
    let answer = built.verify(&PERIOD);
    let told: Vec<&str> =
        answer.report["findings"].as_array().unwrap().iter().map(|f| f["object"].as_str().unwrap()).collect();
    assert_eq!(told, ["CloudTrail-Aggregated", "CloudTrail-Insight", "CloudTrail-NetworkActivity"]);
}

#[test]
fn a_kind_that_a_digest_does_name_is_held_to_it() {
    let insight =
        |key: &str| key.replace("/CloudTrail/", "/CloudTrail-Insight/").replace("_CloudTrail_", "_CloudTrail-Insight_");
    let chain = Chain::with(move |_, draft| draft.logs[0].0 = insight(&draft.logs[0].0));
    let mut built = chain.build();
    let forged = insight(&Chain::new().log_key("2026-01-02T20:15:00Z".parse().unwrap(), "ForgedForgedForg"));
    check(vec![case("named", chain.build(), 0, &[])]);
    built.objects.insert(forged, (gzip(b"{}"), BTreeMap::new()));
    check(vec![case("not named", built, 3, &["log-unlisted"])]);
}

#[test]
fn a_kind_that_one_accounts_digest_names_is_held_to_it_in_every_account() {
    let insight =
        |key: &str| key.replace("/CloudTrail/", "/CloudTrail-Insight/").replace("_CloudTrail_", "_CloudTrail-Insight_");
    let chain = |account: &str| Chain { account: account.to_owned(), ..Chain::new() };
    for (title, names, holds) in [
        ("named in an earlier account", "111122220000", "111122229999"),
        ("named in a later account", "111122229999", "111122220000"),
    ] {
        let other = chain(holds);
        let mut built = other.build();
        let naming =
            Chain { draft: Box::new(move |_, draft| draft.logs[0].0 = insight(&draft.logs[0].0)), ..chain(names) };
        naming.build_into(&mut built);
        let forged = insight(&other.log_key("2026-01-02T20:15:00Z".parse().unwrap(), "ForgedForgedForg"));
        let uncovered = insight(&other.log_key("2026-01-01T20:15:00Z".parse().unwrap(), "EarlierEarlierEa"));
        for key in [forged, uncovered] {
            built.objects.insert(key, (gzip(b"{\"Records\":[]}"), BTreeMap::new()));
        }
        check(vec![Case { args: vec![], ..case(title, built, 3, &["log-uncovered", "log-unlisted"]) }]);
    }
}

/// Lifecycle rules take whole days away, and the first digest of a day lists logs of the evening before.
#[test]
fn a_log_that_went_with_everything_of_its_day_may_have_expired_and_one_that_left_anything_behind_was_deleted() {
    let expired = |left: Option<&str>| {
        let mut built = Chain { hours: 30, ..Chain::new() }.build();
        Chain { account: "444455556666".into(), hours: 30, ..Chain::new() }.build_into(&mut built);
        built.objects.retain(|key, _| !key.contains("/2026/01/02/") || left.is_some_and(|left| key.contains(left)));
        built
    };
    let findings = ["chain-start-missing", "log-expired"].map(str::to_owned);
    for from in [None, Some("2026-01-02T23:00:00Z")] {
        let args: Vec<&str> =
            from.into_iter().flat_map(|from| ["--from", from, "--as-of", "2026-01-04T00:10:00Z"]).collect();
        let answer = expired(None).verify(&args);
        assert_eq!((answer.code, ids(&answer.report)), (3, findings.to_vec()), "{from:?}");
        // One log of the other account is as old.
        let answer = expired(Some("444455556666_CloudTrail_us-east-1_20260102T1749Z")).verify(&args);
        let told = ids(&answer.report);
        assert_eq!((answer.code, told.contains(&"log-missing".to_owned())), (1, true), "{from:?} {told:?}");
    }
}
