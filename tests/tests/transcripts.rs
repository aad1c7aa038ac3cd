//! The transcripts of the dialects: `dialects/NAME/*.http`, each told to a server of its own. dialects/README.md has the
//! grammar.
#![allow(clippy::disallowed_methods, reason = "transcripts are files")]

use std::path::{Path, PathBuf};

use tests::transcript::{Story, World};

/// Every transcript, with the name of its dialect.
fn all() -> Vec<(String, PathBuf)> {
    let dialects = Path::new(env!("CARGO_MANIFEST_DIR")).join("../dialects");
    let mut found = Vec::new();
    for folder in
        std::fs::read_dir(dialects).expect("the dialects are there").flatten().filter(|own| own.path().is_dir())
    {
        let name = folder.file_name().into_string().expect("names are ASCII");
        let files = std::fs::read_dir(folder.path()).expect("it is a folder").flatten().map(|file| file.path());
        let own: Vec<_> = files.filter(|path| path.extension().is_some_and(|end| end == "http")).collect();
        assert!(!own.is_empty(), "the dialect {name} has no transcript");
        found.extend(own.into_iter().map(|path| (name.clone(), path)));
    }
    found.sort();
    found
}

#[tokio::test]
async fn every_transcript_is_told_to_its_end_and_the_same_way_twice() {
    let mut problems = Vec::new();
    for (dialect, path) in all() {
        let text = std::fs::read_to_string(&path).expect("it can be read");
        let name = format!("{dialect}/{}", path.file_name().unwrap_or_default().display());
        let told = async || {
            let story = Story::parse(&text)?;
            let mut world = World::begin(&dialect, &story).await?;
            story.tell(&mut world).await?;
            Ok::<_, String>(world.known)
        };
        match (told().await, told().await) {
            (Ok(first), Ok(second)) if first == second => {}
            (Ok(_), Ok(_)) => problems.push(format!("{name}: the second time it was told otherwise")),
            (Err(problem), _) | (_, Err(problem)) => problems.push(format!("{name}:{problem}")),
        }
    }
    assert!(problems.is_empty(), "\n{}", problems.join("\n\n"));
}

#[tokio::test]
async fn a_transcript_that_is_wrong_fails_with_its_line() {
    let story = "# @client web kind=confidential grant=client_credentials\n\n### A token\n\nPOST /oauth/token HTTP/1.1\n\
                 Host: auth.example\nAuthorization: Basic {{web.basic}}\n\
                 Content-Type: application/x-www-form-urlencoded\n\ngrant_type=client_credentials\n\n\
                 HTTP/1.1 STATUS\n\n{\"access_token\":\"{{t}}\",\"token_type\":\"Bearer\",\"expires_in\":3600,\"scope\":\"profile\"}\n";
    for (wrong, right) in
        [("201 Created", "200 OK"), ("200 OK\nCache-Control: public", "200 OK\nCache-Control: no-store")]
    {
        let tell = async |status: &str| {
            let story = Story::parse(&story.replace("STATUS", status))?;
            story.tell(&mut World::begin("standard", &story).await?).await
        };
        assert_eq!(tell(right).await, Ok(()));
        assert!(tell(wrong).await.unwrap_err().starts_with("12: "), "{wrong}");
    }
    assert!(Story::parse("### A title\n\nnonsense\n").unwrap_err().starts_with("3: "));
}
