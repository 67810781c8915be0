//! Certificates for a daemon that speaks TLS, and a client that believes them.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, date_time_ymd};
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::http::Connection;

/// An authority of a test's own.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    root: CertificateDer<'static>,
}

impl Default for Authority {
    fn default() -> Self {
        Self::new()
    }
}

impl Authority {
    /// A new one.
    pub fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).expect("no names are valid");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, "Test");
        let key = KeyPair::generate().expect("a key can be made");
        let root = params.self_signed(&key).expect("it can be signed");
        Self {
            root: root.der().clone(),
            issuer: Issuer::new(params, key),
        }
    }

    /// Writes a certificate for `localhost` with its key as `cert.pem` and `key.pem`, each in one step;
    /// its last day is that of `until`, else far away. Gives the certificate.
    pub fn issue(&self, folder: &Path, until: Option<(i32, u8, u8)>) -> Vec<u8> {
        let names = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
        let mut params = CertificateParams::new(names).expect("the names are valid");
        if let Some((year, month, day)) = until {
            params.not_before = date_time_ymd(2020, 1, 1);
            params.not_after = date_time_ymd(year, month, day);
        }
        let key = KeyPair::generate().expect("a key can be made");
        let made = params.signed_by(&key, &self.issuer);
        let made = made.expect("it can be signed");
        replace(&folder.join("key.pem"), &key.serialize_pem());
        replace(&folder.join("cert.pem"), &made.pem());
        made.der().to_vec()
    }

    /// A client's configuration that believes this authority and nobody else.
    pub fn client(&self) -> Arc<ClientConfig> {
        let mut roots = RootCertStore::empty();
        roots
            .add(self.root.clone())
            .expect("the certificate is valid");
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("ring knows them");
        Arc::new(config.with_root_certificates(roots).with_no_client_auth())
    }

    /// Connects as `localhost`.
    pub async fn connect(&self, address: SocketAddr) -> std::io::Result<TlsStream<TcpStream>> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let name = ServerName::try_from("localhost").expect("a name");
        TlsConnector::from(self.client())
            .connect(name, stream)
            .await
    }

    /// A connection for requests, and the certificate that the daemon showed on it.
    pub async fn open(
        &self,
        address: SocketAddr,
    ) -> std::io::Result<(Connection<TlsStream<TcpStream>>, Vec<u8>)> {
        let stream = self.connect(address).await?;
        let (_, session) = stream.get_ref();
        let shown = session.peer_certificates().and_then(|chain| chain.first());
        let shown = shown.map(|certificate| certificate.to_vec());
        Ok((Connection::over(stream), shown.unwrap_or_default()))
    }
}

/// Replaces a file in one step, readable by its owner alone.
fn replace(path: &Path, text: &str) {
    use std::os::unix::fs::PermissionsExt as _;
    let fresh = path.with_extension("new");
    std::fs::write(&fresh, text).expect("the file can be written");
    std::fs::set_permissions(&fresh, std::fs::Permissions::from_mode(0o600))
        .expect("its mode can be set");
    std::fs::rename(&fresh, path).expect("it can be put in place");
}
