//! What every page for a signed-in user is made of: the frame with its navigation, the seal of its form, and the way of
//! an act from the form to the next page ([`area::answer`]).

pub(super) mod area;
pub(super) mod carried_form;
pub(super) mod form;
pub(super) mod frame;
