//! A certificate with its key, as two files in PEM form.

use std::{
    fs, io,
    os::unix::fs::{MetadataExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
    sync::Arc,
};

use rustls::{
    ServerConfig,
    crypto::{CryptoProvider, ring},
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
    server::ResolvesServerCert,
    sign::{CertifiedKey, SingleCertAndKey},
};
use tokio_rustls::TlsAcceptor;

use super::validity;
use crate::config::Tls;

/// Bytes of either file: chains are a tenth of this.
const FILE_BYTES_MAX: u64 = 256 << 10;
/// Permissions of everybody else on a file.
const OTHERS: u32 = 0o007;
/// What is offered. HTTP/2 is not: the HTTP server bounds neither the heads nor the streams of such
/// a connection.
const PROTOCOL: &[u8] = b"http/1.1";

/// A certificate and a key that belong together.
pub struct Pair {
    server: Arc<ServerConfig>,
    file: PathBuf,
    stamps: Stamps,
    expires_s: i64,
    /// The key may be read by users who have no part in it.
    is_exposed: bool,
}

/// What tells one state of a file from another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stamp {
    inode: u64,
    bytes: u64,
    changed: (i64, i64),
}

/// The states of the certificate's file and the key's; none where there is no such file.
pub(super) type Stamps = [Option<Stamp>; 2];

/// Why a pair can't be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{words}")]
pub struct PairError {
    /// The key of `[server.tls]` that it is about.
    pub key: &'static str,
    /// What is wrong with it, with the file's name.
    pub words: String,
}

impl Pair {
    /// Reads both files and proves that they belong together. None where TLS is off. Blocks.
    pub fn load(tls: &Tls) -> Result<Option<Self>, PairError> {
        if !tls.is_on() {
            return Ok(None);
        }
        // Before the files are read: what changes meanwhile is seen by the next look.
        let stamps = stamps(tls);
        let chain = read_chain(&tls.certificate).map_err(about("certificate", &tls.certificate))?;
        let expires_s = validity::ends_at_s(&chain[0])
            .ok_or_else(|| "holds a certificate that can't be read".to_owned())
            .map_err(about("certificate", &tls.certificate))?;
        let key = read_key(&tls.key).map_err(about("key", &tls.key))?;
        let provider = Arc::new(ring::default_provider());
        let certified = CertifiedKey::from_der(chain, key, &provider)
            .map_err(|error| match error {
                rustls::Error::InconsistentKeys(_) => {
                    format!(
                        "is not the key of the certificate in {}",
                        tls.certificate.display()
                    )
                }
                other => format!("can't be used: {other}"),
            })
            .map_err(about("key", &tls.key))?;
        let server = server_config(provider, certified)
            .map_err(|error| format!("can't be used: {error}"))
            .map_err(about("certificate", &tls.certificate))?;
        Ok(Some(Self {
            server: Arc::new(server),
            file: tls.certificate.clone(),
            stamps,
            expires_s,
            is_exposed: is_exposed(&tls.key),
        }))
    }

    pub(super) fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(self.server.clone())
    }

    /// When the certificate ends, in seconds since 1970.
    pub fn expires_s(&self) -> i64 {
        self.expires_s
    }

    /// Whether every user of this machine may read the key.
    pub fn is_exposed(&self) -> bool {
        self.is_exposed
    }

    /// Whether it was read from files in this state.
    pub(super) fn is_fresh(&self, found: &Stamps) -> bool {
        self.stamps == *found
    }

    /// What is said of the certificate's end, where that is near: in words for people.
    pub fn warning(&self, now_s: i64, warn_before_s: i64) -> Option<String> {
        let file = self.file.display();
        let left = self.expires_s - now_s;
        if left <= 0 {
            return Some(format!(
                "the certificate in {file} has expired: clients refuse it, replace it now"
            ));
        }
        if left > warn_before_s {
            return None;
        }
        let days = left / 86_400;
        let when = match days {
            0 => "in less than a day".to_owned(),
            1 => "in one day".to_owned(),
            _ => format!("in {days} days"),
        };
        Some(format!(
            "the certificate in {file} expires {when}: renew it"
        ))
    }
}

/// The states of both files, to tell whether they changed. Cheap.
pub(super) fn stamps(tls: &Tls) -> Stamps {
    [&tls.certificate, &tls.key].map(|file| {
        let metadata = fs::metadata(file).ok()?;
        Some(Stamp {
            inode: metadata.ino(),
            bytes: metadata.len(),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        })
    })
}

fn about<'a>(key: &'static str, file: &'a Path) -> impl FnOnce(String) -> PairError + 'a {
    move |words| PairError {
        key,
        words: format!("{} {words}", file.display()),
    }
}

fn read(file: &Path) -> Result<Vec<u8>, String> {
    let unread = |error: io::Error| format!("can't be read: {error}");
    let metadata = fs::metadata(file).map_err(unread)?;
    if !metadata.is_file() || metadata.len() > FILE_BYTES_MAX {
        return Err("is not a file in PEM form".into());
    }
    fs::read(file).map_err(unread)
}

fn read_chain(file: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let pem = read(file)?;
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
    let chain = chain.map_err(|error| format!("is not in PEM form: {error}"))?;
    if chain.is_empty() {
        return Err("holds no certificate (\"-----BEGIN CERTIFICATE-----\")".into());
    }
    Ok(chain)
}

fn read_key(file: &Path) -> Result<PrivateKeyDer<'static>, String> {
    let pem = read(file)?;
    PrivateKeyDer::from_pem_slice(&pem)
        .map_err(|_| "holds no private key in PEM form (\"-----BEGIN PRIVATE KEY-----\")".into())
}

fn server_config(
    provider: Arc<CryptoProvider>,
    certified: CertifiedKey,
) -> Result<ServerConfig, rustls::Error> {
    let resolver: Arc<dyn ResolvesServerCert> = Arc::new(SingleCertAndKey::from(certified));
    let mut server = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_cert_resolver(resolver);
    server.alpn_protocols = vec![PROTOCOL.to_vec()];
    Ok(server)
}

fn is_exposed(file: &Path) -> bool {
    fs::metadata(file).is_ok_and(|metadata| metadata.permissions().mode() & OTHERS != 0)
}
