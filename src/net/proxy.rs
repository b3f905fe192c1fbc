// SPDX-License-Identifier: MPL-2.0

//! HTTP proxies of the environment (`HTTPS_PROXY`, `ALL_PROXY`, `NO_PROXY`), and tunnels through them (CONNECT).

use crate::error::Error;
use crate::net::secret::Secret;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use percent_encoding::percent_decode_str;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use url::Url;
use zeroize::Zeroizing;

/// Maximum length of the head of a proxy's response.
const MAX_HEAD_LEN: usize = 16 << 10;

/// A proxy.
#[derive(Clone)]
pub struct Proxy {
    /// Host, without the brackets of an IPv6 address.
    pub host: String,
    pub port: u16,
    /// Environment variable that it comes from.
    variable: &'static str,
    /// Value of `Proxy-Authorization`.
    authorization: Option<Secret>,
    /// Password as in the variable, for redaction.
    pub password: Option<Secret>,
}

impl Proxy {
    /// The proxy for a URL, if the environment names one. The caller excludes hosts on this machine.
    pub fn of(url: &Url, env: &impl Fn(&str) -> Option<String>) -> Result<Option<Self>, Error> {
        let either = |lower: &'static str, upper: &'static str| {
            env(lower).map(|value| (lower, value)).or_else(|| env(upper).map(|value| (upper, value)))
        };
        let is_encrypted = matches!(url.scheme(), "wss" | "https");
        let own = || is_encrypted.then(|| either("https_proxy", "HTTPS_PROXY")).flatten();
        let Some((variable, value)) = own().or_else(|| either("all_proxy", "ALL_PROXY")) else { return Ok(None) };
        let exceptions = either("no_proxy", "NO_PROXY").map(|(_, value)| value).unwrap_or_default();
        if is_exception(url, &exceptions) {
            return Ok(None);
        }
        Self::parse(&value, variable).map(Some)
    }

    fn parse(value: &str, variable: &'static str) -> Result<Self, Error> {
        let wrong = |why: String| Error::settings(format!("{variable} is not usable: {why}"));
        let value = value.trim();
        let text = if value.contains("://") { value.to_owned() } else { format!("http://{value}") };
        let url = Url::parse(&text).map_err(|error| wrong(error.to_string()))?;
        if url.scheme() != "http" {
            let hint = "only http:// proxies are; unset it, or name the server's host in NO_PROXY";
            return Err(wrong(format!("a {}:// proxy is not supported, {hint}", url.scheme())));
        }
        let host = url.host_str().ok_or_else(|| wrong("it names no host".into()))?;
        let decoded = |text: &str| Zeroizing::new(percent_decode_str(text).decode_utf8_lossy().into_owned());
        let has_user = !url.username().is_empty() || url.password().is_some();
        let authorization = has_user.then(|| {
            let (user, password) = (decoded(url.username()), decoded(url.password().unwrap_or_default()));
            let pair = Zeroizing::new(format!("{}:{}", *user, *password));
            Zeroizing::new(format!("Basic {}", BASE64_STANDARD.encode(pair.as_bytes())))
        });
        Ok(Self {
            host: host.trim_matches(['[', ']']).to_owned(),
            port: url.port_or_known_default().unwrap_or(80),
            variable,
            authorization: authorization.and_then(|text| Secret::new(&text)),
            password: url.password().and_then(|password| Secret::new(&decoded(password))),
        })
    }

    /// Its URL without secrets.
    pub fn name(&self) -> String {
        format!("the proxy {}:{} (from {})", self.host, self.port, self.variable)
    }

    /// Opens a tunnel to a host. An error says whether a retry may succeed.
    pub async fn tunnel(&self, stream: &mut TcpStream, host: &str, port: u16) -> Result<(), (Error, bool)> {
        let broken = |error: String| (Error::connect(format!("no tunnel through {}: {error}", self.name())), true);
        let head = self.ask(stream, host, port).await.map_err(|error| broken(error.to_string()))?;
        let status = head.split_whitespace().nth(1).and_then(|status| status.parse::<u16>().ok());
        match status {
            Some(200..=299) => Ok(()),
            Some(407) => {
                let hint = format!("check the user name and the password in {}", self.variable);
                Err((
                    Error::connect(format!("{} answered 407 Proxy Authentication Required; {hint}", self.name())),
                    false,
                ))
            }
            Some(status) => {
                let line = head.lines().next().unwrap_or_default().split_once(' ').map_or("", |(_, rest)| rest);
                let failure = Error::connect(format!("{} answered {}", self.name(), line.trim()));
                Err((failure, matches!(status, 408 | 429 | 500 | 502 | 503 | 504)))
            }
            None => Err((broken("it speaks no HTTP".into()).0, false)),
        }
    }

