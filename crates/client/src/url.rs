//! Where a server is.

use std::fmt::Write as _;

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UrlError {
    #[error("{0:?} is no address of a server; write wss://host:port or ws://host:port")]
    Unreadable(String),
    #[error("{0}:// is no way to a server; write wss://, ws://, https:// or http://")]
    Scheme(String),
}

/// Where a server is, and later where its channel is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Url {
    pub is_secure: bool,
    pub host: String,
    pub port: u16,
    /// With its query.
    pub path: String,
}

impl Url {
    /// `wss://host:8267` for the original's port, `ws://host:7880` for madang's main one; `https` and `http` mean the same. A
    /// path before `/live/ws/…` is kept, for servers behind a proxy.
    pub fn parse(text: &str) -> Result<Self, UrlError> {
        let unreadable = || UrlError::Unreadable(text.to_owned());
        let (scheme, rest) = text.split_once("://").ok_or_else(unreadable)?;
        let is_secure = match scheme.to_ascii_lowercase().as_str() {
            "wss" | "https" => true,
            "ws" | "http" => false,
            _ => return Err(UrlError::Scheme(scheme.to_owned())),
        };
        let rest = rest.split(['?', '#']).next().unwrap_or_default();
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let path = path.split("/live/ws").next().unwrap_or_default();
        let (host, port) = match authority.rfind(':') {
            Some(at) if !authority.ends_with(']') => {
                let port = authority.get(at + 1..).unwrap_or_default();
                let host = authority.get(..at).unwrap_or_default();
                (host, port.parse().map_err(|_| unreadable())?)
            }
            Some(_) | None => (authority, if is_secure { 443 } else { 80 }),
        };
        let is_wrong = |c: char| c.is_whitespace() || c.is_control() || c == '@';
        if host.is_empty() || rest.contains(is_wrong) {
            return Err(unreadable());
        }
        Ok(Self {
            is_secure,
            host: host.trim_matches(['[', ']']).to_owned(),
            port,
            path: path.trim_end_matches('/').to_owned(),
        })
    }

    /// As a header or a request line names the host.
    pub fn authority(&self) -> String {
        if self.host.contains(':') {
            format!("[{}]:{}", self.host, self.port)
        } else {
            format!("{}:{}", self.host, self.port)
        }
    }
}

impl std::fmt::Display for Url {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let scheme = if self.is_secure { "wss" } else { "ws" };
        write!(f, "{scheme}://{}{}", self.authority(), self.path)
    }
}

/// RFC 3986 §2.3: what need not be written as percent signs.
pub(crate) fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            escaped.push(char::from(byte));
        } else {
            write!(escaped, "%{byte:02X}").expect("a string takes everything");
        }
    }
    escaped
}

#[cfg(test)]
mod tests;
