//! The server's own authority: it signs the certificates of agents, and the server's where none is configured.
//!
//! ```text
//!  <data>/authority.pem   0644  its certificate: what agents and people check the server against
//!  <data>/authority.key   0600  its private key; in no backup
//! ```
//!
//! Knows nothing of tokens or of who may have a certificate. Invariants: both files are made once and never replaced;
//! every certificate is valid since before it was made, so that a clock that is a little behind accepts it.

use std::io::Write;
use std::path::Path;

use anyhow::{Context, bail};
use cmdb_core::model::Timestamp;
use cmdb_core::model::time::DAY_US;
use rcgen::string::Ia5String;
use rcgen::{
    BasicConstraints, CertificateParams, CertificateSigningRequestParams, DistinguishedName, DnType, DnValue,
    ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose, SanType, SerialNumber,
};
use ring::digest::{SHA256, digest};
use time::OffsetDateTime;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, CertificateSigningRequestDer, PrivateKeyDer};
use uuid::Uuid;
use x509_parser::prelude::{FromDer, X509Certificate};

/// The name that every certificate of the server carries: agents ask for it, whatever the server's address is.
pub const SERVER_NAME: &str = "cmdb-server.internal";

const CERTIFICATE_FILE: &str = "authority.pem";
const KEY_FILE: &str = "authority.key";
const AUTHORITY_NAME: &str = "CMDB authority";
/// How long before it is made a certificate is valid.
const BACK_DATED_US: i64 = DAY_US;
const AUTHORITY_DAYS: i64 = 20 * 365;
const SERVER_DAYS: i64 = 365;
/// The bytes of a serial number beside the generation.
const SERIAL_CHANCE_BYTES: usize = 12;

/// The authority at work.
pub struct Authority {
    certificate: CertificateDer<'static>,
    issuer: Issuer<'static, KeyPair>,
}

/// A certificate that was made.
pub struct Issued {
    /// X.509.
    pub certificate: CertificateDer<'static>,
    /// The first moment at which it is valid.
    pub not_before: Timestamp,
    /// The last moment at which it is valid.
    pub not_after: Timestamp,
}

/// Whom an agent's certificate is for. A generation ends when the agent enrols anew: its older certificates with it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Subject {
    /// The agent.
    pub agent_id: Uuid,
    /// Counts its enrolments, from 1.
    pub generation: u32,
}

/// What the certificate of a connection says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Holder {
    /// Whom it is for.
    pub subject: Subject,
    /// The first moment at which it is valid.
    pub not_before: Timestamp,
    /// The last moment at which it is valid.
    pub not_after: Timestamp,
}

impl Authority {
    /// Reads the authority of a data directory, or makes it.
    ///
    /// # Errors
    /// When its files cannot be read or written, or only one of them is there.
    pub fn open(directory: &Path, now: Timestamp) -> anyhow::Result<Authority> {
        let (certificate, key) = (directory.join(CERTIFICATE_FILE), directory.join(KEY_FILE));
        match (certificate.exists(), key.exists()) {
            (true, true) => {}
            (false, false) => make(directory, now)?,
            (has_certificate, _) => {
                let (there, missing) =
                    if has_certificate { (&certificate, &key) } else { (&key, &certificate) };
                bail!(
                    "{} is there and {} is not: put it back from where you keep a copy; without both, no agent can \
                     be told from another, so none is made in its place. To begin anew, remove {} as well: every \
                     agent must then enrol again",
                    there.display(),
                    missing.display(),
                    there.display()
                );
            }
        }
        let read = |path: &Path| {
            std::fs::read(path)
                .with_context(|| format!("cannot read the authority's file {}", path.display()))
        };
        let unusable =
            |path: &Path| format!("{} cannot be used: it is not the PEM that was made", path.display());
        let found = CertificateDer::from_pem_slice(&read(&certificate)?);
        let found = found.with_context(|| unusable(&certificate))?;
        let pem = String::from_utf8(read(&key)?).with_context(|| unusable(&key))?;
        let key_pair = KeyPair::from_pem(&pem).with_context(|| unusable(&key))?;
        let issuer = Issuer::from_ca_cert_der(&found, key_pair).with_context(|| unusable(&certificate))?;
        Ok(Authority { certificate: found, issuer })
    }

