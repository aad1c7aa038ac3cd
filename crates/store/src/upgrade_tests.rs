//! Codes, grants and tickets that a node of another version wrote or changed. Such nodes work on the same rows during an
//! upgrade.

use protocol::line::Write;
use protocol::model::{Authorization, Circumstances, Code, CodeId, Grant, GrantId, Refresh, Ticket, TicketKind};
use serde::{Deserialize, Serialize};

use crate::conformance::rows::*;
use crate::conformance::sqlite;
use crate::{Fault, Mode, Postgres, Store};

/// The columns of a version that does not know circumstances.
const CODES: &str = "digest, grant_id, CLIENT, USER, is_spent, issued_at, expires_at, auth_time, is_redirect_uri_named, \
    redirect_uri, challenge, scope, audience";
const GRANTS: &str = "USER, CLIENT, is_revoked, auth_time, created_at, expires_at, refresh_current, refresh_previous, \
    refresh_idle_until, scope, audience, refresh_answer, refresh_generation";

fn without_circumstances(authorization: Authorization) -> Authorization {
    Authorization { circumstances: Circumstances::default(), ..authorization }
}

/// Runs every test of this file on a store with the rows of [`furnish`]. `sql` changes the same database directly.
async fn check(store: &dyn Store, mut sql: impl FnMut(&str)) {
    furnish(store).await;
    rows_of_an_older_version_are_read_from_their_columns(store, &mut sql).await;
    a_refresh_by_an_older_version_keeps_the_circumstances(store, &mut sql).await;
    what_a_newer_version_wrote_outlives_a_refresh(store, &mut sql).await;
    circumstances_that_are_no_object_are_a_fault(store, &mut sql).await;
    what_a_newer_version_wrote_outlives_a_change_of_a_ticket(store, &mut sql).await;
    a_document_that_is_no_object_is_a_fault(store, &mut sql).await;
    a_ticket_whose_user_an_older_version_deleted_is_of_nobody(store, &mut sql).await;
}

async fn rows_of_an_older_version_are_read_from_their_columns(store: &dyn Store, sql: &mut impl FnMut(&str)) {
    sql(&format!("INSERT INTO codes (id, {CODES}) SELECT 2, {CODES} FROM codes WHERE id = 1"));
    sql(&format!("INSERT INTO grants (id, {GRANTS}) SELECT 2, {GRANTS} FROM grants WHERE id = 1"));
    let (code, grant) = (code(1, 1, 1), grant(1, 1, 1));
    let found = facts(store, 2).await;
    let authorization = without_circumstances(code.authorization.clone());
    assert_eq!(found.code.map(|held| held.row), Some(Code { id: CodeId(2), authorization, ..code }));
    let authorization = without_circumstances(grant.authorization.clone());
    assert_eq!(found.grant.map(|held| held.row), Some(Grant { id: GrantId(2), authorization, ..grant }));
}

async fn a_refresh_by_an_older_version_keeps_the_circumstances(store: &dyn Store, sql: &mut impl FnMut(&str)) {
    sql("UPDATE grants SET refresh_previous = refresh_current, refresh_answer = NULL, refresh_generation = 4, \
        refresh_idle_until = 7, expires_at = 8 WHERE id = 1");
    let found = facts(store, 1).await.grant.expect("the grant is there").row;
    assert_eq!(found.refresh.map(|refresh| refresh.generation), Some(4));
    assert_eq!(found.authorization, authorization(1, 1));
}

async fn what_a_newer_version_wrote_outlives_a_refresh(store: &dyn Store, sql: &mut impl FnMut(&str)) {
    let written = r#"{"amr":["hwk"],"nonce":"n-0S6"}"#;
    sql(&format!("UPDATE grants SET circumstances = '{written}' WHERE id = 1"));
    let before = facts(store, 1).await.grant.expect("the grant is there").row;
    let read = before.authorization.circumstances.document().expect("there is something to write");
    let json = |text: &str| serde_json::from_str::<serde_json::Value>(text).expect("this is JSON");
    assert_eq!(json(&read), json(written));
    let refresh = Refresh { previous: Some(digest("first")), ..refresh("second") };
    let expires_at = later(9);
    let rotate = Write::RotateRefresh { grant: GrantId(1), from: digest("first"), to: refresh.clone(), expires_at };
    commit(store, [rotate]).await;
    let after = facts(store, 1).await.grant.expect("the grant is there").row;
    assert_eq!(after, Grant { refresh: Some(refresh), expires_at, ..before });
}

