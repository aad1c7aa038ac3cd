//! A storm of password sign-ins through the real page, for as long as the value lives.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;

use crate::process::exchange;
use crate::seed::{PASSWORD, USERS};

/// People who sign in again and again, each as a user of their own.
pub(crate) struct SignIns {
    is_over: Arc<AtomicBool>,
    done: Arc<AtomicU64>,
    people: Vec<JoinHandle<()>>,
}

impl SignIns {
    /// Lets them begin.
    pub(crate) fn begin(address: &str) -> Self {
        let (is_over, done) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let people = (1..=USERS)
            .map(|number| {
                let (address, is_over, done) = (address.to_owned(), Arc::clone(&is_over), Arc::clone(&done));
                std::thread::spawn(move || {
                    while !is_over.load(Ordering::Relaxed) {
                        if sign_in(&address, number).is_some() {
                            done.fetch_add(1, Ordering::Relaxed);
                        }
                    }
                })
            })
            .collect();
        Self { is_over, done, people }
    }

    /// Ends it, and says how many succeeded.
    pub(crate) fn end(self) -> u64 {
        self.is_over.store(true, Ordering::Relaxed);
        for person in self.people {
            let _ = person.join();
        }
        self.done.load(Ordering::Relaxed)
    }
}

/// One sign-in: the page, then the form. `None` unless a session cookie came back.
fn sign_in(address: &str, number: i64) -> Option<()> {
    let page = crate::process::get(address, "/sign-in?next=/account")?;
    let cookie = page.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("set-cookie").then(|| value.trim().split(';').next())?
    })?;
    let seal = page.split("name=\"csrf\"").nth(1)?.split("value=\"").nth(1)?.split('"').next()?;
    let body = format!("csrf={seal}&username=user{number}&password={}", PASSWORD.replace(' ', "+"));
    let answer = exchange(
        address,
        &format!(
            "POST /sign-in HTTP/1.1\r\nHost: {address}\r\nCookie: {cookie}\r\nOrigin: http://{address}\r\n\
             Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
            body.len()
        ),
    )?;
    answer.contains("session=").then_some(())
}
