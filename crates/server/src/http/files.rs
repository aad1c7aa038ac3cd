//! Derives the maximum number of connections from the system's limit of open files. If connections used up all files,
//! the store could not open its own, and no request could be answered.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Files reserved for other purposes: the store, the listeners, connections of the operator, outgoing requests.
const OTHERS: u64 = 192;

/// Raises the limit of open files for `wanted` connections, and returns the possible number of connections. Most
/// systems start a process with a low limit that it may raise.
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

/// Returns how many of `files` may be connections. The reserve for other purposes never shrinks below half.
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
