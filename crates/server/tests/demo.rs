//! The demo from end to end, as a user goes through it: connect, sign in, approve, see the profile, revoke.
#![allow(clippy::disallowed_methods, reason = "the tests make files, start the binary and wait for it")]

use std::collections::HashMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::Value;

/// No answer takes longer.
const ANSWER_MAX: Duration = Duration::from_secs(20);

/// A running demo; it ends with the test.
struct Demo {
    child: Child,
    said: Value,
    _folder: tempfile::TempDir,
}

impl Demo {
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_grantry"));
        // With port 0 the operating system chooses a free port.
        command.args(["demo", "--json", "--port", "0", "--site-port", "0", "--admin-port", "0"]);
        let mut child = command.current_dir(folder.path()).stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let said = serde_json::from_str(&line).expect("the demo prints one document");
        Self { child, said, _folder: folder }
    }

    fn text(&self, pointer: &str) -> &str {
        self.said.pointer(pointer).and_then(Value::as_str).unwrap_or_else(|| panic!("{pointer} in {}", self.said))
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A browser that knows forms and cookies. Cookies are shared by all ports of a host.
#[derive(Default)]
struct Browser {
    /// Values, by host and cookie name.
    cookies: HashMap<(String, String), String>,
    url: String,
    page: String,
}

impl Browser {
    fn get(&mut self, url: &str) -> &str {
        self.go("GET", url, "")
    }

    fn post(&mut self, url: &str, fields: &[(&str, &str)]) -> &str {
        let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        self.go("POST", url, &body)
    }

    fn go(&mut self, method: &str, url: &str, body: &str) -> &str {
        let (mut method, mut body) = (method, body);
        url.clone_into(&mut self.url);
        for _ in 0..10 {
            let Some(location) = self.ask(method, body) else { return &self.page };
            let (scheme_host, _) = split(&self.url);
            self.url = if location.starts_with('/') { format!("{scheme_host}{location}") } else { location };
            (method, body) = ("GET", "");
        }
        panic!("too many redirects at {}", self.url);
    }

    /// Asks once; gives where a redirect leads.
    fn ask(&mut self, method: &str, body: &str) -> Option<String> {
        let (origin, path) = split(&self.url);
        let (host, port) = origin.split("://").nth(1).unwrap().split_once(':').unwrap();
        let own = self.cookies.iter().filter(|((its, _), _)| its == host);
        let cookies: Vec<String> = own.map(|((_, name), value)| format!("{name}={value}")).collect();
        let mut head = format!(
            "{method} {path} HTTP/1.1\r\nHost: {host}:{port}\r\nConnection: close\r\nAccept: text/html\r\nCookie: {}\r\n",
            cookies.join("; ")
        );
        if method == "POST" {
            let length = body.len();
            head.push_str(&format!("Origin: {origin}\r\nContent-Length: {length}\r\n"));
            head.push_str("Content-Type: application/x-www-form-urlencoded\r\n");
        }
        let mut stream = TcpStream::connect(format!("127.0.0.1:{port}")).unwrap();
        stream.set_read_timeout(Some(ANSWER_MAX)).unwrap();
        write!(stream, "{head}\r\n{body}").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, page) = answer.split_once("\r\n\r\n").expect("an answer has a head");
        page.clone_into(&mut self.page);
        let (mut location, mut set) = (None, Vec::new());
        for (name, value) in head.lines().filter_map(|line| line.split_once(": ")) {
            match name.to_ascii_lowercase().as_str() {
                "set-cookie" => {
                    let (name, value) = value.split(';').next().unwrap().split_once('=').unwrap();
                    set.push((name.to_owned(), value.to_owned()));
                }
                "location" => location = Some(value.to_owned()),
                _ => {}
            }
        }
        let host = host.to_owned();
        self.cookies.extend(set.into_iter().map(|(name, value)| ((host.clone(), name), value)));
        location
    }

    /// Fills in the form that has `mark` in it, and posts it.
    fn fill(&mut self, mark: &str, fields: &[(&str, &str)]) -> &str {
        let form = self.page.split("<form").skip(1).map(|form| form.split("</form>").next().unwrap());
        let form = form.into_iter().find(|form| form.contains(mark)).unwrap_or_else(|| panic!("{mark}: {}", self.page));
        let mut all: Vec<(String, String)> = form
            .split("<input type=\"hidden\" name=\"")
            .skip(1)
            .map(|input| {
                let parts: Vec<&str> = input.split('"').collect();
                (parts[0].to_owned(), parts[2].to_owned())
            })
            .collect();
        all.extend(fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        let action = form.split("action=\"").nth(1).unwrap().split('"').next().unwrap();
        let url = format!("{}{action}", split(&self.url).0);
        let fields: Vec<(&str, &str)> = all.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        self.post(&url, &fields)
    }
}

/// Scheme and host, and the rest.
fn split(url: &str) -> (&str, &str) {
    let host = url.find("://").unwrap() + 3;
    url[host..].find('/').map_or((url, "/"), |at| url.split_at(host + at))
}

#[test]
fn a_person_connects_the_sample_site_sees_the_profile_and_takes_it_back() {
    let demo = Demo::start();
    let (site, issuer) = (demo.text("/sample_site").to_owned(), demo.text("/issuer").to_owned());
    let mut browser = Browser::default();
    assert!(browser.get(&format!("{site}/")).contains("Connect"));
    browser.post(&format!("{site}/connect"), &[]);
    browser.fill("name=\"password\"", &[("username", "alice"), ("password", demo.text("/users/0/password"))]);
    let page = browser.fill("value=\"approve\"", &[("decision", "approve")]);
    for part in ["Hello, Alice Doe", "alice@example.com", "as an API sees it", "profile email links:read"] {
        assert!(page.contains(part), "{part}: {page}");
    }
    assert!(browser.post(&format!("{site}/refresh"), &[]).contains("Hello, Alice Doe"));

    browser.get(&format!("{issuer}/account/applications"));
    browser.fill("disconnect", &[("action", "disconnect")]);
    let page = browser.post(&format!("{site}/fetch"), &[]);
    assert!(page.contains("The access token is no longer good"), "{page}");
    assert!(page.contains("worth nothing"), "{page}");
    let page = browser.post(&format!("{site}/refresh"), &[]);
    assert!(page.contains("may not act for you any more"), "{page}");
}

#[test]
fn a_person_with_a_second_factor_reads_the_code_from_the_telephone_and_may_say_no() {
    let demo = Demo::start();
    let site = demo.text("/sample_site").to_owned();
    let mut browser = Browser::default();
    browser.post(&format!("{site}/connect"), &[]);
    browser.fill("name=\"password\"", &[("username", "bob"), ("password", demo.text("/users/1/password"))]);
    let mut telephone = Browser::default();
    let page = telephone.get(&format!("{site}/telephone"));
    let code = page.split("big-code\">").nth(1).unwrap()[..6].to_owned();
    browser.fill("name=\"otp\"", &[("otp", &code)]);
    let page = browser.fill("value=\"deny\"", &[("decision", "deny")]);
    assert!(page.contains("You said no"), "{page}");
}

/// An HTTP request, parsed from one of the curl commands that the page shows.
struct Curl {
    method: String,
    url: String,
    headers: Vec<String>,
    body: String,
}

impl Curl {
    fn read(command: &str) -> Self {
        let mut words = shell_words(command).into_iter();
        assert_eq!(words.next().as_deref(), Some("curl"), "{command}");
        let mut own = Self { method: String::new(), url: String::new(), headers: vec![], body: String::new() };
        while let Some(word) = words.next() {
            let mut value = || words.next().expect("an option has a value");
            match word.as_str() {
                "-X" => own.method = value(),
                "-H" => own.headers.push(value()),
                "-d" => {
                    let separator = if own.body.is_empty() { "" } else { "&" };
                    own.body.push_str(&format!("{separator}{}", value()));
                }
                url => url.clone_into(&mut own.url),
            }
        }
        if own.method.is_empty() {
            own.method = if own.body.is_empty() { "GET" } else { "POST" }.to_owned();
        }
        own
    }

    /// Gives the answer, which must be a success.
    fn run(&self) -> Value {
        let (origin, path) = split(&self.url);
        let (host, port) = (origin.split("://").nth(1).unwrap(), origin.rsplit(':').next().unwrap());
        let mut head = format!("{} {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n", self.method);
        let has_type = self.headers.iter().any(|header| header.starts_with("Content-Type"));
        if !self.body.is_empty() && !has_type {
            head.push_str("Content-Type: application/x-www-form-urlencoded\r\n");
        }
        self.headers.iter().for_each(|header| head.push_str(&format!("{header}\r\n")));
        let mut stream = TcpStream::connect(format!("127.0.0.1:{port}")).unwrap();
        stream.set_read_timeout(Some(ANSWER_MAX)).unwrap();
        write!(stream, "{head}Content-Length: {}\r\n\r\n{}", self.body.len(), self.body).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 200 "), "{} {}: {answer}", self.method, self.url);
        serde_json::from_str(answer.split_once("\r\n\r\n").unwrap().1).expect("it is JSON")
    }
}

/// The words of a command, split as a POSIX shell splits them. Only single quotes are understood, and lines that a
/// backslash continues.
fn shell_words(command: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    for (at, part) in command.split('\'').enumerate() {
        if at % 2 == 1 {
            words.last_mut().unwrap().push_str(part);
            continue;
        }
        for (at, piece) in part.replace("\\\n", " ").split(' ').enumerate() {
            if at > 0 {
                words.push(String::new());
            }
            words.last_mut().unwrap().push_str(piece);
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

/// Text of a page as a browser shows it.
fn shown(html: &str) -> String {
    let entities = [("&#x2f;", "/"), ("&#x27;", "'"), ("&#39;", "'"), ("&quot;", "\""), ("&lt;", "<"), ("&gt;", ">")];
    entities.iter().fold(html.to_owned(), |text, (entity, own)| text.replace(entity, own)).replace("&amp;", "&")
}

/// Every piece of the page between `begin` and the next `end`.
fn between<'p>(page: &'p str, begin: &str, end: &str) -> Vec<&'p str> {
    page.split(begin).skip(1).map(|rest| rest.split(end).next().unwrap()).collect()
}

/// True if the page has a row of this name with this value, whatever stands around it.
fn has_row(page: &str, name: &str, value: &str) -> bool {
    let page = shown(page);
    between(&page, &format!("<dt>{name}</dt><dd>"), "</dd>")
        .iter()
        .any(|row| format!(">{row}<").contains(&format!(">{value}<")))
}

/// Alice follows one surface's flow, from the page that lists all surfaces to the return to its application.
fn arrive(demo: &Demo, name: &str, decision: &str) -> (Browser, String) {
    let site = demo.text("/sample_site");
    let mut browser = Browser::default();
    let page = browser.get(&format!("{site}/surfaces")).to_owned();
    let section = page.split("<section").find(|section| section.contains(&format!("<h2 id=\"{name}\">{name}</h2>")));
    let links = between(section.unwrap_or_else(|| panic!("{name}: {page}")), "href=\"", "\"");
    browser.get(&shown(links[0]));
    let host = format!("http://{name}.localhost:");
    assert!(browser.url.starts_with(&host), "the pages are under the surface's own host: {}", browser.url);
    browser.fill("name=\"password\"", &[("username", "alice"), ("password", demo.text("/users/0/password"))]);
    let page = browser.fill("value=\"approve\"", &[("decision", decision)]).to_owned();
    assert!(browser.url.starts_with(&format!("{site}/arrived/{name}?")), "{}", browser.url);
    assert!(page.contains(&format!("<h1>Back from {name}</h1>")), "{page}");
    (browser, page)
}

#[test]
fn a_person_connects_each_of_the_other_surfaces_and_the_commands_that_are_shown_work() {
    let demo = Demo::start();
    for (name, commands_max, said) in [
        ("tinyemail", 1, "import_customers"),
        ("tinyplus", 0, "Bearer"),
        ("tinyrebrand", 3, "\"email\":\"alice@example.com\""),
        ("php-endpoints", 2, "\"full_name\":\"Alice Doe\""),
        ("paced", 2, "\"name\":\"Alice Doe\""),
    ] {
        let (browser, page) = arrive(&demo, name, "approve");
        let sent = if name == "tinyplus" { "access_token" } else { "code" };
        let value = between(&browser.url, &format!("{sent}="), "&")[0].to_owned();
        assert!(has_row(&page, sent, &value), "{name}: {page}");
        let commands: Vec<String> = between(&page, "<code id=\"command-", "</code>")
            .into_iter()
            .map(|code| shown(&code["1\">".len()..]))
            .collect();
        assert_eq!(commands.len(), commands_max, "{name}: {commands:?}");
        let (mut token, mut last) = (String::new(), Value::Null);
        for command in commands {
            let command = command.replace("PASSWORD", demo.text("/users/0/password")).replace("TOKEN", &token);
            last = Curl::read(&command).run();
            let given = last.pointer("/access_token").or(last.pointer("/data/access_token")).and_then(Value::as_str);
            given.unwrap_or(&token).to_owned().clone_into(&mut token);
        }
        // The surface without commands gives the token itself, and its page says so.
        let is_told =
            if commands_max == 0 { has_row(&page, "token_type", said) } else { last.to_string().contains(said) };
        assert!(is_told, "{name}: {last}");
    }
}

#[test]
fn a_no_comes_back_to_the_application_of_a_surface_too_and_unknown_names_lead_home() {
    let demo = Demo::start();
    for name in ["tinyemail", "tinyplus"] {
        let (_, page) = arrive(&demo, name, "deny");
        assert!(has_row(&page, "error", "access_denied"), "{name}: {page}");
    }
    let site = demo.text("/sample_site").to_owned();
    let mut browser = Browser::default();
    assert!(browser.get(&format!("{site}/arrived/nobody?code=1")).contains("Connect"));
    assert_eq!(browser.url, format!("{site}/"));
    // The page shows the parameters of its URL, and escapes them.
    let page = browser.get(&format!("{site}/arrived/paced?code=%3Cb%3E%26&x=%22%27")).to_owned();
    assert!(page.contains("&lt;b&gt;&amp;") && !page.contains("<b>"), "{page}");
}
