//! How AWS is reached: every setting, wherever it stands, for the archive, the table and the keys; as the AWS CLI has it.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::support::chain::{BUCKET, Chain, KEY};
use crate::support::s3::{Heard, Server};
use crate::support::{Answer, ids};
use serde_json::Value;

const TABLES: &str = "tables";

/// A home of its own for each run: nothing of the machine's own configuration is seen.
struct Home(tempfile::TempDir);

impl Home {
    fn new(config: &str, credentials: &str) -> Self {
        let home = tempfile::tempdir().unwrap();
        fs::create_dir(home.path().join(".aws")).unwrap();
        fs::write(home.path().join(".aws/config"), config).unwrap();
        fs::write(home.path().join(".aws/credentials"), credentials).unwrap();
        Self(home)
    }

    fn run(&self, args: &[String], variables: &[(String, String)]) -> Answer {
        let output = Command::new(env!("CARGO_BIN_EXE_trailproof"))
            .args(args)
            .env_clear()
            .env("HOME", self.0.path())
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .envs(variables.iter().map(|(name, value)| (name, value)))
            .output()
            .unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        let report = serde_json::from_slice(&output.stdout).unwrap_or(Value::Null);
        Answer { code: output.status.code().unwrap_or(-1), report, stderr }
    }
}

fn words(text: &str) -> Vec<String> {
    text.split_whitespace().map(str::to_owned).collect()
}

fn server() -> Server {
    let server = Chain { hours: 2, ..Chain::new() }.build().serve();
    server.store.make_bucket(TABLES);
    server
}

/// One way to configure access, and what has to come of it. `{A}` and `{B}` stand for the addresses of two servers.
struct Row {
    name: &'static str,
    env: &'static str,
    config: &'static str,
    flags: &'static str,
    /// Who asks, and with which configured Region: for the archive, the table and the keys alike.
    who: &'static str,
    region: &'static str,
    /// Which server is asked for buckets, and which for keys.
    s3: char,
    keys: char,
}

/// Keys of the environment.
const ENV: &str = "AWS_ACCESS_KEY_ID=env-key AWS_SECRET_ACCESS_KEY=test";

const CREDENTIALS: &str = "[default]\naws_access_key_id=other-key\naws_secret_access_key=test\n\
     [audit]\naws_access_key_id=profile-key\naws_secret_access_key=test\n";

