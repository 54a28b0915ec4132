//! Which endpoints are CloudTrail's own.
//!
//! Keys are worth what the endpoint is worth that gave them: CloudTrail's own is under a domain that only AWS can have
//! certificates for, names the service and the Region that was asked for, and is spoken to over TLS. Everything else (a
//! proxy, an emulator, another Region's endpoint) may be used, but its keys are not CloudTrail's word.
//!
//! ```text
//! https://cloudtrail[-fips].REGION.SUFFIX                       the Region's endpoint
//! https://vpce-ID[-ZONE].cloudtrail[-fips].REGION.vpce.SUFFIX   a VPC endpoint
//! ```
//! Spec: <https://docs.aws.amazon.com/general/latest/gr/ct.html>

use trailproof_proof::archive::ids::Region;

/// The domains of a partition: the usual one, and the one of dual-stack endpoints.
fn suffixes(partition: &str) -> [&'static str; 2] {
    match partition {
        "aws-cn" => ["amazonaws.com.cn", "api.amazonwebservices.com.cn"],
        "aws-iso" => ["c2s.ic.gov", "api.aws.ic.gov"],
        "aws-iso-b" => ["sc2s.sgov.gov", "api.aws.scloud"],
        "aws-iso-e" => ["cloud.adc-e.uk", "api.cloud-aws.adc-e.uk"],
        "aws-iso-f" => ["csp.hci.ic.gov", "api.aws.hci.ic.gov"],
        "aws-eusc" => ["amazonaws.eu", "api.amazonwebservices.eu"],
        _ => ["amazonaws.com", "api.aws"],
    }
}

/// Whether an address, as far as scheme and host go, is CloudTrail's own in this Region.
pub fn is_cloudtrails_own(address: &str, region: &Region) -> bool {
    let Some(rest) = address.strip_prefix("https://") else { return false };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let host = authority.strip_suffix(":443").unwrap_or(authority);
    suffixes(region.partition()).into_iter().any(|suffix| {
        let name = host.strip_suffix(suffix).and_then(|name| name.strip_suffix('.'));
        name.is_some_and(|name| is_service(name, region) || is_vpc_endpoint(name, region))
    })
}

/// `cloudtrail.REGION`, in what comes before the suffix.
fn is_service(name: &str, region: &Region) -> bool {
    let service = name.strip_suffix(region.as_str()).and_then(|service| service.strip_suffix('.'));
    matches!(service, Some("cloudtrail" | "cloudtrail-fips"))
}

/// `vpce-ID.cloudtrail.REGION.vpce`, likewise.
fn is_vpc_endpoint(name: &str, region: &Region) -> bool {
    let Some((id, service)) = name.strip_suffix(".vpce").and_then(|name| name.split_once('.')) else { return false };
    let is_id = id.strip_prefix("vpce-").is_some_and(|rest| {
        !rest.is_empty() && rest.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
    });
    is_id && is_service(service, region)
}

/// Scheme and host of an address.
pub(super) fn origin(address: &str) -> String {
    let scheme = address.find("://").map_or(0, |at| at + 3);
    let end = address[scheme..].find(['/', '?', '#']).map_or(address.len(), |at| scheme + at);
    address[..end].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_own(address: &str, region: &str) -> bool {
        is_cloudtrails_own(address, &region.parse().expect("Region"))
    }

    #[test]
    fn a_regions_own_endpoints_are_cloudtrails() {
        for (address, region) in [
            ("https://cloudtrail.us-east-1.amazonaws.com", "us-east-1"),
            ("https://cloudtrail.us-east-1.amazonaws.com:443/", "us-east-1"),
            ("https://cloudtrail-fips.us-east-1.amazonaws.com", "us-east-1"),
            ("https://cloudtrail.eu-west-1.api.aws", "eu-west-1"),
            ("https://cloudtrail.cn-north-1.amazonaws.com.cn", "cn-north-1"),
            ("https://cloudtrail.us-gov-west-1.amazonaws.com", "us-gov-west-1"),
            ("https://cloudtrail.eusc-de-east-1.amazonaws.eu", "eusc-de-east-1"),
            ("https://cloudtrail.us-iso-east-1.c2s.ic.gov", "us-iso-east-1"),
            ("https://vpce-0a1b-2c3d.cloudtrail.us-east-1.vpce.amazonaws.com", "us-east-1"),
            ("https://vpce-0a1b-2c3d-us-east-1a.cloudtrail.us-east-1.vpce.amazonaws.com/", "us-east-1"),
        ] {
            assert!(is_own(address, region), "{address}");
        }
    }

    #[test]
    fn nothing_else_is() {
        for address in [
            "http://cloudtrail.us-east-1.amazonaws.com",
            "https://cloudtrail.eu-west-1.amazonaws.com",
            "https://cloudtrail.us-east-1.amazonaws.com:8443",
            "https://cloudtrail.us-east-1.amazonaws.com.evil.example",
            "https://cloudtrail.us-east-1.amazonaws.com@evil.example",
            "https://evil.example/cloudtrail.us-east-1.amazonaws.com",
            "https://evilcloudtrail.us-east-1.amazonaws.com",
            "https://evil.cloudtrail.us-east-1.amazonaws.com",
            "https://cloudtrail.us-east-1.evilamazonaws.com",
            "https://cloudtrail.us-east-1.s3.amazonaws.com",
            "https://cloudtrail.us-east-1.amazonaws.com.cn",
            "https://vpce-0a1b.vpce-svc-0a1b.us-east-1.vpce.amazonaws.com",
            "https://vpce-.cloudtrail.us-east-1.vpce.amazonaws.com",
            "https://vpce-0a1b.s3.us-east-1.vpce.amazonaws.com",
            "http://127.0.0.1:9000",
            "",
        ] {
            assert!(!is_own(address, "us-east-1"), "{address}");
        }
    }

    #[test]
    fn an_origin_is_scheme_and_host() {
        assert_eq!(origin("https://a.example:443/b?c"), "https://a.example:443");
        assert_eq!(origin("http://127.0.0.1:9000"), "http://127.0.0.1:9000");
    }
}
