//! Pushed authorization requests, RFC 9126.

use super::*;
use crate::authorize::pushed::{PushRequest, Reference};
use crate::authorize::{Answer, Visit};
use crate::line::Changes;
use crate::model::Ticket;
use crate::wire::Params;

/// Judges the request of [`world`] at the endpoint for pushed requests.
fn push(world: &World) -> (Result<Reply, Refusal>, Changes) {
    match PushRequest::parse(world.params()) {
        Ok(request) => world.judge(&request),
        Err(refusal) => (Err(refusal), Changes::default()),
    }
}

/// `web` with its secret, which asks for `profile`.
fn pushing() -> World {
    let mut world = world();
    world.send(Param::ClientSecret, sample::SECRET);
    world
}

/// A world in which `web` has pushed its request and alice is signed in, and the reference.
fn pushed() -> (World, String) {
    pushed_by(with_session(pushing(), sample::user(), vec![Amr::Pwd]))
}

/// The same world after `web` has pushed its request, and the reference.
fn pushed_by(mut world: World) -> (World, String) {
    let (verdict, changes) = push(&world);
    let reply = verdict.expect("the request can be pushed");
    world.facts.ticket = changes.writes.iter().find_map(|write| match write {
        Write::PutTicket(row) => Some(WithOwners {
            row: Ticket::clone(row),
            client: world.facts.client.clone(),
            user: None,
            is_grant_revoked: false,
        }),
        _ => None,
    });
    let uri = reply.fields.value(Field::RequestUri).unwrap().as_str().unwrap().to_owned();
    (world, uri)
}

/// Returns the parameters that a reference stands for, as `client_id` brings it.
fn refer(world: &World, uri: &str, client_id: &str) -> Result<Params, No> {
    let mut params = Params::default();
    params.push(Param::RequestUri, uri.to_owned()).unwrap();
    params.push(Param::ClientId, client_id.to_owned()).unwrap();
    // Parameters beside the reference are ignored.
    params.push(Param::Scope, "admin".to_owned()).unwrap();
    let reference = Reference::parse(&params, &world.keys).expect("there is one");
    world.judge(&reference).0.map_err(|refusal| refusal.no)
}

/// The visit that a reference begins.
fn begin(world: &World, uri: &str, answer: Option<Answer>) -> Visit {
    let params = refer(world, uri, "web").expect("the reference is good");
    let mut visit = visit(world, answer);
    visit.pending.goal = Goal::Authorize(Box::new(params));
    visit
}

fn row(world: &mut World) -> &mut Ticket {
    &mut world.facts.ticket.as_mut().unwrap().row
}

