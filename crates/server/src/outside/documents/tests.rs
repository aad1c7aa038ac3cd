//! The cache, with servers on loopback that answer as each test wants.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::*;
use crate::config::settings::Fetch;

const NOW: UnixTime = UnixTime(1_000_000);

/// A server on loopback. It counts the requests, and answers them with the text that it has at the time.
struct Server {
    address: String,
    asked: Arc<AtomicUsize>,
    answer: Arc<Mutex<String>>,
}

impl Server {
    /// A server that answers each request after `delay`.
    async fn start(answer: String, delay: Duration) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let (asked, answer) = (Arc::new(AtomicUsize::new(0)), Arc::new(Mutex::new(answer)));
        let (counter, text) = (Arc::clone(&asked), Arc::clone(&answer));
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let _ = stream.read(&mut [0; 4096]).await;
                counter.fetch_add(1, Ordering::SeqCst);
                tokio::time::sleep(delay).await;
                let answer = text.lock().unwrap().clone();
                let _ = stream.write_all(answer.as_bytes()).await;
            }
        });
        Self { address, asked, answer }
    }

    async fn with_keys(kids: &[&str]) -> Self {
        Self::start(ok(&key_set(kids)), Duration::ZERO).await
    }

    fn says(&self, answer: String) {
        *self.answer.lock().unwrap() = answer;
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }

    fn key(&self, path: &str, kid: Option<&str>) -> DocumentKey {
        DocumentKey::KeySet { url: format!("http://{}/{path}", self.address), kid: kid.map(ToOwned::to_owned) }
    }

    fn cache(&self) -> Arc<DocumentCache> {
        self.cache_of(ENTRIES_MAX, BYTES_MAX)
    }

    fn cache_of(&self, entries: usize, bytes: usize) -> Arc<DocumentCache> {
        let settings = Fetch { allow: vec![self.address.clone()], ca_file: None };
        DocumentCache::with(Arc::new(Fetcher::new(&settings).unwrap()), Limits { entries, bytes })
    }
}

fn ok(body: &str) -> String {
    format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len())
}

/// A key set with the key of RFC 8037 A.2 under each of these names.
fn key_set(kids: &[&str]) -> String {
    let key = |kid: &&str| {
        let x = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";
        format!(r#"{{"kty": "OKP", "kid": "{kid}", "crv": "Ed25519", "x": "{x}"}}"#)
    };
    format!(r#"{{"keys": [{}]}}"#, kids.iter().map(key).collect::<Vec<_>>().join(","))
}

fn has(document: Option<&Document>, kid: &str) -> bool {
    matches!(document, Some(Document::KeySet(keys)) if keys.has(Some(kid)))
}

#[tokio::test]
async fn a_document_is_fetched_once_for_all_who_ask_at_the_same_time() {
    let server = Server::start(ok(&key_set(&["a"])), Duration::from_millis(100)).await;
    let (cache, key) = (server.cache(), server.key("keys", Some("a")));
    let callers: Vec<_> = (0..50)
        .map(|_| {
            let (cache, key) = (Arc::clone(&cache), key.clone());
            tokio::spawn(async move { cache.find(&key, NOW).await })
        })
        .collect();
    for caller in callers {
        assert!(has(caller.await.unwrap().as_ref(), "a"));
    }
    assert_eq!(server.asked(), 1);
}

#[tokio::test]
async fn a_caller_who_goes_away_does_not_make_the_next_one_ask_again() {
    let server = Server::start(ok(&key_set(&["a"])), Duration::from_millis(200)).await;
    let (cache, key) = (server.cache(), server.key("keys", None));
    for _ in 0..5 {
        let gone = tokio::time::timeout(Duration::from_millis(10), cache.find(&key, NOW)).await;
        assert!(gone.is_err(), "the server takes longer");
    }
    assert!(cache.find(&key, NOW).await.is_some());
    assert_eq!(server.asked(), 1);
}

#[tokio::test]
async fn a_document_is_kept_for_an_hour_and_not_longer_if_its_server_fails() {
    let server = Server::with_keys(&["a"]).await;
    let (cache, key) = (server.cache(), server.key("keys", Some("a")));
    assert!(cache.find(&key, NOW).await.is_some() && cache.find(&key, NOW.plus(KEPT_S - 1)).await.is_some());
    assert_eq!(server.asked(), 1);
    server.says(ok("<html>"));
    assert!(cache.find(&key, NOW.plus(KEPT_S)).await.is_none());
    assert_eq!(server.asked(), 2);
}

#[tokio::test]
async fn an_unknown_key_makes_the_set_be_fetched_again_once_a_minute() {
    let server = Server::with_keys(&["a"]).await;
    let cache = server.cache();
    let ask = async |kid: &str, after_s: u64| {
        let found = cache.find(&server.key("keys", Some(kid)), NOW.plus(after_s)).await;
        (has(found.as_ref(), kid), server.asked())
    };
    assert_eq!(ask("a", 0).await, (true, 1));
    server.says(ok(&key_set(&["a", "b"])));
    assert_eq!(ask("b", UNKNOWN_KEY_EVERY_S - 1).await, (false, 1));
    assert_eq!(ask("a", UNKNOWN_KEY_EVERY_S).await, (true, 1), "a known key is no reason to ask");
    assert_eq!(ask("b", UNKNOWN_KEY_EVERY_S).await, (true, 2));
    for _ in 0..5 {
        assert_eq!(ask("nonsense", UNKNOWN_KEY_EVERY_S + 1).await, (false, 2));
    }
    // A server that fails meanwhile does not take the known keys away, and is not asked more often.
    server.says(ok("gone"));
    let later = 2 * UNKNOWN_KEY_EVERY_S;
    assert_eq!(ask("nonsense", later).await, (false, 3));
    assert_eq!((ask("nonsense", later).await, ask("b", later).await), ((false, 3), (true, 3)));
    assert_eq!(ask("nonsense", later + RETRY_AFTER_S + 1).await, (false, 4));
}

#[tokio::test]
async fn a_failure_is_remembered_for_a_moment() {
    let server = Server::start(ok("nonsense"), Duration::ZERO).await;
    let (cache, key) = (server.cache(), server.key("keys", None));
    for _ in 0..5 {
        assert!(cache.find(&key, NOW).await.is_none());
    }
    assert_eq!(server.asked(), 1);
    server.says(ok(&key_set(&["a"])));
    assert!(cache.find(&key, NOW.plus(RETRY_AFTER_S - 1)).await.is_none());
    assert!(cache.find(&key, NOW.plus(RETRY_AFTER_S + 1)).await.is_some());
    assert_eq!(server.asked(), 2);
}

/// The lines that were logged.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Log {
    fn start() -> (Self, tracing::subscriber::DefaultGuard) {
        let log = Self::default();
        let own = log.clone();
        let subscriber = tracing_subscriber::fmt().with_ansi(false).with_writer(move || own.clone()).finish();
        (log, tracing::subscriber::set_default(subscriber))
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().unwrap()).into_owned()
    }
}

