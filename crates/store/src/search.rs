//! Searching users and clients by a piece of text, for the operator.
//!
//! A search reads the rows in the order in which they were added, a page at a time, and compares them here. So it finds a text
//! anywhere in a name and in every script alike, on every store, and holds one page in memory. A page is found by its key. A
//! search for what nobody has reads every row once, which takes some seconds for a million rows.

use std::sync::Arc;

use protocol::model::{Client, ClientKey, User, UserKey};
use protocol::names::login_name;

use crate::{Fault, Store};

/// Rows that are read at once.
const PAGE_ROWS: usize = 500;

impl dyn Store + '_ {
    /// Users after `after` that have `search` in an identifier, a name or an address; all of them if there is no `search`.
    ///
    /// # Errors
    /// Those of [`Store::list`].
    pub async fn find_users(
        &self,
        search: Option<&str>,
        after: Option<UserKey>,
        rows_max: usize,
    ) -> Result<Vec<Arc<User>>, Fault> {
        let (wanted, mut after, mut found) = (search.map(login_name), after, Vec::new());
        loop {
            let page = self.users(after, page_rows(search, rows_max, found.len())).await?;
            let Some(last) = page.last() else { return Ok(found) };
            after = Some(last.key);
            found.extend(page.into_iter().filter(|user| wanted.as_ref().is_none_or(|wanted| user_has(user, wanted))));
            if found.len() >= rows_max {
                found.truncate(rows_max);
                return Ok(found);
            }
        }
    }

    /// Clients after `after` that have `search` in the client_id, a name, a page or a redirect URI; all of them if there is no
    /// `search`.
    ///
    /// # Errors
    /// Those of [`Store::list`].
    pub async fn find_clients(
        &self,
        search: Option<&str>,
        owner: Option<UserKey>,
        after: Option<ClientKey>,
        rows_max: usize,
    ) -> Result<Vec<Arc<Client>>, Fault> {
        let (wanted, mut after, mut found) = (search.map(login_name), after, Vec::new());
        loop {
            let page = self.clients(owner, after, page_rows(search, rows_max, found.len())).await?;
            let Some(last) = page.last() else { return Ok(found) };
            after = Some(last.key);
            let has = |client: &Arc<Client>| wanted.as_ref().is_none_or(|wanted| client_has(client, wanted));
            found.extend(page.into_iter().filter(has));
            if found.len() >= rows_max {
                found.truncate(rows_max);
                return Ok(found);
            }
        }
    }
}

/// Without a search, no row is read that is not wanted.
fn page_rows(search: Option<&str>, rows_max: usize, found: usize) -> usize {
    if search.is_some() { PAGE_ROWS } else { PAGE_ROWS.min(rows_max - found) }
}

fn user_has(user: &User, wanted: &str) -> bool {
    let User { sub, username, email, email_hint, name, .. } = user;
    let mut texts =
        [Some(sub), username.as_ref(), email.as_ref(), email_hint.as_ref(), Some(name)].into_iter().flatten();
    texts.any(|text| login_name(text).contains(wanted))
}

fn client_has(client: &Client, wanted: &str) -> bool {
    let Client { client_id, name, publisher, homepage, redirect_uris, .. } = client;
    let texts = [Some(client_id), Some(name), publisher.as_ref(), homepage.as_ref()].into_iter().flatten();
    texts.chain(redirect_uris).any(|text| login_name(text).contains(wanted))
}
