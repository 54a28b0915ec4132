//! The one table of columns, and everything that is decided about a column: its name and type, where in a record the value
//! stands, how it is kept and written, and what others call it.
//!
//! ```text
//! COLUMNS ──▶ rows       columns/build.rs     fill, repeats
//!         ├─▶ files      sink/encode          type, repeats, bounds, bloom_filter, sort
//!         └─▶ SQL        ddl                  type, aws
//! ```
//!
//! `docs/schema.md` describes each; a test holds the two together. A later minor version adds nullable columns at the end
//! and changes nothing else. Several columns may be filled from one field.

use crate::event::Field;

/// The version of the columns, in every file's metadata.
pub const VERSION: &str = "1.0";

/// How a column is filled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fill {
    /// A JSON string.
    Text(Field),
    /// `true` or `false`.
    Flag(Field),
    /// The strings `"true"` or `"false"`.
    FlagText(Field),
    /// A time as CloudTrail writes it.
    Time(Field),
    /// The value's own bytes, whatever its type.
    Json(Field),
    /// The list of resources.
    Resources,
    /// Whether CloudTrail left out content for its size.
    Omitted,
    /// Everything that no other column holds.
    Extra,
    /// Where the row came from.
    From(Origin),
}

/// Where a row came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// Organization in the key.
    Org,
    /// Account in the key.
    Account,
    /// Region in the key.
    Region,
    /// Object key.
    Key,
    /// Position in the log.
    Index,
    /// SHA-256 of the log's content.
    Sha256,
    /// Key of the digest that lists the log.
    Digest,
    /// What verification said of the log.
    Integrity,
    /// The bytes of what is no record.
    MalformedRaw,
    /// Why it is none.
    MalformedReason,
    /// The record's exact bytes, with `--raw`.
    RawJson,
}

/// One column, with everything that is decided about it.
#[derive(Debug, Clone, Copy)]
pub struct Column {
    /// Name in the table.
    pub name: &'static str,
    /// How it is filled. Its type follows from that: [`holds`](Self::holds).
    pub fill: Fill,
    /// Whether the same text is expected in many rows: each distinct text is then kept once, and a dictionary may be
    /// written.
    pub repeats: bool,
    /// Whether files tell the smallest and the largest value of pages and row groups.
    pub bounds: bool,
    /// Whether row groups have a filter that tells which texts they do not hold: for columns that are looked into for one
    /// value among very many.
    pub bloom_filter: bool,
    /// Its place among the columns by which the rows of a partition are sorted, the first being 0.
    pub sort: Option<u8>,
    /// Its name in AWS's own table of CloudTrail logs, behind the names of the structs around it (`useridentity.arn`).
    pub aws: Option<&'static str>,
}

impl Column {
    /// A column of which nothing is said beside how it is filled: texts repeat and have bounds, JSON and bytes do not.
    const fn new(name: &'static str, fill: Fill) -> Self {
        let holds = fill.holds();
        let repeats = matches!(holds, ColumnType::Text | ColumnType::Resources);
        // The smallest and largest JSON help no query, and broken records are not asked for by value.
        let bounds = !matches!(holds, ColumnType::Json | ColumnType::Bytes);
        Self { name, fill, repeats, bounds, bloom_filter: false, sort: None, aws: None }
    }

    /// Nearly every row has a text of its own, so looking texts up costs more than it saves.
    const fn distinct(self) -> Self {
        Self { repeats: false, ..self }
    }

    /// No query asks for a range of its values.
    const fn unbounded(self) -> Self {
        Self { bounds: false, ..self }
    }

    const fn bloom_filter(self) -> Self {
        assert!(matches!(self.holds(), ColumnType::Text), "filters are made of texts");
        Self { bloom_filter: true, ..self }
    }

    const fn sort(self, place: u8) -> Self {
        assert!(!matches!(self.holds(), ColumnType::Resources), "lists have no order");
        Self { sort: Some(place), ..self }
    }

    const fn aws(self, name: &'static str) -> Self {
        Self { aws: Some(name), ..self }
    }

    /// What its values are.
    pub const fn holds(&self) -> ColumnType {
        self.fill.holds()
    }
}

const fn text(name: &'static str, field: Field) -> Column {
    Column::new(name, Fill::Text(field))
}

const fn json(name: &'static str, field: Field) -> Column {
    Column::new(name, Fill::Json(field))
}

const fn from(name: &'static str, origin: Origin) -> Column {
    Column::new(name, Fill::From(origin))
}

