//! Who acts in an account in one hour: users, single sign-on, machines, AWS services, root, and the odd ones.
//!
//! Sessions last an hour here: their access keys and creation dates are new in each, and the same in all Regions.
//! Every `userIdentity` shape that schemas tend to forget has a member.

use jiff::Timestamp;

use super::random::{Alphabet, Random};
use super::world::{Estate, PEOPLE, Pool, ROLES};

const PERMISSION_SETS: [&str; 3] = ["ReadOnlyAccess", "PowerUserAccess", "AdministratorAccess"];

const SERVICES: [&str; 12] = [
    "cloudtrail.amazonaws.com",
    "config.amazonaws.com",
    "delivery.logs.amazonaws.com",
    "autoscaling.amazonaws.com",
    "lambda.amazonaws.com",
    "ecs-tasks.amazonaws.com",
    "s3.amazonaws.com",
    "rds.amazonaws.com",
    "elasticloadbalancing.amazonaws.com",
    "guardduty.amazonaws.com",
    "eks.amazonaws.com",
    "backup.amazonaws.com",
];

const TOOLS: [&str; 6] = [
    "aws-sdk-rust/1.3.9 ua/2.1 api/s3#1.118.0 os/linux lang/rust#1.92.0",
    "Boto3/1.42.9 md/Botocore#1.42.9 ua/2.1 os/linux#6.8.0 md/arch#x86_64 lang/python#3.13.9",
    "aws-cli/2.33.4 ua/2.1 os/macos#25.2.0 md/arch#arm64 lang/python#3.13.9 md/command#s3.cp",
    "[aws-cli/2.33.4 Python/3.13.9 Darwin/25.2.0 exe/arm64 prompt/off command/s3.sync]",
    "aws-sdk-java/2.40.4 md/io#sync ua/2.1 api/DynamoDB#2.40.x os/Linux#6.8 lang/java#21.0.9",
    "APN/1.0 HashiCorp/1.0 Terraform/1.14.1 (+https://www.terraform.io) terraform-provider-aws/6.25.0 (+https://registry.terraform.io/providers/hashicorp/aws) aws-sdk-go-v2/1.40.1 ua/2.1 os/linux lang/go#1.25.4",
];

/// What both the address and the agent say when the console acts for someone.
const INTERNAL: &str = "AWS Internal";

const BROWSERS: [&str; 2] = [
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/144.0.0.0 Safari/537.36",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:147.0) Gecko/20100101 Firefox/147.0",
];

/// The group of actors that a kind of event comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Who {
    /// Users and single sign-on, with tools.
    Person,
    /// Users and single sign-on, in the console.
    Console,
    /// Users who are signing in: no session yet.
    Login,
    /// Roles of instances, functions, pipelines, and roles assumed from roles.
    Machine,
    /// AWS itself.
    Service,
    /// The root user.
    Root,
    /// Federated users, other accounts, Identity Center, Outposts devices, and no type at all.
    Stranger,
}

/// One who acts.
#[derive(Debug)]
pub(super) struct Actor {
    /// The `userIdentity` object.
    pub(super) identity: String,
    /// `sourceIPAddress`.
    pub(super) ip: String,
    /// `userAgent`.
    pub(super) agent: String,
}

/// Everyone who acts in one account in one hour.
pub(super) struct Cast {
    people: Vec<Actor>,
    console: Vec<Actor>,
    logins: Vec<Actor>,
    machines: Vec<Actor>,
    services: Vec<Actor>,
    root: Vec<Actor>,
    strangers: Vec<Actor>,
}

impl Cast {
    /// The cast of hour number `hour`, which begins at `start`.
    pub(super) fn of(seed: u64, estate: &Estate, hour: u32, start: Timestamp) -> Self {
        let random = Random::stream(seed, "cast", &[estate.index, hour]);
        let mut make = Casting { estate, random, created: start.to_string() };
        Self {
            people: make.people(Who::Person),
            console: make.people(Who::Console),
            logins: make.logins(),
            machines: make.machines(),
            services: SERVICES.iter().map(|service| make.service(service)).collect(),
            root: vec![make.root()],
            strangers: make.strangers(),
        }
    }

    /// The members of a group, the busiest first.
    pub(super) fn members(&self, who: Who) -> &[Actor] {
        match who {
            Who::Person => &self.people,
            Who::Console => &self.console,
            Who::Login => &self.logins,
            Who::Machine => &self.machines,
            Who::Service => &self.services,
            Who::Root => &self.root,
            Who::Stranger => &self.strangers,
        }
    }
}

/// Makes the cast of one hour.
struct Casting<'a> {
    estate: &'a Estate,
    random: Random,
    /// When this hour's sessions began, as records write it.
    created: String,
}