#[test]
fn a_client_pushes_a_request_and_gets_a_reference_rfc_9126_2_2() {
    let (verdict, changes) = push(&pushing());
    expect![[r#"
        par {"request_uri": String("…"), "expires_in": Number(90)}
        Rely, PutTicket
    "#]]
    .assert_eq(&sample::told(verdict, &changes));
    let (mut world, uri) = pushed();
    assert!(uri.starts_with("urn:ietf:params:oauth:request_uri:"), "{uri}");
    let kept = serde_json::to_string(&row(&mut world).document).unwrap();
    assert!(!kept.contains(sample::SECRET) && kept.contains("E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"), "{kept}");
}

#[test]
fn a_pushed_request_is_validated_like_any_other_rfc_9126_2_1() {
    let refused = |change: &dyn Fn(&mut World)| {
        let mut world = pushing();
        change(&mut world);
        let (verdict, changes) = push(&world);
        assert!(!changes.writes.iter().any(|write| matches!(write, Write::PutTicket(_))));
        verdict.unwrap_err().no
    };
    assert_eq!(refused(&|world| world.send(Param::RedirectUri, "https://evil.example/")), No::RedirectUriUnregistered);
    assert_eq!(refused(&|world| world.send(Param::ResponseType, "id_token")), No::ResponseTypeUnknown);
    assert_eq!(refused(&|world| world.unsend(Param::CodeChallenge)), No::ChallengeMissing);
    assert_eq!(refused(&|world| world.send(Param::ClientSecret, "wrong")), No::ClientSecretWrong);
    assert_eq!(refused(&|world| world.unsend(Param::ClientSecret)), No::ClientSecretMissing);
    assert_eq!(refused(&|world| world.send(Param::RequestUri, "urn:x")), No::RequestUriPushed);
}

#[test]
fn a_reference_stands_for_what_was_pushed_and_nothing_beside_it_rfc_9126_4() {
    let (world, uri) = pushed();
    let params = refer(&world, &uri, "web").unwrap();
    assert_eq!((params.value(Param::Scope), params.value(Param::State)), (Some("profile"), Some("a b&c")));
    assert_eq!((params.value(Param::ClientSecret), params.value(Param::RequestUri)), (None, None));
}

#[test]
fn a_reference_is_good_for_its_client_and_for_90_seconds_rfc_9126_7_1() {
    let (mut world, uri) = pushed();
    assert_eq!(refer(&world, &uri, "other").unwrap_err(), No::RequestUriUnknown);
    for wrong in ["urn:x", &uri[..uri.len() - 1], &uri["urn:ietf:params:oauth:request_uri:".len()..]] {
        assert_eq!(refer(&world, wrong, "web").unwrap_err(), No::RequestUriUnknown, "{wrong}");
    }
    world.now = UnixTime(1089);
    assert!(refer(&world, &uri, "web").is_ok());
    world.now = UnixTime(1090);
    assert_eq!(refer(&world, &uri, "web").unwrap_err(), No::RequestUriUnknown);
}

/// Returns the kind of the answer that a visit returns to the client, and whether the request was used up.
fn answered(world: &World, visit: &Visit) -> (Result<ReplyKind, No>, bool) {
    let (verdict, changes) = world.judge(visit);
    let is_spent = changes.writes.iter().any(|write| matches!(write, Write::SpendTicket { .. }));
    match verdict.unwrap().step {
        Step::Return(back) => (back.answer.map(|reply| reply.kind).map_err(|refusal| refusal.no), is_spent),
        step => panic!("{step:?}"),
    }
}

#[test]
fn every_answer_uses_up_the_request_and_a_page_that_asks_does_not() {
    let (world, uri) = pushed();
    let (verdict, changes) = world.judge(&begin(&world, &uri, None));
    assert!(matches!(verdict.unwrap().step, Step::Ask(_)));
    assert_eq!(changes.writes, []);
    let denied = begin(&world, &uri, Some(Answer::Consent { is_approved: false }));
    assert_eq!(answered(&world, &denied), (Err(No::UserDenied), true));
    let world = with_consent(world, "profile");
    assert_eq!(answered(&world, &begin(&world, &uri, None)), (Ok(ReplyKind::Code), true));
}

#[test]
fn prompt_none_uses_up_the_request_although_nobody_is_signed_in() {
    let mut world = pushing();
    world.send(Param::Prompt, "none");
    let (world, uri) = pushed_by(world);
    assert_eq!(answered(&world, &begin(&world, &uri, None)), (Err(No::LoginNeeded), true));
}

#[test]
fn a_client_that_must_push_is_refused_a_request_that_the_browser_brings_rfc_9126_6() {
    let (mut world, uri) = pushed();
    let web = Client { is_par_required: true, ..Client::clone(world.facts.client.as_ref().unwrap()) };
    world.facts.client = Some(Arc::new(web));
    world.facts.ticket.as_mut().unwrap().client = world.facts.client.clone();
    let mut world = with_consent(world, "profile");
    assert_eq!(answered(&world, &visit(&world, None)), (Err(No::RequestNotPushed), false));
    assert_eq!(answered(&world, &begin(&world, &uri, None)), (Ok(ReplyKind::Code), true));
    world.unsend(Param::ClientSecret);
    let direct = crate::authorize::Precheck { params: world.params() };
    assert_eq!(world.judge(&direct).0.unwrap_err().no, No::RequestNotPushed);
}

#[test]
fn a_visit_goes_on_after_90_seconds_and_ends_when_the_request_is_spent() {
    let (world, uri) = pushed();
    let visit = begin(&world, &uri, None);
    let mut world = with_consent(world, "profile");
    world.now = UnixTime(1500);
    let seal =
        visit.pending.seal("standard", &visit.caller.browser, UnixTime(1050), &world.keys, &mut world.turn().entropy);
    let (pending, _) = PendingVisit::open(&seal, &visit.caller.browser, world.now, &world.keys).unwrap();
    let visit = Visit { pending, ..visit };
    let answer = |world: &World| answered(world, &visit).0;
    assert_eq!(answer(&world), Ok(ReplyKind::Code));
    row(&mut world).is_spent = true;
    assert_eq!(answer(&world), Err(No::RequestUriUnknown));
    row(&mut world).is_spent = false;
    world.now = UnixTime(1000 + 90 + 3600);
    assert_eq!(answer(&world), Err(No::RequestUriUnknown));
}
