use super::*;
use crate::http::RequestIds;
use ::http::Method;
use bytes::Bytes;

/// The last proxy of the chain, and a second one in front of it.
const PROXY: &str = "10.0.0.1";

fn request(peer: &str, headers: &[(&str, &[u8])]) -> Request {
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
        map.append(name, HeaderValue::from_bytes(value).unwrap());
    }
    Request {
        method: Method::GET,
        uri: "/".parse().unwrap(),
        headers: map,
        body: Bytes::new(),
        unread: None,
        peer: if peer == "unix" { Peer::Unix } else { Peer::Ip(peer.parse().unwrap()) },
        id: RequestIds::new(1).next(),
        found: Default::default(),
    }
}

fn settings(header: &str) -> Settings {
    Settings {
        trusted: vec!["10.0.0.0/8".parse().unwrap(), "fd00::/8".parse().unwrap()],
        proxy_header: header.parse().unwrap(),
        ..Settings::new("https://auth.example")
    }
}

fn by(header: &str, peer: &str, headers: &[(&str, &str)]) -> String {
    let headers: Vec<(&str, &[u8])> = headers.iter().map(|(name, value)| (*name, value.as_bytes())).collect();
    address(&request(peer, &headers), &settings(header))
}

fn from(peer: &str, headers: &[(&str, &str)]) -> String {
    by("x-forwarded-for", peer, headers)
}

#[test]
fn only_a_trusted_peer_may_name_the_client() {
    for peer in ["192.0.2.7", "11.0.0.1", "::1"] {
        for header in ["x-forwarded-for", "forwarded", "x-real-ip"] {
            let told = by(header, peer, &[(header, "1.1.1.1")]);
            assert!(!told.starts_with("1.1.1.1"), "{peer} {header}");
        }
    }
    assert_eq!(from("192.0.2.7", &[("x-forwarded-for", "1.1.1.1")]), "192.0.2.7");
    assert_eq!(from(PROXY, &[("x-forwarded-for", "1.1.1.1")]), "1.1.1.1");
    assert_eq!(from("::ffff:10.0.0.1", &[("x-forwarded-for", "1.1.1.1")]), "1.1.1.1");
    assert_eq!(from("fd00::1", &[("x-forwarded-for", "1.1.1.1")]), "1.1.1.1");
    assert_eq!(from("unix", &[("x-forwarded-for", "1.1.1.1")]), "1.1.1.1");
    assert_eq!(from("unix", &[]), "unix");
}

#[test]
fn a_header_that_is_not_the_configured_one_never_counts() {
    let all = [
        ("forwarded", "for=6.6.6.1"),
        ("x-forwarded-for", "6.6.6.2"),
        ("x-real-ip", "6.6.6.3"),
        ("cf-connecting-ip", "6.6.6.4"),
        ("true-client-ip", "6.6.6.5"),
    ];
    for (own, value) in all {
        let others: Vec<(&str, &str)> = all.into_iter().filter(|(name, _)| *name != own).collect();
        for peer in [PROXY, "unix"] {
            let alone = by(own, peer, &others);
            assert_eq!(alone, if peer == "unix" { "unix" } else { PROXY }, "{own}");
            let counted = by(own, peer, &all);
            assert_eq!(counted, value.trim_start_matches("for="), "{own}");
        }
    }
}

#[test]
fn what_the_client_wrote_into_the_chain_does_not_count() {
    for chain in
        ["6.6.6.6, 1.1.1.1", "6.6.6.6,1.1.1.1, 10.0.0.2", "nonsense, 1.1.1.1", ", ,1.1.1.1", "\", 1.1.1.1,\t10.9.9.9"]
    {
        assert_eq!(from(PROXY, &[("x-forwarded-for", chain)]), "1.1.1.1", "{chain}");
        assert_eq!(from("unix", &[("x-forwarded-for", chain)]), "1.1.1.1", "{chain}");
    }
    let raw = request(PROXY, &[("x-forwarded-for", b"\xff\xfe, 1.1.1.1")]);
    assert_eq!(address(&raw, &settings("x-forwarded-for")), "1.1.1.1");
    for chain in ["for=6.6.6.6, for=1.1.1.1", "for=\"6.6.6.6, for=1.1.1.1;proto=https", "x, for=1.1.1.1, for=10.0.0.2"]
    {
        assert_eq!(by("forwarded", PROXY, &[("forwarded", chain)]), "1.1.1.1", "{chain}");
    }
}

