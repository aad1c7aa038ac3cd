use super::*;
use crate::line::AccountKey;
use crate::sample;

fn session_of(user: UserKey) -> Row {
    let row = Session {
        id: SessionId(1),
        digest: Digest::of(b"session"),
        user,
        amr: Vec::new(),
        auth_time: crate::time::UnixTime(0),
        created_at: crate::time::UnixTime(0),
        seen_at: crate::time::UnixTime(0),
        idle_until: crate::time::UnixTime(0),
        expires_at: crate::time::UnixTime(0),
        address: String::new(),
        agent: String::new(),
    };
    Some(WithOwners { row, client: None, user: None, is_grant_revoked: false }).into()
}

/// Returns the account that the keys lead to. The session belongs to user 7. The login belongs to Alice if
/// `is_login_there`, or else to nobody.
fn account(keys: impl IntoIterator<Item = AccountKey>, is_login_there: bool) -> Option<UserKey> {
    let mut wants = Wants::default();
    wants.account(keys);
    let mut facts = Facts::of(wants);
    let look = |key: &Key, _: &Facts| match key {
        Key::Session(_) => Ok(session_of(UserKey(7))),
        Key::Login(_) => Ok(is_login_there.then(|| Arc::new(sample::user())).into()),
        _ => Ok::<_, ()>(Row::Absent),
    };
    facts.look(look).unwrap();
    facts.account()
}

#[test]
fn the_account_is_that_of_the_first_key_that_leads_to_one_and_of_no_key_that_is_not_named() {
    let (session, login) = (AccountKey::Session(SessionId(1)), AccountKey::Login("alice".into()));
    let identity = AccountKey::Identity(IdentityName { issuer: "i".into(), subject: "s".into() });
    assert_eq!(account([identity.clone(), login.clone()], true), Some(sample::user().key));
    assert_eq!(account([identity.clone(), session.clone()], true), Some(UserKey(7)));
    assert_eq!(account([login.clone(), session.clone()], false), Some(UserKey(7)));
    assert_eq!(account([login, identity], false), None, "the session is not in the list");
    assert_eq!(account([], true), None);
}

#[test]
fn keys_that_need_the_account_are_looked_for_after_those_that_lead_to_it() {
    let mut wants = Wants::of([Key::OwnedCounts, Key::Consent("web".into()), Key::OwnedCounts]);
    wants.account([AccountKey::Session(SessionId(1))]);
    wants.add(Key::Client("other".into()));
    let mut facts = Facts::of(wants);
    let mut order = Vec::new();
    facts
        .look(|key, so_far| {
            order.push((format!("{key:?}"), so_far.account()));
            Ok::<_, ()>(if *key == Key::Session(SessionId(1)) { session_of(UserKey(7)) } else { Row::Absent })
        })
        .unwrap();
    let order: Vec<(&str, Option<i64>)> = order.iter().map(|(key, own)| (key.as_str(), own.map(|own| own.0))).collect();
    let expected = [
        ("Client(\"web\")", None),
        ("Session(SessionId(1))", None),
        ("Client(\"other\")", Some(7)),
        ("OwnedCounts", Some(7)),
        ("Consent(\"web\")", Some(7)),
    ];
    assert_eq!(order, expected);
}

#[test]
fn two_clients_in_one_call_are_told_apart() {
    let mut facts = Facts::of(Wants::of(["web", "spa"].map(|own| Key::Client(own.to_owned()))));
    let found = |key: &Key, _: &Facts| {
        let is_spa = *key == Key::Client("spa".to_owned());
        let client = if is_spa { sample::public_client() } else { sample::client() };
        Ok::<_, ()>(Some(Arc::new(client)).into())
    };
    facts.look(found).unwrap();
    let key = |client_id| facts.client(client_id).map(|client| client.key);
    assert_eq!((key("web"), key("spa")), (Some(sample::client().key), Some(sample::public_client().key)));
}

#[test]
fn a_token_with_the_id_of_a_row_and_another_digest_is_not_found() {
    let mut world = sample::World::new();
    let minted = world.mint(crate::crypto::keys::TokenKind::Access);
    let row = sample::access(&minted, sample::client(), crate::scope::Scope::default());
    let mut facts = Facts::of(Wants::of([Key::Access(AccessId(minted.id))]));
    facts.look(|_, _| Ok::<_, ()>(Some(row.clone()).into())).unwrap();
    let presented = Presented { id: minted.id, digest: minted.digest };
    assert!(facts.access(presented).is_some());
    assert!(facts.access(Presented { digest: Digest::of(b"guessed"), ..presented }).is_none());
}

#[test]
#[should_panic(expected = "a judge looks for a row that its call did not want")]
fn a_judge_that_looks_for_what_its_call_did_not_want_fails_in_every_test() {
    let facts = Facts::of(Wants::of([Key::Client("web".into())]));
    let _ = facts.client("spa");
}

#[test]
fn facts_are_small_enough_to_be_moved() {
    let (facts, wants) = (size_of::<Facts>(), size_of::<Wants>());
    assert!(facts <= 700 && wants <= 160, "{facts} and {wants} bytes");
}

