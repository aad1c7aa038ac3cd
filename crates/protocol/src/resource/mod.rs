//! The endpoints that take tokens: introspection, revocation, userinfo and the accounts API.

pub mod any_token;
pub mod attributes;
pub mod introspect;
pub mod revoke;
pub mod userinfo;

#[cfg(test)]
mod tests {
    use super::introspect::IntrospectRequest;
    use super::userinfo::UserinfoRequest;
    use crate::crypto::entropy::Entropy;
    use crate::crypto::keys::TokenKind;
    use crate::line::{Call, Turn};
    use crate::sample::{self, World};
    use crate::scope::Scope;
    use crate::wire::{Param, Params};

    /// Most requests are of these kinds, and drawing random bytes costs a system call.
    #[test]
    fn who_asks_about_a_live_token_draws_no_randomness() {
        let mut world = World::new();
        let minted = world.mint(TokenKind::Access);
        world.facts.access = Some(sample::access(&minted, sample::client(), Scope::of(["email"])));
        world.send(Param::Token, minted.text.reveal());
        let turn = || {
            let entropy = Entropy::undrawn(|| panic!("randomness was drawn"), 5000);
            Turn::new(world.now, &world.policy, &world.keys, entropy, "192.0.2.1")
        };
        let asked = IntrospectRequest::parse(world.params(), &world.policy, &world.keys).unwrap();
        assert!(asked.decide(&world.load(&asked), &mut turn()).is_ok());
        let mut params = Params::default();
        params.bearer = Some(minted.text);
        let asked = UserinfoRequest::parse(params, Scope::default(), &world.policy, &world.keys).unwrap();
        assert!(asked.decide(&world.load(&asked), &mut turn()).is_ok());
    }
}
