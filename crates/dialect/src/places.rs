//! Reads parameters from the places of a request: form encoding in the query or in the body, or a JSON body.

use std::borrow::Cow;
use std::fmt;

use protocol::endpoint::Endpoint;
use protocol::refusal::{No, Refusal};
use protocol::secret::Secret;
use protocol::wire::{Param, Params};
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, Visitor};

use crate::bounds::{NAME_BYTES_MAX, PARAMETERS_MAX, VALUE_BYTES_MAX, is_allowed};
use crate::form_text::unescape;
use crate::rules::Address;

/// Collects the parameters that an endpoint knows, one place of the request after the other.
pub(crate) struct Slots<'a> {
    address: &'a Address,
    /// Parameter names that carry an access token in the place that is being read.
    bearer: Vec<&'a str>,
    params: Params,
    tokens: Vec<String>,
    /// The parameters found so far in the place that is being read.
    here: Vec<Param>,
    has_token_here: bool,
    count: usize,
}

/// The meaning of a wire name at an endpoint.
enum Known {
    Param(Param),
    Token,
}

impl<'a> Slots<'a> {
    pub(crate) fn new(address: &'a Address) -> Self {
        Self {
            address,
            bearer: Vec::new(),
            params: Params::default(),
            tokens: Vec::new(),
            here: Vec::new(),
            has_token_here: false,
            count: 0,
        }
    }

    /// Starts reading another place of the request. `bearer` lists the parameter names that carry an access token
    /// there.
    pub(crate) fn begin_place(&mut self, bearer: Vec<&'a str>) {
        self.bearer = bearer;
        self.here.clear();
        self.has_token_here = false;
    }

    /// Refuses the request. At an authorization endpoint the fault is noted instead, so that the application can be
    /// told by a redirect (RFC 6749 §4.1.2.1). Only the first fault is kept.
    fn fail(&mut self, param: Option<Param>, refusal: Refusal) -> Result<(), Refusal> {
        if !is_told_to_application(self.address, param) {
            return Err(refusal);
        }
        self.params.fault.get_or_insert(refusal);
        Ok(())
    }

    /// Counts a parameter and returns the meaning of its name, or `None` for an unknown name. RFC 6749 §3.1: "The
    /// authorization server MUST ignore unrecognized request parameters."
    fn known(&mut self, name: &str) -> Result<Option<Known>, Refusal> {
        self.count += 1;
        if self.count > PARAMETERS_MAX || name.len() > NAME_BYTES_MAX {
            self.fail(None, No::RequestTooLarge.into())?;
        }
        if self.bearer.contains(&name) {
            return Ok(Some(Known::Token));
        }
        Ok(self.address.names.iter().find(|(own, _)| own == name).map(|(_, param)| Known::Param(*param)))
    }

    fn put(&mut self, known: &Known, value: Cow<'_, str>) -> Result<(), Refusal> {
        // RFC 6749 §3.1: "Parameters sent without a value MUST be treated as if they were omitted from the request."
        if value.is_empty() {
            return Ok(());
        }
        match known {
            Known::Param(param) if value.len() > VALUE_BYTES_MAX => {
                self.fail(Some(*param), Refusal::of(No::ParameterTooLong, *param))
            }
            Known::Param(param) => self.put_param(*param, value),
            Known::Token if value.len() > VALUE_BYTES_MAX => Err(No::RequestTooLarge.into()),
            Known::Token => {
                if std::mem::replace(&mut self.has_token_here, true) {
                    return Err(No::TokenSentTwice.into());
                }
                self.tokens.push(value.into_owned());
                Ok(())
            }
        }
    }

    /// RFC 6749 §3.1: "Request and response parameters MUST NOT be included more than once." The same value in both the
    /// query and the body counts as one parameter: no RFC forbids it, and some libraries send it.
    fn put_param(&mut self, param: Param, value: Cow<'_, str>) -> Result<(), Refusal> {
        if !is_allowed(param, &value) {
            return self.fail(Some(param), Refusal::of(No::ParameterMalformed, param));
        }
        // RFC 8707 §2: "Multiple resource parameters MAY be used".
        if param == Param::Resource {
            return self.push(param, value.into_owned());
        }
        let is_here = self.here.contains(&param);
        self.here.push(param);
        match self.params.value(param) {
            Some(earlier) if earlier == value && !is_here => Ok(()),
            None if !is_here => self.push(param, value.into_owned()),
            earlier => {
                // With two different values it is unclear which one is meant, so neither is returned to the
                // application.
                if earlier.is_some_and(|earlier| earlier != value) {
                    self.params.take(param);
                }
                self.fail(Some(param), Refusal::of(No::ParameterRepeated, param))
            }
        }
    }

    fn push(&mut self, param: Param, value: String) -> Result<(), Refusal> {
        self.params.push(param, value).map_err(|param| Refusal::of(No::ParameterRepeated, param))
    }

    /// Returns the collected parameters, and the access tokens found among them.
    pub(crate) fn finish(self) -> Result<(Params, Vec<Secret>), Refusal> {
        let tokens = self.tokens.iter().map(|token| crate::authorization::bearer_text(token));
        Ok((self.params, tokens.collect::<Result<_, _>>()?))
    }
}

