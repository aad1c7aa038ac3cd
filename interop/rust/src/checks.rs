//! Checks that print one line each, and the environment that the runner sets.

use std::collections::HashMap;
use std::error::Error;
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::time::Duration;

use serde_json::Value;

pub type Checked<T> = Result<T, Box<dyn Error>>;

/// One registered client, as the runner passes it on; the secret of a public one is empty.
pub struct Client {
    pub id: String,
    pub secret: String,
    pub redirect_uri: String,
}

impl Client {
    pub fn named(name: &str) -> Checked<Self> {
        let clients: Value = serde_json::from_str(&std::env::var("CLIENTS")?)?;
        let member = |key: &str| clients[name][key].as_str().map(str::to_owned).ok_or(format!("no {key} of {name}"));
        Ok(Self { id: member("client_id")?, secret: member("client_secret")?, redirect_uri: member("redirect_uri")? })
    }
}

/// Remembers whether anything failed; a failed check answers `None`, which ends its flow.
#[derive(Default)]
pub struct Journey {
    has_failed: bool,
}

impl Journey {
    pub fn check<T>(&mut self, flow: &str, sentence: &str, body: impl FnOnce() -> Checked<T>) -> Option<T> {
        match body() {
            Ok(value) => {
                println!("ok {flow}: {sentence}");
                Some(value)
            }
            Err(why) => {
                self.has_failed = true;
                let why = format!("{why} {why:?}");
                println!("not ok {flow}: {sentence}: {}", why.split_whitespace().collect::<Vec<_>>().join(" "));
                None
            }
        }
    }

    pub fn has_failed(&self) -> bool {
        self.has_failed
    }
}

pub fn issuer() -> String {
    std::env::var("ISSUER").expect("ISSUER is set by the runner")
}

pub fn http() -> &'static ureq::Agent {
    static AGENT: OnceLock<ureq::Agent> = OnceLock::new();
    AGENT.get_or_init(|| {
        let timeout = Some(Duration::from_secs(10));
        let config = ureq::Agent::config_builder().http_status_as_error(false).max_redirects(0).proxy(None);
        config.timeout_global(timeout).build().into()
    })
}

/// Sends the person through the pages; answers the parameters of the address that leads back.
pub fn person(url: &str) -> Checked<HashMap<String, String>> {
    let done = Command::new(std::env::var("PERSON")?).arg(url).stderr(Stdio::inherit()).output()?;
    if !done.status.success() {
        return Err(format!("the person: {}", done.status).into());
    }
    let landed = oauth2::url::Url::parse(String::from_utf8(done.stdout)?.trim())?;
    Ok(landed.query_pairs().into_owned().collect())
}

/// Answers the status and the body.
pub fn userinfo(token: &str) -> Checked<(u16, String)> {
    let request = http().get(format!("{}/oauth/userinfo", issuer())).header("Authorization", format!("Bearer {token}"));
    let mut answer = request.call()?;
    Ok((answer.status().as_u16(), answer.body_mut().read_to_string()?))
}

/// The members that userinfo answers for the scopes `profile` and `email`.
pub fn userinfo_names_the_person(token: &str) -> Checked<()> {
    let (status, body) = userinfo(token)?;
    if status != 200 {
        return Err(format!("userinfo answered {status}: {body}").into());
    }
    let claims: Value = serde_json::from_str(&body)?;
    for member in ["sub", "name", "preferred_username", "email", "email_verified"] {
        claims.get(member).ok_or(format!("userinfo lacks {member}"))?;
    }
    let expected = std::env::var("PERSON_USERNAME")?;
    if claims["preferred_username"] != expected.as_str() {
        return Err(format!("preferred_username is {}", claims["preferred_username"]).into());
    }
    Ok(())
}
