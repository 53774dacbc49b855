use std::os::unix::fs::PermissionsExt;

use super::*;

const NOW: Timestamp = Timestamp(1_700_000_000_000_000);
const ID: Uuid = Uuid::from_u128(0x0b6f_3c1e_5a0e_4f1c_9a3b_2f8d_1c7e_4a90);

fn request() -> Vec<u8> {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(["not-what-counts".to_owned()]).unwrap();
    params.distinguished_name = called("somebody else");
    params.serialize_request(&key).unwrap().der().to_vec()
}

#[test]
fn it_is_made_once_and_its_key_is_private() {
    let directory = tempfile::tempdir().unwrap();
    let first = Authority::open(directory.path(), NOW).unwrap().fingerprint();
    assert_eq!(Authority::open(directory.path(), NOW.plus_us(DAY_US)).unwrap().fingerprint(), first);
    assert!(first.starts_with("sha256:") && first.len() == 7 + 64, "{first}");
    let mode = |name| std::fs::metadata(directory.path().join(name)).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(KEY_FILE), mode(CERTIFICATE_FILE)), (0o600, 0o644));
    std::fs::remove_file(directory.path().join(KEY_FILE)).unwrap();
    let refused = format!("{:#}", Authority::open(directory.path(), NOW).err().unwrap());
    assert!(refused.contains("authority.key is not") && refused.contains("enrol again"), "{refused}");
}

#[test]
fn a_certificate_is_for_whom_the_server_says_and_back_dated() {
    let directory = tempfile::tempdir().unwrap();
    let authority = Authority::open(directory.path(), NOW).unwrap();
    for generation in [1, 0x7f, 0x80, 0x0102_0304] {
        let subject = Subject { agent_id: ID, generation };
        let issued = authority.agent(&request(), subject, [0xff; 32], NOW, 90).unwrap();
        let holder = Holder::read(&issued.certificate).unwrap();
        assert_eq!(holder.subject, subject);
        assert_eq!((holder.not_before, holder.not_after), (issued.not_before, issued.not_after));
        assert_eq!(issued.not_before, NOW.plus_us(-DAY_US));
        assert_eq!(issued.not_after, NOW.plus_us(90 * DAY_US));
    }
    let (server, _) = authority.server(&["cmdb.example.org".to_owned()], NOW).unwrap();
    assert_eq!(Holder::read(&server.certificate), None, "a server is no agent");
    assert_eq!(Holder::read(authority.certificate()), None);
}

#[test]
fn a_request_that_proves_no_key_gets_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let authority = Authority::open(directory.path(), NOW).unwrap();
    let subject = Subject { agent_id: ID, generation: 1 };
    let whole = request();
    for at in [whole.len() / 2, whole.len() - 5] {
        let mut damaged = whole.clone();
        damaged[at] ^= 1;
        assert!(authority.agent(&damaged, subject, [1; 32], NOW, 90).is_err(), "byte {at}");
    }
    assert!(authority.agent(b"", subject, [1; 32], NOW, 90).is_err());
}
