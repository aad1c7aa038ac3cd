//! How the rates change as live tokens pile up on PostgreSQL, from ten thousand to ten million.

use std::path::Path;

use crate::database::{Database, advised_buffers_mib};
use crate::load::{self, Measured, WARM_REQUESTS, Workload, median};
use crate::scene::{MASTER, Past, Scene, write};
use crate::seed::{self, Seeder};
use crate::work::Way;
use crate::{ROUNDS, measure, say};

/// A size to measure at.
struct Size {
    tokens: usize,
    /// Of so many tokens one is asked for.
    every: usize,
    /// PostgreSQL's buffers in MiB, where they are not what is advised.
    buffers_mib: Option<u64>,
}

/// The last one shows what it costs when PostgreSQL's buffers do not hold the tables.
const SIZES: [Size; 4] = [
    Size { tokens: 10_000, every: 1, buffers_mib: None },
    Size { tokens: 1_000_000, every: 10, buffers_mib: None },
    Size { tokens: 10_000_000, every: 100, buffers_mib: None },
    Size { tokens: 10_000_000, every: 100, buffers_mib: Some(512) },
];

/// So many introspections come before the first that counts, three for each token that is asked for: then PostgreSQL has
/// what it can have in its buffers, as it has in a server that has been running for a while.
pub(crate) const WARM_INTROSPECTIONS: u64 = 300_000;

/// What came out at one size.
pub(crate) struct Grown {
    /// Live tokens.
    pub(crate) tokens: usize,
    /// PostgreSQL's buffers, in MiB.
    pub(crate) buffers_mib: u64,
    pub(crate) introspection: Measured,
    pub(crate) issue: Measured,
    /// What the database takes of the disk before the measurement.
    pub(crate) size_mib: f64,
}

/// A Grantry with many tokens, on a PostgreSQL of its own.
struct Pile {
    tokens: usize,
    buffers_mib: u64,
    scene: Scene,
    size_mib: f64,
    // Ends after the server that uses it.
    _database: Database,
}

/// Measures all sizes in turn.
pub(crate) fn measure_all(folder: &Path, seconds: u64) -> Vec<Grown> {
    let piles: Vec<Pile> = SIZES.iter().map(|size| Pile::new(folder, size)).collect();
    // Issue comes second, because it makes more tokens.
    let introspection = rounds(&piles, seconds, WARM_INTROSPECTIONS, Way::introspection);
    let issue = rounds(&piles, seconds, WARM_REQUESTS, Way::issue);
    let measured = introspection.into_iter().zip(issue);
    piles
        .iter()
        .zip(measured)
        .map(|(pile, (introspection, issue))| Grown {
            tokens: pile.tokens,
            buffers_mib: pile.buffers_mib,
            introspection,
            issue,
            size_mib: pile.size_mib,
        })
        .collect()
}

fn rounds(piles: &[Pile], seconds: u64, warm: u64, workload: impl Fn(&Way) -> Workload) -> Vec<Measured> {
    let mut of = vec![Vec::new(); piles.len()];
    for round in 0..=ROUNDS {
        for (pile, of) in piles.iter().zip(&mut of) {
            let workload = workload(&Way::to(&pile.scene));
            if round == 0 {
                load::warm_up(&pile.scene.server, &workload, warm, ROUNDS);
            } else {
                let name = pile.name();
                of.push(measure(seconds, round, &name, &pile.scene.server, &workload));
            }
        }
    }
    of.into_iter().map(median).collect()
}

impl Pile {
    fn new(folder: &Path, size: &Size) -> Self {
        let &Size { tokens, every, .. } = size;
        say(&format!("seeding {tokens} tokens"));
        let buffers_mib = size.buffers_mib.unwrap_or_else(advised_buffers_mib);
        let database = Database::with_buffers(buffers_mib);
        let folder = folder.join(format!("{tokens}-{buffers_mib}"));
        let mut scene = Scene::set(&folder, &database.url(), Past::default());
        scene.server.postmaster = Some(database.pid());
        let texts = pour(&database, tokens, every);
        scene.tokens = write(&folder, "tokens.txt", &texts);
        database.settle();
        Way::to(&scene).must_find(&scene.server);
        Self { tokens, buffers_mib, scene, size_mib: database.size_mib(), _database: database }
    }

    fn name(&self) -> String {
        format!("{} tokens, {} MiB of buffers", self.tokens, self.buffers_mib)
    }
}

/// Writes tokens past the store, which would take a commit for every few of them: the columns are those of the store's
/// own statement. Gives every `every`th.
fn pour(database: &Database, count: usize, every: usize) -> Vec<String> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    let mut seeder = runtime.block_on(Seeder::open(&database.url(), &MASTER));
    let mut texts = Vec::with_capacity(count / every);
    let columns = "id, digest, client_key, issued_at, expires_at, scope";
    database.feed(&format!("COPY access_tokens ({columns}) FROM STDIN"), |out| {
        for at in 0..count {
            let (text, row) = seeder.access_row(&seed::STANDARD);
            let digest = data_encoding::HEXLOWER.encode(&row.digest.0);
            let (issued, expires) = (row.issued_at.0, row.expires_at.0);
            writeln!(
                out,
                "{}\t\\\\x{digest}\t{}\t{issued}\t{expires}\t{}",
                row.id.0,
                row.client.0,
                row.permission.scope.as_str()
            )?;
            if at % every == 0 {
                texts.push(text);
            }
        }
        Ok(())
    });
    texts
}
