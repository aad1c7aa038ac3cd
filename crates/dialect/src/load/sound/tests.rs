use crate::rules::Dialect;
use crate::sample::problems;
use crate::tree::Source;

const HEAD: &str = "grants = [\"authorization_code\", \"refresh_token\"]\n";

/// Files that could never work. Each case has the text that follows [`HEAD`], the line and column of the fault, and
/// a part of the message.
const CASES: &[(&str, &str, &str)] = &[
    ("[endpoint.token]\n", "1:11", "add `[endpoint.authorize]`"),
    ("[endpoint.authorize]\n", "1:11", "add `[endpoint.token]`"),
    ("[endpoint.authorize]\n[endpoint.token]\n[reply.code]\nbody = \"state=$state\"\n", "5:8", "add `code=$code`"),
    ("[endpoint.authorize]\n[endpoint.token]\n[reply.code]\nbody = \"code=$code\"\n", "5:8", "add `state=$state`"),
    ("[endpoint.authorize]\n[endpoint.token]\n[reply.denied]\nbody = \"e=$error\"\n", "5:8", "add `state=$state`"),
    (
        "[endpoint.authorize]\n[endpoint.token]\n[reply.token]\nbody = '{\"r\":\"$refresh_token\"}'\n",
        "5:8",
        "has no `$access_token`",
    ),
    (
        "[endpoint.authorize]\n[endpoint.token]\n[reply.token]\nbody = '{\"a\":\"$access_token\"}'\n",
        "5:8",
        "has no `$refresh_token`",
    ),
    ("[endpoint.authorize]\n[endpoint.token]\n[reply.token]\nas = \"empty\"\n", "4:8", "has no `$access_token`"),
    (
        "[endpoint.authorize]\nmethods = [\"GET\"]\nfrom = [\"form\", \"json\"]\n[endpoint.token]\n",
        "4:8",
        "Add \"query\"",
    ),
    ("[endpoint.authorize]\n[endpoint.token]\nfrom = []\n", "4:8", "from nowhere"),
    ("[endpoint.authorize]\n[endpoint.token]\nmethods = [\"GET\"]\n", "4:11", "Add \"query\""),
    (
        "[endpoint.authorize]\n[endpoint.token]\n[endpoint.userinfo]\nmethods = [\"GET\"]\n[bearer]\naccept = [\"form:access_token\"]\n",
        "5:11",
        "none of the places",
    ),
    (
        "[endpoint.authorize]\n[endpoint.token]\n[endpoint.userinfo]\n[bearer]\naccept = []\n",
        "4:11",
        "none of the places",
    ),
    (
        "[endpoint.authorize]\n[endpoint.token]\nneed = [\"client_secret\"]\nauth = [\"none\"]\n[client]\nkind = \"public\"\n",
        "4:9",
        "`auth` reads none",
    ),
    ("[endpoint.authorize]\n[endpoint.token]\nauth = [\"none\"]\n", "4:8", "new applications are confidential"),
    (
        "[endpoint.authorize]\n[endpoint.token]\nauth = [\"params\"]\n[client]\nkind = \"public\"\n",
        "4:8",
        "new applications are public",
    ),
    (
        "[endpoint.authorize]\n[endpoint.token]\nassume = { grant_type = \"authorisation_code\" }\n",
        "4:25",
        "did you mean `authorization_code`?",
    ),
    (
        "[endpoint.authorize]\nassume = { response_type = \"tokn\" }\n[endpoint.token]\n",
        "3:28",
        "did you mean `token`?",
    ),
    ("[endpoint.authorize]\nassume = { scope = \"profle\" }\n[endpoint.token]\n", "3:20", "did you mean `profile`?"),
    (
        "[endpoint.authorize]\nassume = { redirect_uri = \"$authorized\" }\n[endpoint.token]\n",
        "3:27",
        "of the role token",
    ),
    (
        "[endpoint.authorize]\nreply = \"on\"\n[reply.on]\nas = \"json\"\nbody = '{\"u\":\"$redirect_url\"}'\n[endpoint.token]\n",
        "3:9",
        "add `[screen] at`",
    ),
    (
        "[endpoint.authorize]\nreply = \"on\"\n[screen]\nat = \"https://x.example/page\"\n[reply.on]\nas = \"json\"\nbody = '{\"u\":\"$redirect_url\"}'\n[endpoint.token]\n",
        "3:9",
        "where nothing is",
    ),
    (
        "[endpoint.authorize]\nreply = \"on\"\n[reply.on]\nas = \"json\"\nbody = '{}'\n[endpoint.token]\n",
        "3:9",
        "has no `$redirect_url`",
    ),
    ("[endpoint.authorize]\n[endpoint.token]\ncors = [\"https://app.example/\"]\n", "4:9", "which no browser sends"),
    (
        "[endpoint.authorize]\n[endpoint.token]\ncors = [\"https://app.example:443\"]\n",
        "4:9",
        "leave the default port out",
    ),
    (
        "[endpoint.authorize]\n[endpoint.token]\ncors = [\"http://app.example:80\"]\n",
        "4:9",
        "leave the default port out",
    ),
    ("[endpoint.authorize]\n[endpoint.token]\ncors = [\"https://[::1]:0\"]\n", "4:9", "from 1 to 65535"),
    ("[endpoint.authorize]\n[endpoint.token]\ncors = [\"https://a.example:99999\"]\n", "4:9", "from 1 to 65535"),
    (
        "[endpoint.authorize]\n[endpoint.token]\n[screen]\nat = \"https://a.example:99999/x\"\n",
        "5:6",
        "from 1 to 65535",
    ),
    ("resources = [\"https://a.example:0/\"]\n[endpoint.authorize]\n[endpoint.token]\n", "2:14", "from 1 to 65535"),
    ("hosts = [\"a.example:0\"]\n[endpoint.authorize]\n[endpoint.token]\n", "2:10", "from 1 to 65535"),
    ("[endpoint.authorize]\npath = \"/a/../b\"\n[endpoint.token]\n", "3:8", "the segment `..`"),
    ("[endpoint.authorize]\n[endpoint.token]\npath = \"/a/.\"\n", "4:8", "the segment `.`"),
    ("prefix = \"/./a\"\n[endpoint.authorize]\n[endpoint.token]\n", "2:10", "the segment `.`"),
    ("[endpoint.authorize]\nfrom = [\"form\"]\n[endpoint.token]\n", "3:8", "cannot be asked by GET"),
    (
        "[endpoint.authorize]\n[endpoint.token]\nneed = [\"code\"]\n",
        "4:9",
        "the grant `refresh_token` could never be used",
    ),
    (
        "[endpoint.authorize]\n[endpoint.token]\nneed = [\"refresh_token\"]\n",
        "4:9",
        "the grant `authorization_code` could never be used",
    ),
    ("[endpoint.authorize]\n[endpoint.token]\n[reply.token]\nstatus = 302\n", "5:10", "write 200"),
    ("[endpoint.authorize]\n[endpoint.token]\n[reply.token]\nstatus = 500\n", "5:10", "write 200"),
    ("[endpoint.authorize]\n[endpoint.token]\n[reply.token]\nstatus = 101\n", "5:10", "not an HTTP status"),
    ("[endpoint.authorize]\n[endpoint.token]\n[reply.token]\nstatus = 204\n", "5:10", "has no body"),
    ("[endpoint.authorize]\n[endpoint.token]\n[reply.error]\nstatus = 205\n", "5:10", "has no body"),
    ("[endpoint.authorize]\n[endpoint.token]\n[error]\ninvalid_grant = { status = 304 }\n", "5:28", "has no body"),
    (
        "[endpoint.authorize]\n[endpoint.token]\n[reply.token]\nheaders = { Content-Length = \"1\" }\n",
        "5:13",
        "the server writes the header",
    ),
    (
        "[endpoint.authorize]\n[endpoint.token]\n[reply.token]\nheaders = { set-cookie = \"a=$state\" }\n",
        "5:13",
        "the server writes the header",
    ),
    (
        "[endpoint.authorize]\n[endpoint.token]\n[limit]\nheaders = { used = \"Date\" }\n",
        "5:20",
        "the server writes the header",
    ),
    (
        "[endpoint.authorize]\n[endpoint.token]\n[reply.token]\nheaders = { \"X A\" = \"1\" }\n",
        "5:13",
        "is not the name of a header",
    ),
    (
        "[endpoint.authorize]\n[endpoint.token]\n[reply.token]\nheaders = { X-A = \"a\\r\\nb\" }\n",
        "5:19",
        "only have visible ASCII",
    ),
    (
        "[endpoint.authorize]\n[endpoint.token]\n[reply.token]\nheaders = { X-A = \"ä\" }\n",
        "5:19",
        "only have visible ASCII",
    ),
    (
        "[endpoint.authorize]\n[endpoint.token]\n[reply.token]\nas = \"application/vnd.a+json\"\nbody = '{\"a\":$access_token,}'\n",
        "6:8",
        "the body is not JSON when",
    ),
    ("[scope]\nsep = \"o\"\n[endpoint.authorize]\n[endpoint.token]\n", "3:7", "has the separator"),
];

