//! Problems of dialects, and of surfaces that read the tokens of others.

use super::*;

#[test]
fn a_surface_reads_the_tokens_of_another_where_the_operator_says_so_and_nowhere_else() {
    let read = |configuration: &Configuration| -> Vec<String> {
        let of = |policy: &Policy| -> Vec<String> {
            policy.also_reads.iter().map(|other| format!("{} reads {}", policy.dialect, other.dialect)).collect()
        };
        configuration.policies.iter().flat_map(of).collect()
    };
    let text = "issuer = \"https://auth.example.com\"\n[dialects]\nenable = [\"standard\", \"paced\"]\naccept = [\"refresh-without-expiry\"]\n";
    assert_eq!(read(&configuration(text, &[])), [""; 0]);
    let said = format!("{text}also_read = [\"standard reads paced\"]\n");
    let configured = configuration(&said, &[]);
    assert_eq!(read(&configured), ["standard reads paced"]);
    let other = &configured.policy("standard").unwrap().also_reads[0];
    assert_eq!(*other, AlsoRead::of(configured.policy("paced").unwrap()));
    assert_eq!(other.personal.prefix, "pt_secret_");
    let variable = [("GRANTRY_DIALECTS__ALSO_READ", "standard reads paced,paced reads standard")];
    assert_eq!(read(&configuration(text, &variable)), ["standard reads paced", "paced reads standard"]);
}

#[test]
fn what_cannot_be_read_is_told_with_its_place() {
    check(
        r#"
issuer = "https://auth.example.com"
[dialects]
enable = ["standard", "paced"]
also_read = [
    "standard reads pased",
    "tinyplus reads standard",
    "paced reads paced",
    "standard writes paced",
    "standard",
    "standard reads paced",
    "standard  reads paced",
]
[dialect.standard]
also_read = ["paced"]
"#,
        &expect![[r#"
            g.toml:6:5: "standard reads pased": `dialects.enable` does not list `pased`, did you mean `paced`?
            g.toml:7:5: "tinyplus reads standard": `dialects.enable` does not list `tinyplus`; there are `standard`, `paced`
            g.toml:8:5: "paced reads paced": a surface reads its own tokens in any case
            g.toml:9:5: `dialects.also_read` has "standard writes paced", it must be such as "standard reads paced"
            g.toml:10:5: `dialects.also_read` has "standard", it must be such as "standard reads paced"
            g.toml:12:5: "standard  reads paced" is listed twice
            g.toml:15:1: unknown key `also_read`; there are `grants`, `hosts`, `prefix`, `texts`, `waives`, `resources`, `scope`, `token`, `endpoint`, `grant`, `bearer`, `reply`, `error`, `client`, `screen`, `limit`
        "#]],
    );
}

#[test]
fn a_surface_that_asks_nobody_who_is_asking_reads_its_own_tokens_alone() {
    check(
        r#"
issuer = "https://auth.example.com"
[dialects]
enable = ["standard", "tinyrebrand", "tinyemail"]
accept = ["password-grant", "open-introspection", "open-revocation", "secret-in-query"]
also_read = ["standard reads tinyrebrand", "tinyrebrand reads standard", "tinyemail reads standard"]
[upstream.google]
client_id = "c"
client_secret = "s"
"#,
        &expect![[r#"
            g.toml:6:44: `tinyrebrand` lets anybody introspect, and must not tell them about tokens of `standard`; let a surface read both that asks who is asking, as `standard` does
            g.toml:6:74: warning: `tinyemail` has no address for introspection or userinfo: that it reads `standard` has no effect
            g.toml:8:13: warning: everybody whom the issuer knows gets an account here by signing in with it; write `sign_up = "nobody"`, `"domains"` or `"anybody"` into [upstream.google]
        "#]],
    );
}

/// Returns the TOML that a dialect's page tells the operator to write: code blocks, also within lists, and single lines
/// within a sentence.
fn advised(page: &str) -> Vec<String> {
    let blocks = page.split("```").skip(1).step_by(2).filter_map(|block| block.strip_prefix("toml\n"));
    let lines =
        page.split('`').filter(|span| span.starts_with("[dialect.") && !span.contains('\n') && span.contains("] "));
    blocks.map(ToOwned::to_owned).chain(lines.map(|line| line.replacen("] ", "]\n", 1))).collect()
}

#[test]
fn what_the_pages_of_the_dialects_tell_an_operator_to_write_is_a_configuration_without_problems() {
    for name in dialect::shipped::names().filter(|name| *name != "standard") {
        let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../dialects").join(name).join("README.md");
        let page = read(&page).unwrap();
        let advised = advised(&page);
        let accept: Vec<&str> = dialect::hazard::HAZARDS.iter().map(|hazard| hazard.name).collect();
        assert_eq!(
            advised.iter().filter(|block| block.contains("[dialects]")).count(),
            1,
            "{name} is switched on once"
        );
        assert!(advised.len() > 1, "{name} says how to move on");
        for block in advised {
            let base = if block.contains("[dialects]") {
                String::new()
            } else {
                format!("[dialects]\nenable = [\"standard\", \"{name}\"]\naccept = {accept:?}\n")
            };
            // A surface that accepts ID tokens of Google needs the Google settings.
            let google = "[upstream.google]\nclient_id = \"c\"\nclient_secret = \"s\"\nsign_up = \"anybody\"\n";
            let text = format!("issuer = \"https://auth.example.net\"\n{base}{block}\n{google}");
            let told = told(of_text("g.toml", text.clone(), Path::new("/nowhere"), &[]));
            assert_eq!(told, "", "dialects/{name}/README.md:\n{text}");
        }
    }
}
