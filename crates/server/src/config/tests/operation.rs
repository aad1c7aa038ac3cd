//! Problems of the surroundings: variables, levels, modes, files that others may read.

use super::*;

#[test]
fn a_variable_that_sets_nothing_but_looks_like_an_option_is_told() {
    let base = "issuer = \"https://auth.example.com\"\n";
    for (name, meant) in [
        ("GRANTRY_STORE_URL", "GRANTRY_STORE__URL"),
        ("GRANTRY_STORE_URL_FILE", "GRANTRY_STORE__URL_FILE"),
        ("GRANTRY__ISSUER", "GRANTRY_ISSUER"),
        ("GRANTRY__STORE_URL", "GRANTRY_STORE__URL"),
        ("GRANTRY_KEYS_MASTER_FILE", "GRANTRY_KEYS__MASTER_FILE"),
        ("GRANTRY_KEYS_MASTER", "GRANTRY_KEYS__MASTER"),
        ("GRANTRY_ADMINLISTEN", "GRANTRY_ADMIN_LISTEN"),
        ("GRANTRY_ISSUR", "GRANTRY_ISSUER"),
        ("GRANTRY_LOG_LEVEL", "GRANTRY_LOG__LEVEL"),
        ("GRANTRY_UPSTREAM_GOOGLE_CLIENT_ID", "GRANTRY_UPSTREAM__GOOGLE__CLIENT_ID"),
        ("GRANTRY_PROXY_TRUSTED", "GRANTRY_PROXY__TRUSTED"),
    ] {
        let variables = [(name.to_owned(), "x".to_owned())];
        let told = told(of_text("g.toml", base.to_owned(), Path::new("/nowhere"), &variables));
        let expected = format!("environment {name}: warning: it sets nothing, did you mean {meant}?");
        assert!(told.starts_with(&expected), "{told}");
    }
}

#[test]
fn a_variable_for_a_setting_of_a_dialect_is_told_to_set_nothing() {
    for name in ["GRANTRY_DIALECT_STANDARD_HOSTS", "GRANTRY_DIALECT_PACED_TOKEN_ACCESS_TTL"] {
        let base = "issuer = \"https://auth.example.com\"\n".to_owned();
        let variables = [(name.to_owned(), "x".to_owned())];
        let told = told(of_text("g.toml", base, Path::new("/nowhere"), &variables));
        assert!(told.starts_with(&format!("environment {name}: warning: it sets nothing")), "{told}");
        assert!(told.contains("[dialect.NAME]"), "{told}");
    }
}

#[test]
fn variables_of_kubernetes_and_of_others_are_quiet() {
    let names = [
        "GRANTRY_PORT_8080_TCP_ADDR",
        "GRANTRY_PORT_8080_TCP",
        "GRANTRY_PORT_8080_TCP_PORT",
        "GRANTRY_PORT_8080_TCP_PROTO",
        "GRANTRY_PORT",
        "GRANTRY_SERVICE_HOST",
        "GRANTRY_SERVICE_PORT",
        "GRANTRY_SERVICE_PORT_HTTP",
        "GRANTRY_STORE_SERVICE_HOST",
        "GRANTRY_POSTGRES_PORT_5432_TCP_ADDR",
        "GRANTRY_CONFIG",
        "GRANTRY_VERSION",
        "GRANTRY_HOME",
        "GRANTRY_IMAGE_TAG",
        "GRANTRY_",
        "OTHER_STORE_URL",
    ];
    for name in names {
        let base = "issuer = \"https://auth.example.com\"\n".to_owned();
        let variables = [(name.to_owned(), "tcp://10.0.0.1:8080".to_owned())];
        assert_eq!(told(of_text("g.toml", base, Path::new("/nowhere"), &variables)), "", "{name}");
    }
}

#[test]
fn one_option_is_not_set_by_two_variables() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("url");
    std::fs::write(&file, "\u{feff}sqlite:other.db\n").unwrap();
    std::fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    let file = ("GRANTRY_STORE__URL_FILE", file.to_str().unwrap());
    let base = "issuer = \"https://auth.example.com\"\n";
    assert_eq!(configuration(base, &[file]).store_url, "sqlite:/nowhere/other.db", "without its byte order mark");
    check_with(
        base,
        &[("GRANTRY_STORE__URL", "sqlite:a.db"), file],
        &expect![[r#"
            environment GRANTRY_STORE__URL_FILE: both GRANTRY_STORE__URL and GRANTRY_STORE__URL_FILE set `store.url`: keep one of them
        "#]],
    );
}

#[test]
fn a_level_that_is_none_and_a_mode_that_is_none_are_told_with_their_place() {
    check(
        "issuer = \"https://auth.example.com\"\nlisten = \"unix:/run/g.sock\"\nlisten_mode = \"rw\"\n[log]\nlevel = \"warning\"\n",
        &expect![[r#"
            g.toml:3:15: `listen_mode` is "rw", it must be three or four octal digits such as "0660"
            g.toml:5:9: `log.level` is "warning", and "warning" is no level, did you mean `warn`?
        "#]],
    );
    for bad in ["0888", "77", "01660", "0x660", "", "0066", "+660"] {
        let text = format!("issuer = \"https://a.example\"\nlisten = \"unix:/x/g.sock\"\nlisten_mode = \"{bad}\"\n");
        let problems = told(of_text("g.toml", text, Path::new("/nowhere"), &[]));
        assert!(problems.starts_with("g.toml:3:15: `listen_mode`"), "{bad}: {problems}");
    }
    let long = format!("issuer = \"https://a.example\"\nlisten = \"unix:/{}\"\n", "x".repeat(107));
    assert!(told(of_text("g.toml", long, Path::new("/nowhere"), &[])).contains("has 108 bytes"));
}

#[test]
fn files_that_others_may_read_are_told_and_those_of_the_owner_are_not() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("g.db-wal");
    std::fs::write(&file, "x").unwrap();
    let url = format!("sqlite:{}", folder.path().join("g.db").display());
    for (mode, who) in
        [(0o640, "the group can read"), (0o602, "can read or change"), (0o604, "everybody"), (0o620, "the group")]
    {
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(mode)).unwrap();
        let told = loose_database_files(&url);
        assert!(matches!(&told[..], [one] if one.contains(who) && one.contains("chmod 600")), "{mode:o}: {told:?}");
    }
    for mode in [0o600, 0o400] {
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(mode)).unwrap();
        assert_eq!(loose_database_files(&url), [""; 0]);
    }
}

#[test]
fn a_byte_order_mark_is_no_part_of_a_configuration_or_of_a_key() {
    let folder = tempfile::tempdir().unwrap();
    let (path, key) = (folder.path().join("grantry.toml"), folder.path().join("grantry.db.key"));
    std::fs::write(&path, "\u{feff}issuer = \"https://auth.example.com\"\n").unwrap();
    std::fs::write(&key, "\u{feff}AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8\n").unwrap();
    let loaded = load(&path, &[]).unwrap();
    assert!(matches!(loaded.configuration.master, Master::Known(_)));
}
