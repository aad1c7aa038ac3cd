//! The transcripts of the dialects: `dialects/NAME/*.http`, each told to a server of its own. dialects/README.md has the
//! grammar.
#![allow(clippy::disallowed_methods, reason = "transcripts are files")]

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use store::{Memory, Mode, Store};
use tests::transcript::{Known, Story, World};

/// Set to write what is answered now to the files that it is compared with.
const UPDATE: &str = "UPDATE_ANSWERS";

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

/// What one transcript ended with: its names and values, and every answer to the byte.
type Ended = (Known, String);

/// Tells every transcript to a fresh store of one kind. Gives what was told wrong, and what each ended with.
async fn tell_all<F: Future<Output = Arc<dyn Store>>>(store: impl Fn() -> F) -> (Vec<String>, Vec<Option<Ended>>) {
    let (mut problems, mut known) = (Vec::new(), Vec::new());
    for (dialect, path) in all() {
        let text = std::fs::read_to_string(&path).expect("it can be read");
        let told = async || {
            let story = Story::parse(&text)?;
            let mut world = World::begin(&dialect, &story, store().await).await?;
            story.tell(&mut world).await?;
            Ok::<_, String>((world.known, world.heard))
        };
        match told().await {
            Ok(ended) => known.push(Some(ended)),
            Err(problem) => {
                known.push(None);
                problems.push(format!("{dialect}/{}:{problem}", path.file_name().unwrap_or_default().display()));
            }
        }
    }
    (problems, known)
}

async fn memory() -> Arc<dyn Store> {
    Arc::new(Memory::default())
}

#[tokio::test]
async fn every_transcript_is_told_to_its_end_and_the_same_way_twice() {
    let (problems, first) = tell_all(memory).await;
    assert!(problems.is_empty(), "\n{}", problems.join("\n\n"));
    assert!(first == tell_all(memory).await.1, "the second time they were told otherwise");
}

/// Where the answers to a transcript are kept.
fn answers(dialect: &str, path: &Path) -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("answers").join(dialect);
    folder.join(path.file_name().unwrap_or_default()).with_extension("txt")
}

/// A transcript names what a reader would not compare, a token say. Here nothing is left out.
#[tokio::test]
async fn every_answer_is_to_the_byte_what_is_committed() {
    let is_update = std::env::var_os(UPDATE).is_some();
    let (_, ended) = tell_all(memory).await;
    let mut problems = Vec::new();
    let mut expected: Vec<PathBuf> = Vec::new();
    for ((dialect, path), ended) in all().iter().zip(ended) {
        let file = answers(dialect, path);
        let (_, heard) = ended.unwrap_or_else(|| panic!("{} is not told to its end", path.display()));
        if is_update {
            std::fs::create_dir_all(file.parent().expect("it lies in a folder")).expect("it can be made");
            std::fs::write(&file, &heard).expect("it can be written");
        }
        let committed = std::fs::read_to_string(&file).unwrap_or_default();
        if committed != heard {
            let at = committed.lines().zip(heard.lines()).take_while(|(one, other)| one == other).count();
            let [was, is] = [&committed, &heard].map(|text| text.lines().nth(at).unwrap_or("nothing"));
            problems.push(format!("{}:{}\n  it was {was}\n  now is {is}", file.display(), at + 1));
        }
        expected.push(file);
    }
    assert!(problems.is_empty(), "if that is meant, run again with {UPDATE}=1\n{}", problems.join("\n"));
    for folder in
        std::fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("answers")).expect("it is there").flatten()
    {
        for file in std::fs::read_dir(folder.path()).expect("it is a folder").flatten() {
            assert!(expected.contains(&file.path()), "{} is of no transcript", file.path().display());
        }
    }
}

