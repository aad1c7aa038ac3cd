//! A PostgreSQL of one server under measurement, set up as a sensible operator would.

use std::process::Command;

use lab::{Cluster, Options};

/// What differs from PostgreSQL's own settings, beside the buffers. Everything that has to do with durability is as
/// PostgreSQL has it: on.
const SETTINGS: [&str; 2] = ["max_wal_size=4GB", "checkpoint_timeout=15min"];
/// The only database of the cluster that is used.
const NAME: &str = "postgres";

/// The settings of a PostgreSQL with so many MiB of buffers.
pub(crate) fn settings(buffers_mib: u64) -> Vec<String> {
    let others = SETTINGS.iter().map(ToString::to_string);
    std::iter::once(format!("shared_buffers={buffers_mib}MB")).chain(others).collect()
}

/// The buffers that PostgreSQL's documentation advises to begin with, in MiB: a quarter of the machine's memory.
///
/// # Panics
/// Where the memory cannot be found out.
pub(crate) fn advised_buffers_mib() -> u64 {
    let memory = std::fs::read_to_string("/proc/meminfo").expect("Linux tells how much memory there is");
    let total = memory.lines().find_map(|line| line.strip_prefix("MemTotal:")?.strip_suffix("kB")?.trim().parse().ok());
    let total: u64 = total.expect("the memory is a number of kB");
    total / 1024 / 4
}

/// A cluster.
pub(crate) struct Database {
    cluster: Cluster,
}

impl Database {
    /// Makes one, on a disk, with the buffers that are advised.
    ///
    /// # Panics
    /// As [`Database::with_buffers`].
    pub(crate) fn start() -> Self {
        Self::with_buffers(advised_buffers_mib())
    }

    /// Makes one, on a disk, with so many MiB of buffers.
    ///
    /// # Panics
    /// When there is no PostgreSQL, or the folder for temporary files is in memory, where a sync costs nothing.
    pub(crate) fn with_buffers(mib: u64) -> Self {
        let cluster = Cluster::start(&Options { is_synced: true, settings: settings(mib), port: None });
        let database = Self { cluster };
        let filesystem = database.filesystem();
        assert!(!filesystem.contains("tmpfs"), "PostgreSQL's data must be on a disk: set TMPDIR to a folder on one");
        database
    }

    /// The address, as Grantry takes it.
    pub(crate) fn url(&self) -> String {
        self.cluster.url(NAME)
    }

    /// The same, as the peer's driver takes it.
    pub(crate) fn url_for_node(&self) -> String {
        format!("postgres://postgres@/{NAME}?host={}&port=5432", self.cluster.folder().display())
    }

    /// The first process.
    pub(crate) fn pid(&self) -> u32 {
        self.cluster.pid()
    }

    /// The version of the server.
    pub(crate) fn version(&self) -> String {
        let version = self.cluster.sql(NAME, "SHOW server_version");
        version.split_whitespace().next().unwrap_or_default().to_owned()
    }

    /// The kind of the file system that the data is on.
    pub(crate) fn filesystem(&self) -> String {
        let mut command = Command::new("df");
        let output = command.arg("--output=fstype").arg(self.cluster.folder()).output().expect("df can be run");
        String::from_utf8_lossy(&output.stdout).lines().last().unwrap_or_default().to_owned()
    }

    /// Leaves the tables as they are in a server that has been running for a while, with nothing left to write.
    pub(crate) fn settle(&self) {
        self.cluster.sql(NAME, "VACUUM (ANALYZE)");
        self.cluster.sql(NAME, "CHECKPOINT");
    }

    /// Runs a statement that takes rows, and gives it what `write` writes.
    pub(crate) fn feed(&self, statement: &str, write: impl FnOnce(&mut dyn std::io::Write) -> std::io::Result<()>) {
        self.cluster.feed(NAME, statement, write);
    }

    /// What the tables and their indexes take of the disk, in MiB.
    pub(crate) fn size_mib(&self) -> f64 {
        let bytes = self.cluster.sql(NAME, &format!("SELECT pg_database_size('{NAME}')"));
        bytes.parse::<f64>().expect("a size is a number") / (1024.0 * 1024.0)
    }
}
