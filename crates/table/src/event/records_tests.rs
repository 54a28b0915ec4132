//! What the container walk promises, case by case and against serde_json.

use proptest::prelude::*;

use super::*;

/// Each entry as `(offset, bytes, defect)`, with `None` for a record.
fn entries(content: &[u8]) -> Vec<(usize, Vec<u8>, Option<Defect>)> {
    let mut recall = Recall::default();
    let mut records = Records::new(content, &mut recall);
    let mut all = Vec::new();
    while let Some(entry) = records.next_entry() {
        all.push(match entry {
            Entry::Record(record) => (record.offset, record.text.as_bytes().to_vec(), None),
            Entry::Malformed(bad) => (bad.offset, bad.raw.to_vec(), Some(bad.defect)),
        });
    }
    all
}

fn texts(content: &str) -> Vec<String> {
    entries(content.as_bytes())
        .into_iter()
        .map(|(_, raw, defect)| {
            assert_eq!(defect, None, "{content}");
            String::from_utf8(raw).unwrap()
        })
        .collect()
}

fn defects(content: &[u8]) -> Vec<(usize, String, String)> {
    entries(content)
        .into_iter()
        .filter_map(|(offset, raw, defect)| {
            Some((offset, String::from_utf8_lossy(&raw).into_owned(), defect?.to_string()))
        })
        .collect()
}