/// The first block of the guide that begins like this.
fn of_guide(begin: &str) -> String {
    let guide = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/guide/dialects.md");
    let guide = std::fs::read_to_string(guide).expect("the guide is there");
    let block =
        guide.split("```").find_map(|block| Some(block.split_once('\n')?.1).filter(|own| own.starts_with(begin)));
    block.expect("the guide has it").to_owned()
}

#[tokio::test]
async fn the_example_of_the_guide_works_as_its_transcript_says() {
    let file = of_guide("hosts  = [\"api.kite.example\"]");
    let told = dialect::Dialect::check("kite", "kite/dialect.toml", &file);
    assert!(told.len() == 1 && told[0].text.contains("add \"code-without-redirect-uri\""), "{told:?}");
    assert!(of_guide("dialects/kite/dialect.toml:3:10: this surface breaks").contains("code-without-redirect-uri"));
    let slips = file.replacen("assume  =", "asume   =", 1).replacen("$message", "$mesage", 1);
    let told = dialect::Dialect::check("kite", "dialects/kite/dialect.toml", &slips);
    let lines: Vec<String> = told.iter().map(ToString::to_string).collect();
    assert_eq!(lines.join("\n") + "\n", of_guide("dialects/kite/dialect.toml:19:1: unknown key"));
    let file = file.replace("waives = []", "waives = [\"code-without-redirect-uri\"]");
    let kite = dialect::Dialect::load("kite", &[dialect::Source::file("kite/dialect.toml", &file)]);
    let story = Story::parse(&of_guide("# The way of an application")).expect("it is a transcript");
    let mut world = World::of(kite.expect("it is sound"), &story, memory().await).await.expect("there is such a world");
    assert_eq!(story.tell(&mut world).await, Ok(()));
}

#[tokio::test]
async fn the_php_surface_lets_twenty_token_calls_a_minute_through_by_itself() {
    let call = |status: &str, left: u32| {
        format!(
            "### A call\n\nPOST /api/token.php HTTP/1.1\nHost: example.com\n\
             Content-Type: application/x-www-form-urlencoded\n\nclient_id=app\n\nHTTP/1.1 {status}\n\
             X-RateLimit-Limit: 20\nX-RateLimit-Remaining: {left}\nX-RateLimit-Reset: 1780000060\n\n{{{{_}}}}\n\n"
        )
    };
    let mut text = "# @client app kind=confidential redirect_uri=https://app.example/cb\n\n".to_owned();
    for left in (0..20).rev() {
        text.push_str(&call("400 Bad Request", left));
    }
    text.push_str(&call("429 Too Many Requests", 0));
    let story = Story::parse(&text).expect("it is a transcript");
    let mut world = World::begin("php-endpoints", &story, memory().await).await.expect("there is such a world");
    assert_eq!(story.tell(&mut world).await, Ok(()));
}

#[tokio::test]
async fn every_transcript_is_told_the_same_way_on_every_store() {
    let (_, expected) = tell_all(memory).await;
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let count = AtomicUsize::new(0);
    let on_sqlite = tell_all(|| async {
        let file = folder.path().join(format!("{}.db", count.fetch_add(1, Ordering::Relaxed)));
        store::open(&format!("sqlite:{}", file.display()), Mode::Create).await.expect("a new database can be made")
    });
    let (problems, known) = on_sqlite.await;
    assert!(problems.is_empty() && known == expected, "on SQLite\n{}", problems.join("\n\n"));
    let on_postgres = tell_all(|| async {
        store::open(&lab::database(), Mode::Create).await.expect("an empty database can be filled")
    });
    let (problems, known) = on_postgres.await;
    assert!(problems.is_empty() && known == expected, "on PostgreSQL\n{}", problems.join("\n\n"));
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
            story.tell(&mut World::begin("standard", &story, memory().await).await?).await
        };
        assert_eq!(tell(right).await, Ok(()));
        assert!(tell(wrong).await.unwrap_err().starts_with("12: "), "{wrong}");
    }
    assert!(Story::parse("### A title\n\nnonsense\n").unwrap_err().starts_with("3: "));
}
