//! Which certificates are trusted: the machine's own, or those of a file, for every connection alike.

use std::net::IpAddr;
use std::path::Path;

use aws_smithy_async::rt::sleep::SharedAsyncSleep;
use aws_smithy_http_client::proxy::ProxyConfig;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_http_client::tls::{Provider, TlsContext, TrustStore};
use aws_smithy_http_client::{Builder, Connector};
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_runtime_api::shared::IntoShared as _;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;

use crate::source::SourceError;

/// The certificates that connections are checked against; by default the machine's own.
#[derive(Debug, Clone, Default)]
pub(in crate::source) struct Trust(Option<TlsContext>);

impl Trust {
    /// Trusts the certificates of a PEM file and no others.
    ///
    /// # Errors
    /// [`SourceError::Configuration`] when the file cannot be read or holds none.
    pub(super) fn only(file: &Path) -> Result<Self, SourceError> {
        let refused = |why: String| SourceError::Configuration {
            detail: format!("the certificates of {} cannot be used ({why})", file.display()),
        };
        let text = std::fs::read(file).map_err(|error| refused(error.to_string()))?;
        let pem = usable(&text).map_err(refused)?;
        let context = TlsContext::builder().with_trust_store(TrustStore::empty().with_pem_certificate(pem)).build();
        Ok(Self(Some(context.map_err(|error| refused(super::chain(&error)))?)))
    }

    /// A connector as the SDK makes its own: it keeps connections, and takes the way that it is told.
    pub(in crate::source) fn connector(
        &self,
        waits: Option<HttpConnectorSettings>,
        sleep: Option<SharedAsyncSleep>,
        way: Way,
    ) -> Connector {
        let mut builder = Connector::builder();
        builder.set_connector_settings(waits).set_sleep_impl(sleep);
        let proxies = match way {
            Way::Direct => ProxyConfig::disabled(),
            Way::Proxies => ProxyConfig::from_env(),
        };
        let mut builder = builder.proxy_config(proxies).tls_provider(Provider::Rustls(CryptoMode::Ring));
        if let Some(context) = &self.0 {
            builder.set_tls_context(context.clone());
        }
        builder.build()
    }

    /// A client for the SDK, which is built without one of its own.
    pub(super) fn client(&self) -> SharedHttpClient {
        let [direct, proxies] = [Way::Direct, Way::Proxies].map(|way| {
            let trust = self.clone();
            Builder::new().build_with_connector_fn(move |waits, components: Option<&RuntimeComponents>| {
                trust.connector(waits.cloned(), components.and_then(RuntimeComponents::sleep_impl), way)
            })
        });
        Ways { direct, proxies }.into_shared()
    }
}

/// How a host is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::source) enum Way {
    /// Without a proxy.
    Direct,
    /// By the proxies of the environment.
    Proxies,
}

/// Where containers are given their credentials: nobody but the machine itself answers there.
const CONTAINER_CREDENTIALS: [&str; 3] = ["169.254.170.2", "169.254.170.23", "fd00:ec2::23"];

impl Way {
    /// To whom an address leads: a proxy would ask itself for what only the machine can answer.
    pub(in crate::source) fn to(address: &str) -> Self {
        let behind = address.split_once("://").map_or("", |(_, behind)| behind);
        let authority = behind.split(['/', '?', '#']).next().unwrap_or_default();
        let host = match authority.strip_prefix('[') {
            Some(ip) => ip.split(']').next().unwrap_or_default(),
            None => authority.split(':').next().unwrap_or_default(),
        };
        let is_own = match host.parse::<IpAddr>() {
            Ok(ip) => ip.is_loopback() || CONTAINER_CREDENTIALS.iter().any(|own| own.parse() == Ok(ip)),
            Err(_) => host.eq_ignore_ascii_case("localhost"),
        };
        if is_own { Self::Direct } else { Self::Proxies }
    }
}

/// Of what can be asked on each way: clients, or their connectors.
#[derive(Debug)]
struct Ways<T> {
    direct: T,
    proxies: T,
}

impl HttpClient for Ways<SharedHttpClient> {
    fn http_connector(&self, waits: &HttpConnectorSettings, components: &RuntimeComponents) -> SharedHttpConnector {
        let connect = |client: &SharedHttpClient| client.http_connector(waits, components);
        SharedHttpConnector::new(Ways { direct: connect(&self.direct), proxies: connect(&self.proxies) })
    }
}

impl HttpConnector for Ways<SharedHttpConnector> {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        match Way::to(request.uri()) {
            Way::Direct => self.direct.call(request),
            Way::Proxies => self.proxies.call(request),
        }
    }
}

/// The certificates of a PEM file that can be used, as PEM: the SDK takes it that each one can.
fn usable(text: &[u8]) -> Result<Vec<u8>, String> {
    let mut pem = String::new();
    for certificate in CertificateDer::pem_slice_iter(text) {
        let certificate = certificate.map_err(|error| error.to_string())?;
        if RootCertStore::empty().add(certificate.clone()).is_ok() {
            pem += "-----BEGIN CERTIFICATE-----\n";
            for line in STANDARD.encode(&certificate).as_bytes().chunks(64) {
                pem += &String::from_utf8_lossy(line);
                pem += "\n";
            }
            pem += "-----END CERTIFICATE-----\n";
        }
    }
    if pem.is_empty() { Err("it holds none".to_owned()) } else { Ok(pem.into_bytes()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_only_the_machine_itself_can_answer_is_asked_past_the_proxies() {
        for direct in [
            "http://169.254.170.2/v2/credentials",
            "http://169.254.170.23/v1/credentials",
            "http://[fd00:ec2::23]/v1/credentials",
            "http://localhost:8080/",
            "http://127.0.0.2:1/",
            "http://[::1]:1/",
        ] {
            assert_eq!(Way::to(direct), Way::Direct, "{direct}");
        }
        for other in ["https://s3.amazonaws.com/", "http://169.254.169.254/", "http://localhost.example.com/", "?", ""]
        {
            assert_eq!(Way::to(other), Way::Proxies, "{other}");
        }
    }

    #[test]
    fn a_file_without_certificates_is_refused() {
        for text in ["", "hello", "-----BEGIN CERTIFICATE-----\nAAEC\n-----END CERTIFICATE-----\n"] {
            assert_eq!(usable(text.as_bytes()), Err("it holds none".to_owned()), "{text}");
        }
        assert!(usable(b"-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n").is_err());
        let gone = Trust::only(Path::new("no/such/file")).expect_err("there is no file");
        assert!(matches!(gone, SourceError::Configuration { .. }));
    }
}
