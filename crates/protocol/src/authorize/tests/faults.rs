//! Tests of faulty requests: whether the user or the client is told, and with which parameters. RFC 6749 §4.1.2.1.

use super::*;

fn faulty(fault: Refusal) -> World {
    let mut world = signed_in();
    world.fault = Some(fault);
    world
}

#[test]
fn what_the_dialect_could_not_read_is_told_to_the_application() {
    for no in [No::ParameterRepeated, No::ParameterTooLong, No::ParameterMalformed, No::ParameterMissing] {
        let told = told(&faulty(Refusal::of(no, Param::Nonce)), None);
        assert!(told.starts_with(&format!("return {} ", Refusal::from(no).row().name)), "{told}");
    }
}

#[test]
fn a_fault_is_told_to_nobody_while_client_or_redirect_uri_are_wrong() {
    let fault = Refusal::of(No::ParameterRepeated, Param::Scope);
    let mut elsewhere = faulty(fault);
    elsewhere.send(Param::RedirectUri, "https://evil.example/cb");
    assert!(told(&elsewhere, None).starts_with("refuse RedirectUriUnregistered"));
    let mut nobody = faulty(fault);
    nobody.facts.client = None;
    assert!(told(&nobody, None).starts_with("refuse AuthorizeClientUnknown"));
}

#[test]
fn a_request_that_is_too_large_is_told_to_the_application() {
    let mut world = signed_in();
    world.send(Param::Nonce, &"n".repeat(16 * 1024));
    assert!(told(&world, None).starts_with("return RequestTooLarge "));
}

#[test]
fn a_word_in_prompt_that_nobody_knows_is_told_as_such() {
    for prompt in ["create", "login create", "NONE"] {
        let mut world = signed_in();
        world.send(Param::Prompt, prompt);
        assert!(told(&world, None).starts_with("return PromptUnknown "), "{prompt}: {}", told(&world, None));
    }
}

#[test]
fn a_state_that_html_cannot_carry_stays_out_of_a_form_and_comes_back_in_a_redirect() {
    let mut world = signed_in();
    world.send(Param::State, "a\0b");
    world.send(Param::ResponseMode, "form_post");
    let posted = told(&world, None);
    assert!(posted.starts_with("return ParameterMalformed ") && !posted.contains("state"), "{posted}");
    world.send(Param::ResponseMode, "query");
    assert!(told(&with_consent(world, "profile"), None).contains("a\\0b"));
}
