//! TLS towards the server: whom the agent takes for it, and what it shows of itself.
//!
//! Invariant: nothing is sent to a server whose certificate was not checked. Only the question for the time is asked of
//! one whose certificate is right but for the time: that is how a wrong clock is told from an old certificate.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio_rustls::rustls::client::WebPkiServerVerifier;
use tokio_rustls::rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use tokio_rustls::rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme,
};

use super::{ClientError, Fingerprint};
use crate::identity::Identity;

/// What is spoken over TLS.
const PROTOCOL: &[u8] = b"h2";
/// Where systems keep the certificates that they trust.
const SYSTEM_CERTIFICATES: [&str; 4] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

/// Whom the agent takes for the server.
#[derive(Clone, Debug)]
pub enum Trust {
    /// One with a certificate of the authority that gave this identity, or of these files.
    Known {
        /// Who the agent is.
        identity: Option<Arc<Identity>>,
        /// Certificates of an authority; `None`: those of the system.
        ca: Option<PathBuf>,
    },
    /// One whose authority has this fingerprint.
    Pinned(Fingerprint),
}

impl Trust {
    /// The name that the server's certificate must carry, where it is not that of the address.
    pub fn server_name(&self) -> Option<&str> {
        match self {
            Trust::Known { identity: Some(identity), .. } if !identity.server_name.is_empty() => {
                Some(&identity.server_name)
            }
            Trust::Known { .. } => None,
            Trust::Pinned(_) => Some(super::SERVER_NAME),
        }
    }
}

/// What was wrong with the time of the server's certificate.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct WrongTime {
    /// What this host's clock says, in seconds since the epoch.
    pub ours_s: u64,
    /// A moment at which the certificate is valid, or was, or will be: the nearest.
    pub valid_s: u64,
}

/// A configuration, and what its check saw.
pub struct Checked {
    /// For the connection.
    pub config: Arc<ClientConfig>,
    verifier: Arc<Verifier>,
}

impl Checked {
    /// What was wrong with the time of the server's certificate.
    pub fn wrong_time(&self) -> Option<WrongTime> {
        *self.verifier.wrong_time.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What is done about a certificate whose time is wrong.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum AtWrongTime {
    /// It is refused.
    Refuse,
    /// It is checked as of a time at which it is valid, to ask for the time.
    Ask,
}

/// How to speak TLS to the server.
pub fn client(trust: &Trust, at_wrong_time: AtWrongTime) -> Result<Checked, ClientError> {
    let provider = Arc::new(ring::default_provider());
    let known = match trust {
        Trust::Known { identity: Some(identity), .. } if !identity.server_name.is_empty() => {
            Roots::Of(verifier(vec![CertificateDer::from(identity.authority.clone())])?)
        }
        Trust::Known { ca, .. } => Roots::Of(verifier(certificates(ca.as_deref())?)?),
        Trust::Pinned(fingerprint) => Roots::Pinned(*fingerprint),
    };
    let verifier = Arc::new(Verifier { roots: known, at_wrong_time, wrong_time: Mutex::default() });
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| ClientError::Tls(error.to_string()))?
        .dangerous()
        .with_custom_certificate_verifier(Arc::clone(&verifier) as Arc<dyn ServerCertVerifier>);
    let mut config = match trust {
        // To one that is only asked for the time, nothing is shown.
        Trust::Known { identity: Some(identity), .. } if at_wrong_time == AtWrongTime::Refuse => {
            let (chain, key) = identity.shown();
            builder.with_client_auth_cert(chain, key).map_err(|error| ClientError::Tls(error.to_string()))?
        }
        _ => builder.with_no_client_auth(),
    };
    config.alpn_protocols = vec![PROTOCOL.to_vec()];
    Ok(Checked { config: Arc::new(config), verifier })
}

fn verifier(certificates: Vec<CertificateDer<'static>>) -> Result<Arc<WebPkiServerVerifier>, ClientError> {
    let mut roots = RootCertStore::empty();
    // Systems trust some certificates that are not understood here.
    roots.add_parsable_certificates(certificates);
    WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::new(ring::default_provider()))
        .build()
        .map_err(|error| ClientError::Tls(error.to_string()))
}

fn certificates(ca: Option<&Path>) -> Result<Vec<CertificateDer<'static>>, ClientError> {
    let found = ca
        .map(Path::to_owned)
        .or_else(|| SYSTEM_CERTIFICATES.iter().map(PathBuf::from).find(|path| path.exists()))
        .unwrap_or_else(|| PathBuf::from(SYSTEM_CERTIFICATES[0]));
    let unreadable = |error| ClientError::NoCertificates { path: found.clone(), error };
    let pem = std::fs::read(&found).map_err(unreadable)?;
    let read: Vec<_> = CertificateDer::pem_slice_iter(&pem).filter_map(Result::ok).collect();
    if read.is_empty() {
        return Err(unreadable(std::io::Error::other("there is no certificate in PEM in it")));
    }
    Ok(read)
}

enum Roots {
    Of(Arc<WebPkiServerVerifier>),
    Pinned(Fingerprint),
}

struct Verifier {
    roots: Roots,
    at_wrong_time: AtWrongTime,
    wrong_time: Mutex<Option<WrongTime>>,
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Verifier").field("at_wrong_time", &self.at_wrong_time).finish_non_exhaustive()
    }
}

impl Verifier {
    /// The roots for a chain: where only the fingerprint is known, the certificate of the chain that has it.
    fn roots(&self, chain: &[CertificateDer<'_>]) -> Result<Arc<WebPkiServerVerifier>, Error> {
        match &self.roots {
            Roots::Of(verifier) => Ok(Arc::clone(verifier)),
            Roots::Pinned(fingerprint) => {
                let pinned = chain.iter().find(|certificate| Fingerprint::of(certificate) == *fingerprint);
                let pinned = pinned.ok_or(Error::InvalidCertificate(CertificateError::UnknownIssuer))?;
                let unusable = |_| Error::InvalidCertificate(CertificateError::BadEncoding);
                verifier(vec![pinned.clone().into_owned()]).map_err(unusable)
            }
        }
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let roots = self.roots(intermediates)?;
        let at =
            |moment| roots.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, moment);
        let verified = at(now);
        let valid_s = match &verified {
            Err(Error::InvalidCertificate(CertificateError::ExpiredContext { not_after, .. })) => {
                not_after.as_secs()
            }
            Err(Error::InvalidCertificate(CertificateError::NotValidYetContext { not_before, .. })) => {
                not_before.as_secs()
            }
            _ => return verified,
        };
        let wrong = WrongTime { ours_s: now.as_secs(), valid_s };
        *self.wrong_time.lock().unwrap_or_else(PoisonError::into_inner) = Some(wrong);
        match self.at_wrong_time {
            AtWrongTime::Refuse => verified,
            AtWrongTime::Ask => at(UnixTime::since_unix_epoch(Duration::from_secs(valid_s))),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = ring::default_provider().signature_verification_algorithms;
        tokio_rustls::rustls::crypto::verify_tls12_signature(message, cert, signed, &algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = ring::default_provider().signature_verification_algorithms;
        tokio_rustls::rustls::crypto::verify_tls13_signature(message, cert, signed, &algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        ring::default_provider().signature_verification_algorithms.supported_schemes()
    }
}