    /// Its certificate, X.509 in DER.
    pub fn certificate(&self) -> &CertificateDer<'static> {
        &self.certificate
    }

    /// What people compare: `sha256:` and the digest of its certificate.
    pub fn fingerprint(&self) -> String {
        let digest = digest(&SHA256, &self.certificate);
        let hexadecimal: String = digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
        format!("sha256:{hexadecimal}")
    }

    /// A key and a certificate for this server under the names by which it is called.
    ///
    /// # Errors
    /// When a name cannot stand in a certificate.
    pub fn server(
        &self,
        names: &[String],
        now: Timestamp,
    ) -> Result<(Issued, PrivateKeyDer<'static>), rcgen::Error> {
        let key = KeyPair::generate()?;
        let mut params = CertificateParams::new(names)?;
        params.subject_alt_names.push(SanType::DnsName(Ia5String::try_from(SERVER_NAME)?));
        params.distinguished_name = called(names.first().map_or(SERVER_NAME, String::as_str));
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        let (not_before, not_after) = span(&mut params, now, SERVER_DAYS);
        leaf(&mut params);
        let certificate = params.signed_by(&key, &self.issuer)?.der().clone();
        let key = PrivateKeyDer::Pkcs8(key.serialize_der().into());
        Ok((Issued { certificate, not_before, not_after }, key))
    }

    /// A certificate for an agent that proves with a request that it holds the key. Whatever else the request asks
    /// for counts for nothing. `chance`: what nobody can guess.
    ///
    /// # Errors
    /// When the request is none, or its signature does not fit its key.
    pub fn agent(
        &self,
        request: &[u8],
        subject: Subject,
        chance: [u8; 32],
        now: Timestamp,
        days: u32,
    ) -> Result<Issued, rcgen::Error> {
        let request =
            CertificateSigningRequestParams::from_der(&CertificateSigningRequestDer::from(request))?;
        let mut params = CertificateParams::default();
        params.distinguished_name = called(&subject.agent_id.hyphenated().to_string());
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        let mut serial = subject.generation.to_be_bytes().to_vec();
        serial.extend_from_slice(&chance[..SERIAL_CHANCE_BYTES]);
        params.serial_number = Some(SerialNumber::from(serial));
        let (not_before, not_after) = span(&mut params, now, i64::from(days));
        leaf(&mut params);
        let certificate = params.signed_by(&request.public_key, &self.issuer)?.der().clone();
        Ok(Issued { certificate, not_before, not_after })
    }
}

impl Holder {
    /// Reads a certificate that was made by [`Authority::agent`]; `None`: it is another one.
    pub fn read(certificate: &[u8]) -> Option<Holder> {
        let (_, certificate) = X509Certificate::from_der(certificate).ok()?;
        let name = certificate.subject().iter_common_name().next()?.as_str().ok()?;
        let agent_id = Uuid::try_parse(name).ok()?;
        let serial = certificate.tbs_certificate.serial.to_bytes_be();
        let generation = serial.get(..serial.len().checked_sub(SERIAL_CHANCE_BYTES)?)?;
        let generation = generation.iter().fold(0u32, |number, byte| (number << 8) | u32::from(*byte));
        let moment =
            |time: x509_parser::time::ASN1Time| Timestamp(time.timestamp().saturating_mul(1_000_000));
        let validity = certificate.validity();
        Some(Holder {
            subject: Subject { agent_id, generation },
            not_before: moment(validity.not_before),
            not_after: moment(validity.not_after),
        })
    }
}

fn make(directory: &Path, now: Timestamp) -> anyhow::Result<()> {
    let key = KeyPair::generate().context("cannot make the authority's key")?;
    let mut params = CertificateParams::default();
    params.distinguished_name = called(AUTHORITY_NAME);
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    span(&mut params, now, AUTHORITY_DAYS);
    let certificate = params.self_signed(&key).context("cannot make the authority's certificate")?;
    // The key first: where only it is there, nothing was signed yet.
    write(directory, KEY_FILE, &key.serialize_pem(), 0o600)?;
    write(directory, CERTIFICATE_FILE, &certificate.pem(), 0o644)
}

fn write(directory: &Path, name: &str, text: &str, mode: u32) -> anyhow::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    let write = || {
        let mut file = tempfile::NamedTempFile::new_in(directory)?;
        file.write_all(text.as_bytes())?;
        file.as_file().set_permissions(std::fs::Permissions::from_mode(mode))?;
        file.as_file().sync_all()?;
        file.persist(directory.join(name))?;
        std::fs::File::open(directory)?.sync_all()
    };
    write().with_context(|| format!("cannot write the authority's file {}", directory.join(name).display()))
}

fn called(name: &str) -> DistinguishedName {
    let mut called = DistinguishedName::new();
    called.push(DnType::CommonName, DnValue::Utf8String(name.to_owned()));
    called
}

fn leaf(params: &mut CertificateParams) {
    params.is_ca = IsCa::ExplicitNoCa;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.use_authority_key_identifier_extension = true;
}

/// Sets from when to when a certificate is valid. Whole seconds: a certificate knows no others.
fn span(params: &mut CertificateParams, now: Timestamp, days: i64) -> (Timestamp, Timestamp) {
    let second = |at: Timestamp| at.0.div_euclid(1_000_000);
    let (from, until) = (second(now.plus_us(-BACK_DATED_US)), second(now.plus_us(days * DAY_US)));
    let moment = |second| OffsetDateTime::from_unix_timestamp(second).unwrap_or(OffsetDateTime::UNIX_EPOCH);
    (params.not_before, params.not_after) = (moment(from), moment(until));
    (Timestamp(from * 1_000_000), Timestamp(until * 1_000_000))
}

#[cfg(test)]
mod tests;
