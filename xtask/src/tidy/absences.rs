//! Each crate is defined by what it may not know.

use crate::tree::File;

/// A crate, and the dependencies that it must not have.
const ABSENCES: &[(&str, &[&str])] = &[
    (
        "protocol",
        &[
            "tokio",
            "hyper",
            "http",
            "axum",
            "rusqlite",
            "tokio-postgres",
            "reqwest",
            "minijinja",
            "dialect",
            "store",
            "server",
            "rand",
            "getrandom",
        ],
    ),
    (
        "dialect",
        &[
            "tokio",
            "hyper",
            "axum",
            "rusqlite",
            "tokio-postgres",
            "reqwest",
            "minijinja",
            "store",
            "server",
            "rand",
            "getrandom",
        ],
    ),
    ("store", &["hyper", "http", "axum", "reqwest", "minijinja", "dialect", "server"]),
];

pub(super) fn check(files: &[File]) -> Vec<String> {
    let mut complaints = Vec::new();
    for (name, absent) in ABSENCES {
        let path = format!("crates/{name}/Cargo.toml");
        let Some(manifest) = files.iter().find(|file| file.path == path) else {
            complaints.push(format!("{path} is missing"));
            continue;
        };
        let dependencies = manifest.text.split("[dependencies]").nth(1).unwrap_or_default();
        let dependencies = dependencies.split("\n[").next().unwrap_or_default();
        for line in dependencies.lines() {
            let own = line.split(['.', ' ', '=']).next().unwrap_or_default();
            if absent.contains(&own) {
                complaints.push(format!("{path}: {name} may not know {own}"));
            }
        }
    }
    // SQL lives in the store, and nowhere else.
    for file in files.iter().filter(|file| file.is_rust() && !file.path.starts_with("crates/store/")) {
        if file.path.starts_with("crates/") && ["SELECT ", "INSERT INTO "].iter().any(|sql| file.code().contains(sql)) {
            complaints.push(format!("{}: SQL outside the store", file.path));
        }
    }
    complaints
}
