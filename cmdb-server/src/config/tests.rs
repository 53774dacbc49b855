use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::Write;

use expect_test::{Expect, expect};

use super::*;

fn arguments(line: &str) -> Arguments {
    let words = line.split_whitespace().map(OsString::from);
    Arguments::read([OsString::from("cmdb-server")].into_iter().chain(words)).unwrap()
}

fn environment(pairs: &[(&str, &str)]) -> impl Fn(&str) -> Option<String> {
    let map: BTreeMap<String, String> =
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    move |name| map.get(name).cloned()
}

fn config_file(text: &str) -> tempfile::NamedTempFile {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(text.as_bytes()).unwrap();
    file
}

fn load(line: &str, pairs: &[(&str, &str)]) -> Result<Config, ConfigError> {
    let values = gather(&arguments(line).flags, &environment(pairs))?;
    Config::from_values(&values)
}

#[test]
fn a_flag_comes_before_the_environment_and_that_before_the_file_and_that_before_the_default() {
    let file = config_file("listen = \"127.0.0.1:3\"\n");
    let file = file.path().display();
    type Case<'a> = (&'a str, &'a [(&'a str, &'a str)], &'a str);
    let table: [Case<'_>; 4] = [
        ("--data /d", &[], "127.0.0.1:7400"),
        (&format!("--data /d --config {file}"), &[], "127.0.0.1:3"),
        (&format!("--data /d --config {file}"), &[("CMDB_LISTEN", "127.0.0.1:2")], "127.0.0.1:2"),
        (
            &format!("--data /d --config {file} --listen 127.0.0.1:1"),
            &[("CMDB_LISTEN", "127.0.0.1:2")],
            "127.0.0.1:1",
        ),
    ];
    for (line, pairs, expected) in table {
        assert_eq!(load(line, pairs).unwrap().listen.to_string(), expected, "{line}");
    }
}

#[test]
fn the_environment_names_the_file_and_an_empty_variable_is_an_unset_one() {
    let file = config_file("data = \"/from/file\"\nannounce = true\n");
    let path = file.path().display().to_string();
    let config = load("", &[("CMDB_CONFIG", &path), ("CMDB_DATA", "")]).unwrap();
    assert_eq!(config.data, Path::new("/from/file"));
    assert_eq!(config.announce, Announce::On);
}