/// A kind of ticket, as a judge would have one.
#[derive(Debug, PartialEq, serde::Serialize, serde::Deserialize)]
struct Invitation {
    team: String,
}

impl TicketKind for Invitation {
    const NAME: &'static str = "invitation";
}

/// Another kind, whose document has the same members.
#[derive(Debug, serde::Serialize, serde::Deserialize)]
struct Request {
    team: String,
}

impl TicketKind for Request {
    const NAME: &'static str = "request";
}

/// A judge that takes an invitation: it tells the team, and spends the ticket.
struct Accept(Presented);

impl crate::line::Call for Accept {
    type Yes = String;

    fn wants(&self) -> Wants {
        Wants::of([Key::Ticket(TicketId(self.0.id))])
    }

    fn decide(&self, facts: &Facts, turn: &mut Turn<'_>) -> Result<String, crate::refusal::Refusal> {
        let found = facts.ticket::<Invitation>(self.0, turn).map_err(|_| crate::refusal::No::CodeUnknown)?;
        turn.write(found.spend());
        Ok(found.document.team)
    }
}

/// A world with an invitation of the sample user by the sample client, which expires at 1090, and the token for it.
fn invited() -> (sample::World, Presented) {
    let mut world = sample::World::new();
    let minted = world.mint(crate::crypto::keys::TokenKind::Pushed);
    let invitation = Invitation { team: "blue".into() };
    let (user, client) = (sample::user(), sample::client());
    let row = Ticket {
        user: Some(user.key),
        client: Some(client.key),
        ..Ticket::new(&minted, &invitation, crate::time::UnixTime(1090))
    };
    let (client, user) = (Some(Arc::new(client)), Some(Arc::new(user)));
    world.facts.ticket = Some(WithOwners { row, client, user, is_grant_revoked: false });
    (world, Presented { id: minted.id, digest: minted.digest })
}

/// What a judge that wants a ticket of kind `K` is told.
fn told<K: TicketKind>(world: &sample::World, presented: Presented) -> Result<(), TicketProblem> {
    let facts = world.facts.load(Wants::of([Key::Ticket(TicketId(presented.id))]));
    facts.ticket::<K>(presented, &world.turn()).map(drop)
}

#[test]
fn a_judge_gets_the_document_of_a_ticket_and_spends_the_version_that_it_saw() {
    let (mut world, presented) = invited();
    world.facts.ticket.as_mut().unwrap().row.version = 3;
    let (verdict, changes) = world.judge(&Accept(presented));
    assert_eq!(verdict.as_deref(), Ok("blue"));
    assert_eq!(changes.writes, [Write::SpendTicket { id: TicketId(presented.id), version: 3 }]);
}

#[test]
fn a_ticket_of_one_kind_is_never_accepted_as_another() {
    let (world, presented) = invited();
    assert_eq!(told::<Invitation>(&world, presented), Ok(()));
    assert_eq!(told::<Request>(&world, presented), Err(TicketProblem::Unknown));
}

#[test]
fn a_token_for_another_ticket_is_unknown() {
    let (mut world, presented) = invited();
    let guessed = Presented { digest: Digest::of(b"guessed"), ..presented };
    assert_eq!(told::<Invitation>(&world, guessed), Err(TicketProblem::Unknown));
    world.facts.ticket = None;
    assert_eq!(told::<Invitation>(&world, presented), Err(TicketProblem::Unknown));
}

#[test]
fn a_ticket_is_good_once_and_until_it_expires() {
    let (mut world, presented) = invited();
    world.now = crate::time::UnixTime(1089);
    assert_eq!(told::<Invitation>(&world, presented), Ok(()));
    world.facts.ticket.as_mut().unwrap().row.is_spent = true;
    assert_eq!(told::<Invitation>(&world, presented), Err(TicketProblem::Spent));
    assert_eq!(world.judge(&Accept(presented)).1, crate::line::Changes::default());
    world.now = crate::time::UnixTime(1090);
    assert_eq!(told::<Invitation>(&world, presented), Err(TicketProblem::Expired));
}

#[test]
fn a_ticket_ends_with_its_client_and_its_user() {
    let ends: [fn(&mut WithOwners<Ticket>); 5] = [
        |held| held.user = None,
        |held| held.client = None,
        |held| held.user = Some(Arc::new(User { is_disabled: true, ..sample::user() })),
        |held| held.user = Some(Arc::new(User { revoked_below: held.row.id.0 + 1, ..sample::user() })),
        |held| held.client = Some(Arc::new(Client { dialect: "other".into(), ..sample::client() })),
    ];
    for (at, end) in ends.into_iter().enumerate() {
        let (mut world, presented) = invited();
        end(world.facts.ticket.as_mut().unwrap());
        assert_eq!(told::<Invitation>(&world, presented), Err(TicketProblem::Revoked), "{at}");
    }
    // A ticket that is about nobody has nobody whom it could end with.
    let (mut world, presented) = invited();
    let held = world.facts.ticket.as_mut().unwrap();
    (held.row.user, held.row.client, held.user, held.client) = (None, None, None, None);
    assert_eq!(told::<Invitation>(&world, presented), Ok(()));
}
