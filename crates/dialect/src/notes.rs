//! Notes about a valid dialect that may surprise its author.

use crate::rules::Dialect;

impl Dialect {
    /// Returns sentences for the author of the file, for `grantry dialect check`.
    #[must_use]
    pub fn notes(&self) -> Vec<String> {
        let meanings = [
            ("profile", "the name, the user name and the attributes of the account"),
            ("email", "the e-mail address and whether it is verified"),
        ];
        let listed = meanings.iter().filter(|(scope, _)| self.scope.sentence(scope).is_some());
        listed
            .map(|(scope, hidden)| {
                format!("the scope `{scope}` has a meaning of its own: a token without it does not get {hidden}")
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use crate::sample::standard_with;

    #[test]
    fn a_scope_that_hides_attributes_is_noted() {
        let notes = |list: &str| standard_with(&format!("[scope]\nlist = {{ {list} }}\n")).notes();
        assert!(notes("profile = \"See\"")[0].contains("attributes of the account"));
        assert_eq!(notes("email = \"See\", profile = \"See\"").len(), 2);
        assert!(notes("read = \"Read\"").is_empty());
    }
}