#[test]
fn what_is_printed_says_where_it_comes_from_and_gives_the_same_configuration_again() {
    let file = config_file("# mine\nsessions_max = 1_000\n");
    let path = file.path().display().to_string();
    let line = format!("--config {path} --announce --tls-cert /c.pem --tls-key=/k\"\\.pem");
    let values = gather(&arguments(&line).flags, &environment(&[("CMDB_DATA", "/srv/cmdb")])).unwrap();
    let printed = print(&values);
    expect![[r##"
        # Flags come before the environment, the environment before the file, the file before the defaults.
        data = "/srv/cmdb"           # environment CMDB_DATA
        listen = "127.0.0.1:7400"    # default
        # schema is not set          # default
        tls_cert = "/c.pem"          # flag --tls-cert
        tls_key = '/k"\.pem'         # flag --tls-key
        tls = "auto"                 # default
        # tls_names is not set       # default
        # agents is not set          # default
        certificate_days = 90        # default
        announce = true              # flag --announce
        log_format = "text"          # default
        log = "info"                 # default
        scan_interval_s = 60         # default
        heartbeat_interval_s = 30    # default
        sessions_max = 1000          # file FILE:2
        report_bytes_max = 67108864  # default
    "##]]
    .assert_eq(&printed.replace(&path, "FILE"));

    let again = config_file(&printed);
    let line = format!("--config {}", again.path().display());
    assert_eq!(load(&line, &[]).unwrap(), Config::from_values(&values).unwrap());
}

fn check_error(file: &str, line: &str, expected: Expect) {
    let file = config_file(file);
    let path = file.path().display().to_string();
    let error = load(&format!("--data /d --config {path} {line}"), &[]).unwrap_err();
    expected.assert_eq(&error.to_string().replace(&path, "FILE"));
}

#[test]
fn errors_name_the_thing_and_what_to_do() {
    check_error(
        "# \n\nlisten_on = \"x\"\n",
        "",
        expect![[r#"FILE:3: unknown key "listen_on"; did you mean "listen"?"#]],
    );
    check_error(
        "[server]\n",
        "",
        expect![[r#"FILE:1: unknown key "server"; `cmdb-server --print-config` shows the keys there are"#]],
    );
    check_error(
        "announce = \"yes\"",
        "",
        expect![[r#"FILE:1: "announce" must be true or false; given: string"#]],
    );
    check_error(
        "listen = ",
        "",
        expect![[r#"FILE:1: not TOML: string values must be quoted, expected literal string"#]],
    );
    check_error(
        "",
        "--listen 7400",
        expect![[
            r#"listen = "7400" (flag --listen): not an address; write an IP address and a port, such as 127.0.0.1:7400 or [::1]:7400"#
        ]],
    );
    check_error(
        "sessions_max = 0",
        "",
        expect![[
            r#"sessions_max = "0" (file FILE:1): out of range; write a whole number from 1 to 1000000"#
        ]],
    );
    check_error(
        "",
        "--log inof",
        expect![[r#"log = "inof" (flag --log): not a log level; did you mean "info"?"#]],
    );
    check_error(
        "",
        "--log-format xml",
        expect![[r#"log_format = "xml" (flag --log-format): not a log format; write text or json"#]],
    );
    check_error(
        "",
        "--tls-cert c.pem",
        expect!["tls_cert is set and tls_key is not; TLS needs both the certificate and its private key"],
    );
    check_error(
        "",
        "--agents enrolled",
        expect![[
            r#"agents = "enrolled" needs TLS, and on a loopback address such as 127.0.0.1:7400 there is none unless it is asked for: give --tls on as well, or leave --agents out"#
        ]],
    );
    check_error(
        "",
        "--agents all",
        expect![[r#"agents = "all" (flag --agents): neither open nor enrolled; write open or enrolled"#]],
    );
    check_error(
        "",
        "--tls-names a/b",
        expect![[
            r#"tls_names = "a/b" (flag --tls-names): "a/b" is no name of a host; write names or addresses with commas, such as cmdb.example.org,10.0.0.5"#
        ]],
    );
}

#[test]
fn beyond_loopback_there_is_tls_and_agents_must_enrol() {
    let table = [
        ("127.0.0.1:0", Tls::Off),
        ("127.8.8.8:1", Tls::Off),
        ("[::1]:7400", Tls::Off),
        ("[::ffff:127.0.0.1]:7400", Tls::Off),
        ("0.0.0.0:7400", Tls::Own),
        ("[::]:7400", Tls::Own),
        ("192.0.2.1:7400", Tls::Own),
    ];
    for (address, tls) in table {
        let load = |flags: &str| load(&format!("--data /d --listen {address} {flags}"), &[]).unwrap();
        let config = load("");
        assert_eq!(config.tls, tls, "{address}");
        assert_eq!(config.agents, if tls.is_on() { Accepts::Enrolled } else { Accepts::Open }, "{address}");
        assert_eq!(load("--tls on").tls, Tls::Own, "{address}");
        assert_eq!(load("--tls on --agents open").agents, Accepts::Open, "{address}");
        let given = load("--tls-cert c --tls-key k");
        let files = TlsFiles { cert: PathBuf::from("c"), key: PathBuf::from("k") };
        assert_eq!((given.tls, given.agents), (Tls::Files(files), Accepts::Enrolled), "{address}");
    }
}

#[test]
fn offline_commands_take_the_data_directory_before_or_after_their_name() {
    for line in ["restore b.cmdb --data /d", "--data /d restore b.cmdb"] {
        let arguments = arguments(line);
        assert_eq!(arguments.verb, Verb::Restore { file: PathBuf::from("b.cmdb") });
        assert_eq!(arguments.flags["data"], "/d");
    }
    assert_eq!(arguments("compact").verb, Verb::Compact);
    assert!(Arguments::read(["cmdb-server", "compact", "--listen", "x"].map(OsString::from)).is_err());
}

#[test]
fn the_command_line_is_consistent() {
    super::arguments::command().debug_assert();
}