#[tokio::test]
async fn each_fault_of_a_document_is_refused_and_named_in_the_log() {
    let (log, _guard) = Log::start();
    let large = ok(&" ".repeat(300 * 1024));
    let redirect = "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n";
    for (number, (answer, named)) in [
        (large.as_str(), "more than"),
        (ok("<html>").as_str(), "not a JWK Set"),
        (ok("{\"keys\": \"none\"}").as_str(), "not a JWK Set"),
        (ok("{\"keys\": []}").as_str(), "no key of the set can be used"),
        (redirect, "redirects are not followed"),
        ("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", "it answered 404"),
        ("SSH-2.0-nonsense\r\n", "invalid HTTP version"),
        ("", "connection closed"),
    ]
    .into_iter()
    .enumerate()
    {
        let server = Server::start(answer.to_owned(), Duration::ZERO).await;
        let before = log.text().len();
        let path = format!("keys-{number}?secret=hunter2");
        assert!(server.cache().find(&server.key(&path, None), NOW).await.is_none(), "{named}");
        let line = log.text()[before..].to_owned();
        assert!(line.contains(named) && line.contains(&format!("/keys-{number}")), "{named}: {line}");
        assert!(!line.contains("hunter2"), "{line}");
    }
    let server = Server::with_keys(&["a"]).await;
    for url in ["https://127.0.0.1/keys", "https://localhost/keys", "http://example.com/keys", "nonsense", "ftp://a/"] {
        let key = DocumentKey::KeySet { url: url.to_owned(), kid: None };
        let before = log.text().len();
        assert!(server.cache().find(&key, NOW).await.is_none(), "{url}");
        assert!(log.text()[before..].contains("does not answer as it should"), "{url}: {}", log.text());
    }
}

#[tokio::test]
async fn metadata_that_name_a_private_address_are_not_kept() {
    let server = Server::start(String::new(), Duration::ZERO).await;
    let issuer = format!("http://{}", server.address);
    let key = DocumentKey::ProviderMetadata { issuer: issuer.clone() };
    let published = |keys: &str| {
        ok(&format!(
            r#"{{"issuer": "{issuer}", "authorization_endpoint": "{issuer}/a", "token_endpoint": "{issuer}/t", "jwks_uri": "{keys}"}}"#
        ))
    };
    server.says(published("https://169.254.169.254/latest"));
    assert!(server.cache().find(&key, NOW).await.is_none());
    server.says(published(&format!("{issuer}/keys")));
    assert!(matches!(server.cache().find(&key, NOW).await, Some(Document::ProviderMetadata(_))));
}

#[tokio::test]
async fn the_cache_keeps_what_was_used_last_within_its_bounds() {
    let server = Server::with_keys(&["a"]).await;
    let cache = server.cache_of(3, BYTES_MAX);
    for path in ["1", "2", "3", "1", "4"] {
        assert!(cache.find(&server.key(path, None), NOW).await.is_some());
    }
    assert_eq!((server.asked(), cache.lock().entries.len()), (4, 3));
    // The second one went, the first one had been used again.
    assert!(cache.find(&server.key("1", None), NOW).await.is_some());
    assert_eq!(server.asked(), 4);
    assert!(cache.find(&server.key("2", None), NOW).await.is_some());
    assert_eq!(server.asked(), 5);

    let size = key_set(&["a"]).len() + format!("http://{}/1", server.address).len();
    let cache = server.cache_of(100, 2 * size);
    for path in ["1", "2", "3", "4", "5"] {
        assert!(cache.find(&server.key(path, None), NOW).await.is_some());
        let shelf = cache.lock();
        assert!(shelf.bytes <= 2 * size, "{}", shelf.bytes);
        assert_eq!(shelf.bytes, shelf.entries.values().map(|entry| entry.bytes).sum::<usize>());
    }
}

#[tokio::test]
async fn documents_that_are_being_fetched_are_bounded_as_well() {
    let server = Server::start(ok(&key_set(&["a"])), Duration::from_millis(200)).await;
    let cache = server.cache_of(1, BYTES_MAX);
    let first = tokio::spawn({
        let (cache, key) = (Arc::clone(&cache), server.key("1", None));
        async move { cache.find(&key, NOW).await }
    });
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert!(cache.find(&server.key("2", None), NOW).await.is_none());
    assert!(first.await.unwrap().is_some());
    assert_eq!(server.asked(), 1);
}
