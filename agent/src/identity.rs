//! Who the agent is to the server: its key, its certificate, and whom it takes for the server.
//!
//! The key is made here, is written to one private file, and never leaves the host. Knows nothing of the network.

use cmdb_proto::v1;
use rcgen::{CertificateParams, DistinguishedName, KeyPair};
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use uuid::Uuid;

/// How much of a certificate's life may be left when the next one is asked for: one part in so many.
const RENEW_WHEN_LEFT: i64 = 3;

/// Why there is no identity.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// The system gives no randomness, or the key cannot be used.
    #[error("the agent's key could not be made: {0}")]
    NoKey(#[from] rcgen::Error),
    /// The server's answer makes no sense.
    #[error("the server gave a certificate that cannot be used: {0}")]
    Unusable(&'static str),
}

/// An identity that a server gave.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Identity {
    /// Who the agent is.
    pub agent_id: Uuid,
    /// The server that gave it.
    pub server: String,
    /// PKCS #8.
    pub key: Vec<u8>,
    /// X.509.
    pub certificate: Vec<u8>,
    /// The server's own authority, X.509.
    pub authority: Vec<u8>,
    /// The name under which the server shows a certificate of that authority; empty: it shows another one.
    pub server_name: String,
    /// Microseconds since the epoch.
    pub not_before_us: i64,
    /// Microseconds since the epoch.
    pub not_after_us: i64,
}

/// A key, and the request for a certificate for it.
pub struct Request {
    key: KeyPair,
    /// PKCS #10.
    pub csr: Vec<u8>,
}

impl Request {
    /// Makes a key.
    pub fn make() -> Result<Self, IdentityError> {
        let key = KeyPair::generate()?;
        let mut params = CertificateParams::default();
        // The server decides whom the certificate is for.
        params.distinguished_name = DistinguishedName::new();
        let csr = params.serialize_request(&key)?.der().to_vec();
        Ok(Self { key, csr })
    }

    /// The identity that the server gave for it.
    pub fn granted(&self, server: &str, granted: v1::EnrollResponse) -> Result<Identity, IdentityError> {
        let agent_id =
            Uuid::try_parse(&granted.agent_id).map_err(|_| IdentityError::Unusable("its id is no UUID"))?;
        if granted.certificate.is_empty() || granted.authority.is_empty() {
            return Err(IdentityError::Unusable("it is empty"));
        }
        Ok(Identity {
            agent_id,
            server: server.to_owned(),
            key: self.key.serialize_der(),
            certificate: granted.certificate,
            authority: granted.authority,
            server_name: granted.server_name,
            not_before_us: granted.not_before_us,
            not_after_us: granted.not_after_us,
        })
    }
}

impl Identity {
    /// What is shown to the server.
    pub fn shown(&self) -> (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>) {
        (vec![CertificateDer::from(self.certificate.clone())], PrivateKeyDer::Pkcs8(self.key.clone().into()))
    }

    /// Whether it is time for the next certificate, by the server's clock: the host's own may be wrong.
    pub fn is_due(&self, server_time_us: i64) -> bool {
        let life = self.not_after_us.saturating_sub(self.not_before_us);
        self.not_after_us.saturating_sub(server_time_us) < life / RENEW_WHEN_LEFT
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_certificate_is_asked_for_when_a_third_is_left() {
        let granted = v1::EnrollResponse {
            agent_id: "0b6f3c1e-5a0e-4f1c-9a3b-2f8d1c7e4a90".to_owned(),
            certificate: vec![1],
            authority: vec![1],
            not_before_us: 1_000,
            not_after_us: 1_000 + 300,
            ..Default::default()
        };
        let request = Request::make().unwrap();
        let identity = request.granted("https://cmdb:7400", granted.clone()).unwrap();
        for (now, expected) in
            [(0, false), (1_000, false), (1_200, false), (1_201, true), (1_300, true), (9_000, true)]
        {
            assert_eq!(identity.is_due(now), expected, "{now}");
        }
        assert!(request.granted("", v1::EnrollResponse { agent_id: "?".to_owned(), ..granted }).is_err());
    }

    #[test]
    fn every_request_has_a_key_of_its_own() {
        let (one, other) = (Request::make().unwrap(), Request::make().unwrap());
        assert_ne!(one.csr, other.csr);
        assert_ne!(one.key.serialize_der(), other.key.serialize_der());
    }
}
