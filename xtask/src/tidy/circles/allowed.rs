//! The circles that are allowed. Those of the store and the server are from before the rule and are to be opened: the paths
//! that make a circle are printed as soon as its entry is taken out.

/// Circles that are allowed, each with its reason. The files are those of one crate; a circle among some of them is allowed
/// as well. An entry whose files form no circle any more must go.
pub(super) const ALLOWED: &[Allowed] = &[
    Allowed {
        files: &[
            "store/src/lib.rs",
            "store/src/memory/mod.rs",
            "store/src/moving/mod.rs",
            "store/src/moving/table.rs",
            "store/src/postgres/apply.rs",
            "store/src/postgres/batch.rs",
            "store/src/postgres/commit.rs",
            "store/src/postgres/list.rs",
            "store/src/postgres/mod.rs",
            "store/src/postgres/moving.rs",
            "store/src/postgres/pen.rs",
            "store/src/postgres/shared.rs",
            "store/src/postgres/single.rs",
            "store/src/postgres/sweep.rs",
            "store/src/query.rs",
            "store/src/sqlite/apply.rs",
            "store/src/sqlite/insert.rs",
            "store/src/sqlite/list.rs",
            "store/src/sqlite/load.rs",
            "store/src/sqlite/mod.rs",
            "store/src/sqlite/moving.rs",
            "store/src/sqlite/open.rs",
            "store/src/sqlite/pen.rs",
            "store/src/sqlite/readers.rs",
            "store/src/sqlite/sweep.rs",
            "store/src/sqlite/writer.rs",
            "store/src/walk.rs",
        ],
        reason: "from before this rule: constants, `Store` and the three stores need each other through lib.rs",
    },
    Allowed {
        files: &["server/src/cli/client.rs", "server/src/cli/client/add.rs", "server/src/cli/client/secret.rs"],
        reason: "from before this rule: the commands about a client share how a client is printed",
    },
    Allowed {
        files: &["server/src/cli/user.rs", "server/src/cli/user/link.rs", "server/src/cli/user/second_factor.rs"],
        reason: "from before this rule: the commands about a user share how sessions are ended",
    },
];

/// A circle that is allowed.
pub(super) struct Allowed {
    /// Paths of the files below `crates/`.
    pub(super) files: &'static [&'static str],
    /// Why the circle is allowed.
    pub(super) reason: &'static str,
}
