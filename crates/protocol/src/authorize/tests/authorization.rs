//! Tests of the authorization that codes and grants carry.

use super::*;

#[test]
fn an_authorization_says_who_allowed_what_and_how_they_were_authenticated() {
    for (world, first_grant) in
        [(world(), GrantType::AuthorizationCode), (implicit::implicit(world()), GrantType::Implicit)]
    {
        let world = with_session(world, sample::user(), vec![Amr::Pwd, Amr::Otp]);
        let world = with_consent(world, "profile");
        let (_, changes) = world.judge(&visit(&world, None));
        let issued = changes.writes.into_iter().find_map(|change| match change {
            Write::PutCode(code) => Some(code.authorization),
            Write::PutGrant(grant) => Some(grant.authorization),
            _ => None,
        });
        let circumstances = Circumstances {
            session: world.facts.session.as_ref().map(|held| held.row.id),
            amr: vec![Amr::Pwd, Amr::Otp],
            ..Circumstances::of(first_grant)
        };
        let expected = Authorization {
            permission: Permission { scope: Scope::of(["profile"]), audience: vec![] },
            auth_time: UnixTime(950),
            circumstances,
            ..sample::authorization()
        };
        assert_eq!(issued, Some(expected), "{first_grant:?}");
    }
}
