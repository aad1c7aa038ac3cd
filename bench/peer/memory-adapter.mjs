// The in-memory adapter that comes with oidc-provider, unchanged, over a store that holds more than its 1,000 entries. On each
// write it walks all that is alive of the same grant: the load has to be spread over many grants, or only that is measured.
import MemoryAdapter from 'oidc-provider/lib/adapters/memory_adapter.js';
import LRU from 'oidc-provider/lib/helpers/lru.js';

/** More than a run of the benchmark can write; what is pushed out would be measured as inactive. */
const ENTRIES_MAX = 10_000_000;

export function createMemoryAdapter() {
  const store = new LRU({ maxSize: ENTRIES_MAX });
  return (model) => new MemoryAdapter(model, store);
}
