//! One connection to the server: TCP, then TLS where the address says so, then HTTP/2.
//!
//! Invariant: a connection that is lost stays lost: what it was for ends with it, and who needs another dials again.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use cmdb_proto::v1;
use cmdb_proto::v1::enrolment_service_client::EnrolmentServiceClient;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls;
use tokio_rustls::rustls::pki_types::ServerName;
use tonic::transport::{Channel, Endpoint, Uri};

use super::tls::{self, AtWrongTime, Trust, WrongTime};
use super::{Address, ClientError, chain};

/// How long connecting may take.
const CONNECT_WAIT_MAX: Duration = Duration::from_secs(15);
/// How long the server may take to tell the time.
const CLOCK_WAIT_MAX: Duration = Duration::from_secs(10);
/// How long the transport waits for a sign of life before it gives a connection up.
const KEEP_ALIVE_WAIT: Duration = Duration::from_secs(20);
const KEEP_ALIVE_INTERVAL: Duration = Duration::from_secs(60);

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

type Io = TokioIo<Box<dyn Stream>>;

/// Connects.
pub async fn connect(address: &Address, trust: &Trust) -> Result<Channel, ClientError> {
    match dial(address, trust, AtWrongTime::Refuse).await {
        Ok(io) => channel(address, io).await,
        Err(Failed::Time(wrong)) => Err(clock_error(address, trust, wrong).await),
        Err(Failed::Otherwise(error)) => Err(error),
    }
}

/// Why there is no connection.
enum Failed {
    /// The time of the server's certificate is wrong.
    Time(WrongTime),
    Otherwise(ClientError),
}

impl From<ClientError> for Failed {
    fn from(error: ClientError) -> Self {
        Failed::Otherwise(error)
    }
}

async fn dial(address: &Address, trust: &Trust, at_wrong_time: AtWrongTime) -> Result<Io, Failed> {
    let url = &address.url;
    let bad = |reason: &str| ClientError::BadAddress { url: url.clone(), reason: reason.to_owned() };
    let uri: Uri = url.parse().map_err(|error| bad(&chain(&error)))?;
    let is_https = uri.scheme_str() == Some("https");
    let host = uri.host().filter(|host| !host.is_empty()).ok_or_else(|| bad("it names no host"))?;
    let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
    let port = uri.port_u16().unwrap_or(if is_https { 443 } else { 80 });
    let unreachable = |reason: String| ClientError::Unreachable { url: url.clone(), reason };
    let too_long = || unreachable(format!("no connection within {} s", CONNECT_WAIT_MAX.as_secs()));
    let tcp = timeout(CONNECT_WAIT_MAX, TcpStream::connect((host.as_str(), port)));
    let tcp = tcp.await.map_err(|_| too_long())?.map_err(|error| unreachable(chain(&error)))?;
    // Small messages must not wait for others; without it they are late, not lost.
    let _ = tcp.set_nodelay(true);
    if !is_https {
        return Ok(TokioIo::new(Box::new(tcp)));
    }
    let checked = tls::client(trust, at_wrong_time)?;
    let name = trust.server_name().or(address.certificate_name.as_deref()).unwrap_or(&host).to_owned();
    let name = ServerName::try_from(name).map_err(|_| bad("its host cannot stand in a certificate"))?;
    let secured =
        timeout(CONNECT_WAIT_MAX, TlsConnector::from(Arc::clone(&checked.config)).connect(name, tcp));
    match secured.await.map_err(|_| too_long())? {
        Ok(stream) => Ok(TokioIo::new(Box::new(stream))),
        Err(error) => {
            let reason = chain(&error);
            let cause = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
            Err(match (cause, checked.wrong_time()) {
                (_, Some(wrong)) => Failed::Time(wrong),
                (Some(rustls::Error::InvalidCertificate(_)), None) => match trust {
                    Trust::Pinned(expected) => {
                        ClientError::WrongFingerprint { url: url.clone(), expected: *expected, reason }.into()
                    }
                    Trust::Known { .. } => ClientError::Untrusted { url: url.clone(), reason }.into(),
                },
                _ => unreachable(reason).into(),
            })
        }
    }
}

/// Asks the server for its time, so that the error says which clock is wrong.
async fn clock_error(address: &Address, trust: &Trust, wrong: WrongTime) -> ClientError {
    let asked = async {
        let io = dial(address, trust, AtWrongTime::Ask).await.ok()?;
        let channel = channel(address, io).await.ok()?;
        let answer = EnrolmentServiceClient::new(channel).clock(v1::ClockRequest {}).await.ok()?;
        Some(answer.into_inner().time_us)
    };
    let theirs_us = timeout(CLOCK_WAIT_MAX, asked).await.ok().flatten();
    ClientError::WrongClock {
        url: address.url.clone(),
        ours_us: microseconds(wrong.ours_s),
        theirs_us,
        valid_us: microseconds(wrong.valid_s),
    }
}

fn microseconds(seconds: u64) -> i64 {
    i64::try_from(seconds).unwrap_or(i64::MAX).saturating_mul(1_000_000)
}

async fn channel(address: &Address, io: Io) -> Result<Channel, ClientError> {
    let url = &address.url;
    let bad = |reason: String| ClientError::BadAddress { url: url.clone(), reason };
    let origin: Uri = url.parse().map_err(|error| bad(chain(&error)))?;
    // TLS, where there is any, is spoken below: the transport is not to look for its own.
    let endpoint = Endpoint::from_shared(url.replacen("https://", "http://", 1))
        .map_err(|error| bad(chain(&error)))?
        .origin(origin)
        .user_agent(concat!("cmdb-agent/", env!("CARGO_PKG_VERSION")))
        .map_err(|error| bad(chain(&error)))?
        .connect_timeout(CONNECT_WAIT_MAX)
        .http2_keep_alive_interval(KEEP_ALIVE_INTERVAL)
        .keep_alive_timeout(KEEP_ALIVE_WAIT)
        .keep_alive_while_idle(true);
    let once = Arc::new(Mutex::new(Some(io)));
    let connector = tower::service_fn(move |_: Uri| {
        let io = once.lock().unwrap_or_else(PoisonError::into_inner).take();
        std::future::ready(io.ok_or_else(|| std::io::Error::other("the connection is lost")))
    });
    let connected = endpoint.connect_with_connector(connector).await;
    connected.map_err(|error| ClientError::Unreachable { url: url.clone(), reason: chain(&error) })
}
