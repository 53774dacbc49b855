//! Connections, how many of them there may be, and who is at the other end.
//!
//! Invariant: above the limit nobody is accepted; who comes then waits in the system's own short queue.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::server::TlsStream;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::server::Connected;

use crate::authority::Holder;

/// Accepted connections that wait for somebody to take them.
const ACCEPTED_WAITING_MAX: usize = 16;
/// How long a TLS handshake may take.
const HANDSHAKE_MAX: Duration = Duration::from_secs(10);
/// How long to wait when the system refuses another connection, for lack of file descriptors for one.
const REFUSED_PAUSE: Duration = Duration::from_millis(100);

/// Who is at the other end of a connection.
#[derive(Clone, Debug)]
pub struct Peer {
    /// Its address.
    pub remote: Option<SocketAddr>,
    /// Ours.
    pub local: Option<SocketAddr>,
    /// What its certificate says, which is one of our own authority; `None`: it showed none.
    pub holder: Option<Holder>,
}

impl Peer {
    /// Whether it is on this machine.
    pub fn is_here(&self) -> bool {
        let Some(remote) = self.remote.map(|address| address.ip().to_canonical()) else { return false };
        remote.is_loopback() || self.local.is_some_and(|local| local.ip().to_canonical() == remote)
    }
}

/// A connection, counted as long as it lives.
pub struct Connection {
    stream: Stream,
    peer: Peer,
    _permit: OwnedSemaphorePermit,
}

enum Stream {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

/// Accepts connections until nobody takes them any more; over TLS, where there is any.
pub fn accept(
    listener: TcpListener,
    connections_max: usize,
    tls: Option<Arc<ServerConfig>>,
) -> ReceiverStream<io::Result<Connection>> {
    let (sender, receiver) = mpsc::channel(ACCEPTED_WAITING_MAX);
    let permits = Arc::new(Semaphore::new(connections_max));
    let tls = tls.map(TlsAcceptor::from);
    tokio::spawn(async move {
        loop {
            let permit = Arc::clone(&permits).acquire_owned().await.expect("the semaphore is never closed");
            let accepted = tokio::select! {
                accepted = listener.accept() => accepted,
                () = sender.closed() => return,
            };
            let stream = match accepted {
                Ok((stream, _)) => stream,
                Err(error) => {
                    tracing::warn!(%error, "cannot accept a connection");
                    tokio::time::sleep(REFUSED_PAUSE).await;
                    continue;
                }
            };
            // Small messages must not wait for others; without it they are late, not lost.
            drop(stream.set_nodelay(true));
            let peer =
                Peer { remote: stream.peer_addr().ok(), local: stream.local_addr().ok(), holder: None };
            let Some(tls) = &tls else {
                let connection = Connection { stream: Stream::Plain(stream), peer, _permit: permit };
                if sender.send(Ok(connection)).await.is_err() {
                    return;
                }
                continue;
            };
            // A slow handshake holds nobody up but itself.
            tokio::spawn(secure(tls.clone(), stream, peer, permit, sender.clone()));
        }
    });
    ReceiverStream::new(receiver)
}

async fn secure(
    tls: TlsAcceptor,
    stream: TcpStream,
    mut peer: Peer,
    permit: OwnedSemaphorePermit,
    sender: mpsc::Sender<io::Result<Connection>>,
) {
    let stream = match timeout(HANDSHAKE_MAX, tls.accept(stream)).await {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) => return tracing::debug!(?peer, %error, "a TLS handshake failed"),
        Err(_) => return tracing::debug!(?peer, "a TLS handshake took too long"),
    };
    let shown = stream.get_ref().1.peer_certificates().and_then(<[_]>::first);
    peer.holder = shown.and_then(|certificate| Holder::read(certificate));
    let connection = Connection { stream: Stream::Tls(Box::new(stream)), peer, _permit: permit };
    // Where nobody takes connections any more, the server closes.
    drop(sender.send(Ok(connection)).await);
}

impl Connected for Connection {
    type ConnectInfo = Peer;

    fn connect_info(&self) -> Peer {
        self.peer.clone()
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match &mut self.stream {
            Stream::Plain(stream) => Pin::new(stream).poll_read(cx, buffer),
            Stream::Tls(stream) => Pin::new(stream).poll_read(cx, buffer),
        }
    }
}

impl AsyncWrite for Connection {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match &mut self.stream {
            Stream::Plain(stream) => Pin::new(stream).poll_write(cx, bytes),
            Stream::Tls(stream) => Pin::new(stream).poll_write(cx, bytes),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.stream {
            Stream::Plain(stream) => Pin::new(stream).poll_flush(cx),
            Stream::Tls(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.stream {
            Stream::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Stream::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match &mut self.stream {
            Stream::Plain(stream) => Pin::new(stream).poll_write_vectored(cx, slices),
            Stream::Tls(stream) => Pin::new(stream).poll_write_vectored(cx, slices),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match &self.stream {
            Stream::Plain(stream) => stream.is_write_vectored(),
            Stream::Tls(stream) => stream.is_write_vectored(),
        }
    }
}
