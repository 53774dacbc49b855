//! What an authority's certificate is recognised by.

use std::fmt;
use std::str::FromStr;

use ring::digest::{SHA256, digest};

const ALGORITHM: &str = "sha256:";
const BYTES: usize = 32;

/// SHA-256 of a certificate.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Fingerprint([u8; BYTES]);

impl Fingerprint {
    /// That of a certificate in DER.
    pub fn of(certificate: &[u8]) -> Self {
        let digest = digest(&SHA256, certificate);
        Self(digest.as_ref().try_into().expect("SHA-256 has 32 bytes"))
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(ALGORITHM)?;
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl FromStr for Fingerprint {
    type Err = &'static str;

    /// `sha256:` and 64 hexadecimal digits, with or without colons between them.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const EXPECTED: &str =
            "expected sha256: and 64 hexadecimal digits, as `cmdb tokens create` prints them";
        let digits: String =
            text.strip_prefix(ALGORITHM).ok_or(EXPECTED)?.chars().filter(|c| *c != ':').collect();
        if digits.len() != 2 * BYTES || !digits.chars().all(|c| c.is_ascii_hexdigit()) {
            return Err(EXPECTED);
        }
        let mut bytes = [0; BYTES];
        for (at, byte) in bytes.iter_mut().enumerate() {
            *byte = u8::from_str_radix(&digits[2 * at..2 * at + 2], 16).map_err(|_| EXPECTED)?;
        }
        Ok(Self(bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fingerprint_is_read_as_it_is_written() {
        let one = Fingerprint::of(b"a certificate");
        assert_eq!(one.to_string().parse(), Ok(one));
        let with_colons = one.to_string().to_uppercase().replacen("SHA256:", "sha256:AA:", 1);
        assert!(with_colons.parse::<Fingerprint>().is_err(), "too long");
        for bad in ["", "sha256:", "sha1:00", &one.to_string()[7..], &one.to_string().replace('a', "g")] {
            assert!(bad.parse::<Fingerprint>().is_err() || !one.to_string().contains('a'), "{bad}");
        }
    }
}