/// The settings; `tests/access.rs` says the same as the table of docs/access.md.
fn table() -> Vec<Row> {
    let row = |name, env, config, flags, who, region, s3, keys| Row { name, env, config, flags, who, region, s3, keys };
    let a = "--endpoint-url {A}";
    vec![
        row("keys and Region of the environment", "+ AWS_REGION=eu-west-1", "", a, "env-key", "eu-west-1", 'A', 'A'),
        row("the older name of the Region", "+ AWS_DEFAULT_REGION=eu-west-2", "", a, "env-key", "eu-west-2", 'A', 'A'),
        row("no Region", "+", "", a, "env-key", "us-east-1", 'A', 'A'),
        row("the default profile", "", "[default]\nregion=eu-west-3", a, "other-key", "eu-west-3", 'A', 'A'),
        row(
            "--profile",
            "",
            "[default]\nregion=eu-west-3\n[profile audit]\nregion=ap-south-1",
            "--profile audit --endpoint-url {A}",
            "profile-key",
            "ap-south-1",
            'A',
            'A',
        ),
        row(
            "--profile beats keys in the environment",
            "+",
            "[profile audit]\nregion=ap-south-1",
            "--profile audit --endpoint-url {A}",
            "profile-key",
            "ap-south-1",
            'A',
            'A',
        ),
        row(
            "--profile does not beat the environment's Region",
            "AWS_REGION=eu-west-1",
            "[profile audit]\nregion=ap-south-1",
            "--profile audit --endpoint-url {A}",
            "profile-key",
            "eu-west-1",
            'A',
            'A',
        ),
        row(
            "AWS_PROFILE",
            "AWS_PROFILE=audit",
            "[profile audit]\nregion=ap-south-1",
            a,
            "profile-key",
            "ap-south-1",
            'A',
            'A',
        ),
        row(
            "AWS_DEFAULT_PROFILE",
            "AWS_DEFAULT_PROFILE=audit",
            "[profile audit]\nregion=ap-south-1",
            a,
            "profile-key",
            "ap-south-1",
            'A',
            'A',
        ),
        row(
            "AWS_PROFILE does not beat keys in the environment",
            "+ AWS_PROFILE=audit",
            "[profile audit]\nregion=ap-south-1",
            a,
            "env-key",
            "ap-south-1",
            'A',
            'A',
        ),
        row(
            "a program that gives credentials",
            "",
            "[profile made]\ncredential_process = {HOME}/give\nregion=eu-west-1",
            "--profile made --endpoint-url {A}",
            "process-key",
            "eu-west-1",
            'A',
            'A',
        ),
        row(
            "a role of a profile",
            "",
            "[profile role]\nrole_arn=arn:aws:iam::111122223333:role/r\nsource_profile=audit\nregion=eu-west-1\n\
             endpoint_url={A}\n[profile audit]\n",
            "--profile role",
            "role-key",
            "eu-west-1",
            'A',
            'A',
        ),
        row(
            "--role-arn",
            "+ AWS_ENDPOINT_URL_STS={B}",
            "",
            "--role-arn arn:aws:iam::111122223333:role/r --endpoint-url {A}",
            "role-key",
            "us-east-1",
            'A',
            'A',
        ),
        row(
            "AWS_ENDPOINT_URL",
            "+ AWS_ENDPOINT_URL={A}",
            "[default]\nendpoint_url={B}",
            "",
            "env-key",
            "us-east-1",
            'A',
            'A',
        ),
        row(
            "endpoints of services in the environment",
            "+ AWS_ENDPOINT_URL_S3={A} AWS_ENDPOINT_URL_CLOUDTRAIL={B}",
            "",
            "",
            "env-key",
            "us-east-1",
            'A',
            'B',
        ),
        row(
            "a service's endpoint beats the common one",
            "+ AWS_ENDPOINT_URL={B} AWS_ENDPOINT_URL_S3={A}",
            "",
            "",
            "env-key",
            "us-east-1",
            'A',
            'B',
        ),
        row("endpoint_url of the profile", "+", "[default]\nendpoint_url={A}", "", "env-key", "us-east-1", 'A', 'A'),
        row(
            "endpoints of services in a profile",
            "+",
            "[default]\nservices=mine\n[services mine]\ns3 =\n  endpoint_url={A}\ncloudtrail =\n  endpoint_url={B}\n",
            "",
            "env-key",
            "us-east-1",
            'A',
            'B',
        ),
        row(
            "endpoints of services in a profile that is named",
            "",
            "[profile audit]\nservices=mine\n[services mine]\ns3 =\n  endpoint_url={A}\ncloudtrail =\n  endpoint_url={B}\n",
            "--profile audit",
            "profile-key",
            "us-east-1",
            'A',
            'B',
        ),
        row(
            "the environment's endpoint beats a profile's",
            "+ AWS_ENDPOINT_URL={A}",
            "[default]\nservices=mine\n[services mine]\ns3 =\n  endpoint_url={B}\n",
            "",
            "env-key",
            "us-east-1",
            'A',
            'A',
        ),
        row(
            "--endpoint-url beats all others",
            "+ AWS_ENDPOINT_URL_S3={B} AWS_ENDPOINT_URL_CLOUDTRAIL={B} AWS_ENDPOINT_URL={B}",
            "",
            a,
            "env-key",
            "us-east-1",
            'A',
            'A',
        ),
    ]
}

/// What goes to whom: who asked a server for something, each once.
fn askers(heard: &[Heard], of: &str) -> Vec<(String, String)> {
    let mut askers: Vec<_> =
        heard.iter().filter(|one| one.of == of).map(|one| (one.access_key.clone(), one.region.clone())).collect();
    askers.dedup();
    askers
}