#[test]
fn every_container_shape_yields_the_same_records() {
    for content in [
        r#"{"Records":[{"a":1},{"b":2}]}"#,
        r#" { "Records" : [ {"a":1} , {"b":2} ] } "#,
        r#"[{"a":1},{"b":2}]"#,
        r#"[[{"a":1}],[[{"b":2}],[]]]"#,
        r#"{"Records":[[{"a":1},{"b":2}]]}"#,
        r#"{"Records":[{"a":1}],"Records":[{"b":2}]}"#,
        r#"{"\u0052ecords":[{"a":1},{"b":2}]}"#,
    ] {
        assert_eq!(texts(content), [r#"{"a":1}"#, r#"{"b":2}"#], "{content}");
    }
    assert!(texts(r#"{"Records":[]}"#).is_empty());
    assert!(texts("[]").is_empty());
}

#[test]
fn members_beside_records_are_kept_as_entries() {
    assert_eq!(
        defects(br#"{"v":1,"w":[2],"Records":[{}],"x":3}"#),
        [
            (1, r#""v":1,"w":[2]"#.to_owned(), "members beside Records".to_owned()),
            (30, r#""x":3"#.to_owned(), "members beside Records".to_owned()),
        ]
    );
}

#[test]
fn what_is_no_record_is_one_entry_and_the_rest_is_read() {
    let content = br#"{"Records":[{"a":1},17,"x",null,{"b":2}]}"#;
    let all = entries(content);
    assert_eq!(all.iter().filter(|entry| entry.2.is_none()).count(), 2);
    assert_eq!(defects(content)[1], (23, r#""x""#.to_owned(), "element is not an object".to_owned()));
}

#[test]
fn a_break_yields_the_records_before_it_and_the_rest_once() {
    let content = br#"{"Records":[{"a":1},{"b":2,},{"c":3}]}"#;
    let all = entries(content);
    assert_eq!(all.len(), 2);
    assert_eq!(all[0].2, None);
    assert_eq!(defects(content), [(20, r#"{"b":2,},{"c":3}]}"#.to_owned(), "expected a key at byte 27".to_owned())]);
}

#[test]
fn every_cut_of_a_log_leaves_its_whole_records_and_one_rest() {
    let content = br#"{"Records":[{"a":"x\n"},{"b":[1.5e3,true]}]}"#;
    for cut in 0..content.len() {
        let all = entries(&content[..cut]);
        let whole = if cut >= 42 { 2 } else { usize::from(cut >= 23) };
        assert_eq!(all.iter().filter(|entry| entry.2.is_none()).count(), whole, "{cut}");
        assert_eq!(defects(&content[..cut]).len(), 1, "{cut}");
    }
}

#[test]
fn what_has_no_records_is_one_entry() {
    for (content, reason) in [
        (r#"{"a":1}"#, "no Records array"),
        ("{}", "no Records array"),
        ("17", "no Records array"),
        ("", "expected a value at byte 0"),
        ("<Error>", "expected a value at byte 0"),
        ("\u{feff}{}", "expected a value at byte 0"),
    ] {
        assert_eq!(defects(content.as_bytes()), [(0, content.to_owned(), reason.to_owned())]);
    }
    assert_eq!(defects(br#"{"Records":{"a":1}}"#)[0].2, "Records is not an array");
    assert_eq!(defects(b"[{}]\0\0"), [(4, "\0\0".to_owned(), "bytes after the end of the container".to_owned())]);
}

#[test]
fn a_record_that_is_not_utf8_is_set_aside_alone() {
    let content = b"[{\"a\":1},{\"b\":\"\xff\"},{\"c\":\"\xc3\xa9\"}]";
    let all = entries(content);
    assert_eq!(all.len(), 3);
    assert_eq!(all[1], (9, b"{\"b\":\"\xff\"}".to_vec(), Some(Defect::NotUtf8)));
    assert_eq!((&all[0].2, &all[2].2), (&None, &None));
}

#[test]
fn a_record_nested_too_deep_is_set_aside_alone() {
    let deep = format!(r#"{{"a":{}{}}}"#, "[".repeat(MAX_DEPTH + 1), "]".repeat(MAX_DEPTH + 1));
    let all = entries(format!("[{deep},{{}}]").as_bytes());
    assert_eq!(all[0], (1, deep.into_bytes(), Some(Defect::TooDeep)));
    assert_eq!(all[1].2, None);
}

#[test]
fn what_is_longer_than_an_entry_is_kept_in_pieces() {
    let long = format!(r#"{{"a":"{}"}}"#, "x".repeat(2 * MAX_ENTRY));
    let most = format!(r#"{{"a":"{}"}}"#, "x".repeat(MAX_ENTRY - 8));
    let all = entries(format!("[{long},{most},{{}}]").as_bytes());
    let told: Vec<_> = all.iter().map(|(offset, raw, defect)| (*offset, raw.len(), *defect)).collect();
    let (first, second) = (1 + long.len() + 1, 1 + long.len() + 1 + most.len() + 1);
    assert_eq!(
        told,
        [
            (1, MAX_ENTRY, Some(Defect::TooLong)),
            (1 + MAX_ENTRY, MAX_ENTRY, Some(Defect::Continued)),
            (1 + 2 * MAX_ENTRY, 8, Some(Defect::Continued)),
            (first, MAX_ENTRY, None),
            (second, 2, None),
        ]
    );
    assert_eq!([&all[0].1[..], &all[1].1, &all[2].1].concat(), long.into_bytes());
    // So is what stands behind a break.
    let broken = format!("[{{}},{}", "x".repeat(MAX_ENTRY + 1));
    let defects: Vec<_> = entries(broken.as_bytes()).into_iter().map(|(_, raw, defect)| (raw.len(), defect)).collect();
    assert!(matches!(defects[1], (MAX_ENTRY, Some(Defect::Syntax(_)))), "{:?}", defects[1].1);
    assert_eq!(defects[2], (1, Some(Defect::Continued)));
}

#[test]
fn an_object_may_hold_all_the_members_that_a_record_may_have() {
    let identity = |inside: usize| format!(r#"[{{"userIdentity":{{{}}}}}]"#, vec![r#""a":1"#; inside].join(","));
    let (most, more) = (identity(MAX_MEMBERS - 1), identity(MAX_MEMBERS));
    let mut recall = Recall::default();
    let mut records = Records::new(most.as_bytes(), &mut recall);
    let Some(Entry::Record(record)) = records.next_entry() else { panic!("a record") };
    assert_eq!((record.members.len(), record.members[0].inner()), (MAX_MEMBERS, MAX_MEMBERS - 1));
    assert_eq!(entries(more.as_bytes())[0].2, Some(Defect::TooManyMembers));
}

#[test]
fn a_record_with_too_many_members_is_set_aside_alone() {
    let many = format!("{{{}\"a\":1}}", "\"a\":1,".repeat(MAX_MEMBERS));
    let all = entries(format!("[{many},{{\"userIdentity\":{{}}}}]").as_bytes());
    assert_eq!(all[0].2, Some(Defect::TooManyMembers));
    assert_eq!(all[1].2, None);
}

#[test]
fn opened_objects_list_their_members_behind_them() {
    let content = br#"[{"userIdentity":{"type":"Root","sessionContext":{"attributes":{"mfaAuthenticated":"true"},"x":1}},"eventName":"a\u0062"}]"#;
    let mut recall = Recall::default();
    let mut records = Records::new(content, &mut recall);
    let Some(Entry::Record(record)) = records.next_entry() else { panic!("a record") };
    let listed: Vec<_> =
        record.members.iter().map(|m| (m.field, m.inner(), record.key(m), record.value(m).len())).collect();
    assert_eq!(
        listed,
        [
            (Field::UserIdentity, 5, "userIdentity", 81),
            (Field::UserType, 0, "type", 6),
            (Field::SessionContext, 3, "sessionContext", 48),
            (Field::SessionAttributes, 1, "attributes", 27),
            (Field::SessionMfaAuthenticated, 0, "mfaAuthenticated", 6),
            (Field::Unknown, 0, "x", 1),
            (Field::EventName, 0, "eventName", 9),
        ]
    );
}

proptest! {
    #[test]
    fn no_bytes_make_the_walk_panic_and_none_are_lost(
        pieces in prop::collection::vec(
            prop::sample::select(vec![
                &b"{"[..], b"}", b"[", b"]", b",", b":", b"\"Records\"", b"\"Records\":[", b"\"userIdentity\":{", b"null",
                b"\"a\"", b"\"a\":1", b"{}", b"{\"a\":1}", b"\xff", b"\"\xff\"", b" ", b"\\", b"\"", b"1",
                b"{\"Records\":[", b"]}", b"\0",
            ]),
            0..30,
        )
    ) {
        let content = pieces.concat();
        let mut at = 0;
        for (offset, raw, _) in entries(&content) {
            let between = &content[at..offset];
            prop_assert!(
                String::from_utf8_lossy(between).replace("\"Records\"", "").chars().all(|c| "{}[],: \n".contains(c)),
                "{:?} is in no entry", String::from_utf8_lossy(between)
            );
            prop_assert_eq!(&content[offset..offset + raw.len()], &raw[..]);
            at = offset + raw.len();
        }
    }

    #[test]
    fn records_are_those_serde_json_sees(values in prop::collection::vec("[a-z]{0,12}|\\{\"k\":\"[a-zé\\\\\\\\n]{0,20}\"\\}", 0..6)) {
        let elements: Vec<String> = values.iter().map(|v| if v.starts_with('{') { v.clone() } else { format!("\"{v}\"") }).collect();
        let content = format!("{{\"Records\":[{}]}}", elements.join(","));
        let theirs: Result<std::collections::BTreeMap<String, Vec<Box<serde_json::value::RawValue>>>, _> =
            serde_json::from_str(&content);
        let ours = entries(content.as_bytes());
        match theirs {
            Ok(theirs) => {
                let theirs: Vec<&str> = theirs["Records"].iter().map(|raw| raw.get()).collect();
                let ours: Vec<&str> = ours.iter().map(|(_, raw, _)| str::from_utf8(raw).unwrap()).collect();
                prop_assert_eq!(ours, theirs);
            }
            Err(_) => prop_assert!(ours.iter().any(|entry| matches!(entry.2, Some(Defect::Syntax(_))))),
        }
    }
}

/// What a walk comes to: entries, and the members of records.
fn walk(content: &[u8], recall: &mut Recall) -> Vec<(Range<usize>, Option<Defect>, Vec<Member>)> {
    let mut records = Records::new(content, recall);
    let mut all = Vec::new();
    while let Some(entry) = records.next_entry() {
        all.push(match entry {
            Entry::Record(record) => (record.offset..record.offset + record.text.len(), None, record.members.to_vec()),
            Entry::Malformed(bad) => (bad.offset..bad.offset + bad.raw.len(), Some(bad.defect), Vec::new()),
        });
    }
    all
}

/// A log of records whose identities are often the same, with one byte changed here and there.
fn alike() -> impl Strategy<Value = Vec<u8>> {
    let identity = prop::sample::select(vec![
        r#"{"type":"Root"}"#,
        r#"{"type":"Root","arn":"a}b"}"#,
        r#"{ "type" : "Root", "sessionContext": {"attributes":{"mfaAuthenticated":"true"}}}"#,
        r#"{"type":"Role","sessionContext":{"attributes":{},"x":[[[{"deep":1}]]]},"y":"\u00e9"}"#,
        r#"{"ty\u0070e":"Root"}"#,
        "{}",
        "null",
    ]);
    let key = prop::sample::select(vec!["eventName", "eventTime", "awsRegion", "other", "user\\u0049dentity"]);
    let record = (identity.clone(), identity, key)
        .prop_map(|(identity, tls, key)| format!(r#"{{"{key}":"v","userIdentity":{identity},"tlsDetails":{tls}}}"#));
    let log =
        prop::collection::vec(record, 0..6).prop_map(|records| format!(r#"{{"Records":[{}]}}"#, records.join(",")));
    (log, prop::option::of((any::<prop::sample::Index>(), any::<u8>()))).prop_map(|(log, change)| {
        let mut log = log.into_bytes();
        if let Some((at, byte)) = change {
            let at = at.index(log.len());
            log[at] = byte;
        }
        log
    })
}

proptest! {
    #[test]
    fn what_is_recalled_changes_no_walk(logs in prop::collection::vec(alike(), 1..6)) {
        let mut recall = Recall::default();
        for log in logs {
            prop_assert_eq!(walk(&log, &mut recall), walk(&log, &mut Recall::default()));
        }
    }
}

#[test]
fn a_recalled_object_counts_towards_depth_and_members() {
    let deep = format!("{}1{}", "[".repeat(MAX_DEPTH), "]".repeat(MAX_DEPTH));
    let too_deep = format!(r#"[{{"userIdentity":{{"type":{deep}}}}}]"#);
    let mut recall = Recall::default();
    for _ in 0..2 {
        assert_eq!(walk(too_deep.as_bytes(), &mut recall)[0].1, Some(Defect::TooDeep));
    }
    let identity = r#""userIdentity":{"type":"Root","arn":"a"}"#;
    let full = format!("[{{{identity}}},{{{}{identity}}}]", r#""a":1,"#.repeat(MAX_MEMBERS - 1));
    let found: Vec<_> = walk(full.as_bytes(), &mut recall).into_iter().map(|(_, defect, _)| defect).collect();
    assert_eq!(found, [None, Some(Defect::TooManyMembers)]);
}