/// Every column, in order.
pub const COLUMNS: &[Column] = &[
    Column::new("event_time", Fill::Time(Field::EventTime)).sort(1).aws("eventtime"),
    text("event_version", Field::EventVersion).aws("eventversion"),
    text("event_source", Field::EventSource).aws("eventsource"),
    text("event_name", Field::EventName).aws("eventname"),
    text("aws_region", Field::AwsRegion).aws("awsregion"),
    text("source_ip_address", Field::SourceIpAddress).bloom_filter().aws("sourceipaddress"),
    text("user_agent", Field::UserAgent).aws("useragent"),
    text("error_code", Field::ErrorCode).aws("errorcode"),
    text("error_message", Field::ErrorMessage).aws("errormessage"),
    text("request_id", Field::RequestId).distinct().bloom_filter().aws("requestid"),
    text("event_id", Field::EventId).distinct().bloom_filter().aws("eventid"),
    text("event_type", Field::EventType).aws("eventtype"),
    text("api_version", Field::ApiVersion).aws("apiversion"),
    Column::new("read_only", Fill::Flag(Field::ReadOnly)).aws("readonly"),
    Column::new("management_event", Fill::Flag(Field::ManagementEvent)),
    text("recipient_account_id", Field::RecipientAccountId).aws("recipientaccountid"),
    text("event_category", Field::EventCategory).aws("eventcategory"),
    text("shared_event_id", Field::SharedEventId).distinct().bloom_filter().aws("sharedeventid"),
    text("vpc_endpoint_id", Field::VpcEndpointId).aws("vpcendpointid"),
    text("vpc_endpoint_account_id", Field::VpcEndpointAccountId).aws("vpcendpointaccountid"),
    Column::new("session_credential_from_console", Fill::FlagText(Field::SessionCredentialFromConsole))
        .aws("sessioncredentialfromconsole"),
    text("user_type", Field::UserType).aws("useridentity.type"),
    text("user_principal_id", Field::UserPrincipalId).bloom_filter().aws("useridentity.principalid"),
    text("user_arn", Field::UserArn).bloom_filter().aws("useridentity.arn"),
    text("user_account_id", Field::UserAccountId).aws("useridentity.accountid"),
    text("user_access_key_id", Field::UserAccessKeyId).bloom_filter().aws("useridentity.accesskeyid"),
    text("user_name", Field::UserName).aws("useridentity.username"),
    text("user_invoked_by", Field::UserInvokedBy).aws("useridentity.invokedby"),
    text("user_identity_provider", Field::UserIdentityProvider),
    text("session_issuer_type", Field::SessionIssuerType).aws("useridentity.sessioncontext.sessionissuer.type"),
    text("session_issuer_principal_id", Field::SessionIssuerPrincipalId)
        .aws("useridentity.sessioncontext.sessionissuer.principalid"),
    text("session_issuer_arn", Field::SessionIssuerArn)
        .bloom_filter()
        .aws("useridentity.sessioncontext.sessionissuer.arn"),
    text("session_issuer_account_id", Field::SessionIssuerAccountId)
        .aws("useridentity.sessioncontext.sessionissuer.accountid"),
    text("session_issuer_user_name", Field::SessionIssuerUserName)
        .aws("useridentity.sessioncontext.sessionissuer.username"),
    text("session_creation_time", Field::SessionCreationDate)
        .aws("useridentity.sessioncontext.attributes.creationdate"),
    Column::new("session_mfa_authenticated", Fill::FlagText(Field::SessionMfaAuthenticated))
        .aws("useridentity.sessioncontext.attributes.mfaauthenticated"),
    text("session_source_identity", Field::SessionSourceIdentity),
    text("web_id_federated_provider", Field::WebIdFederatedProvider)
        .aws("useridentity.sessioncontext.webidfederationdata.federatedprovider"),
    text("on_behalf_of_user_id", Field::OnBehalfOfUserId).aws("useridentity.onbehalfof.userid"),
    text("on_behalf_of_identity_store_arn", Field::OnBehalfOfIdentityStoreArn)
        .aws("useridentity.onbehalfof.identitystorearn"),
    text("tls_version", Field::TlsVersion).aws("tlsdetails.tlsversion"),
    text("tls_cipher_suite", Field::TlsCipherSuite).aws("tlsdetails.ciphersuite"),
    text("tls_client_provided_host_header", Field::TlsClientProvidedHostHeader)
        .aws("tlsdetails.clientprovidedhostheader"),
    Column::new("resources", Fill::Resources).aws("resources"),
    json("request_parameters", Field::RequestParameters).aws("requestparameters"),
    json("response_elements", Field::ResponseElements).aws("responseelements"),
    json("additional_event_data", Field::AdditionalEventData).aws("additionaleventdata"),
    json("service_event_details", Field::ServiceEventDetails).aws("serviceeventdetails"),
    json("insight_details", Field::InsightDetails),
    json("addendum", Field::Addendum).aws("addendum"),
    json("edge_device_details", Field::EdgeDeviceDetails).aws("edgedevicedetails"),
    json("event_context", Field::EventContext),
    Column::new("content_omitted", Fill::Omitted),
    Column::new("extra_json", Fill::Extra),
    from("source_org_id", Origin::Org),
    from("source_account_id", Origin::Account).sort(0).aws("account"),
    from("source_region", Origin::Region).aws("region"),
    from("source_key", Origin::Key),
    from("source_index", Origin::Index),
    from("source_sha256", Origin::Sha256),
    from("source_digest_key", Origin::Digest),
    from("integrity", Origin::Integrity).aws("integrity"),
    from("malformed_raw", Origin::MalformedRaw),
    from("malformed_reason", Origin::MalformedReason),
    from("raw_json", Origin::RawJson).distinct().unbounded(),
];