#[test]
fn each_setting_holds_for_the_archive_the_table_and_the_keys() {
    for row in table() {
        let servers = [server(), server()];
        let home = Home::new("", CREDENTIALS);
        let filled = |text: &str| {
            let home = home.0.path().display().to_string();
            // By name: an address of digits is never virtual-hosted, one with a name must not be.
            let address = |n: usize| format!("http://localhost:{}", servers[n].port);
            text.replace("{A}", &address(0)).replace("{B}", &address(1)).replace("{HOME}", &home)
        };
        fs::write(home.0.path().join(".aws/config"), filled(row.config)).unwrap();
        give(home.0.path(), "2099-01-01T00:00:00Z");
        let variables = filled(&row.env.replace('+', ENV));
        let variables = variables.split_whitespace().map(|pair| pair.split_once('=').unwrap());
        let variables: Vec<_> = variables.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        let args = format!("scan s3://{BUCKET} --out s3://{TABLES}/t --format json {}", filled(row.flags));
        let answer = home.run(&words(&args), &variables);
        let name = row.name;
        assert_eq!(
            (answer.code, ids(&answer.report)),
            (0, vec!["keys-from-endpoint".to_owned()]),
            "{name} {}",
            answer.stderr
        );
        for (nth, letter) in ['A', 'B'].into_iter().enumerate() {
            let heard = servers[nth].store.heard();
            for bucket in [BUCKET, TABLES] {
                let askers = askers(&heard, bucket);
                assert_eq!(askers.is_empty(), row.s3 != letter, "{name}: {bucket} at {letter}: {askers:?}");
                if row.s3 == letter {
                    assert_eq!(askers[0], (row.who.to_owned(), row.region.to_owned()), "{name}: {bucket}");
                    assert!(askers.iter().all(|(who, _)| who == row.who), "{name}: {bucket}: {askers:?}");
                }
            }
            let expected = if row.keys == letter { vec![(row.who.to_owned(), "us-east-1".to_owned())] } else { vec![] };
            assert_eq!(askers(&heard, "keys"), expected, "{name}: keys at {letter}");
        }
    }
}

#[test]
fn a_role_is_taken_on_at_sts_and_not_where_the_buckets_are() {
    for variable in ["AWS_ENDPOINT_URL_STS", "AWS_ENDPOINT_URL"] {
        let (buckets, sts) = (server(), server());
        let args = format!(
            "verify s3://{BUCKET} --format json --role-arn arn:aws:iam::111122223333:role/r --endpoint-url {}",
            buckets.url()
        );
        let answer = Home::new("", CREDENTIALS).run(&words(&args), &[(variable.to_owned(), sts.url())]);
        assert_eq!(answer.code, 0, "{variable}: {}", answer.stderr);
        assert!(buckets.store.heard().iter().all(|one| one.access_key == "role-key"), "{variable}");
        let asked: Vec<_> = sts.store.heard().into_iter().map(|one| (one.of, one.access_key)).collect();
        assert_eq!(asked, [(String::new(), "other-key".to_owned())], "{variable}");
    }
}

