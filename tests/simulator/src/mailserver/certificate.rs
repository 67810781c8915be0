//! Certificates of our own making: an authority for the test's client to believe, and what it signed.

use crate::SimulatorError;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, date_time_ymd};
use rustls::ServerConfig;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use std::sync::Arc;

/// Which certificate the server shows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Certificate {
    /// For `localhost`, by the authority that [`super::MailServer::ca_pem`] names.
    #[default]
    Good,
    /// For `localhost`, by an authority that nobody knows.
    Unknown,
    /// By the right authority, for another name.
    OtherName,
    /// By the right authority, for `localhost`, over since years.
    Expired,
}

/// All certificates, ready to be shown.
pub(super) struct Certificates {
    pub(super) ca_pem: String,
    good: Arc<ServerConfig>,
    unknown: Arc<ServerConfig>,
    other_name: Arc<ServerConfig>,
    expired: Arc<ServerConfig>,
}

impl Certificates {
    pub(super) fn new() -> Result<Self, SimulatorError> {
        let failed = |error: rcgen::Error| SimulatorError::Start(error.to_string());
        let (ca_pem, known) = authority("Simulator").map_err(failed)?;
        let (_, stranger) = authority("Stranger").map_err(failed)?;
        let tls =
            |issuer, name, is_over| show(issuer, name, is_over).map_err(SimulatorError::Start);
        Ok(Self {
            ca_pem,
            good: tls(&known, "localhost", false)?,
            unknown: tls(&stranger, "localhost", false)?,
            other_name: tls(&known, "elsewhere.example", false)?,
            expired: tls(&known, "localhost", true)?,
        })
    }

    pub(super) fn config(&self, which: Certificate) -> Arc<ServerConfig> {
        match which {
            Certificate::Good => self.good.clone(),
            Certificate::Unknown => self.unknown.clone(),
            Certificate::OtherName => self.other_name.clone(),
            Certificate::Expired => self.expired.clone(),
        }
    }
}

fn authority(name: &str) -> Result<(String, Issuer<'static, KeyPair>), rcgen::Error> {
    let mut params = CertificateParams::new(Vec::new())?;
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.distinguished_name.push(DnType::CommonName, name);
    let key = KeyPair::generate()?;
    let pem = params.self_signed(&key)?.pem();
    Ok((pem, Issuer::new(params, key)))
}

fn show(
    issuer: &Issuer<'_, KeyPair>,
    name: &str,
    is_over: bool,
) -> Result<Arc<ServerConfig>, String> {
    let mut params =
        CertificateParams::new(vec![name.to_owned()]).map_err(|error| error.to_string())?;
    if is_over {
        params.not_before = date_time_ymd(2001, 1, 1);
        params.not_after = date_time_ymd(2002, 1, 1);
    }
    let key = KeyPair::generate().map_err(|error| error.to_string())?;
    let certificate = params
        .signed_by(&key, issuer)
        .map_err(|error| error.to_string())?;
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .and_then(|builder| {
            builder
                .with_no_client_auth()
                .with_single_cert(vec![certificate.der().clone()], key)
        });
    config.map(Arc::new).map_err(|error| error.to_string())
}
