//! The table of columns: name, type, where in a record the value stands.
//!
//! `docs/schema.md` describes each; a test holds the two together. A later minor version adds nullable columns at the end
//! and changes nothing else.

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

/// One column.
#[derive(Debug, Clone, Copy)]
pub struct Column {
    /// Name in the table.
    pub name: &'static str,
    /// How it is filled.
    pub fill: Fill,
}

const fn text(name: &'static str, field: Field) -> Column {
    Column { name, fill: Fill::Text(field) }
}

const fn json(name: &'static str, field: Field) -> Column {
    Column { name, fill: Fill::Json(field) }
}

const fn from(name: &'static str, origin: Origin) -> Column {
    Column { name, fill: Fill::From(origin) }
}

/// Every column, in order.
pub const COLUMNS: &[Column] = &[
    Column { name: "event_time", fill: Fill::Time(Field::EventTime) },
    text("event_version", Field::EventVersion),
    text("event_source", Field::EventSource),
    text("event_name", Field::EventName),
    text("aws_region", Field::AwsRegion),
    text("source_ip_address", Field::SourceIpAddress),
    text("user_agent", Field::UserAgent),
    text("error_code", Field::ErrorCode),
    text("error_message", Field::ErrorMessage),
    text("request_id", Field::RequestId),
    text("event_id", Field::EventId),
    text("event_type", Field::EventType),
    text("api_version", Field::ApiVersion),
    Column { name: "read_only", fill: Fill::Flag(Field::ReadOnly) },
    Column { name: "management_event", fill: Fill::Flag(Field::ManagementEvent) },
    text("recipient_account_id", Field::RecipientAccountId),
    text("event_category", Field::EventCategory),
    text("shared_event_id", Field::SharedEventId),
    text("vpc_endpoint_id", Field::VpcEndpointId),
    text("vpc_endpoint_account_id", Field::VpcEndpointAccountId),
    Column { name: "session_credential_from_console", fill: Fill::FlagText(Field::SessionCredentialFromConsole) },
    text("user_type", Field::UserType),
    text("user_principal_id", Field::UserPrincipalId),
    text("user_arn", Field::UserArn),
    text("user_account_id", Field::UserAccountId),
    text("user_access_key_id", Field::UserAccessKeyId),
    text("user_name", Field::UserName),
    text("user_invoked_by", Field::UserInvokedBy),
    text("user_identity_provider", Field::UserIdentityProvider),
    text("session_issuer_type", Field::SessionIssuerType),
    text("session_issuer_principal_id", Field::SessionIssuerPrincipalId),
    text("session_issuer_arn", Field::SessionIssuerArn),
    text("session_issuer_account_id", Field::SessionIssuerAccountId),
    text("session_issuer_user_name", Field::SessionIssuerUserName),
    text("session_creation_time", Field::SessionCreationDate),
    Column { name: "session_mfa_authenticated", fill: Fill::FlagText(Field::SessionMfaAuthenticated) },
    text("session_source_identity", Field::SessionSourceIdentity),
    text("web_id_federated_provider", Field::WebIdFederatedProvider),
    text("on_behalf_of_user_id", Field::OnBehalfOfUserId),
    text("on_behalf_of_identity_store_arn", Field::OnBehalfOfIdentityStoreArn),
    text("tls_version", Field::TlsVersion),
    text("tls_cipher_suite", Field::TlsCipherSuite),
    text("tls_client_provided_host_header", Field::TlsClientProvidedHostHeader),
    Column { name: "resources", fill: Fill::Resources },
    json("request_parameters", Field::RequestParameters),
    json("response_elements", Field::ResponseElements),
    json("additional_event_data", Field::AdditionalEventData),
    json("service_event_details", Field::ServiceEventDetails),
    json("insight_details", Field::InsightDetails),
    json("addendum", Field::Addendum),
    json("edge_device_details", Field::EdgeDeviceDetails),
    json("event_context", Field::EventContext),
    Column { name: "content_omitted", fill: Fill::Omitted },
    Column { name: "extra_json", fill: Fill::Extra },
    from("source_org_id", Origin::Org),
    from("source_account_id", Origin::Account),
    from("source_region", Origin::Region),
    from("source_key", Origin::Key),
    from("source_index", Origin::Index),
    from("source_sha256", Origin::Sha256),
    from("source_digest_key", Origin::Digest),
    from("integrity", Origin::Integrity),
    from("malformed_raw", Origin::MalformedRaw),
    from("malformed_reason", Origin::MalformedReason),
    from("raw_json", Origin::RawJson),
];

/// The members of a resource, in the order of the struct's fields.
pub const RESOURCE: [(&str, &str); 4] =
    [("arn", "ARN"), ("arn_prefix", "ARNPrefix"), ("account_id", "accountId"), ("type", "type")];

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

impl Column {
    /// What its values are.
    pub fn holds(&self) -> ColumnType {
        match self.fill {
            Fill::Text(_) => ColumnType::Text,
            Fill::Json(_) | Fill::Extra => ColumnType::Json,
            Fill::Flag(_) | Fill::FlagText(_) | Fill::Omitted => ColumnType::Flag,
            Fill::Time(_) => ColumnType::Time,
            Fill::Resources => ColumnType::Resources,
            Fill::From(Origin::Index) => ColumnType::Number,
            Fill::From(Origin::MalformedRaw) => ColumnType::Bytes,
            Fill::From(_) => ColumnType::Text,
        }
    }

    /// Whether the same text is expected in many rows: every text but those that tell one event from all others.
    pub(super) fn repeats(&self) -> bool {
        let distinct = [
            Fill::Text(Field::EventId),
            Fill::Text(Field::RequestId),
            Fill::Text(Field::SharedEventId),
            Fill::From(Origin::RawJson),
        ];
        self.holds() == ColumnType::Text && !distinct.contains(&self.fill)
    }
}

/// The position of the column of a name; for names that are known to be columns.
pub fn position(name: &str) -> usize {
    COLUMNS.iter().position(|column| column.name == name).expect("the table of columns has the name")
}