/// A program that gives credentials until some time, and notes each time that it is run.
fn give(folder: &Path, until: &str) {
    let program = folder.join("give");
    let credentials =
        format!(r#"{{"Version":1,"AccessKeyId":"process-key","SecretAccessKey":"test","Expiration":"{until}"}}"#);
    let notes = folder.join("given").display().to_string();
    fs::write(&program, format!("#!/bin/sh\necho >>'{notes}'\ncat <<'END'\n{credentials}\nEND\n")).unwrap();
    use std::os::unix::fs::PermissionsExt as _;
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
}

#[test]
fn a_program_whose_credentials_are_about_to_end_is_not_run_for_each_request() {
    let server = Chain { hours: 12, ..Chain::new() }.build().serve();
    let home = Home::new("", "");
    let program = home.0.path().join("give").display().to_string();
    fs::write(home.0.path().join(".aws/config"), format!("[default]\ncredential_process = {program}\n")).unwrap();
    let soon = jiff::Timestamp::now() + jiff::SignedDuration::from_mins(2);
    give(home.0.path(), &format!("{soon:.0}"));
    let args = format!("verify s3://{BUCKET} --format json --endpoint-url {}", server.url());
    let answer = home.run(&words(&args), &[]);
    assert_eq!(answer.code, 0, "{}", answer.stderr);
    assert!(server.store.heard().len() > 40);
    let given = fs::read_to_string(home.0.path().join("given")).unwrap().lines().count();
    assert_eq!(given, 1);
}

#[test]
fn the_owner_of_the_archives_bucket_is_not_asked_of_the_tables() {
    let server = server();
    let home = Home::new("", CREDENTIALS);
    let args = format!(
        "scan s3://{BUCKET} --out s3://{TABLES}/t --format json --expected-bucket-owner 111122223333 --endpoint-url {}",
        server.url()
    );
    let answer = home.run(&words(&args), &[]);
    assert_eq!(answer.code, 0, "{}", answer.stderr);
    for one in server.store.heard() {
        let expected = (one.of == BUCKET).then(|| "111122223333".to_owned());
        assert_eq!(one.expected_owner, expected, "{one:?}");
    }
}

#[test]
fn a_style_of_addressing_that_is_configured_is_used() {
    let server = server();
    let address = format!("localhost:{}", server.port);
    for (style, by_path) in [("path", true), ("auto", true), ("virtual", false)] {
        let config = format!("[default]\nendpoint_url=http://{address}\ns3 =\n  addressing_style = {style}\n");
        let before = server.store.heard().len();
        let answer = Home::new(&config, CREDENTIALS).run(&words(&format!("ls s3://{BUCKET} --format json")), &[]);
        let heard = server.store.heard().split_off(before);
        // Whether BUCKET.localhost is found at all depends on the machine.
        assert_eq!(heard.iter().any(|one| one.host == address), by_path, "{style}: {heard:?} {}", answer.stderr);
        assert!(!by_path || answer.code == 0, "{style}: {}", answer.stderr);
    }
}

/// What is told of access that cannot be had, and what to do about it.
#[test]
fn what_is_wrong_with_the_configuration_is_told_and_how_to_mend_it() {
    let server = server();
    let sso = "[profile sso]\nsso_session=s\nsso_account_id=111122223333\nsso_role_name=r\n\
         [sso-session s]\nsso_region=us-east-1\nsso_start_url=https://a.awsapps.com/start\n";
    let login = "[profile in]\nlogin_session=arn:aws:iam::111122223333:user/a\n";
    let a = format!("--endpoint-url {}", server.url());
    for (name, config, env, flags, told) in [
        (
            "a profile that is not there",
            "[profile audit]",
            "",
            "--profile adit",
            &[
                "error: the archive cannot be reached",
                "adit is not in the shared configuration",
                "which has audit, default",
                "hint: name another with --profile",
            ][..],
        ),
        (
            "one of the environment",
            "[profile audit]",
            "AWS_PROFILE=adit",
            "",
            &["adit is not in the shared configuration"],
        ),
        ("an SSO session that ended", sso, "", "--profile sso", &["aws sso login"]),
        ("a console session that ended", login, "", "--profile in", &["aws login"]),
        (
            "certificates that are not there",
            "[default]\nca_bundle=/no/such.pem",
            "",
            "",
            &["the certificates of /no/such.pem"],
        ),
        ("those of the environment", "", "AWS_CA_BUNDLE=/no/such.pem", "", &["the certificates of /no/such.pem"]),
    ] {
        let home = Home::new(config, CREDENTIALS);
        let variables: Vec<_> = env
            .split_whitespace()
            .filter_map(|p| p.split_once('='))
            .map(|(n, v)| (n.to_owned(), v.to_owned()))
            .collect();
        for command in ["verify", "ls"] {
            let answer = home.run(&words(&format!("{command} s3://{BUCKET} {a} {flags}")), &variables);
            assert_eq!(answer.code, 2, "{name}: {}", answer.stderr);
            assert!(told.iter().all(|told| answer.stderr.contains(told)), "{name}: {command}: {}", answer.stderr);
        }
    }
    assert_eq!(server.store.heard(), []);
}

#[test]
fn a_profile_that_was_typed_must_be_there_even_where_aws_is_not_asked() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path().display().to_string();
    let answer = Home::new("", "").run(&words(&format!("verify {folder} --profile adit")), &[]);
    assert_eq!(answer.code, 2, "{}", answer.stderr);
    assert!(answer.stderr.contains("the profile adit"), "{}", answer.stderr);
    let ambient = [("AWS_PROFILE".to_owned(), "adit".to_owned())];
    assert_eq!(Home::new("", "").run(&words(&format!("verify {folder}")), &ambient).code, 3);
}

/// A file of kept keys, with who gave them.
fn keep(folder: &Path, endpoint: Option<&str>) {
    fs::create_dir_all(folder).unwrap();
    let mut key = KEY.listed();
    key["Region"] = "us-east-1".into();
    key["FetchedTime"] = "2026-01-05T00:00:00Z".into();
    if let Some(endpoint) = endpoint {
        key["Endpoint"] = endpoint.into();
    }
    fs::write(folder.join("us-east-1.json"), serde_json::json!({ "PublicKeyList": [key] }).to_string()).unwrap();
}

