//! Outside documents: what a call must be judged by, and another server has.
//!
//! A judge fetches nothing. It asks its [`Turn`](super::Turn) for a document by key. A document that is not at hand is as good as
//! one that cannot be had, and the judge refuses. The turn also notes the key as lacking. The server then drops what was
//! decided, fetches the document through its guard, and judges the same call again. So whatever a judge checks before it asks,
//! such as who the client is, is checked before this server fetches anything.

use std::sync::Arc;

use crate::jose::KeySet;
use crate::person::upstream::ProviderMetadata;

/// Maximum number of documents that one call is judged by. An upstream sign-in needs two.
const DOCUMENTS_MAX: usize = 4;

/// The name of one outside document.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum DocumentKey {
    /// The metadata of an OpenID provider, OpenID Connect Discovery §4.
    ProviderMetadata {
        /// The issuer identifier of the provider.
        issuer: String,
    },
    /// A JWK Set, RFC 7517 §5.
    KeySet {
        /// The URL of the set, such as the `jwks_uri` of a provider.
        url: String,
        /// The name of the key that is looked for, if a signature names one.
        kid: Option<String>,
    },
}

/// An outside document, read and checked as its key says.
#[derive(Clone, Debug)]
pub enum Document {
    /// For [`DocumentKey::ProviderMetadata`].
    ProviderMetadata(Arc<ProviderMetadata>),
    /// For [`DocumentKey::KeySet`].
    KeySet(Arc<KeySet>),
}

impl DocumentKey {
    /// The kind of the document, for the log.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::ProviderMetadata { .. } => "provider metadata",
            Self::KeySet { .. } => "key set",
        }
    }

    /// The URL at which the document is fetched.
    #[must_use]
    pub fn url(&self) -> String {
        match self {
            Self::ProviderMetadata { issuer } => ProviderMetadata::url(issuer),
            Self::KeySet { url, .. } => url.clone(),
        }
    }

    /// Reads the document.
    ///
    /// # Errors
    /// What is wrong with it, for the log.
    pub fn read(&self, body: &[u8]) -> Result<Document, &'static str> {
        match self {
            Self::ProviderMetadata { issuer } => {
                ProviderMetadata::read(body, issuer).map(|metadata| Document::ProviderMetadata(Arc::new(metadata)))
            }
            Self::KeySet { .. } => match KeySet::parse(body)? {
                keys if keys.is_empty() => Err("no key of the set can be used"),
                keys => Ok(Document::KeySet(Arc::new(keys))),
            },
        }
    }

    /// Returns true if the document has what the key looks for. A key set without the named key may be an old one.
    #[must_use]
    pub fn is_answered_by(&self, document: &Document) -> bool {
        match (self, document) {
            (Self::ProviderMetadata { .. }, Document::ProviderMetadata(_)) => true,
            (Self::KeySet { kid, .. }, Document::KeySet(keys)) => keys.has(kid.as_deref()),
            (Self::ProviderMetadata { .. }, Document::KeySet(_))
            | (Self::KeySet { .. }, Document::ProviderMetadata(_)) => false,
        }
    }
}

impl Document {
    /// The addresses in the document that this server, or a browser that it redirects, is sent to. The server keeps a
    /// document only if its guard allows all of them.
    pub fn addresses(&self) -> impl Iterator<Item = &str> {
        let addresses = match self {
            Self::ProviderMetadata(metadata) => {
                vec![&metadata.authorization_endpoint, &metadata.token_endpoint, &metadata.jwks_uri]
            }
            Self::KeySet(_) => Vec::new(),
        };
        addresses.into_iter().map(String::as_str)
    }
}

/// The outside documents that were looked for so far, beside the rows of a call.
#[derive(Clone, Debug, Default)]
pub struct Documents {
    found: Vec<(DocumentKey, Option<Document>)>,
}

impl Documents {
    /// No document was looked for.
    pub const NONE: &'static Self = &Self { found: Vec::new() };

    /// Adds what was found; `None` if the document cannot be had.
    pub fn add(&mut self, key: DocumentKey, document: Option<Document>) {
        self.found.push((key, document));
    }

    /// Returns true if a call gets no more documents than these.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.found.len() >= DOCUMENTS_MAX
    }

    /// What was found under a key; `None` if nobody looked.
    pub(super) fn found(&self, key: &DocumentKey) -> Option<Option<&Document>> {
        self.found.iter().find(|(own, _)| own == key).map(|(_, document)| document.as_ref())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jose::signed;
    use crate::sample::World;

    const URL: &str = "https://issuer.example/keys";

    fn key(kid: Option<&str>) -> DocumentKey {
        DocumentKey::KeySet { url: URL.to_owned(), kid: kid.map(ToOwned::to_owned) }
    }

    fn keys() -> Document {
        Document::KeySet(Arc::new(signed::keys()))
    }

    #[test]
    fn a_turn_notes_each_document_that_it_lacks_once_and_none_that_could_not_be_had() {
        let world = World::new();
        let mut turn = world.turn().with_documents(Documents::NONE);
        assert!(turn.key_set(URL, None).is_none() && turn.key_set(URL, None).is_none());
        assert!(turn.key_set(URL, Some("ed")).is_none() && turn.provider_metadata("https://issuer.example").is_none());
        let metadata = DocumentKey::ProviderMetadata { issuer: "https://issuer.example".into() };
        assert_eq!(turn.take_lacking(), [key(None), key(Some("ed")), metadata]);

        let mut documents = Documents::default();
        documents.add(key(None), Some(keys()));
        documents.add(key(Some("ed")), None);
        let mut turn = world.turn().with_documents(&documents);
        assert!(turn.key_set(URL, None).is_some() && turn.key_set(URL, Some("ed")).is_none());
        assert_eq!(turn.take_lacking(), []);
    }

    #[test]
    fn a_call_is_judged_by_a_bounded_number_of_documents() {
        let (world, mut documents) = (World::new(), Documents::default());
        for number in 0..DOCUMENTS_MAX {
            documents.add(key(Some(&number.to_string())), None);
        }
        let mut turn = world.turn().with_documents(&documents);
        assert!(documents.is_full() && turn.key_set(URL, Some("one more")).is_none());
        assert_eq!(turn.take_lacking(), [], "what was decided without it stands");
    }

    #[test]
    fn a_key_set_answers_for_the_keys_that_it_has() {
        assert!(key(Some("ed")).is_answered_by(&keys()) && key(None).is_answered_by(&keys()));
        assert!(!key(Some("new")).is_answered_by(&keys()));
        let metadata = DocumentKey::ProviderMetadata { issuer: "https://issuer.example".into() };
        assert!(!metadata.is_answered_by(&keys()));
    }

    #[test]
    fn what_is_not_the_document_that_it_should_be_is_refused_with_a_reason() {
        for body in
            [&b""[..], b"<html>", b"[]", b"{}", b"{\"keys\": 7}", b"{\"keys\": []}", b"\xff\xfe", b"{\"keys\": [{}]}"]
        {
            assert!(key(None).read(body).is_err_and(|why| !why.is_empty()), "{}", String::from_utf8_lossy(body));
        }
        let deep = "[".repeat(100_000);
        assert!(key(None).read(deep.as_bytes()).is_err());
        assert!(matches!(key(None).read(signed::published().to_string().as_bytes()), Ok(Document::KeySet(_))));
    }
}
