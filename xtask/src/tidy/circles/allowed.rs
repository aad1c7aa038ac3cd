//! The circles that are allowed. Those of the store and the server are from before the rule and are to be opened: the paths
//! that make a circle are printed as soon as its entry is taken out.

/// Circles that are allowed, each with its reason. The files are those of one crate; a circle among some of them is allowed
/// as well. An entry whose files form no circle any more must go.
pub(super) const ALLOWED: &[Allowed] = &[
    Allowed {
        files: &["protocol/src/client/registration.rs", "protocol/src/client_setting.rs"],
        reason: "the table of settings asks for the defaults of a registration, and a registration is checked by the table",
    },
    Allowed {
        files: &[
            "store/src/moving/mod.rs",
            "store/src/moving/table.rs",
            "store/src/query.rs",
            "store/src/rows/table.rs",
            "store/src/store.rs",
        ],
        reason: "a store is moved table by table, and a table says how its rows are described",
    },
    Allowed {
        files: &[
            "store/src/sqlite/apply.rs",
            "store/src/sqlite/insert.rs",
            "store/src/sqlite/jobs.rs",
            "store/src/sqlite/list.rs",
            "store/src/sqlite/load.rs",
            "store/src/sqlite/mod.rs",
            "store/src/sqlite/pen.rs",
            "store/src/sqlite/sweep.rs",
            "store/src/sqlite/writer.rs",
        ],
        reason: "from before this rule: the writer and its tasks share a few constants and helpers",
    },
    Allowed {
        files: &["server/src/cli/client.rs", "server/src/cli/client/add.rs", "server/src/cli/client/secret.rs"],
        reason: "from before this rule: the commands about a client share how a client is printed",
    },
    Allowed {
        files: &[
            "server/src/cli/user.rs",
            "server/src/cli/user/link.rs",
            "server/src/cli/user/second_factor.rs",
            "server/src/cli/user/set.rs",
            "server/src/cli/user/unlock.rs",
        ],
        reason: "from before this rule: the commands about a user share how a judge is asked",
    },
];

/// A circle that is allowed.
pub(super) struct Allowed {
    /// Paths of the files below `crates/`.
    pub(super) files: &'static [&'static str],
    /// Why the circle is allowed.
    pub(super) reason: &'static str,
}