/// A mirror of a small archive whose keys nobody gives any more: exit code, findings, and the origin of the key that served.
fn with_kept(prepare: impl FnOnce(&Path) -> Vec<String>) -> (i32, Vec<String>, Option<String>) {
    let archive = crate::support::Archive::new();
    let built = Chain { hours: 2, ..Chain::new() }.build();
    for (key, (body, metadata)) in built.objects {
        archive.put(&key, &body, &metadata);
    }
    let mirror = archive.bucket();
    let more = prepare(&mirror);
    // Nobody listens there.
    let nowhere = ["AWS_ENDPOINT_URL=http://127.0.0.1:9", "AWS_ACCESS_KEY_ID=a", "AWS_SECRET_ACCESS_KEY=b"];
    let output = Command::new(env!("CARGO_BIN_EXE_trailproof"))
        .args(["verify", ".", "--format", "json"])
        .args(more.iter().filter(|arg| !arg.contains("HOME=")))
        .current_dir(&mirror)
        .env_clear()
        .envs(nowhere.into_iter().chain(more.iter().map(String::as_str)).filter_map(|pair| pair.split_once('=')))
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .output()
        .unwrap();
    let report: Value = serde_json::from_slice(&output.stdout).unwrap_or(Value::Null);
    let origin = report["keys"][0]["origin"].as_str().map(str::to_owned);
    (output.status.code().unwrap_or(-1), ids(&report), origin)
}

#[test]
fn kept_keys_serve_by_their_origin() {
    let own = "https://cloudtrail.us-east-1.amazonaws.com";
    let elsewhere = tempfile::tempdir().unwrap();
    let told = |code: i32, ids: &[&str], origin: Option<&str>| {
        (code, ids.iter().map(|id| (*id).to_owned()).collect::<Vec<_>>(), origin.map(str::to_owned))
    };
    let in_archive = |endpoint: Option<&str>| {
        let folder = elsewhere.path().join("keys");
        keep(&folder, endpoint);
        with_kept(|_| vec!["--key-archive".to_owned(), folder.display().to_string()])
    };
    let unavailable = ["key-unavailable"];
    assert_eq!(in_archive(Some(own)), told(0, &[], Some("kept")));
    assert_eq!(in_archive(None), told(0, &["key-origin-unknown"], Some("kept-unknown")));
    assert_eq!(in_archive(Some("http://127.0.0.1:9")), told(3, &unavailable, None));
    assert_eq!(in_archive(Some("https://cloudtrail.eu-west-1.amazonaws.com")), told(3, &unavailable, None));
    // The user's data directory, by an absolute path only.
    keep(&elsewhere.path().join("trailproof/keys"), Some(own));
    let data = elsewhere.path().display().to_string();
    assert_eq!(with_kept(|_| vec![format!("XDG_DATA_HOME={data}")]), told(0, &[], Some("kept")));
    // Whoever wrote the mirror could have written keys into it.
    for home in ["XDG_DATA_HOME=.", "XDG_DATA_HOME=", "HOME=", "HOME=."] {
        let told_there = with_kept(|mirror| {
            keep(&mirror.join("trailproof/keys"), Some(own));
            keep(&mirror.join(".local/share/trailproof/keys"), Some(own));
            vec![home.to_owned()]
        });
        assert_eq!(told_there, told(3, &unavailable, None), "{home}");
    }
    let told_there = with_kept(|mirror| {
        keep(&mirror.join("trailproof/keys"), Some(own));
        vec![format!("XDG_DATA_HOME={}", mirror.display())]
    });
    assert_eq!(told_there, told(3, &unavailable, None));
    let refused = with_kept(|mirror| vec!["--key-archive".to_owned(), mirror.join("k").display().to_string()]);
    assert_eq!(refused.0, 2);
}

