//! TLS. The certificate is read again when its file changes, so renewing it needs no restart.

use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

use arc_swap::ArcSwap;
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use thiserror::Error;
use tokio_rustls::TlsAcceptor;

use crate::config::settings::TlsFiles;

/// The reason why TLS cannot be used.
#[derive(Debug, Error)]
pub enum TlsError {
    /// The certificate cannot be used.
    #[error("tls.cert: {0} cannot be used: {1}")]
    Cert(String, String),
    /// The private key cannot be used.
    #[error("tls.key: {0} cannot be used: {1}")]
    Key(String, String),
    /// Certificate and key do not match, or cannot be used together.
    #[error("tls.cert and tls.key cannot be used together: {0}")]
    Pair(String),
}

/// A certificate that can be replaced while connections use it.
pub struct Tls {
    files: TlsFiles,
    current: Arc<Current>,
    read_at: std::sync::Mutex<[Option<SystemTime>; 2]>,
    acceptor: TlsAcceptor,
}

#[derive(Debug)]
struct Current(ArcSwap<CertifiedKey>);

impl ResolvesServerCert for Current {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.0.load_full())
    }
}

impl std::fmt::Debug for Tls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tls").field("files", &self.files).finish_non_exhaustive()
    }
}

impl Tls {
    /// Reads the certificate and the key.
    ///
    /// # Errors
    /// Names the file and its fault.
    pub fn open(files: &TlsFiles) -> Result<Self, TlsError> {
        let read_at = changed_at(files);
        let current = Arc::new(Current(ArcSwap::from_pointee(certified(files)?)));
        let mut config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|error| TlsError::Pair(error.to_string()))?
            .with_no_client_auth()
            .with_cert_resolver(Arc::clone(&current) as Arc<dyn ResolvesServerCert>);
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        let acceptor = TlsAcceptor::from(Arc::new(config));
        Ok(Self { files: files.clone(), current, read_at: std::sync::Mutex::new(read_at), acceptor })
    }

    /// Returns the acceptor of TLS connections.
    #[must_use]
    pub fn acceptor(&self) -> &TlsAcceptor {
        &self.acceptor
    }

    /// Loads changed files. Returns true if there were any. If they cannot be used, the current certificate stays.
    ///
    /// # Errors
    /// Names the file and its fault.
    pub fn reload(&self) -> Result<bool, TlsError> {
        let changed = changed_at(&self.files);
        {
            let mut read_at = self.read_at.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            if *read_at == changed {
                return Ok(false);
            }
            *read_at = changed;
        }
        self.read_again()?;
        Ok(true)
    }

    /// Loads the files, whether they changed or not.
    ///
    /// # Errors
    /// Those of [`Tls::reload`].
    pub fn read_again(&self) -> Result<(), TlsError> {
        self.current.0.store(Arc::new(certified(&self.files)?));
        Ok(())
    }
}

fn changed_at(files: &TlsFiles) -> [Option<SystemTime>; 2] {
    [&files.cert, &files.key].map(|path| std::fs::metadata(path).and_then(|file| file.modified()).ok())
}

fn certified(files: &TlsFiles) -> Result<CertifiedKey, TlsError> {
    let name = |path: &Path| path.display().to_string();
    let fault = |error: &dyn std::fmt::Display| TlsError::Cert(name(&files.cert), error.to_string());
    let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_file_iter(&files.cert)
        .map_err(|error| fault(&error))?
        .collect::<Result<_, _>>()
        .map_err(|error| fault(&error))?;
    if chain.is_empty() {
        return Err(fault(&"it holds no certificate in PEM"));
    }
    let key =
        PrivateKeyDer::from_pem_file(&files.key).map_err(|error| TlsError::Key(name(&files.key), error.to_string()))?;
    CertifiedKey::from_der(chain, key, &aws_lc_rs::default_provider())
        .map_err(|error| TlsError::Pair(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_cannot_be_used_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let files = TlsFiles { cert: folder.path().join("cert.pem"), key: folder.path().join("key.pem") };
        let error = Tls::open(&files).unwrap_err().to_string();
        assert!(error.starts_with("tls.cert: ") && error.contains("cert.pem"), "{error}");
        std::fs::write(&files.cert, "no certificate").unwrap();
        let error = Tls::open(&files).unwrap_err().to_string();
        assert!(error.contains("no certificate in PEM"), "{error}");
    }
}
