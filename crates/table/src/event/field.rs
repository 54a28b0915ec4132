//! The member names that columns are made from, and how a key is recognised.
//!
//! Not here: which column a field fills ([`crate::columns`]).

/// An object of a record whose members are listed one by one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// The record itself.
    Record,
    /// `userIdentity`.
    UserIdentity,
    /// `userIdentity.sessionContext`.
    SessionContext,
    /// `userIdentity.sessionContext.sessionIssuer`.
    SessionIssuer,
    /// `userIdentity.sessionContext.attributes`.
    SessionAttributes,
    /// `userIdentity.sessionContext.webIdFederationData`.
    WebIdFederation,
    /// `userIdentity.onBehalfOf`.
    OnBehalfOf,
    /// `tlsDetails`.
    TlsDetails,
    /// `timeWindow` of an aggregated event.
    TimeWindow,
}

impl Scope {
    /// How many there are.
    pub(super) const COUNT: usize = Self::TimeWindow as usize + 1;
}

macro_rules! fields {
    ($($scope:ident { $($name:literal $field:ident $(=> $opens:ident)?,)* })*) => {
        /// A known member, unique by its path; [`Unknown`](Self::Unknown) for every other key.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[repr(u8)]
        pub enum Field {
            /// No column is made from this key.
            Unknown,
            $($(#[doc = concat!("`", $name, "`")] $field,)*)*
        }

        impl Field {
            /// Every field, [`Unknown`](Self::Unknown) first; `ALL[f as usize] == f`.
            pub const ALL: &[Self] = &[Self::Unknown, $($(Self::$field,)*)*];

            /// The key, without the path before it; empty for [`Unknown`](Self::Unknown).
            pub fn name(self) -> &'static str {
                match self {
                    Self::Unknown => "",
                    $($(Self::$field => $name,)*)*
                }
            }

            /// The key with its quotes and the colon behind it, as CloudTrail writes them.
            #[inline]
            pub(super) fn spelled(self) -> &'static [u8] {
                const SPELLED: &[&str] = &["", $($(concat!("\"", $name, "\":"),)*)*];
                SPELLED[self as usize].as_bytes()
            }

            /// The object that holds the key.
            pub fn scope(self) -> Scope {
                match self {
                    Self::Unknown => Scope::Record,
                    $($(Self::$field => Scope::$scope,)*)*
                }
            }

            /// The scope that an object under this key opens.
            pub fn opens(self) -> Option<Scope> {
                match self {
                    $($($(Self::$field => Some(Scope::$opens),)?)*)*
                    _ => None,
                }
            }

            /// The field a key names in a scope. Case counts: `tag` and `Tag` are two keys.
            pub fn lookup(scope: Scope, key: &[u8]) -> Self {
                match scope {
                    $(Scope::$scope => {
                        $(if key == $name.as_bytes() { return Self::$field; })*
                    })*
                }
                Self::Unknown
            }
        }
    };
}

fields! {
    Record {
        "eventVersion" EventVersion,
        "userIdentity" UserIdentity => UserIdentity,
        "eventTime" EventTime,
        "eventSource" EventSource,
        "eventName" EventName,
        "awsRegion" AwsRegion,
        "sourceIPAddress" SourceIpAddress,
        "userAgent" UserAgent,
        "errorCode" ErrorCode,
        "errorMessage" ErrorMessage,
        "requestParameters" RequestParameters,
        "responseElements" ResponseElements,
        "additionalEventData" AdditionalEventData,
        "requestID" RequestId,
        "eventID" EventId,
        "readOnly" ReadOnly,
        "resources" Resources,
        "eventType" EventType,
        "apiVersion" ApiVersion,
        "managementEvent" ManagementEvent,
        "recipientAccountId" RecipientAccountId,
        "sharedEventID" SharedEventId,
        "vpcEndpointId" VpcEndpointId,
        "vpcEndpointAccountId" VpcEndpointAccountId,
        "eventCategory" EventCategory,
        "sessionCredentialFromConsole" SessionCredentialFromConsole,
        "tlsDetails" TlsDetails => TlsDetails,
        "serviceEventDetails" ServiceEventDetails,
        "insightDetails" InsightDetails,
        "addendum" Addendum,
        "edgeDeviceDetails" EdgeDeviceDetails,
        "eventContext" EventContext,
        "accountId" AggregatedAccountId,
        "eventId" AggregatedEventId,
        "timeWindow" TimeWindow => TimeWindow,
        "summary" Summary,
    }
    UserIdentity {
        "type" UserType,
        "principalId" UserPrincipalId,
        "arn" UserArn,
        "accountId" UserAccountId,
        "accessKeyId" UserAccessKeyId,
        "userName" UserName,
        "sessionContext" SessionContext => SessionContext,
        "invokedBy" UserInvokedBy,
        "identityProvider" UserIdentityProvider,
        "onBehalfOf" OnBehalfOf => OnBehalfOf,
    }
    SessionContext {
        "sessionIssuer" SessionIssuer => SessionIssuer,
        "webIdFederationData" WebIdFederation => WebIdFederation,
        "attributes" SessionAttributes => SessionAttributes,
        "sourceIdentity" SessionSourceIdentity,
    }
    SessionIssuer {
        "type" SessionIssuerType,
        "principalId" SessionIssuerPrincipalId,
        "arn" SessionIssuerArn,
        "accountId" SessionIssuerAccountId,
        "userName" SessionIssuerUserName,
    }
    SessionAttributes {
        "creationDate" SessionCreationDate,
        "mfaAuthenticated" SessionMfaAuthenticated,
    }
    WebIdFederation {
        "federatedProvider" WebIdFederatedProvider,
    }
    OnBehalfOf {
        "userId" OnBehalfOfUserId,
        "identityStoreArn" OnBehalfOfIdentityStoreArn,
    }
    TlsDetails {
        "tlsVersion" TlsVersion,
        "cipherSuite" TlsCipherSuite,
        "clientProvidedHostHeader" TlsClientProvidedHostHeader,
    }
    TimeWindow {
        "windowStart" WindowStart,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_field_is_found_by_its_own_name_and_scope() {
        for (position, &field) in Field::ALL.iter().enumerate() {
            assert_eq!(field as usize, position);
            if field != Field::Unknown {
                assert_eq!(Field::lookup(field.scope(), field.name().as_bytes()), field);
            }
        }
    }

    #[test]
    fn keys_that_differ_only_in_case_are_other_keys() {
        assert_eq!(Field::lookup(Scope::Record, b"EventName"), Field::Unknown);
        assert_eq!(Field::lookup(Scope::Record, b"eventId"), Field::AggregatedEventId);
        assert_eq!(Field::lookup(Scope::Record, b"eventID"), Field::EventId);
    }
}
