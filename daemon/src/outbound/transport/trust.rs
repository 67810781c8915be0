//! Whose certificates are believed: those that this machine trusts, and those of `[outbound] extra_ca`.

use std::{
    path::Path,
    sync::{Arc, OnceLock},
};

use rustls::{
    ClientConfig,
    pki_types::{CertificateDer, pem::PemObject as _},
};
use rustls_platform_verifier::Verifier;

/// Bytes of a file of certificates; the bundles of whole operating systems are a quarter of this.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// Root certificates beside those of this machine.
#[derive(Debug, Clone, Default)]
pub struct Trust {
    extra: Vec<CertificateDer<'static>>,
    client: OnceLock<Arc<ClientConfig>>,
}

impl Trust {
    /// Reads a file of certificates in PEM form; an empty path is none. The error is a phrase for
    /// people.
    pub fn load(file: &Path) -> Result<Self, String> {
        if file.as_os_str().is_empty() {
            return Ok(Self::default());
        }
        let at = |error: &dyn std::fmt::Display| format!("{}: {error}", file.display());
        let metadata = std::fs::metadata(file).map_err(|error| at(&error))?;
        if !metadata.is_file() || metadata.len() > FILE_BYTES_MAX {
            return Err(at(&"is not a file of certificates"));
        }
        let pem = std::fs::read(file).map_err(|error| at(&error))?;
        let extra = CertificateDer::pem_slice_iter(&pem).collect::<Result<Vec<_>, _>>();
        let extra = extra.map_err(|error| at(&format!("is not in PEM form: {error}")))?;
        if extra.is_empty() {
            return Err(at(
                &"holds no certificate (\"-----BEGIN CERTIFICATE-----\")",
            ));
        }
        let mut roots = rustls::RootCertStore::empty();
        for certificate in &extra {
            let added = roots.add(certificate.clone());
            added
                .map_err(|error| at(&format!("holds a certificate that can't be read: {error}")))?;
        }
        Ok(Self {
            extra,
            client: OnceLock::new(),
        })
    }

    /// The same for the HTTP client.
    pub(super) fn for_http(&self) -> Result<Vec<reqwest::Certificate>, reqwest::Error> {
        let certificates = self.extra.iter();
        certificates
            .map(|certificate| reqwest::Certificate::from_der(certificate))
            .collect()
    }

    /// A TLS client: rustls with ring. The certificates of this machine are read once.
    pub(super) fn client(&self) -> Result<Arc<ClientConfig>, rustls::Error> {
        if let Some(client) = self.client.get() {
            return Ok(client.clone());
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let verifier = Verifier::new_with_extra_roots(self.extra.clone(), provider.clone())?;
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(verifier))
            .with_no_client_auth();
        Ok(self.client.get_or_init(|| Arc::new(config)).clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_certificate_is_refused_with_its_file() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("ca.pem");
        assert!(Trust::load(Path::new("")).unwrap().extra.is_empty());
        assert!(Trust::load(&file).unwrap_err().contains("ca.pem"));
        std::fs::write(&file, "nothing here").unwrap();
        assert!(Trust::load(&file).unwrap_err().contains("no certificate"));
        let broken = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        std::fs::write(&file, broken).unwrap();
        assert!(Trust::load(&file).unwrap_err().contains("can't be read"));
        assert!(Trust::load(folder.path()).is_err());
    }
}
