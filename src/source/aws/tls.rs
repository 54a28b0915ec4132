//! Which certificates are trusted: the machine's own, or those of a file, for every connection alike.

use std::path::Path;

use aws_smithy_async::rt::sleep::SharedAsyncSleep;
use aws_smithy_http_client::proxy::ProxyConfig;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_http_client::tls::{Provider, TlsContext, TrustStore};
use aws_smithy_http_client::{Builder, Connector};
use aws_smithy_runtime_api::client::http::{HttpConnectorSettings, SharedHttpClient};
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

    /// A connector as the SDK makes its own: it keeps connections, and goes by the proxies of the environment.
    pub(in crate::source) fn connector(
        &self,
        waits: Option<HttpConnectorSettings>,
        sleep: Option<SharedAsyncSleep>,
    ) -> Connector {
        let mut builder = Connector::builder();
        builder.set_connector_settings(waits).set_sleep_impl(sleep);
        let mut builder =
            builder.proxy_config(ProxyConfig::from_env()).tls_provider(Provider::Rustls(CryptoMode::Ring));
        if let Some(context) = &self.0 {
            builder.set_tls_context(context.clone());
        }
        builder.build()
    }

    /// A client for the SDK, which is built without one of its own.
    pub(super) fn client(&self) -> SharedHttpClient {
        let trust = self.clone();
        let connect = move |waits: Option<&HttpConnectorSettings>, components: Option<&_>| {
            let components: Option<&aws_smithy_runtime_api::client::runtime_components::RuntimeComponents> = components;
            trust.connector(waits.cloned(), components.and_then(|components| components.sleep_impl()))
        };
        Builder::new().build_with_connector_fn(connect)
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
    fn a_file_without_certificates_is_refused() {
        for text in ["", "hello", "-----BEGIN CERTIFICATE-----\nAAEC\n-----END CERTIFICATE-----\n"] {
            assert_eq!(usable(text.as_bytes()), Err("it holds none".to_owned()), "{text}");
        }
        assert!(usable(b"-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n").is_err());
        let gone = Trust::only(Path::new("no/such/file")).expect_err("there is no file");
        assert!(matches!(gone, SourceError::Configuration { .. }));
    }
}
