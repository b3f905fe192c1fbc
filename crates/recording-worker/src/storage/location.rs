// SPDX-License-Identifier: MPL-2.0

//! URIs as people write them: a path, `file://`, `https://`, `s3://bucket/key` and its kin.

use anyhow::{Context, bail, ensure};
use std::path::{Path, PathBuf};
use url::Url;

/// Schemes of object stores. Behind the bucket stands the key as it is: it is not percent-encoded.
const CLOUD: [&str; 9] = ["s3", "s3a", "gs", "az", "azure", "abfs", "abfss", "adl", "wasbs"];

/// Parts of a query that are credentials, of signed URLs of Amazon, Google, Azure and CloudFront, and general ones.
const SECRET: [&str; 22] = [
    "access_token",
    "api-key",
    "api_key",
    "apikey",
    "auth",
    "authorization",
    "awsaccesskeyid",
    "code",
    "credential",
    "expires",
    "jwt",
    "key",
    "key-pair-id",
    "password",
    "policy",
    "se",
    "secret",
    "sig",
    "signature",
    "skoid",
    "sas",
    "token",
];

/// A parsed URI.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Location {
    /// On this machine.
    Local(PathBuf),
    /// HTTP or HTTPS.
    Http(Url),
    /// An object store.
    Cloud {
        /// As in [`CLOUD`].
        scheme: String,
        /// The bucket, or `container@account`.
        bucket: String,
        /// The key or prefix, without a slash in front.
        key: String,
    },
}

impl Location {
    /// Reads a URI or a path.
    pub fn parse(text: &str) -> anyhow::Result<Self> {
        ensure!(!text.is_empty(), "the URI is empty");
        let Some((scheme, rest)) = text.split_once("://") else {
            return Ok(Self::Local(std::path::absolute(text).with_context(|| format!("'{text}' is no path"))?));
        };
        let scheme = scheme.to_ascii_lowercase();
        match scheme.as_str() {
            "file" => match Url::parse(text).ok().and_then(|url| url.to_file_path().ok()) {
                Some(path) => Ok(Self::Local(path)),
                None => bail!("'{text}' names no file of this machine"),
            },
            "http" | "https" => Ok(Self::Http(Url::parse(text).context("the URL cannot be read")?)),
            name if CLOUD.contains(&name) => {
                let (bucket, key) = rest.split_once('/').unwrap_or((rest, ""));
                ensure!(!bucket.is_empty(), "'{text}' names no bucket: {name}://BUCKET/KEY");
                Ok(Self::Cloud { scheme, bucket: bucket.into(), key: key.into() })
            }
            _ => bail!("'{scheme}://' is not known: a path, file://, https://, {}://", CLOUD.join("://, ")),
        }
    }

    /// The URI as it may be written down: without user, password and the signature of a signed URL.
    pub fn public(&self) -> String {
        match self {
            Self::Local(path) => file_uri(path),
            Self::Cloud { scheme, bucket, key } => format!("{scheme}://{bucket}/{key}"),
            Self::Http(url) => {
                let mut public = url.clone();
                // Only URLs without a host have no place for these.
                let _ = public.set_username("");
                let _ = public.set_password(None);
                public.set_fragment(None);
                let kept: Vec<_> = url.query_pairs().filter(|(name, _)| !is_secret(name)).collect();
                public.set_query(None);
                if !kept.is_empty() {
                    public.query_pairs_mut().extend_pairs(kept);
                }
                public.into()
            }
        }
    }
}

fn is_secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    name.starts_with("x-amz-") || name.starts_with("x-goog-") || SECRET.contains(&name.as_str())
}

fn file_uri(path: &Path) -> String {
    Url::from_file_path(path).map_or_else(|()| path.display().to_string(), String::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_uri_is_read() {
        let public = |text| Location::parse(text).map(|location| location.public()).map_err(|error| error.to_string());
        assert_eq!(public("/a b/c.wav"), Ok("file:///a%20b/c.wav".into()));
        assert_eq!(public("file:///a%20b/c.wav"), Ok("file:///a%20b/c.wav".into()));
        assert_eq!(public("s3://calls/2026/a b#1?.wav"), Ok("s3://calls/2026/a b#1?.wav".into()));
        assert!(public("s3:///a.wav").is_err_and(|error| error.contains("names no bucket")));
        assert!(public("ftp://host/a.wav").is_err_and(|error| error.contains("'ftp://' is not known")));
        assert!(public("").is_err());
    }

    #[test]
    fn what_signs_a_url_is_not_written_down() {
        let text = "https://user:pass@host/a.wav?id=5&X-Amz-Signature=5ec&sig=5ec&token=5ec#5ec";
        assert_eq!(Location::parse(text).expect("a URL").public(), "https://host/a.wav?id=5");
        for name in ["apikey", "Api-Key", "code", "password", "jwt", "AWSAccessKeyId", "X-Goog-Signature"] {
            let text = format!("https://host/a.wav?{name}=5ec&id=5");
            assert_eq!(Location::parse(&text).expect("a URL").public(), "https://host/a.wav?id=5", "{name}");
        }
    }
}
