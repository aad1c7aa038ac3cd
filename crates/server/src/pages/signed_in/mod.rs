//! What all pages for signed-in users share: the frame with its navigation, the seal of a form, and the handling of
//! requests ([`area::answer`]).

pub(super) mod area;
pub(super) mod carried_form;
pub(super) mod form;
pub(super) mod frame;
pub(super) mod resume;