#[test]
fn what_can_be_read_and_could_never_work_is_refused_with_its_line() {
    let both = "[endpoint.authorize]\n[endpoint.token]\n";
    for (more, place, words) in CASES {
        let told = problems("odd", &format!("{HEAD}{more}"));
        let line = told.lines().find(|line| line.contains(words)).unwrap_or_else(|| panic!("{more}: {told}"));
        assert!(line.starts_with(&format!("x.toml:{place}: ")), "{more}: {line}");
    }
    assert_eq!(problems("odd", &format!("{HEAD}{both}")), "");
}

#[test]
fn what_works_in_an_unusual_way_is_not_refused() {
    for more in [
        "[endpoint.authorize]\n[endpoint.token]\ncors = [\"https://a.example:80\", \"http://[::1]:8443\", \"*\"]\n",
        "resources = [\"urn:x:99999\", \"https://a.example:65535/..a\"]\n[endpoint.authorize]\n[endpoint.token]\npath = \"/a../.b\"\n",
        "[endpoint.authorize]\nmethods = [\"POST\"]\nfrom = [\"form\", \"json\"]\n[endpoint.token]\n",
        "[endpoint.authorize]\n[endpoint.token]\nneed = [\"code\"]\n[endpoint.renew]\nrole = \"token\"\npath = \"/r\"\nneed = [\"refresh_token\"]\n",
        "[endpoint.authorize]\n[endpoint.token]\n[endpoint.revoke]\n[reply.revoke]\nas = \"empty\"\nstatus = 204\n",
        "[endpoint.authorize]\n[endpoint.token]\n[reply.token]\nstatus = 201\nheaders = { X-A = \"a\\tb $status\" }\n",
    ] {
        assert_eq!(problems("odd", &format!("{HEAD}{more}")), "", "{more}");
    }
}

#[test]
fn an_authorization_endpoint_without_a_grant_is_refused_unless_the_operator_took_the_grant_away() {
    let file = "grants = [\"password\"]\nwaives = [\"password-grant\"]\n[endpoint.authorize]\n[endpoint.token]\n";
    let told = problems("odd", file);
    assert!(told.starts_with("x.toml:3:11: `endpoint.authorize` could never give anything"), "{told}");
    let whole = file.replace("[\"password\"]", "[\"password\", \"authorization_code\"]");
    let layers = [Source::file("x.toml", &whole), Source::file("grantry.toml", "grants = [\"password\"]\n")];
    assert!(Dialect::load("odd", &layers).is_ok());
}
