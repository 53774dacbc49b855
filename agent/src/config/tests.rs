use super::*;

fn config(words: &[&str]) -> Config {
    let words = std::iter::once("cmdb-agent").chain(words.iter().copied()).map(OsString::from);
    read(words).expect("the command line is understood").expect("the settings make sense")
}

fn file(text: &str) -> (tempfile::TempDir, String) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("agent.toml");
    std::fs::write(&path, text).unwrap();
    let path = path.to_string_lossy().into_owned();
    (directory, path)
}

#[test]
fn the_command_line_is_consistent() {
    Arguments::command().debug_assert();
}

#[test]
fn flags_win_over_the_file_and_the_file_over_defaults() {
    let (_directory, path) =
        file("server = \"http://file:7400\"\ndiscover_timeout = 9\nallow_arguments = [\"nginx\"]\n");
    let config = config(&["--config", &path, "--server", "http://flag:7400"]);
    assert_eq!(config.server, Setting { value: Some("http://flag:7400".into()), origin: Origin::Flag });
    let short = self::config(&["--server", "cmdb:7400"]).server.value;
    assert_eq!(short.as_deref(), Some("http://cmdb:7400"), "as the shell reads it");
    assert_eq!(config.discover_timeout_s, Setting { value: 9, origin: Origin::File });
    assert_eq!(config.allow_arguments.value, BTreeSet::from(["nginx".to_owned()]));
    assert_eq!(config.root, Setting { value: PathBuf::from("/"), origin: Origin::Default });
}

#[test]
fn what_is_printed_can_be_read_again() {
    let (_directory, path) = file("");
    let first = config(&[
        "--config",
        &path,
        "--server",
        "http://a:1",
        "--allow-arguments",
        "a,b",
        "--root",
        "/x \"y\"",
    ]);
    let (_directory, again) = file(&first.print());
    let second = config(&["--config", &again]);
    assert_eq!(second.server.value, first.server.value);
    assert_eq!(second.allow_arguments.value, first.allow_arguments.value);
    assert_eq!(second.root.value, first.root.value);
    assert_eq!(second.server.origin, Origin::File);
}

#[test]
fn jobs() {
    assert_eq!(config(&[]).job, Job::Run);
    assert_eq!(config(&["--once"]).job, Job::Once);
    assert_eq!(config(&["--once", "--print"]).job, Job::Print(Output::Text));
    assert_eq!(config(&["--once", "--print", "--output", "json"]).job, Job::Print(Output::Json));
    assert_eq!(config(&["--once", "--output", "json"]).job, Job::Print(Output::Json));
}

#[test]
fn mistakes_say_where_and_what() {
    let refused = |words: &[&str]| {
        let words = std::iter::once("cmdb-agent").chain(words.iter().copied()).map(OsString::from);
        read(words).expect("understood").unwrap_err().to_string()
    };
    assert!(refused(&["--server", "ftp://cmdb:7400"]).contains("expected http://HOST:PORT"));
    assert!(refused(&["--config", "/no/such/file"]).contains("/no/such/file"));
    let (_directory, path) = file("sever = \"x\"\n");
    let message = refused(&["--config", &path]);
    assert!(message.contains("unknown field `sever`") && message.contains("line 1"), "{message}");
}
