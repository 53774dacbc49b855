//! `cmdb tokens`: what lets new agents in. A token is shown once, as the line that enrolls a host without questions.

use std::io::{self, Write};

use clap::{Args, Subcommand};
use cmdb_proto::v1::{
    CreateTokenRequest, CreateTokenResponse, ListTokensRequest, ListTokensResponse, RevokeTokenRequest, Token,
};
use jiff::Timestamp;
use serde_json::{Value as Json, json};

use crate::error::CommandError;
use crate::output::table::{Cell, FAINT, GOOD, Table};
use crate::output::{Format, escape, json, words};
use crate::session::Session;
use crate::time;

pub const FORMATS: &[Format] = &[Format::Table, Format::Json];

#[derive(Args, Debug)]
#[command(after_help = "Tokens are made on the server's own machine.\n\
    Example:\n  cmdb --server https://localhost:7400 --ca /var/lib/cmdb-server/authority.pem \\\n    \
    tokens create --uses 50 --expires 24h --scope 10.1.0.0/16")]
pub struct Arguments {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand, Debug)]
enum What {
    /// Make a token, and print the line that enrolls a host with it
    Create {
        /// How many agents it lets in
        #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
        uses: u32,
        /// For how long: 45m, 12h, 7d
        #[arg(long, value_name = "TIME", default_value = "7d", value_parser = span)]
        expires: u64,
        /// Which hosts: a network such as 10.1.0.0/16, or a name such as web-*; may be repeated; without: any host
        #[arg(long, value_name = "HOSTS")]
        scope: Vec<String>,
        /// What it is for
        #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
        reason: String,
    },
    /// All tokens, without their secrets
    List,
    /// Let a token let nobody in any more
    Revoke {
        /// Its id, as `cmdb tokens list` shows it
        #[arg(value_name = "ID")]
        id: String,
    },
}

pub async fn run(arguments: Arguments, session: &mut Session) -> Result<(), CommandError> {
    let mut client = session.connect().await?.agents();
    match arguments.what {
        What::Create { uses, expires, scope, reason } => {
            let request = CreateTokenRequest { uses, valid_s: expires, scopes: scope, reason };
            let made = client.create_token(request).await?.into_inner();
            let line = line(&made);
            match session.format {
                Format::Json => {
                    let object = json!({
                        "token": made.token.as_ref().map(object),
                        "secret": made.secret,
                        "ca_fingerprint": made.ca_fingerprint,
                        "server": made.server,
                        "line": line,
                    });
                    json::write(session.out.as_mut(), &object)?;
                }
                _ => writeln!(session.out, "{}", escape::line(&line))?,
            }
            let token = made.token.unwrap_or_default();
            let agents = words::count(u64::from(token.uses), "agent", "agents");
            let until = time::for_people(token.expires_at_us).unwrap_or_default();
            session
                .messages
                .note(&format!("token {} lets in {agents} until {until}; it is not shown again", token.id));
        }
        What::List => {
            let answer = client.list_tokens(ListTokensRequest {}).await?.into_inner();
            let (now, out) = (session.now, session.out.as_mut());
            match session.format {
                Format::Json => {
                    let tokens: Vec<Json> = answer.tokens.iter().map(object).collect();
                    json::write(out, &json!({ "tokens": tokens }))?;
                }
                _ => table(out, &answer, now)?,
            }
        }
        What::Revoke { id } => {
            client.revoke_token(RevokeTokenRequest { id: id.clone() }).await?;
            match session.format {
                Format::Json => json::write(session.out.as_mut(), &json!({ "revoked": id }))?,
                _ => writeln!(session.out, "token {} lets nobody in any more", escape::line(&id))?,
            }
        }
    }
    Ok(())
}

/// What is run on a host, as it stands.
fn line(made: &CreateTokenResponse) -> String {
    let pin = &made.ca_fingerprint;
    let pin = if pin.is_empty() { String::new() } else { format!(" --ca-fingerprint {pin}") };
    format!("cmdb-agent enroll --server {} --token {}{pin}", made.server, made.secret)
}

fn table(out: &mut dyn Write, answer: &ListTokensResponse, now: Timestamp) -> io::Result<()> {
    if answer.tokens.is_empty() {
        return writeln!(out, "no tokens");
    }
    let mut rows = Table::new(&["TOKEN", "STATE", "USED", "EXPIRES", "HOSTS", "MADE", "BY", "REASON"]);
    for token in &answer.tokens {
        rows.row([
            token.id.as_str().into(),
            Cell::styled(&token.state, if token.state == "valid" { GOOD } else { FAINT }),
            format!("{} of {}", token.used, token.uses).into(),
            time::for_people(token.expires_at_us).unwrap_or_default().into(),
            token.scopes.join(", ").into(),
            time::ago(token.created_at_us, now).unwrap_or_default().into(),
            token.created_by.as_str().into(),
            token.reason.as_str().into(),
        ]);
    }
    rows.write(out)
}

fn object(token: &Token) -> Json {
    json!({
        "id": token.id,
        "state": token.state,
        "uses": token.uses,
        "used": token.used,
        "created_at": time::rfc3339(token.created_at_us),
        "expires_at": time::rfc3339(token.expires_at_us),
        "scopes": token.scopes,
        "created_by": token.created_by,
        "reason": token.reason,
    })
}

/// Seconds of `45m`, `12h`, `7d`.
fn span(text: &str) -> Result<u64, String> {
    let expected = || "expected a time such as 45m, 12h or 7d".to_owned();
    let unit = text.chars().last().ok_or_else(expected)?;
    let seconds = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3_600,
        'd' => 86_400,
        _ => return Err(expected()),
    };
    let number: u64 = text[..text.len() - 1].parse().map_err(|_| expected())?;
    number.checked_mul(seconds).filter(|seconds| *seconds > 0).ok_or_else(expected)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::canned;

    #[test]
    fn times() {
        let read: Vec<_> = ["30s", "45m", "12h", "7d"].map(|text| span(text).expect("a time")).into();
        assert_eq!(read, [30, 2_700, 43_200, 604_800]);
        for bad in ["", "7", "d", "0d", "-1d", "7w", "1.5h", "99999999999999999999d", "7ä"] {
            assert!(span(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn the_line_is_all_that_a_host_needs() {
        assert_eq!(
            line(&canned::created_token()),
            "cmdb-agent enroll --server https://cmdb.example.org:7400 --token cmdb-0123 --ca-fingerprint sha256:00ff"
        );
        let elsewhere = CreateTokenResponse { ca_fingerprint: String::new(), ..canned::created_token() };
        assert!(line(&elsewhere).ends_with("--token cmdb-0123"));
    }
}
