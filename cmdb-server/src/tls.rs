//! TLS of the server: its certificate, and the certificates that agents show.
//!
//! Invariant: whoever shows a certificate shows one of our own authority. Whether it is valid *now* is not decided here
//! but where the answer can say so in words: a handshake can only break off.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use anyhow::Context;
use arc_swap::ArcSwap;
use cmdb_core::engine::Clock;
use cmdb_core::model::Timestamp;
use tokio_rustls::rustls::client::danger::HandshakeSignatureValid;
use tokio_rustls::rustls::crypto::{CryptoProvider, ring};
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, UnixTime};
use tokio_rustls::rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use tokio_rustls::rustls::server::{ClientHello, ResolvesServerCert, WebPkiClientVerifier};
use tokio_rustls::rustls::sign::CertifiedKey;
use tokio_rustls::rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, RootCertStore, ServerConfig,
    SignatureScheme,
};

use crate::authority::{Authority, Holder};
use crate::config::TlsFiles;

/// What is spoken over TLS.
const PROTOCOL: &[u8] = b"h2";

/// The certificate that the server shows.
pub enum Shown {
    /// One that was given.
    Given(Arc<CertifiedKey>),
    /// One of its own authority.
    Own(Own),
}

/// A certificate of the server's own authority, which is made anew long before it runs out.
pub struct Own {
    authority: Arc<Authority>,
    names: Vec<String>,
    clock: Clock,
    current: ArcSwap<Current>,
}

struct Current {
    key: Arc<CertifiedKey>,
    /// From when on another one is made.
    renew_from: Timestamp,
}

impl Shown {
    /// A certificate of the server's own authority, under names.
    ///
    /// # Errors
    /// When a name cannot stand in a certificate.
    pub fn own(authority: &Arc<Authority>, names: Vec<String>, clock: Clock) -> anyhow::Result<Shown> {
        let current = ArcSwap::from_pointee(Current::make(authority, &names, clock())?);
        Ok(Shown::Own(Own { authority: Arc::clone(authority), names, clock, current }))
    }

    /// The certificate and key of files.
    ///
    /// # Errors
    /// When they cannot be read, or do not belong together.
    pub fn of_files(files: &TlsFiles) -> anyhow::Result<Shown> {
        let read = |path: &Path, what: &str| {
            std::fs::read(path).with_context(|| format!("cannot read the {what} {}", path.display()))
        };
        let (cert, key) = (read(&files.cert, "certificate")?, read(&files.key, "private key")?);
        let paired = || -> anyhow::Result<CertifiedKey> {
            let chain = CertificateDer::pem_slice_iter(&cert).collect::<Result<Vec<_>, _>>()?;
            anyhow::ensure!(!chain.is_empty(), "there is no certificate in it");
            let key = PrivateKeyDer::from_pem_slice(&key)?;
            Ok(CertifiedKey::from_der(chain, key, &provider())?)
        };
        let paired = paired().map_err(|error| {
            anyhow::anyhow!(
                "the certificate {} and the private key {} cannot be used: {error}; both must be PEM and belong \
                 together",
                files.cert.display(),
                files.key.display()
            )
        })?;
        Ok(Shown::Given(Arc::new(paired)))
    }
}

impl fmt::Debug for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Shown::Given(_) => "Given",
            Shown::Own(_) => "Own",
        })
    }
}

impl ResolvesServerCert for Shown {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(match self {
            Shown::Given(key) => Arc::clone(key),
            Shown::Own(own) => own.key(),
        })
    }
}

impl Own {
    fn key(&self) -> Arc<CertifiedKey> {
        let (current, now) = (self.current.load_full(), (self.clock)());
        if now >= current.renew_from {
            match Current::make(&self.authority, &self.names, now) {
                Ok(next) => self.current.store(Arc::new(next)),
                Err(error) => tracing::error!(%error, "the server's certificate cannot be renewed"),
            }
        }
        Arc::clone(&self.current.load().key)
    }
}

impl Current {
    fn make(authority: &Authority, names: &[String], now: Timestamp) -> anyhow::Result<Current> {
        let made = authority.server(names, now);
        let (issued, key) = made.with_context(|| format!("no certificate for {}", names.join(", ")))?;
        // The authority goes with it: who knows its fingerprint alone can check the rest.
        let chain = vec![issued.certificate, authority.certificate().clone()];
        let left_us = issued.not_after.0.saturating_sub(now.0);
        let key = Arc::new(CertifiedKey::from_der(chain, key, &provider())?);
        Ok(Current { key, renew_from: now.plus_us(left_us / 2) })
    }
}

/// How the server speaks TLS.
///
/// # Errors
/// When the authority's certificate is none.
pub fn server(shown: Arc<Shown>, authority: &Authority) -> anyhow::Result<Arc<ServerConfig>> {
    let mut roots = RootCertStore::empty();
    roots.add(authority.certificate().clone())?;
    let provider = Arc::new(provider());
    let inner = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider))
        .allow_unauthenticated()
        .build()?;
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_client_cert_verifier(Arc::new(OfOurs { inner }))
        .with_cert_resolver(shown);
    config.alpn_protocols = vec![PROTOCOL.to_vec()];
    Ok(Arc::new(config))
}

/// The one provider of cryptography.
fn provider() -> CryptoProvider {
    ring::default_provider()
}

/// Accepts certificates of our own authority, at whatever time.
#[derive(Debug)]
struct OfOurs {
    inner: Arc<dyn ClientCertVerifier>,
}

impl ClientCertVerifier for OfOurs {
    fn client_auth_mandatory(&self) -> bool {
        false
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.inner.root_hint_subjects()
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        let verified = self.inner.verify_client_cert(end_entity, intermediates, now);
        let Err(Error::InvalidCertificate(
            CertificateError::Expired
            | CertificateError::ExpiredContext { .. }
            | CertificateError::NotValidYet
            | CertificateError::NotValidYetContext { .. },
        )) = &verified
        else {
            return verified;
        };
        let holder =
            Holder::read(end_entity).ok_or(Error::InvalidCertificate(CertificateError::BadEncoding))?;
        let seconds = u64::try_from(holder.not_after.0 / 1_000_000).unwrap_or(0);
        let then = UnixTime::since_unix_epoch(std::time::Duration::from_secs(seconds));
        self.inner.verify_client_cert(end_entity, intermediates, then)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.inner.verify_tls12_signature(message, cert, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.inner.verify_tls13_signature(message, cert, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.inner.supported_verify_schemes()
    }
}
