//! Base URLs that calls may go to: a credential may name its own, but no metadata server of a cloud and, unless
//! allowed, no other machine of the network.
//!
//! Names are not resolved; plain HTTP is therefore allowed for literal loopback addresses and `localhost` only.

use std::net::{IpAddr, Ipv6Addr};

use crate::redaction::has_secret;

/// Addresses beyond the public internet that [`check_address`] accepts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct AddressPolicy {
    /// True allows servers in private networks, over plain HTTP too.
    pub private_targets: bool,
}

/// Reason that a base URL is refused. The text never repeats the address, which may hold a key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AddressRefusal {
    /// The text is no absolute HTTP address.
    #[error("the text is not an http or https address, such as https://HOST/v1")]
    NotHttp,
    /// The address holds a user name or password, a query or a fragment, or what looks like a key.
    #[error("a base URL may not hold a user name, a key, a query or a fragment")]
    Adorned,
    /// Plain HTTP to another machine.
    #[error(
        "the address needs https: plain http is for this machine only, or for private networks with network.allow_private"
    )]
    PlainHttp,
    /// A link-local or metadata address.
    #[error("the address is link-local or a metadata server's, which is never called")]
    LinkLocal,
}

/// Accepts a base URL and returns it without a closing slash.
pub fn check_address(text: &str, policy: AddressPolicy) -> Result<String, AddressRefusal> {
    let url = url::Url::parse(text).map_err(|_| AddressRefusal::NotHttp)?;
    let host = url.host_str().ok_or(AddressRefusal::NotHttp)?.to_owned();
    if !matches!(url.scheme(), "http" | "https") {
        return Err(AddressRefusal::NotHttp);
    }
    if !url.username().is_empty()
        || url.password().is_some()
        || url.query().is_some()
        || url.fragment().is_some()
        || has_secret(text)
    {
        return Err(AddressRefusal::Adorned);
    }
    let name = host
        .trim_matches(['[', ']'])
        .trim_end_matches('.')
        .to_ascii_lowercase();
    let ip = name.parse::<IpAddr>().ok().map(plain);
    if ip.is_some_and(is_link_local) || name == "metadata.google.internal" || name == "metadata" {
        return Err(AddressRefusal::LinkLocal);
    }
    let is_here = name == "localhost" || ip.is_some_and(|ip| ip.is_loopback());
    let is_private = ip.map_or_else(
        || !name.contains('.') || name.ends_with(".local") || name.ends_with(".internal"),
        is_private,
    );
    if url.scheme() == "http" && !is_here && !(policy.private_targets && is_private) {
        return Err(AddressRefusal::PlainHttp);
    }
    Ok(url.as_str().trim_end_matches('/').to_owned())
}

/// The IPv4 address of an IPv4-mapped IPv6 address.
fn plain(ip: IpAddr) -> IpAddr {
    match ip {
        IpAddr::V6(v6) => v6.to_ipv4_mapped().map_or(ip, IpAddr::V4),
        IpAddr::V4(_) => ip,
    }
}

fn is_link_local(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(v4) => v4.is_link_local() || v4.is_unspecified() || v4.is_broadcast(),
        IpAddr::V6(v6) => v6.is_unicast_link_local() || v6.is_unspecified() || v6 == METADATA_V6,
    }
}

/// Metadata server of AWS over IPv6.
const METADATA_V6: Ipv6Addr = Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254);

const fn is_private(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(v4) => v4.is_private(),
        IpAddr::V6(v6) => v6.is_unique_local(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, private_targets: bool, expected: &str) {
        let seen = match check_address(text, AddressPolicy { private_targets }) {
            Ok(url) => url,
            Err(AddressRefusal::NotHttp) => "not http".to_owned(),
            Err(AddressRefusal::Adorned) => "adorned".to_owned(),
            Err(AddressRefusal::PlainHttp) => "plain http".to_owned(),
            Err(AddressRefusal::LinkLocal) => "link-local".to_owned(),
        };
        assert_eq!(seen, expected, "{text}");
    }

    #[test]
    fn https_may_go_anywhere_and_http_stays_here() {
        check(
            "https://api.example.com/v1/",
            false,
            "https://api.example.com/v1",
        );
        check(
            "http://127.0.0.1:8080/v1",
            false,
            "http://127.0.0.1:8080/v1",
        );
        check("http://localhost:11434", false, "http://localhost:11434");
        check("http://[::1]:8080", false, "http://[::1]:8080");
        check("http://api.example.com", false, "plain http");
        check("http://10.0.0.7/v1", false, "plain http");
        check("http://10.0.0.7/v1", true, "http://10.0.0.7/v1");
        check("http://gpu-box:8000", true, "http://gpu-box:8000");
        check("http://api.example.com", true, "plain http");
    }

    #[test]
    fn link_local_is_refused_in_every_disguise() {
        for host in [
            "169.254.169.254",
            "2852039166",
            "0xa9fea9fe",
            "[fe80::1]",
            "[::ffff:169.254.169.254]",
            "metadata.google.internal",
            "0.0.0.0",
        ] {
            check(&format!("https://{host}/latest"), true, "link-local");
            check(&format!("http://{host}/latest"), true, "link-local");
        }
    }

    #[test]
    fn addresses_with_login_or_query_and_other_schemes_are_refused() {
        check("https://user:secret@api.example.com", false, "adorned");
        check("https://api.example.com/?key=1", false, "adorned");
        check("file:///etc/passwd", false, "not http");
        check("api.example.com", false, "not http");
        check("", false, "not http");
    }
}
