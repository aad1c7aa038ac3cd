//! A table that can undo all changes since the last commit.

use std::collections::BTreeMap;

/// Rows by key, and the undo log of the turn that is being written.
#[derive(Debug)]
pub(super) struct Table<K, V> {
    rows: BTreeMap<K, V>,
    undo: Vec<(K, Option<V>)>,
}

impl<K, V> Default for Table<K, V> {
    fn default() -> Self {
        Self { rows: BTreeMap::new(), undo: Vec::new() }
    }
}

impl<K: Ord + Clone, V: Clone> Table<K, V> {
    pub(super) fn row(&self, key: &K) -> Option<&V> {
        self.rows.get(key)
    }

    pub(super) fn rows(&self) -> impl DoubleEndedIterator<Item = (&K, &V)> {
        self.rows.iter()
    }

    pub(super) fn len(&self) -> usize {
        self.rows.len()
    }

    /// Adds a row, or replaces the one with the same key.
    pub(super) fn put(&mut self, key: K, row: V) {
        let old = self.rows.insert(key.clone(), row);
        self.undo.push((key, old));
    }

    /// Adds a row. Returns false and changes nothing if the key is taken.
    #[must_use]
    pub(super) fn add(&mut self, key: K, row: V) -> bool {
        let is_free = !self.rows.contains_key(&key);
        if is_free {
            self.put(key, row);
        }
        is_free
    }

    /// Changes a row in place. Returns false if there is no such row.
    pub(super) fn edit(&mut self, key: &K, edit: impl FnOnce(&mut V)) -> bool {
        let Some(row) = self.rows.get_mut(key) else { return false };
        self.undo.push((key.clone(), Some(row.clone())));
        edit(row);
        true
    }

    pub(super) fn remove(&mut self, key: &K) {
        if let Some(old) = self.rows.remove(key) {
            self.undo.push((key.clone(), Some(old)));
        }
    }

    /// Removes at most `rows_max` rows for which `is_dead` returns true. Returns their number.
    pub(super) fn remove_where(&mut self, rows_max: usize, is_dead: impl Fn(&K, &V) -> bool) -> usize {
        let dead: Vec<K> = self
            .rows
            .iter()
            .filter(|(key, row)| is_dead(key, row))
            .map(|(key, _)| key.clone())
            .take(rows_max)
            .collect();
        for key in &dead {
            self.remove(key);
        }
        dead.len()
    }

    /// Makes the changes final.
    pub(super) fn keep(&mut self) {
        self.undo.clear();
    }

    /// Undoes all changes since they were last made final, the latest first.
    pub(super) fn take_back(&mut self) {
        while let Some((key, old)) = self.undo.pop() {
            match old {
                Some(row) => self.rows.insert(key, row),
                None => self.rows.remove(&key),
            };
        }
    }
}
