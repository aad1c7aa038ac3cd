//! The proxy configurations of docs/guide/proxy.md, taken from the guide itself: nginx and Caddy in front of the real
//! binary. Whatever forwarding headers a client sends, it is counted by its own address.
#![allow(clippy::disallowed_methods, reason = "tests start programs, read clocks and write files")]

use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tests::person::{NAME, PASSWORD};
use tests::{Answer, Installation, connect_from, form, free_port, skip};

const GUIDE: &str = include_str!("../../docs/guide/proxy.md");
/// How long a proxy may take until it listens.
const START_MAX: Duration = Duration::from_secs(20);
/// Failures after which an address must wait.
const FAILURES: usize = 3;

/// A proxy that runs; it ends with the test.
struct Proxy(Child);

impl Drop for Proxy {
    fn drop(&mut self) {
        // nginx ends its workers when it is told to, and not when it is killed.
        let told = Command::new("kill").args(["-s", "TERM", &self.0.id().to_string()]).status();
        if !told.is_ok_and(|status| status.success()) {
            let _ = self.0.kill();
        }
        let _ = self.0.wait();
    }
}

/// The code block of the guide in this language that has these words.
fn block(language: &str, words: &str) -> String {
    let blocks = GUIDE.split("```").skip(1).step_by(2).filter_map(|block| block.split_once('\n'));
    let mut found = blocks.filter(|(own, text)| *own == language && text.contains(words));
    let (_, text) = found.next().unwrap_or_else(|| panic!("the guide has no {language} with {words}"));
    text.to_owned()
}

/// The command in the guide by which readers check their proxy, asking at `front`.
fn check_command(front: &str) -> Command {
    let text = replaced(&block("sh", "203.0.113.1"), "https://auth.example.com", &format!("http://{front}"));
    let mut command = Command::new("sh");
    command.args(["-c", &text]);
    command
}

/// Puts another text in place of one that the guide must have.
fn replaced(text: &str, from: &str, to: &str) -> String {
    assert!(text.contains(from), "the guide does not say {from:?}:\n{text}");
    text.replace(from, to)
}

/// Is the program here? It may lie where only root looks.
fn program(name: &str) -> Option<String> {
    let places =
        ["/usr/bin", "/usr/sbin", "/usr/local/bin", "/usr/local/sbin"].map(|folder| format!("{folder}/{name}"));
    places.into_iter().find(|path| Path::new(path).exists())
}

/// The words that a code block of the guide must have, of those in one language.
const BELOW_A_PATH: &str = "/.well-known/oauth-authorization-server/auth";

/// A server behind a proxy at `front`, which reaches it as the guide says.
fn grantry(front: &str, more: &str) -> Installation {
    let grantry = Installation::behind(front, &format!("{more}\n[lockout]\naddress_failures = {FAILURES}\n"));
    grantry.add_person();
    grantry
}

fn nginx(folder: &Path, front: &str, server: &str) -> Option<Proxy> {
    let server = replaced(server, "listen 443 ssl;", &format!("listen {front};"));
    let server = replaced(&server, "example.com;", "localhost;");
    let server: Vec<&str> = server.lines().filter(|line| !line.contains("ssl_certificate")).collect();
    let temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
    let temporary = temporary.map(|name| format!("{name}_temp_path {}/{name};", folder.display())).join("\n");
    // A master that is root gives its workers to somebody else, who may not enter the test's folder.
    let is_root = std::fs::metadata("/proc/self").is_ok_and(|own| own.uid() == 0);
    let user = if is_root { "user root;" } else { "" };
    let text = format!(
        "{user}\ndaemon off;\npid {0}/nginx.pid;\nerror_log {0}/nginx.log;\nevents {{}}\nhttp {{\naccess_log off;\n{temporary}\n{1}\n}}\n",
        folder.display(),
        server.join("\n")
    );
    let file = folder.join("nginx.conf");
    std::fs::write(&file, text).expect("the folder is writable");
    let mut command = Command::new(program("nginx")?);
    command.arg("-c").arg(&file).arg("-e").arg(folder.join("nginx.log"));
    Some(begun(command, front))
}

