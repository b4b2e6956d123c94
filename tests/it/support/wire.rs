//! Requests byte for byte, for what no well-behaved client sends; and answers with their headers.

use super::app::{Answer, TestApp, address, now};
use bookhook::domain::ids;
use bookhook::sources;
use reqwest::StatusCode;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// A connection to the service, written to as the test likes.
pub(crate) struct Wire(TcpStream);

/// An answer with its headers, names in lower case.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) answer: Answer,
    pub(crate) headers: BTreeMap<String, String>,
    /// The body as it came.
    pub(crate) body: Vec<u8>,
}

impl Wire {
    /// Connects to the service.
    pub(crate) async fn open(app: &TestApp) -> Self {
        let address = app.url.strip_prefix("http://").unwrap();
        Self(TcpStream::connect(address).await.unwrap())
    }

    /// Sends bytes; false when the service has hung up, which may be its right.
    pub(crate) async fn send(&mut self, bytes: &[u8]) -> bool {
        self.0.write_all(bytes).await.is_ok() && self.0.flush().await.is_ok()
    }

    /// Sends a chunk of a chunked body.
    pub(crate) async fn send_chunk(&mut self, bytes: &[u8]) -> bool {
        let size = format!("{:x}\r\n", bytes.len());
        self.send(&[size.as_bytes(), bytes, b"\r\n"].concat()).await
    }

    /// The first line of the answer, the request unfinished or not.
    pub(crate) async fn status_line(&mut self) -> String {
        let mut line = Vec::new();
        while !line.ends_with(b"\r\n") {
            line.push(self.0.read_u8().await.unwrap());
        }
        String::from_utf8(line).unwrap().trim_end().to_owned()
    }

    /// The answer; `None` when the service hung up without one. The request must have said
    /// `Connection: close`.
    pub(crate) async fn reply(mut self) -> Option<Reply> {
        let mut bytes = Vec::new();
        // A reset after the answer loses nothing of it.
        self.0.read_to_end(&mut bytes).await.ok();
        let end = bytes.windows(4).position(|four| four == b"\r\n\r\n")?;
        let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
        let mut lines = head.split("\r\n");
        let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
        let pair = |line: &str| {
            let (name, value) = line.split_once(':')?;
            Some((name.to_ascii_lowercase(), value.trim().to_owned()))
        };
        let headers: BTreeMap<String, String> = lines.filter_map(pair).collect();
        let body = bytes[end + 4..].to_vec();
        let text = String::from_utf8_lossy(&body).into_owned();
        let json = serde_json::from_slice(&body).unwrap_or(Value::String(text));
        let answer = Answer { status: StatusCode::from_u16(status).unwrap(), body: json };
        Some(Reply { answer, headers, body })
    }
}

/// The head of a request, with these header lines and `Connection: close`.
pub(crate) fn head(method: &str, path: &str, headers: &[(&str, &str)]) -> String {
    let mut head = format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n");
    for (name, value) in headers {
        write!(head, "{name}: {value}\r\n").unwrap();
    }
    head + "\r\n"
}

/// The headers by which a provider signs this body now.
pub(crate) fn signed(source: &str, secret: &str, body: &[u8]) -> Vec<(&'static str, String)> {
    let id = format!("msg_{}", ids::random_text(12).unwrap());
    sources::find(source).unwrap().sign(secret, body, &id, now()).unwrap()
}

impl TestApp {
    /// One whole request, and the answer with its headers.
    pub(crate) async fn wire(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Reply {
        let length = body.len().to_string();
        let headers = [headers, &[("content-length", length.as_str())]].concat();
        let mut wire = Wire::open(self).await;
        wire.send(&[head(method, path, &headers).as_bytes(), body].concat()).await;
        wire.reply().await.expect("an answer")
    }

    /// A signed delivery in chunks, its length unsaid.
    pub(crate) async fn deliver_in_chunks(
        &self,
        source: &str,
        connection: &str,
        secret: &str,
        body: &[u8],
    ) -> Option<Reply> {
        let mut headers = signed(source, secret, body);
        headers.push(("transfer-encoding", "chunked".to_owned()));
        headers.push(("content-type", "application/json".to_owned()));
        let headers: Vec<(&str, &str)> = headers.iter().map(|(n, v)| (*n, v.as_str())).collect();
        let mut wire = Wire::open(self).await;
        wire.send(head("POST", &address(source, Some(connection)), &headers).as_bytes()).await;
        for chunk in body.chunks(100_000) {
            if !wire.send_chunk(chunk).await {
                break;
            }
        }
        wire.send(b"0\r\n\r\n").await;
        wire.reply().await
    }
}
