//! The operator lets the standard surface also read the tokens of paced: that is what works then, and nothing else.

use super::*;

async fn world() -> All {
    All::where_reads("standard", "paced").await
}

#[tokio::test]
async fn userinfo_of_the_reader_knows_access_and_personal_tokens_of_the_other_and_no_other_door_opens() {
    let all = world().await;
    assert!(all.is_read("paced", "standard") && !all.is_read("standard", "paced"));
    try_doors(&all).await;
}

#[tokio::test]
async fn introspection_of_the_reader_knows_them_and_they_are_still_ended_at_home_alone() {
    try_tokens(&world().await).await;
}

#[tokio::test]
async fn codes_refresh_tokens_and_clients_stay_apart() {
    try_clients(&world().await).await;
}

#[tokio::test]
async fn authorization_endpoints_and_consents_stay_apart() {
    try_consents(&world().await).await;
}

#[tokio::test]
async fn a_client_of_the_other_surface_may_not_ask_at_the_reader() {
    let all = world().await;
    let paced = all.own("paced");
    for at in all.addresses("standard", Endpoint::Introspect) {
        let fields = credentials(&paced.confidential, &[("token", paced.access.text.reveal())]);
        let told = all.ask("standard", at, &Ask::form(&fields)).await;
        assert_eq!(told, all.refusal("standard", at, &No::ClientUnknown.into()));
    }
}

#[tokio::test]
async fn the_reader_tells_which_client_a_token_is_of_and_nothing_once_it_was_ended_at_home() {
    let all = world().await;
    let paced = all.own("paced");
    let [at] = all.addresses("standard", Endpoint::Introspect)[..] else { panic!("it has one address") };
    let fields = credentials(&all.own("standard").confidential, &[("token", paced.access.text.reveal())]);
    let Told(_, body) = all.ask("standard", at, &Ask::form(&fields)).await;
    assert!(body.contains(&format!("\"client_id\":\"{}\"", paced.confidential.client_id)), "{body}");
    assert!(body.contains("\"scope\":\"profile email\""), "{body}");
    let [home] = all.addresses("paced", Endpoint::Revoke)[..] else { panic!("it has one address") };
    let ended = credentials(&paced.confidential, &[("token", paced.access.text.reveal())]);
    assert_eq!(all.ask("paced", home, &Ask::form(&ended)).await.0, 200);
    let told = all.ask("standard", at, &Ask::form(&fields)).await;
    assert_eq!(told, Told(200, "{\"active\":false}".to_owned()));
}