fn caddy(folder: &Path, front: &str, site: &str) -> Option<Proxy> {
    let (_, site) = site.split_once("example.com {").expect("the guide names the site");
    let site = format!("http://{front} {{{site}");
    let file = folder.join("Caddyfile");
    std::fs::write(&file, format!("{{\n\tadmin off\n\tauto_https off\n}}\n{site}")).expect("the folder is writable");
    let mut command = Command::new(program("caddy")?);
    command.args(["run", "--adapter", "caddyfile", "--config"]).arg(&file);
    for name in ["HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME"] {
        command.env(name, folder);
    }
    Some(begun(command, front))
}

fn begun(mut command: Command, front: &str) -> Proxy {
    let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
    let proxy = Proxy(child.expect("it is there"));
    let since = Instant::now();
    while TcpStream::connect(front).is_err() {
        assert!(since.elapsed() < START_MAX, "{command:?} does not listen on {front}");
        std::thread::sleep(Duration::from_millis(20));
    }
    proxy
}

/// Asks through the proxy, as the client at 127.0.0.`client`.
fn ask(client: u8, front: &str, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
    let mut text = format!("{method} {path} HTTP/1.1\r\nHost: {front}\r\nConnection: close\r\n");
    for (name, value) in headers {
        text += &format!("{name}: {value}\r\n");
    }
    text += &format!("Content-Length: {}\r\n\r\n{body}", body.len());
    let mut stream = connect_from([127, 0, 0, client], front).expect("the proxy listens");
    stream.write_all(text.as_bytes()).expect("it takes the request");
    let mut bytes = Vec::new();
    let _ = stream.read_to_end(&mut bytes);
    Answer::parse(&bytes).unwrap_or_else(|| panic!("no answer: {}", String::from_utf8_lossy(&bytes)))
}

/// Signs in, with forwarding headers of the client's own.
fn sign_in(client: u8, front: &str, (name, password): (&str, &str), forged: &[(&str, &str)]) -> u16 {
    let page = ask(client, front, "GET", "/sign-in?next=/account", forged, "");
    let seal =
        page.body.split("name=\"csrf\"").nth(1).and_then(|rest| rest.split("value=\"").nth(1)?.split('"').next());
    let cookie = page.header("set-cookie").and_then(|cookie| cookie.split(';').next());
    let (Some(seal), Some(cookie)) = (seal, cookie) else { panic!("no sign-in page: {page:?}") };
    let origin = format!("http://{front}");
    let own = [("Cookie", cookie), ("Origin", origin.as_str()), ("Content-Type", "application/x-www-form-urlencoded")];
    let body = form(&[("csrf", seal), ("username", name), ("password", password)]);
    ask(client, front, "POST", "/sign-in", &[&own, forged].concat(), &body).status
}

/// What a proxy must do: its clients are counted by their own address, whatever they say, and can sign in.
fn assert_counts_by_peer(front: &str, grantry: &Installation) {
    for (client, header) in [(5, "Forwarded"), (6, "X-Forwarded-For"), (7, "X-Real-IP"), (8, "CF-Connecting-IP")] {
        let tries = (0..FAILURES + 2).map(|at| {
            let address = format!("198.51.100.{at}");
            let value = if header == "Forwarded" { format!("for={address}") } else { address };
            sign_in(client, front, (&format!("nobody-{client}-{at}"), "wrong"), &[(header, &value)])
        });
        let statuses: Vec<u16> = tries.collect();
        assert_ne!(statuses[0], 429, "{header}: another client used up what is this one's: {statuses:?}");
        assert_eq!(statuses[FAILURES..], [429, 429], "{header}: a client chose its own address: {statuses:?}");
    }
    assert_eq!(sign_in(9, front, (NAME, PASSWORD), &[("X-Forwarded-For", "127.0.0.5")]), 303);
    let log = grantry.log();
    assert!(log.contains("address=\"127.0.0.5\"") && !log.contains("198.51.100."), "{log}");
    assert!(!log.contains("This warning is logged once"), "nothing to warn of: {log}");
}

#[test]
fn nginx_as_the_guide_has_it_tells_clients_apart() {
    let front = format!("127.0.0.1:{}", free_port());
    let mut grantry = grantry(&front, "[proxy]\ntrusted = [\"127.0.0.1/32\"]");
    grantry.start();
    let server = replaced(&block("nginx", "server_name auth.example.com"), "127.0.0.1:8080", &grantry.address);
    let Some(_proxy) = nginx(grantry.folder(), &front, &server) else {
        return skip("nginx_as_the_guide_has_it_tells_clients_apart", "nginx is not installed");
    };
    assert_counts_by_peer(&front, &grantry);
    assert!(check_command(&front).status().is_ok_and(|status| status.success()), "curl reaches the proxy");
    let log = grantry.log();
    let is_told = |line: &&str| line.contains("refused") && line.contains("endpoint=\"token\"");
    let line = log.lines().rfind(is_told).unwrap_or_else(|| panic!("the check leaves no line: {log}"));
    assert!(line.contains("address=\"127.0.0.1\""), "{line}");
}