/// The positions of the columns by which the rows of a partition are sorted, the first first.
pub const SORTED_BY: [usize; 2] = [sorted_by(0), sorted_by(1)];

const fn sorted_by(place: u8) -> usize {
    let mut position = 0;
    while position < COLUMNS.len() {
        if matches!(COLUMNS[position].sort, Some(here) if here == place) {
            return position;
        }
        position += 1;
    }
    panic!("no column has this place")
}

/// A member of a resource.
#[derive(Debug, Clone, Copy)]
pub struct ResourceMember {
    /// Its name in the table.
    pub name: &'static str,
    /// Its key in a record.
    pub key: &'static str,
    /// Its name in AWS's own table.
    pub aws: Option<&'static str>,
}

const fn member(name: &'static str, key: &'static str, aws: Option<&'static str>) -> ResourceMember {
    ResourceMember { name, key, aws }
}

/// The members of a resource, in the order of the struct's fields.
pub const RESOURCE: [ResourceMember; 4] = [
    member("arn", "ARN", Some("arn")),
    member("arn_prefix", "ARNPrefix", None),
    member("account_id", "accountId", Some("accountid")),
    member("type", "type", Some("type")),
];

/// What a column's values are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ColumnType {
    /// UTF-8 text.
    Text,
    /// UTF-8 text that is JSON.
    Json,
    /// A truth value.
    Flag,
    /// Milliseconds since 1970, UTC.
    Time,
    /// A whole number of 64 bits.
    Number,
    /// Bytes that need not be text.
    Bytes,
    /// A list of structs whose members are the texts of [`RESOURCE`].
    Resources,
}

impl ColumnType {
    /// The type as Hive, Athena and Spark spell it.
    pub fn hive(self) -> String {
        let name = match self {
            Self::Text | Self::Json => "string",
            Self::Flag => "boolean",
            Self::Time => "timestamp",
            Self::Number => "bigint",
            Self::Bytes => "binary",
            Self::Resources => {
                let members: Vec<String> = RESOURCE.iter().map(|member| format!("{}:string", member.name)).collect();
                return format!("array<struct<{}>>", members.join(","));
            }
        };
        name.to_owned()
    }
}

impl Fill {
    const fn holds(self) -> ColumnType {
        match self {
            Self::Text(_) => ColumnType::Text,
            Self::Json(_) | Self::Extra => ColumnType::Json,
            Self::Flag(_) | Self::FlagText(_) | Self::Omitted => ColumnType::Flag,
            Self::Time(_) => ColumnType::Time,
            Self::Resources => ColumnType::Resources,
            Self::From(Origin::Index) => ColumnType::Number,
            Self::From(Origin::MalformedRaw) => ColumnType::Bytes,
            Self::From(_) => ColumnType::Text,
        }
    }

    /// The field that it is filled from, if it is one.
    pub(super) const fn field(self) -> Option<Field> {
        match self {
            Self::Text(field) | Self::Flag(field) | Self::FlagText(field) => Some(field),
            Self::Time(field) | Self::Json(field) => Some(field),
            Self::Resources => Some(Field::Resources),
            Self::Omitted | Self::Extra | Self::From(_) => None,
        }
    }
}

/// The position of the column of a name; for names that are known to be columns.
pub fn position(name: &str) -> usize {
    COLUMNS.iter().position(|column| column.name == name).expect("the table of columns has the name")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Scope;

    /// [`RowBuilder`](crate::columns::RowBuilder) has one place for each of them.
    #[test]
    fn what_is_not_filled_from_a_field_fills_one_column() {
        let fills: Vec<Fill> = COLUMNS.iter().map(|column| column.fill).filter(|fill| fill.field().is_none()).collect();
        for (position, fill) in fills.iter().enumerate() {
            assert!(
                !fills[..position].contains(fill),
                "{fill:?} would fill one of its columns and leave the other empty"
            );
        }
    }

    /// What is remembered of an object that comes again is texts and truth values: see `columns/known.rs`.
    #[test]
    fn columns_of_members_of_objects_are_texts_or_truth_values() {
        for column in COLUMNS {
            let is_inner = column.fill.field().is_some_and(|field| field.scope() != Scope::Record);
            assert!(!is_inner || matches!(column.holds(), ColumnType::Text | ColumnType::Flag), "{}", column.name);
        }
    }

    #[test]
    fn names_of_columns_and_their_names_in_awss_table_are_unique() {
        for (position, column) in COLUMNS.iter().enumerate() {
            for other in &COLUMNS[..position] {
                assert_ne!(column.name, other.name);
                assert!(column.aws.is_none() || column.aws != other.aws, "{} and {}", column.name, other.name);
            }
        }
    }

    #[test]
    fn every_column_that_has_a_place_in_the_order_of_rows_is_sorted_by() {
        let placed = COLUMNS.iter().filter(|column| column.sort.is_some()).count();
        assert_eq!(placed, SORTED_BY.len());
    }
}