/// Returns true if a fault in `param` is reported to the application by a redirect. This holds at the authorization
/// endpoint for every parameter except `client_id` and `redirect_uri`, which must be right before the browser is
/// redirected. `None` stands for an unknown parameter.
pub(crate) fn is_told_to_application(address: &Address, param: Option<Param>) -> bool {
    address.endpoint == Endpoint::Authorize && !matches!(param, Some(Param::ClientId | Param::RedirectUri))
}

/// Returns the first value of the parameter `name` in form-encoded text. The rest of the text may be malformed.
pub(crate) fn find(text: &[u8], name: &str) -> Option<Secret> {
    let mut pairs = text.split(|byte| *byte == b'&').map(|pair| {
        let at = pair.iter().position(|byte| *byte == b'=').unwrap_or(pair.len());
        (&pair[..at], pair.get(at + 1..).unwrap_or_default())
    });
    let found = pairs.find(|(key, value)| !value.is_empty() && unescape(key).is_some_and(|key| key == name));
    found.map(|(_, value)| Secret::new(unescape(value).unwrap_or_else(|| String::from_utf8_lossy(value))))
}

/// Reads `application/x-www-form-urlencoded` text. `malformed` is the refusal for a parameter name that cannot be
/// decoded.
pub(crate) fn read_form(text: &[u8], malformed: No, slots: &mut Slots<'_>) -> Result<(), Refusal> {
    for pair in text.split(|byte| *byte == b'&').filter(|pair| !pair.is_empty()) {
        let at = pair.iter().position(|byte| *byte == b'=').unwrap_or(pair.len());
        let Some(name) = unescape(&pair[..at]) else {
            slots.fail(None, malformed.into())?;
            continue;
        };
        let Some(known) = slots.known(&name)? else { continue };
        match (unescape(pair.get(at + 1..).unwrap_or_default()), known) {
            (Some(value), known) => slots.put(&known, value)?,
            (None, Known::Param(param)) => slots.fail(Some(param), Refusal::of(No::ParameterMalformed, param))?,
            (None, Known::Token) => return Err(malformed.into()),
        }
    }
    Ok(())
}

/// Reads a JSON object. Strings, numbers and booleans become text. A null counts as absent. Unknown members may have
/// any value.
pub(crate) fn read_json(body: &[u8], slots: &mut Slots<'_>) -> Result<(), Refusal> {
    let mut refusal = None;
    let mut reader = serde_json::Deserializer::from_slice(body);
    let read = Members { slots, refusal: &mut refusal }.deserialize(&mut reader).and_then(|()| reader.end());
    match (refusal, read) {
        (Some(refusal), _) => Err(refusal),
        (None, Err(_)) => Err(No::BodyMalformed.into()),
        (None, Ok(())) => Ok(()),
    }
}

struct Members<'s, 'a, 'r> {
    slots: &'s mut Slots<'a>,
    /// The refusal that stopped the parser, if the cause was not the JSON syntax.
    refusal: &'r mut Option<Refusal>,
}

impl<'de> DeserializeSeed<'de> for Members<'_, '_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Members<'_, '_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        while let Some(name) = members.next_key::<Cow<'de, str>>()? {
            let known = match self.slots.known(&name) {
                Ok(known) => known,
                Err(refusal) => return stop(self.refusal, refusal),
            };
            let Some(known) = known else {
                members.next_value::<IgnoredAny>()?;
                continue;
            };
            let put = match members.next_value_seed(Scalar)? {
                Some(value) => self.slots.put(&known, value),
                None => match known {
                    Known::Param(param) => self.slots.fail(Some(param), Refusal::of(No::ParameterMalformed, param)),
                    Known::Token => Err(No::BodyMalformed.into()),
                },
            };
            if let Err(refusal) = put {
                return stop(self.refusal, refusal);
            }
        }
        Ok(())
    }
}

fn stop<E: serde::de::Error>(slot: &mut Option<Refusal>, refusal: Refusal) -> Result<(), E> {
    *slot = Some(refusal);
    Err(E::custom("refused"))
}

/// Deserializes a value that can become text. Gives `None` for a list or an object, which is skipped.
struct Scalar;

impl<'de> DeserializeSeed<'de> for Scalar {
    type Value = Option<Cow<'de, str>>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Scalar {
    type Value = Option<Cow<'de, str>>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string, a number or a boolean")
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Some(Cow::Borrowed(text)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Some(Cow::Owned(text.to_owned())))
    }

    fn visit_bool<E>(self, flag: bool) -> Result<Self::Value, E> {
        Ok(Some(Cow::Borrowed(if flag { "true" } else { "false" })))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Self::Value, E> {
        Ok(Some(Cow::Owned(number.to_string())))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Self::Value, E> {
        Ok(Some(Cow::Owned(number.to_string())))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Self::Value, E> {
        Ok(Some(Cow::Owned(number.to_string())))
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(Some(Cow::Borrowed("")))
    }

    fn visit_seq<A: serde::de::SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
        while items.next_element::<IgnoredAny>()?.is_some() {}
        Ok(None)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Self::Value, A::Error> {
        while members.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(None)
    }
}
