//! Work that one of several nodes does.

use super::*;

/// The numbers of the sealing keys, the oldest first.
fn ring(nodes: &Nodes) -> Vec<i64> {
    let listed = nodes.nodes[0].run(&["key", "list", "--json"], "");
    let listed: Vec<Value> = serde_json::from_slice(&listed.stdout).expect("a list");
    listed.iter().map(|key| key["number"].as_i64().expect("a number")).collect()
}

#[test]
fn a_sealing_key_that_is_old_enough_is_rotated_once_however_many_nodes_there_are() {
    let mut cluster = Cluster::start(&Options::default());
    let url = cluster.database();
    let nodes = Nodes::start(&url, 3, "");
    assert_eq!(ring(&nodes), [1], "it is young");
    drop(nodes);
    cluster.sql("test_1", "UPDATE seal_keys SET created_at = created_at - 31 * 86400");
    // Nodes that were killed hold a lease until it is out; what comes then is not what is tried here.
    cluster.sql("test_1", "DELETE FROM leases WHERE name = 'rotate-keys'");
    let mut nodes = Nodes::start(&url, 3, "");
    let since = Instant::now();
    while ring(&nodes) == [1] {
        assert!(since.elapsed() < RECOVERY_MAX, "nobody rotates");
        std::thread::sleep(Duration::from_millis(200));
    }
    // Each of them has looked when it started; a late one would have followed by now.
    std::thread::sleep(Duration::from_secs(2));
    assert_eq!(ring(&nodes), [1, 2]);
    // Nor does the next one that has the lease, which asks for it as soon as it starts.
    cluster.sql("test_1", "DELETE FROM leases WHERE name = 'rotate-keys'");
    nodes.nodes[1].kill();
    nodes.nodes[1].start();
    while cluster.sql("test_1", "SELECT count(*) FROM leases WHERE name = 'rotate-keys'") != "1" {
        assert!(since.elapsed() < RECOVERY_MAX, "nobody asks for the lease");
        std::thread::sleep(Duration::from_millis(50));
    }
    std::thread::sleep(Duration::from_millis(500));
    assert_eq!(ring(&nodes), [1, 2]);
    assert_eq!(cluster.sql("test_1", "SELECT count(*) FROM events WHERE kind = 'key_rotated'"), "1");
}

/// The second node looks for work a few seconds after the first one, and so has not long to wait when that one is dead.
/// Nothing happens in the first minute; by its name this test is the first to begin, so that the others run meanwhile.
#[test]
fn a_broom_is_taken_over_when_the_node_that_had_it_is_killed() {
    let mut cluster = Cluster::start(&Options::default());
    let url = cluster.database();
    let mut first = Nodes::start(&url, 1, "");
    std::thread::sleep(Duration::from_secs(4));
    let second = Nodes::start(&url, 1, "");
    let holder = |cluster: &Cluster| cluster.sql("test_1", "SELECT holder FROM leases WHERE name = 'sweep'");
    let wait_for = |what: &str, is_so: &dyn Fn() -> bool| {
        let since = Instant::now();
        while !is_so() {
            assert!(since.elapsed() < Duration::from_secs(90), "{what}");
            std::thread::sleep(Duration::from_millis(100));
        }
    };
    let expired = |cluster: &Cluster| {
        let issue = || second.post(0, "/oauth/token", &[("grant_type", "client_credentials")]).expect("an answer");
        assert_eq!(issue().status, 200);
        cluster.sql("test_1", "UPDATE access_tokens SET issued_at = 1, expires_at = 2");
    };
    let is_swept = |cluster: &Cluster| cluster.sql("test_1", "SELECT count(*) FROM access_tokens") == "0";
    expired(&cluster);
    wait_for("nobody sweeps", &|| is_swept(&cluster));
    let was = holder(&cluster);
    first.nodes[0].kill();
    expired(&cluster);
    // As if the time of the lease were over, which is a minute and a half.
    cluster.sql("test_1", "UPDATE leases SET until = now() WHERE name = 'sweep'");
    wait_for("nobody takes over", &|| is_swept(&cluster));
    assert_ne!(holder(&cluster), was);
}