    /// Sends CONNECT and reads the head of the response.
    async fn ask(&self, stream: &mut TcpStream, host: &str, port: u16) -> std::io::Result<String> {
        let host = if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") };
        let mut request = Zeroizing::new(format!("CONNECT {host} HTTP/1.1\r\nHost: {host}\r\n"));
        if let Some(authorization) = &self.authorization {
            request.push_str(&format!("Proxy-Authorization: {}\r\n", authorization.expose()));
        }
        request.push_str("\r\n");
        stream.write_all(request.as_bytes()).await?;
        let mut head = Vec::new();
        // A byte at a time, because what follows the head belongs to the tunnel.
        while !head.ends_with(b"\r\n\r\n") {
            if head.len() >= MAX_HEAD_LEN {
                return Err(std::io::Error::other("its answer has no end"));
            }
            head.push(stream.read_u8().await?);
        }
        Ok(String::from_utf8_lossy(&head).into_owned())
    }
}

/// Whether `NO_PROXY` names the host of a URL: `*`, a host or a domain, with or without a port.
fn is_exception(url: &Url, exceptions: &str) -> bool {
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']).to_lowercase();
    let port = url.port_or_known_default().unwrap_or_default().to_string();
    exceptions.split([',', ' ']).map(|entry| entry.trim().to_lowercase()).filter(|entry| !entry.is_empty()).any(
        |entry| {
            let entry = match entry.rsplit_once(':') {
                Some((name, wanted)) if !name.contains(':') => {
                    if wanted != port {
                        return false;
                    }
                    name.to_owned()
                }
                _ => entry,
            };
            let entry = entry.trim_start_matches("*.").trim_start_matches('.').trim_matches(['[', ']']);
            entry == "*" || host == entry || host.strip_suffix(entry).is_some_and(|before| before.ends_with('.'))
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(url: &str, env: &[(&str, &str)]) -> Result<Option<Proxy>, Error> {
        let env = |name: &str| env.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned());
        Proxy::of(&Url::parse(url).expect("a URL"), &env)
    }

    #[test]
    fn the_environment_names_the_proxy_and_the_exceptions() {
        let proxy =
            |url: &str, env: &[(&str, &str)]| of(url, env).expect("usable").map(|proxy| (proxy.host, proxy.port));
        let here = Some(("proxy".to_owned(), 3128));
        assert_eq!(proxy("wss://api.example/v1", &[]), None);
        assert_eq!(proxy("wss://api.example/v1", &[("HTTPS_PROXY", "http://proxy:3128")]), here);
        assert_eq!(proxy("wss://api.example/v1", &[("https_proxy", "proxy:3128"), ("ALL_PROXY", "http://x:1")]), here);
        assert_eq!(proxy("ws://api.example/v1", &[("HTTPS_PROXY", "http://proxy:3128")]), None);
        assert_eq!(proxy("ws://api.example/v1", &[("all_proxy", "http://proxy:3128/")]), here);
        for (exceptions, is_exception) in [
            ("*", true),
            ("example", true),
            (".example, other", true),
            ("*.example", true),
            ("api.example:443", true),
            ("api.example:80", false),
            ("pi.example", false),
            ("", false),
        ] {
            let env = [("HTTPS_PROXY", "http://proxy:3128"), ("NO_PROXY", exceptions)];
            assert_eq!(proxy("wss://API.example/v1", &env).is_none(), is_exception, "{exceptions}");
        }
    }

    #[test]
    fn what_is_no_http_proxy_is_said() {
        let failure = of("wss://h/v1", &[("ALL_PROXY", "socks5://me:hush@h:1")]).err().expect("refused").to_string();
        assert!(
            failure.starts_with("ALL_PROXY ") && failure.contains("socks5") && !failure.contains("hush"),
            "{failure}"
        );
    }

    #[test]
    fn a_password_is_in_the_header_alone() {
        let proxy =
            of("wss://h/v1", &[("HTTPS_PROXY", "http://me:p%40ss-word@p:1")]).expect("usable").expect("a proxy");
        let expected = format!("Basic {}", BASE64_STANDARD.encode("me:p@ss-word"));
        assert_eq!(proxy.authorization.as_ref().map(Secret::expose), Some(expected.as_str()));
        assert_eq!(proxy.name(), "the proxy p:1 (from HTTPS_PROXY)");
    }
}