/// What tells one assumed role's session from another.
struct Session {
    /// Index into [`ROLES`].
    role: usize,
    name: String,
    /// Members of `sessionContext` after `sessionIssuer`.
    context: String,
    /// Members of `userIdentity` after `sessionContext`.
    after: String,
}

impl Casting<'_> {
    fn people(&mut self, who: Who) -> Vec<Actor> {
        let through_console = who == Who::Console;
        let mut people = Vec::with_capacity(PEOPLE.len());
        for user in 0..PEOPLE.len() {
            let identity = match (self.random.below(4), through_console) {
                (0, false) => self.user_with_key(user),
                (0 | 1, _) => self.user_with_session(user),
                _ => self.single_sign_on(user),
            };
            let (ip, agent) = match through_console {
                true if self.random.chance(20) => (INTERNAL.to_owned(), INTERNAL),
                true => (self.office(), *self.random.favour(&BROWSERS)),
                false => (self.office(), *self.random.favour(&TOOLS)),
            };
            people.push(Actor { identity, ip, agent: agent.to_owned() });
        }
        people
    }

    fn logins(&mut self) -> Vec<Actor> {
        let account = self.estate.account;
        let mut logins = Vec::with_capacity(PEOPLE.len());
        for (user, name) in PEOPLE.iter().enumerate() {
            let id = &self.estate.users[user].unique;
            let identity = format!(
                r#"{{"type":"IAMUser","principalId":"AIDA{id}","accountId":"{account}","accessKeyId":"","userName":"{name}"}}"#
            );
            let agent = self.random.favour(&BROWSERS).to_string();
            logins.push(Actor { identity, ip: self.office(), agent });
        }
        logins
    }

    fn machines(&mut self) -> Vec<Actor> {
        let mut machines = Vec::with_capacity(72);
        for index in 0..72 {
            let session = self.machine_session(index);
            let identity = self.assumed_role(&session);
            let ip = format!("10.{}.{}.{}", self.random.below(16), self.random.below(256), self.random.below(254) + 1);
            machines.push(Actor { identity, ip, agent: self.random.favour(&TOOLS).to_string() });
        }
        machines
    }

    fn machine_session(&self, index: usize) -> Session {
        let estate = self.estate;
        let account = estate.account;
        let person = PEOPLE[index % PEOPLE.len()];
        let role = index % ROLES.len();
        let attributes = format!(r#""attributes":{{"creationDate":"{}","mfaAuthenticated":"false"}}"#, self.created);
        match index % 6 {
            3 => {
                let functions = estate.pool(Pool::Function);
                let name = functions[index % functions.len()].clone();
                let after = format!(
                    r#","inScopeOf":{{"issuerType":"AWS::Lambda::Function","credentialsIssuedTo":"arn:aws:lambda:us-east-1:{account}:function:{name}"}}"#
                );
                Session { role, name, context: attributes, after }
            }
            4 => Session {
                role,
                name: format!("chained-{person}"),
                context: format!(r#"{attributes},"sourceIdentity":"{person}""#),
                after: String::new(),
            },
            5 => Session {
                role,
                name: "GitHubActions".to_owned(),
                context: format!(
                    r#""webIdFederationData":{{"federatedProvider":"arn:aws:iam::{account}:oidc-provider/token.actions.githubusercontent.com","attributes":{{"token.actions.githubusercontent.com:aud":"sts.amazonaws.com"}}}},{attributes}"#
                ),
                after: String::new(),
            },
            _ => Session {
                role,
                name: estate.pool(Pool::Instance)[index].clone(),
                context: format!(r#"{attributes},"ec2RoleDelivery":"2.0""#),
                after: String::new(),
            },
        }
    }

    fn service(&self, service: &str) -> Actor {
        let identity = format!(r#"{{"type":"AWSService","invokedBy":"{service}"}}"#);
        Actor { identity, ip: service.to_owned(), agent: service.to_owned() }
    }

    fn root(&mut self) -> Actor {
        let account = self.estate.account;
        let (key, created) = (self.random.text(Alphabet::Base32, 16), &self.created);
        let identity = format!(
            r#"{{"type":"Root","principalId":"{account}","arn":"arn:aws:iam::{account}:root","accountId":"{account}","accessKeyId":"ASIA{key}","sessionContext":{{"sessionIssuer":{{}},"webIdFederationData":{{}},"attributes":{{"creationDate":"{created}","mfaAuthenticated":"true"}}}}}}"#
        );
        Actor { identity, ip: self.office(), agent: BROWSERS[0].to_owned() }
    }

    fn strangers(&mut self) -> Vec<Actor> {
        let account = self.estate.account;
        let created = self.created.clone();
        let key = self.random.text(Alphabet::Base32, 16);
        let id = self.random.text(Alphabet::Base32, 17);
        let guid = self.random.guid();
        let identities = [
            format!(r#"{{"accountId":"{account}","invokedBy":"secretsmanager.amazonaws.com"}}"#),
            format!(r#"{{"type":"AWSAccount","principalId":"AIDA{id}","accountId":"444455556666"}}"#),
            format!(
                r#"{{"type":"FederatedUser","principalId":"{account}:Ines","arn":"arn:aws:sts::{account}:federated-user/Ines","accountId":"{account}","accessKeyId":"ASIA{key}","sessionContext":{{"sessionIssuer":{{"type":"IAMUser","principalId":"AIDA{id}","arn":"arn:aws:iam::{account}:user/broker","accountId":"{account}","userName":"broker"}},"webIdFederationData":{{}},"attributes":{{"creationDate":"{created}","mfaAuthenticated":"false"}}}}}}"#
            ),
            format!(
                r#"{{"type":"IdentityCenterUser","accountId":"{account}","onBehalfOf":{{"userId":"{guid}","identityStoreArn":"arn:aws:identitystore::{account}:identitystore/d-90676c0a11"}},"credentialId":"{guid}"}}"#
            ),
            r#"{"type":"WebIdentityUser","principalId":"accounts.google.com:example-app.apps.googleusercontent.com:10769150350006150715113082367","userName":"10769150350006150715113082367","identityProvider":"accounts.google.com"}"#.to_owned(),
            format!(
                r#"{{"type":"SAMLUser","principalId":"{id}=:ines@example.com","userName":"ines@example.com","identityProvider":"{id}="}}"#
            ),
            r#"{"type":"Unknown","principalId":"","accountId":"ANONYMOUS_PRINCIPAL"}"#.to_owned(),
        ];
        identities
            .into_iter()
            .map(|identity| Actor { identity, ip: self.office(), agent: self.random.favour(&TOOLS).to_string() })
            .collect()
    }

    fn user_with_key(&self, user: usize) -> String {
        let (ids, account, name) = (&self.estate.users[user], self.estate.account, PEOPLE[user]);
        format!(
            r#"{{"type":"IAMUser","principalId":"AIDA{}","arn":"arn:aws:iam::{account}:user/{name}","accountId":"{account}","accessKeyId":"AKIA{}","userName":"{name}"}}"#,
            ids.unique, ids.access_key
        )
    }

    fn user_with_session(&mut self, user: usize) -> String {
        let (ids, account, name) = (&self.estate.users[user], self.estate.account, PEOPLE[user]);
        let (key, mfa) = (self.random.text(Alphabet::Base32, 16), self.random.chance(70));
        format!(
            r#"{{"type":"IAMUser","principalId":"AIDA{}","arn":"arn:aws:iam::{account}:user/{name}","accountId":"{account}","accessKeyId":"ASIA{key}","userName":"{name}","sessionContext":{{"sessionIssuer":{{}},"webIdFederationData":{{}},"attributes":{{"creationDate":"{}","mfaAuthenticated":"{mfa}"}}}}}}"#,
            ids.unique, self.created
        )
    }

    /// A role session that Identity Center made; its role has a name of its own shape.
    fn single_sign_on(&mut self, user: usize) -> String {
        let (account, name, created) = (self.estate.account, PEOPLE[user], &self.created);
        let set = user % PERMISSION_SETS.len();
        let id = &self.estate.roles[set];
        let role = format!("AWSReservedSSO_{}_{}", PERMISSION_SETS[set], id[..16].to_ascii_lowercase());
        let key = self.random.text(Alphabet::Base32, 16);
        format!(
            r#"{{"type":"AssumedRole","principalId":"AROA{id}:{name}@example.com","arn":"arn:aws:sts::{account}:assumed-role/{role}/{name}@example.com","accountId":"{account}","accessKeyId":"ASIA{key}","sessionContext":{{"sessionIssuer":{{"type":"Role","principalId":"AROA{id}","arn":"arn:aws:iam::{account}:role/aws-reserved/sso.amazonaws.com/{role}","accountId":"{account}","userName":"{role}"}},"attributes":{{"creationDate":"{created}","mfaAuthenticated":"false"}}}}}}"#
        )
    }

    fn assumed_role(&mut self, session: &Session) -> String {
        let (id, account) = (&self.estate.roles[session.role], self.estate.account);
        let Session { name, context, after, .. } = session;
        let role = ROLES[session.role];
        let key = self.random.text(Alphabet::Base32, 16);
        format!(
            r#"{{"type":"AssumedRole","principalId":"AROA{id}:{name}","arn":"arn:aws:sts::{account}:assumed-role/{role}/{name}","accountId":"{account}","accessKeyId":"ASIA{key}","sessionContext":{{"sessionIssuer":{{"type":"Role","principalId":"AROA{id}","arn":"arn:aws:iam::{account}:role/{role}","accountId":"{account}","userName":"{role}"}},{context}}}{after}}}"#
        )
    }

    fn office(&mut self) -> String {
        self.random.favour(&self.estate.offices).clone()
    }
}