#[test]
fn keys_of_a_custom_endpoint_are_told_and_not_kept() {
    let server = server();
    let home = Home::new("", CREDENTIALS);
    let answer = home.run(&words(&format!("verify s3://{BUCKET} --format json --endpoint-url {}", server.url())), &[]);
    assert_eq!((answer.code, ids(&answer.report)), (0, vec!["keys-from-endpoint".to_owned()]), "{}", answer.stderr);
    assert_eq!(answer.report["findings"][0]["object"], server.url().as_str());
    assert!(!home.0.path().join(".local").exists());
    let out = home.0.path().join("keys.json").display().to_string();
    let fetch =
        format!("keys fetch --region us-east-1 --from 2026-01-01 --to 2026-02-01 --endpoint-url {}", server.url());
    let fetched = home.run(&words(&format!("{fetch} --out {out}")), &[]);
    assert_eq!(fetched.code, 0, "{}", fetched.stderr);
    assert!(fetched.stderr.contains("which is not CloudTrail's own endpoint"), "{}", fetched.stderr);
    // Saved on purpose, such keys serve; what they are worth is told all the same.
    let archive = home.run(
        &words(&format!("verify s3://{BUCKET} --format json --public-keys {out} --endpoint-url {}", server.url())),
        &[],
    );
    assert_eq!((archive.code, ids(&archive.report)), (0, vec!["keys-from-endpoint".to_owned()]));
    assert_eq!(archive.report["keys"][0]["origin"], "file");
}

/// TLS in front of a server on loopback, with a certificate for `localhost` of an authority that no machine trusts; the port.
fn with_tls(server: &Server) -> u16 {
    use tokio_rustls::rustls::pki_types::pem::PemObject as _;
    use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
    use tokio_rustls::rustls::{ServerConfig, crypto::ring::default_provider};

    let certificate = CertificateDer::from_pem_file(tls("server.pem")).unwrap();
    let key = PrivateKeyDer::from_pem_file(tls("server.key")).unwrap();
    let config = ServerConfig::builder_with_provider(default_provider().into()).with_safe_default_protocol_versions();
    let config = config.unwrap().with_no_client_auth().with_single_cert(vec![certificate], key).unwrap();
    let acceptor = tokio_rustls::TlsAcceptor::from(std::sync::Arc::new(config));
    let (tell, told) = std::sync::mpsc::channel();
    let behind = server.port;
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
            tell.send(listener.local_addr().unwrap().port()).unwrap();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let acceptor = acceptor.clone();
                tokio::spawn(async move {
                    // A client that does not trust the certificate hangs up.
                    let Ok(mut inner) = acceptor.accept(stream).await else { return };
                    let mut outer = tokio::net::TcpStream::connect(("127.0.0.1", behind)).await.unwrap();
                    let _ = tokio::io::copy_bidirectional(&mut inner, &mut outer).await;
                });
            }
        });
    });
    told.recv().unwrap()
}

fn tls(file: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/support/tls").join(file)
}

#[test]
fn certificates_are_those_of_the_bundle_for_every_connection() {
    let server = server();
    let url = format!("https://localhost:{}", with_tls(&server));
    let bundle = tls("ca.pem").display().to_string();
    let scan = format!("scan s3://{BUCKET} --out s3://{TABLES}/t --format json --endpoint-url {url}");
    let variable = [("AWS_CA_BUNDLE".to_owned(), bundle.clone())];
    let answer = Home::new("", CREDENTIALS).run(&words(&scan), &variable);
    assert_eq!((answer.code, ids(&answer.report)), (0, vec!["keys-from-endpoint".to_owned()]), "{}", answer.stderr);
    let of_profile = format!("[profile audit]\nca_bundle = {bundle}\n");
    let verify = format!("verify s3://{BUCKET} --format json --endpoint-url {url}");
    let answer = Home::new(&of_profile, CREDENTIALS).run(&words(&format!("{verify} --profile audit")), &[]);
    assert_eq!((answer.code, ids(&answer.report)), (0, vec!["keys-from-endpoint".to_owned()]), "{}", answer.stderr);
    // The bundle takes the place of the machine's own certificates, and without it nobody vouches for this server.
    let answer = Home::new(&of_profile, CREDENTIALS).run(&words(&verify), &[]);
    assert_eq!(answer.code, 3, "{}", answer.stderr);
    let hints: Vec<_> =
        answer.report["findings"].as_array().unwrap().iter().filter_map(|one| one["hint"].as_str()).collect();
    assert!(hints.iter().any(|hint| hint.contains("AWS_CA_BUNDLE")), "{}", answer.report);
}