async fn circumstances_that_are_no_object_are_a_fault(store: &dyn Store, sql: &mut impl FnMut(&str)) {
    for table in ["codes", "grants"] {
        sql(&format!("UPDATE {table} SET circumstances = '[]' WHERE id = 2"));
        let fault = store.load(wants(2)).await.expect_err("the row cannot be read");
        assert!(matches!(fault, Fault::Broken { .. }), "{fault}");
        sql(&format!("UPDATE {table} SET circumstances = NULL WHERE id = 2"));
    }
}

/// The document of [`ticket`], as this version knows it.
#[derive(Serialize, Deserialize)]
struct Invitation {
    team: String,
}

impl TicketKind for Invitation {
    const NAME: &'static str = "invitation";
}

fn put(row: Ticket) -> Write {
    Write::PutTicket(Box::new(row))
}

async fn what_a_newer_version_wrote_outlives_a_change_of_a_ticket(store: &dyn Store, sql: &mut impl FnMut(&str)) {
    commit(store, [put(ticket(1, 1, 1))]).await;
    sql(r#"UPDATE tickets SET document = '{"newest":[1],"team":"blue"}', version = 2 WHERE id = 1"#);
    let seen = facts(store, 1).await.ticket.expect("the ticket is there").row;
    commit(store, [Write::ChangeTicket(Box::new(seen.with(&Invitation { team: "red".to_owned() })))]).await;
    let after = facts(store, 1).await.ticket.expect("the ticket is there").row;
    let document = serde_json::json!({"newest": [1], "team": "red"});
    assert_eq!((serde_json::Value::Object(after.document), after.version), (document, 3));
}

async fn a_document_that_is_no_object_is_a_fault(store: &dyn Store, sql: &mut impl FnMut(&str)) {
    for text in ["[]", "", r#"{"team":"#] {
        sql(&format!("UPDATE tickets SET document = '{text}' WHERE id = 1"));
        let fault = store.load(wants(1)).await.expect_err("the row cannot be read");
        assert!(matches!(fault, Fault::Broken { .. }) && !fault.to_string().contains("team"), "{fault}");
    }
    sql("DELETE FROM tickets WHERE id = 1");
}

async fn a_ticket_whose_user_an_older_version_deleted_is_of_nobody(store: &dyn Store, sql: &mut impl FnMut(&str)) {
    commit(store, [put(ticket(1, 2, 1))]).await;
    // An older version knows no table of tickets, and leaves them.
    sql("DELETE FROM users WHERE key = 2");
    let held = facts(store, 1).await.ticket.expect("the ticket is there");
    assert!(held.user.is_none() && held.check("standard").is_err(), "it cannot be used");
    assert!(store.sweep(later(49), 9).await.is_ok() && facts(store, 1).await.ticket.is_some());
    assert_eq!(store.sweep(later(50), 9).await, Ok(1), "it goes when it expires");
    assert!(facts(store, 1).await.ticket.is_none());
}

#[tokio::test]
async fn versions_share_codes_and_grants_on_sqlite() {
    let fixture = sqlite();
    let file = fixture.folder.as_ref().expect("it is a file").path().join("test.db");
    let raw = rusqlite::Connection::open(file).unwrap();
    check(&*fixture.store, |sql| {
        raw.execute(&sql.replace("CLIENT", "client").replace("USER", "user"), []).unwrap();
    })
    .await;
}

#[tokio::test]
async fn versions_share_codes_and_grants_on_postgres() {
    let mut cluster = lab::Cluster::start(&lab::Options::default());
    let store = Postgres::open(&cluster.database(), Mode::Create).await.unwrap();
    check(&store, |sql| {
        cluster.sql("test_1", &sql.replace("CLIENT", "client_key").replace("USER", "user_key"));
    })
    .await;
}