#[test]
fn nginx_that_forgets_the_host_is_refused_as_the_guide_says() {
    let front = format!("127.0.0.1:{}", free_port());
    let mut grantry = grantry(&front, "[proxy]\ntrusted = [\"127.0.0.1/32\"]");
    grantry.start();
    let server = replaced(&block("nginx", "server_name auth.example.com"), "127.0.0.1:8080", &grantry.address);
    let server = replaced(&server, "proxy_set_header Host            $http_host;", "");
    let Some(_proxy) = nginx(grantry.folder(), &front, &server) else {
        return skip("nginx_that_forgets_the_host_is_refused_as_the_guide_says", "nginx is not installed");
    };
    let answer = ask(1, &front, "GET", "/sign-in", &[], "");
    assert_eq!(answer.status, 421, "{answer:?}");
    let words = "This server does not answer for the host";
    assert!(answer.body.contains(words) && GUIDE.contains(words), "{answer:?}");
    let log = grantry.log();
    assert!(log.contains("HostUnknown") && log.contains(&format!("host=\"{}\"", grantry.address)), "{log}");
}

/// What a proxy must do for an issuer with a path: pages, endpoints and metadata are found, and clients are told apart.
fn assert_is_below_a_path(front: &str, grantry: &Installation) {
    let metadata = ask(1, front, "GET", BELOW_A_PATH, &[], "");
    let issuer = format!("http://{front}/auth");
    assert_eq!((metadata.status, metadata.json()["issuer"].as_str()), (200, Some(issuer.as_str())), "{metadata:?}");
    assert_eq!(ask(1, front, "GET", "/auth/sign-in", &[], "").status, 200);
    let forged = [("X-Forwarded-For", "198.51.100.1"), ("Content-Type", "application/x-www-form-urlencoded")];
    let token = ask(5, front, "POST", "/auth/oauth/token", &forged, "grant_type=none");
    assert!(matches!(token.status, 400 | 401) && token.json()["error"].is_string(), "{token:?}");
    let log = grantry.log();
    assert!(log.contains("address=\"127.0.0.5\"") && !log.contains("198.51.100."), "{log}");
}

/// A server whose issuer has the path `/auth`.
fn below_a_path(front: &str) -> (Installation, Proxy) {
    let mut grantry = Installation::behind(&format!("{front}/auth"), "[proxy]\ntrusted = [\"127.0.0.1/32\"]");
    let line = format!("exec \"$@\" 2>>{}", grantry.folder().join("log").display());
    grantry.run_through(&["sh", "-c", &line, "sh"]);
    let server = Proxy(grantry.begin(&["serve"]));
    let since = Instant::now();
    while TcpStream::connect(&grantry.address).is_err() {
        assert!(since.elapsed() < START_MAX, "{}", grantry.log());
        std::thread::sleep(Duration::from_millis(20));
    }
    (grantry, server)
}

#[test]
fn nginx_as_the_guide_has_it_serves_an_issuer_with_a_path() {
    let front = format!("127.0.0.1:{}", free_port());
    let (grantry, _server) = below_a_path(&front);
    let server = replaced(&block("nginx", BELOW_A_PATH), "127.0.0.1:8080", &grantry.address);
    let Some(_proxy) = nginx(grantry.folder(), &front, &server) else {
        return skip("nginx_as_the_guide_has_it_serves_an_issuer_with_a_path", "nginx is not installed");
    };
    assert_is_below_a_path(&front, &grantry);
}

#[test]
fn caddy_as_the_guide_has_it_serves_an_issuer_with_a_path() {
    let front = format!("127.0.0.1:{}", free_port());
    let (grantry, _server) = below_a_path(&front);
    let site = replaced(&block("caddyfile", BELOW_A_PATH), "127.0.0.1:8080", &grantry.address);
    let Some(_proxy) = caddy(grantry.folder(), &front, &site) else {
        return skip("caddy_as_the_guide_has_it_serves_an_issuer_with_a_path", "caddy is not installed");
    };
    assert_is_below_a_path(&front, &grantry);
}

