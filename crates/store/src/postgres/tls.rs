//! TLS to the database server. The server's certificate must match the host of the URL.

use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use rustls_platform_verifier::BuilderVerifierExt;
use tokio_postgres_rustls::MakeRustlsConnect;

use super::url::Trust;

/// Makes the TLS connector. It is only used if the URL asks for encryption.
///
/// # Errors
/// A message for the operator.
pub(super) fn connector(trust: Option<&Trust>) -> Result<MakeRustlsConnect, String> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?;
    let config = match trust {
        // The connection is not encrypted, so no authority is needed.
        None => builder.with_root_certificates(RootCertStore::empty()),
        Some(Trust::System) => builder.with_platform_verifier().map_err(|error| error.to_string())?,
        Some(Trust::File(path)) => {
            let refuse = |error: &dyn std::fmt::Display| format!("sslrootcert {}: {error}", path.display());
            let mut roots = RootCertStore::empty();
            for certificate in CertificateDer::pem_file_iter(path).map_err(|error| refuse(&error))? {
                let certificate = certificate.map_err(|error| refuse(&error))?;
                roots.add(certificate).map_err(|error| refuse(&error))?;
            }
            if roots.is_empty() {
                return Err(refuse(&"there is no certificate in it"));
            }
            builder.with_root_certificates(roots)
        }
    };
    Ok(MakeRustlsConnect::new(config.with_no_client_auth()))
}
