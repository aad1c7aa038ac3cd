//! How many files the system lets this process have open, and so how many connections there can be. When connections used
//! up the last one, the store could not open its own files any more, and nobody would be answered.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Files that are no connections of the public: the store's, the listeners, the operator's connections, outgoing requests.
const OTHERS: u64 = 192;

/// Asks the system for as many files as `wanted` connections need, and says how many connections there can be. Most
/// systems give a process few files at first, and more when it asks.
pub(crate) fn connections_max(wanted: usize) -> usize {
    let needed = u64::try_from(wanted).unwrap_or(u64::MAX).saturating_add(OTHERS);
    let limit = getrlimit(Resource::Nofile);
    let (now, most) = (limit.current.unwrap_or(u64::MAX), limit.maximum.unwrap_or(u64::MAX));
    let asked = needed.min(most);
    let granted = if now < asked {
        let raised = setrlimit(Resource::Nofile, Rlimit { current: Some(asked), maximum: limit.maximum });
        if raised.is_ok() { asked } else { now }
    } else {
        now
    };
    let possible = usize::try_from(for_connections(granted)).unwrap_or(usize::MAX);
    if possible < wanted {
        tracing::warn!(
            files = granted,
            connections = possible,
            wanted,
            "the system gives this process fewer open files than limits.connections needs; raise its limit (LimitNOFILE= \
             of systemd, ulimit -n)"
        );
    }
    wanted.min(possible)
}

/// How many of so many files may be connections: never so many that the others have less than half of what they need.
fn for_connections(files: u64) -> u64 {
    files.saturating_sub(OTHERS).max(files / 2).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn some_files_are_left_for_what_is_no_connection() {
        for (files, connections) in [(1_000_000, 999_808), (1024, 832), (256, 128), (1, 1), (0, 1)] {
            assert_eq!(for_connections(files), connections, "{files}");
        }
    }

    #[test]
    fn nobody_gets_more_connections_than_were_wanted() {
        assert_eq!(connections_max(10), 10);
    }
}