#[test]
fn nginx_that_appends_to_the_header_tells_clients_apart() {
    let front = format!("127.0.0.1:{}", free_port());
    let mut grantry = grantry(&front, "[proxy]\ntrusted = [\"127.0.0.1/32\"]");
    grantry.start();
    let server = replaced(&block("nginx", "server_name auth.example.com"), "127.0.0.1:8080", &grantry.address);
    let server = replaced(&server, "$remote_addr", "$proxy_add_x_forwarded_for");
    // What many configurations do not have: other headers come through as the client wrote them.
    let server = replaced(&server, "proxy_set_header Forwarded       \"\";", "");
    let server = replaced(&server, "proxy_set_header X-Real-IP       \"\";", "");
    let Some(_proxy) = nginx(grantry.folder(), &front, &server) else {
        return skip("nginx_that_appends_to_the_header_tells_clients_apart", "nginx is not installed");
    };
    assert_counts_by_peer(&front, &grantry);
}

/// A server that listens at a socket only, and where that is.
fn at_a_socket(front: &str) -> (Installation, Proxy, String) {
    let mut grantry = grantry(front, "");
    let (socket, log) = (grantry.folder().join("g.sock"), grantry.folder().join("log"));
    let line = format!("GRANTRY_LISTEN=unix:{} exec \"$@\" 2>>{}", socket.display(), log.display());
    grantry.run_through(&["sh", "-c", &line, "sh"]);
    let server = Proxy(grantry.begin(&["serve"]));
    let since = Instant::now();
    while UnixStream::connect(&socket).is_err() {
        assert!(since.elapsed() < START_MAX, "{}", grantry.log());
        std::thread::sleep(Duration::from_millis(20));
    }
    (grantry, server, socket.display().to_string())
}

#[test]
fn nginx_over_a_unix_socket_as_the_guide_has_it_tells_clients_apart() {
    let front = format!("127.0.0.1:{}", free_port());
    let (grantry, _server, socket) = at_a_socket(&front);
    let server = replaced(&block("nginx", "http://unix:"), "/run/grantry/grantry.sock", &socket);
    let Some(_proxy) = nginx(grantry.folder(), &front, &server) else {
        return skip("nginx_over_a_unix_socket_as_the_guide_has_it_tells_clients_apart", "nginx is not installed");
    };
    assert_counts_by_peer(&front, &grantry);
}

#[test]
fn caddy_over_a_unix_socket_as_the_guide_has_it_tells_clients_apart() {
    let front = format!("127.0.0.1:{}", free_port());
    let (grantry, _server, socket) = at_a_socket(&front);
    let site = replaced(&block("caddyfile", "unix//"), "/run/grantry/grantry.sock", &socket);
    let Some(_proxy) = caddy(grantry.folder(), &front, &site) else {
        return skip("caddy_over_a_unix_socket_as_the_guide_has_it_tells_clients_apart", "caddy is not installed");
    };
    assert_counts_by_peer(&front, &grantry);
}

#[test]
fn caddy_as_the_guide_has_it_tells_clients_apart() {
    let front = format!("127.0.0.1:{}", free_port());
    let mut grantry = grantry(&front, "[proxy]\ntrusted = [\"127.0.0.1/32\"]");
    grantry.start();
    let site = replaced(&block("caddyfile", "reverse_proxy 127.0.0.1"), "127.0.0.1:8080", &grantry.address);
    let Some(_proxy) = caddy(grantry.folder(), &front, &site) else {
        return skip("caddy_as_the_guide_has_it_tells_clients_apart", "caddy is not installed");
    };
    assert_counts_by_peer(&front, &grantry);
}

#[test]
fn a_proxy_that_was_forgotten_is_named_once_in_the_log() {
    let front = format!("127.0.0.1:{}", free_port());
    let mut grantry = grantry(&front, "");
    grantry.start();
    for header in ["X-Forwarded-For", "Forwarded", "X-Real-IP"] {
        for _ in 0..3 {
            let headers = [("Host", front.as_str()), (header, "for=203.0.113.7")];
            let _ = tests::send(&grantry.address, "GET", "/sign-in", &headers, "");
        }
    }
    let log = grantry.log();
    assert_eq!(log.matches("is not a trusted proxy").count(), 1, "{log}");
    assert!(log.contains("trusted = [\"127.0.0.1/32\"]"), "{log}");
}
