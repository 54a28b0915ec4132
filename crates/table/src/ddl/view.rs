//! The view: AWS's own column names and nesting over the table, so that published CloudTrail queries run as they are.
//!
//! The columns are those of the Athena guide's table, in its order, then what its partitions are called there, then
//! `event_date` and `integrity`, which are this program's. A struct is never null itself, only its members are: engines
//! can then read the columns of the members that a query names, and no others.

use super::{Engine, Request};
use crate::sink::Partitioning;

/// What a column of the view, or a member of its structs, is made from.
enum Value {
    /// A column as it is.
    Column(&'static str),
    /// A truth value as AWS types it: text.
    FlagText(&'static str),
    /// A time as CloudTrail writes it.
    TimeText(&'static str),
    /// A JSON column; null where the source said null.
    Json(&'static str),
    /// A member of a JSON column, by its path.
    Member(&'static str, &'static str),
    /// A member of a JSON column that is an object.
    Members(&'static str, &'static str),
    /// A struct.
    Struct(&'static [(&'static str, Self)]),
    /// The list of resources.
    Resources,
    /// The folder that the log lay in, by the name of its partition and of its column.
    Folder(&'static str, &'static str),
    /// A part of `event_date`: first character, length.
    DatePart(u8, u8),
    /// `event_date` with `/`.
    DatePath,
}

use Value::{Column, DatePart, DatePath, FlagText, Folder, Json, Member, Members, Resources, Struct, TimeText};

/// The members of a resource: the view's names and the table's.
const RESOURCE: [(&str, &str); 3] = [("arn", "arn"), ("accountid", "account_id"), ("type", "type")];

const VIEW: &[(&str, Value)] = &[
    ("eventversion", Column("event_version")),
    (
        "useridentity",
        Struct(&[
            ("type", Column("user_type")),
            ("principalid", Column("user_principal_id")),
            ("arn", Column("user_arn")),
            ("accountid", Column("user_account_id")),
            ("invokedby", Column("user_invoked_by")),
            ("accesskeyid", Column("user_access_key_id")),
            ("username", Column("user_name")),
            (
                "onbehalfof",
                Struct(&[
                    ("userid", Column("on_behalf_of_user_id")),
                    ("identitystorearn", Column("on_behalf_of_identity_store_arn")),
                ]),
            ),
            (
                "sessioncontext",
                Struct(&[
                    (
                        "attributes",
                        Struct(&[
                            ("mfaauthenticated", FlagText("session_mfa_authenticated")),
                            ("creationdate", Column("session_creation_time")),
                        ]),
                    ),
                    (
                        "sessionissuer",
                        Struct(&[
                            ("type", Column("session_issuer_type")),
                            ("principalid", Column("session_issuer_principal_id")),
                            ("arn", Column("session_issuer_arn")),
                            ("accountid", Column("session_issuer_account_id")),
                            ("username", Column("session_issuer_user_name")),
                        ]),
                    ),
                    ("ec2roledelivery", Member("extra_json", "userIdentity.sessionContext.ec2RoleDelivery")),
                    (
                        "webidfederationdata",
                        Struct(&[
                            ("federatedprovider", Column("web_id_federated_provider")),
                            (
                                "attributes",
                                Members("extra_json", "userIdentity.sessionContext.webIdFederationData.attributes"),
                            ),
                        ]),
                    ),
                ]),
            ),
        ]),
    ),
    ("eventtime", TimeText("event_time")),
    ("eventsource", Column("event_source")),
    ("eventname", Column("event_name")),
    ("awsregion", Column("aws_region")),
    ("sourceipaddress", Column("source_ip_address")),
    ("useragent", Column("user_agent")),
    ("errorcode", Column("error_code")),
    ("errormessage", Column("error_message")),
    ("requestparameters", Json("request_parameters")),
    ("responseelements", Json("response_elements")),
    ("additionaleventdata", Json("additional_event_data")),
    ("requestid", Column("request_id")),
    ("eventid", Column("event_id")),
    ("resources", Resources),
    ("eventtype", Column("event_type")),
    ("apiversion", Column("api_version")),
    ("readonly", FlagText("read_only")),
    ("recipientaccountid", Column("recipient_account_id")),
    ("serviceeventdetails", Json("service_event_details")),
    ("sharedeventid", Column("shared_event_id")),
    ("vpcendpointid", Column("vpc_endpoint_id")),
    ("vpcendpointaccountid", Column("vpc_endpoint_account_id")),
    ("eventcategory", Column("event_category")),
    (
        "addendum",
        Struct(&[
            ("reason", Member("addendum", "reason")),
            ("updatedfields", Member("addendum", "updatedFields")),
            ("originalrequestid", Member("addendum", "originalRequestID")),
            ("originaleventid", Member("addendum", "originalEventID")),
        ]),
    ),
    ("sessioncredentialfromconsole", FlagText("session_credential_from_console")),
    ("edgedevicedetails", Json("edge_device_details")),
    (
        "tlsdetails",
        Struct(&[
            ("tlsversion", Column("tls_version")),
            ("ciphersuite", Column("tls_cipher_suite")),
            ("clientprovidedhostheader", Column("tls_client_provided_host_header")),
        ]),
    ),
    ("account", Folder("account", "source_account_id")),
    ("region", Folder("region", "source_region")),
    ("year", DatePart(1, 4)),
    ("month", DatePart(6, 2)),
    ("day", DatePart(9, 2)),
    ("timestamp", DatePath),
    ("event_date", Column("event_date")),
    ("integrity", Column("integrity")),
];

/// The statement that makes the view.
pub(super) fn statement(request: &Request) -> String {
    let engine = request.engine;
    let writer = Writer { engine, partitioning: request.partitioning };
    let columns: Vec<String> =
        VIEW.iter().map(|(name, value)| format!("  {} AS {}", writer.value(value, 1), engine.quoted(name))).collect();
    let create = match engine {
        Engine::Athena | Engine::DuckDb => "CREATE VIEW",
        Engine::Spark => "CREATE TEMPORARY VIEW",
    };
    format!(
        "-- The same rows under AWS's own names, for queries that were written for AWS's table of CloudTrail logs.\n\
         {create} {} AS\nSELECT\n{}\nFROM {};\n",
        engine.quoted(&request.view),
        columns.join(",\n"),
        engine.quoted(&request.table),
    )
}

struct Writer {
    engine: Engine,
    partitioning: Partitioning,
}

impl Writer {
    fn value(&self, value: &Value, depth: usize) -> String {
        let engine = self.engine;
        let column = |name: &str| engine.quoted(name);
        match value {
            Column(name) => column(name),
            FlagText(name) => format!("CAST({} AS {})", column(name), engine.text_type()),
            TimeText(name) => engine.time_text(&column(name)),
            Json(name) => format!("nullif({}, 'null')", column(name)),
            Member(json, path) => engine.member(&column(json), path),
            Members(json, path) => engine.members(&column(json), path),
            Struct(members) => self.structure(members, depth),
            Resources => {
                let members: Vec<(&str, String)> =
                    RESOURCE.iter().map(|(name, from)| (*name, format!("r.{}", column(from)))).collect();
                let types: Vec<String> =
                    RESOURCE.iter().map(|(name, _)| format!("{name} {}", engine.text_type())).collect();
                engine.each(&column("resources"), &self.packed(&members, &types.join(", "), " ", ""))
            }
            Folder(key, name) => column(if self.partitioning.keys().contains(key) { key } else { name }),
            DatePart(from, length) => format!("substr({}, {from}, {length})", column("event_date")),
            DatePath => format!("replace({}, '-', '/')", column("event_date")),
        }
    }

    fn structure(&self, members: &[(&'static str, Value)], depth: usize) -> String {
        let values: Vec<(&str, String)> =
            members.iter().map(|(name, value)| (*name, self.value(value, depth + 1))).collect();
        let between = format!("\n{}", "  ".repeat(depth + 1));
        let after = format!("\n{}", "  ".repeat(depth));
        // Athena casts the outermost row, with the rows in it.
        if self.engine == Engine::Athena && depth > 1 {
            let values: Vec<String> = values.into_iter().map(|(_, value)| value).collect();
            return format!("ROW({between}{}{after})", values.join(&format!(",{between}")));
        }
        self.packed(&values, &self.types(members), &between, &after)
    }

    /// A struct of values: `between` stands before each, `after` after the last.
    fn packed(&self, values: &[(&str, String)], types: &str, between: &str, after: &str) -> String {
        let list = |pair: &dyn Fn(&str, &str) -> String| {
            let pairs: Vec<String> = values.iter().map(|(name, value)| pair(name, value)).collect();
            pairs.join(&format!(",{between}"))
        };
        let first = if after.is_empty() { "" } else { between };
        match self.engine {
            Engine::Athena => {
                format!("CAST(ROW({first}{}{after}) AS ROW({types}))", list(&|_, value| value.to_owned()))
            }
            Engine::DuckDb => format!("{{{first}{}{after}}}", list(&|name, value| format!("'{name}': {value}"))),
            Engine::Spark => {
                format!("named_struct({first}{}{after})", list(&|name, value| format!("'{name}', {value}")))
            }
        }
    }

    /// The members' names and types, as Athena's casts take them.
    fn types(&self, members: &[(&'static str, Value)]) -> String {
        let typed = members.iter().map(|(name, value)| match value {
            Struct(inner) => format!("{name} ROW({})", self.types(inner)),
            Members(..) => format!("{name} {}", self.engine.map_type()),
            _ => format!("{name} {}", self.engine.text_type()),
        });
        typed.collect::<Vec<_>>().join(", ")
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::columns::schema::{self, COLUMNS};

    /// Columns that AWS's table has no name for.
    const NOT_AWS: [&str; 19] = [
        "management_event",
        "user_identity_provider",
        "session_source_identity",
        "insight_details",
        "event_context",
        "content_omitted",
        "source_org_id",
        "source_account_id",
        "source_region",
        "source_key",
        "source_index",
        "source_sha256",
        "source_digest_key",
        "malformed_raw",
        "malformed_reason",
        "raw_json",
        "resources",
        "account",
        "region",
    ];

    fn columns(value: &Value, into: &mut BTreeSet<&'static str>) {
        match value {
            Column(name) | FlagText(name) | TimeText(name) | Json(name) | Member(name, _) | Members(name, _) => {
                into.insert(name);
            }
            Folder(_, name) => {
                into.insert(name);
            }
            Struct(members) => members.iter().for_each(|(_, value)| columns(value, into)),
            Resources | DatePart(..) | DatePath => {}
        }
    }

    #[test]
    fn every_column_is_in_the_view_or_has_no_name_there() {
        let mut used = BTreeSet::new();
        VIEW.iter().for_each(|(_, value)| columns(value, &mut used));
        used.remove("event_date");
        let known: BTreeSet<&str> = COLUMNS.iter().map(|column| column.name).collect();
        assert!(used.is_subset(&known), "{:?}", used.difference(&known));
        let left: Vec<&&str> = known.iter().filter(|name| !used.contains(*name) && !NOT_AWS.contains(name)).collect();
        assert!(left.is_empty(), "{left:?}");
    }

    #[test]
    fn resources_of_the_view_have_members_of_the_table() {
        for (_, from) in RESOURCE {
            assert!(schema::RESOURCE.iter().any(|(name, _)| *name == from), "{from}");
        }
    }
}