#[test]
fn several_lines_of_the_header_are_one_list_that_ends_with_the_proxys_word() {
    assert_eq!(from(PROXY, &[("x-forwarded-for", "6.6.6.6"), ("x-forwarded-for", "1.1.1.1")]), "1.1.1.1");
    assert_eq!(from(PROXY, &[("x-forwarded-for", "1.1.1.1"), ("x-forwarded-for", "10.0.0.2")]), "1.1.1.1");
    assert_eq!(from(PROXY, &[("x-forwarded-for", "1.1.1.1"), ("x-forwarded-for", "")]), PROXY);
    assert_eq!(by("x-real-ip", PROXY, &[("x-real-ip", "6.6.6.6"), ("x-real-ip", "1.1.1.1")]), "1.1.1.1");
    assert_eq!(by("forwarded", PROXY, &[("forwarded", "for=6.6.6.6"), ("forwarded", "for=1.1.1.1")]), "1.1.1.1");
}

#[test]
fn an_address_may_have_a_port_and_brackets() {
    for (hop, expected) in [
        ("1.1.1.1:8080", "1.1.1.1"),
        ("2001:db8::1", "2001:db8::/64"),
        ("[2001:db8::1]", "2001:db8::/64"),
        ("[2001:db8::1]:443", "2001:db8::/64"),
        ("::ffff:1.1.1.1", "1.1.1.1"),
        ("[::ffff:1.1.1.1]:443", "1.1.1.1"),
    ] {
        assert_eq!(from(PROXY, &[("x-forwarded-for", hop)]), expected, "{hop}");
        let quoted = format!("proto=https; For=\"{hop}\";by=_x");
        assert_eq!(by("forwarded", PROXY, &[("forwarded", quoted.as_str())]), expected, "{quoted}");
    }
    // The last hop is a mapped address of a trusted network.
    assert_eq!(from(PROXY, &[("x-forwarded-for", "1.1.1.1, ::ffff:10.0.0.9")]), "1.1.1.1");
}

#[test]
fn a_header_that_cannot_be_read_counts_for_the_peer_rfc_7239_4() {
    for hop in [
        "",
        " ",
        ",",
        "nonsense",
        "unknown",
        "_hidden",
        "1.1.1.1,",
        "1.1.1",
        "1.1.1.1.1",
        "01.1.1.1",
        "1.1.1.1:",
        "1.1.1.1:x",
        "1.1.1.1:99999",
        "1.1.1.1 2.2.2.2",
        "[1.1.1.1]",
        "[2001:db8::1",
        "[2001:db8::1]x",
        "[2001:db8::1]:x",
        "fe80::1%eth0",
        "[fe80::1%2]:80",
        "localhost",
        "1.1.1.1/32",
        "for=1.1.1.1",
        "'1.1.1.1'",
        "\"1.1.1.1\"",
    ] {
        assert_eq!(from(PROXY, &[("x-forwarded-for", hop)]), PROXY, "{hop:?}");
        assert_eq!(from("unix", &[("x-forwarded-for", hop)]), "unix", "{hop:?}");
        assert_eq!(from(PROXY, &[("x-forwarded-for", &format!("6.6.6.6, {hop}"))]), PROXY, "{hop:?}");
    }
    for element in [
        "",
        "for",
        "for=",
        "for=_hidden",
        "for=unknown",
        "proto=https",
        "1.1.1.1",
        "for=1.1.1.1;for=2.2.2.2",
        "for=1.1.1.1;for=_x",
        "for=\"1.1.1.1",
        "for=1.1.1.1\"",
        "for=1.1.1.1;by=\"a,b\"",
        "for=1.1.1.1;;",
        "=1.1.1.1",
        "for=\"\\1.1.1.1\"",
    ] {
        assert_eq!(by("forwarded", PROXY, &[("forwarded", element)]), PROXY, "{element:?}");
    }
    let raw = request(PROXY, &[("x-forwarded-for", b"1.1.1.1, \xff")]);
    assert_eq!(address(&raw, &settings("x-forwarded-for")), PROXY);
}

#[test]
fn an_ipv6_network_of_64_bits_is_one_client_and_a_mapped_address_is_ipv4() {
    assert_eq!(from("2001:db8:1:2:3:4:5:6", &[]), "2001:db8:1:2::/64");
    assert_eq!(from("::ffff:192.0.2.1", &[]), "192.0.2.1");
    assert_eq!(wider("192.0.2.1"), None);
    assert_eq!(wider("unix"), None);
    assert_eq!(wider("2001:db8:1:2ff::/64"), Some(["2001:db8:1:200::/56".to_owned(), "2001:db8:1::/48".to_owned()]));
}

#[test]
fn connections_are_counted_by_client_and_those_of_proxies_are_not() {
    let settings = settings("x-forwarded-for");
    let key = |peer: &str| of_connection(request(peer, &[]).peer, &settings).map(|key| key.to_string());
    assert_eq!(key("::ffff:192.0.2.1"), Some("192.0.2.1".to_owned()));
    assert_eq!(key("2001:db8:1:2:3:4:5:6"), Some("2001:db8:1:2::".to_owned()));
    for exempt in ["unix", PROXY, "::ffff:10.0.0.1", "fd00::7"] {
        assert_eq!(key(exempt), None, "{exempt}");
    }
}
