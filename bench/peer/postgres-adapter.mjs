// An adapter for PostgreSQL in the manner of oidc-provider's documentation and of its contributed Knex and Prisma adapters: one
// table, one row for each thing, one statement for each call. Statements are prepared once for each connection.
import pg from 'pg';

/** The models, as the contributed adapters number them: a small integer makes a small key. */
const TYPES = Object.fromEntries(
  [
    'Session', 'AccessToken', 'AuthorizationCode', 'RefreshToken', 'DeviceCode', 'ClientCredentials', 'Client',
    'InitialAccessToken', 'RegistrationAccessToken', 'Interaction', 'ReplayDetection', 'PushedAuthorizationRequest',
    'Grant', 'BackchannelAuthenticationRequest',
  ].map((name, at) => [name, at + 1]),
);

// The partial indexes cost nothing where the column is null. There is none on expires_at, and nothing is swept: that would
// only make the peer slower.
const SCHEMA = `
  DROP TABLE IF EXISTS oidc_payloads;
  CREATE TABLE oidc_payloads (
    id          text        NOT NULL,
    type        smallint    NOT NULL,
    payload     jsonb       NOT NULL,
    grant_id    text,
    user_code   text,
    uid         text,
    expires_at  timestamptz,
    consumed_at timestamptz,
    PRIMARY KEY (id, type)
  );
  CREATE INDEX oidc_payloads_grant_id ON oidc_payloads (grant_id) WHERE grant_id IS NOT NULL;
  CREATE INDEX oidc_payloads_user_code ON oidc_payloads (user_code) WHERE user_code IS NOT NULL;
  CREATE INDEX oidc_payloads_uid ON oidc_payloads (uid) WHERE uid IS NOT NULL;
`;

const FOUND = 'SELECT payload, extract(epoch FROM consumed_at)::float8 AS consumed FROM oidc_payloads';

const STATEMENTS = {
  upsert: `INSERT INTO oidc_payloads (id, type, payload, grant_id, user_code, uid, expires_at)
    VALUES ($1, $2, $3, $4, $5, $6, to_timestamp($7))
    ON CONFLICT (id, type) DO UPDATE SET payload = EXCLUDED.payload, grant_id = EXCLUDED.grant_id,
      user_code = EXCLUDED.user_code, uid = EXCLUDED.uid, expires_at = EXCLUDED.expires_at`,
  find: `${FOUND} WHERE id = $1 AND type = $2`,
  find_by_user_code: `${FOUND} WHERE user_code = $1 AND type = $2`,
  find_by_uid: `${FOUND} WHERE uid = $1 AND type = $2`,
  destroy: 'DELETE FROM oidc_payloads WHERE id = $1 AND type = $2',
  consume: 'UPDATE oidc_payloads SET consumed_at = now() WHERE id = $1 AND type = $2',
  revoke_by_grant_id: 'DELETE FROM oidc_payloads WHERE grant_id = $1 AND type = $2',
};

function row(type, id, payload, expiresIn) {
  const expiresAt = expiresIn ? Date.now() / 1000 + expiresIn : null;
  return [id, type, JSON.stringify(payload), payload.grantId, payload.userCode, payload.uid, expiresAt];
}

class PostgresAdapter {
  constructor(pool, model) {
    this.pool = pool;
    this.type = TYPES[model];
  }

  async run(name, values) {
    return (await this.pool.query({ name, text: STATEMENTS[name], values })).rows;
  }

  async first(name, key) {
    const [found] = await this.run(name, [key, this.type]);
    if (!found) return undefined;
    return found.consumed === null ? found.payload : { ...found.payload, consumed: found.consumed };
  }

  upsert(id, payload, expiresIn) {
    return this.run('upsert', row(this.type, id, payload, expiresIn));
  }

  find(id) {
    return this.first('find', id);
  }

  findByUserCode(userCode) {
    return this.first('find_by_user_code', userCode);
  }

  findByUid(uid) {
    return this.first('find_by_uid', uid);
  }

  destroy(id) {
    return this.run('destroy', [id, this.type]);
  }

  consume(id) {
    return this.run('consume', [id, this.type]);
  }

  revokeByGrantId(grantId) {
    return this.run('revoke_by_grant_id', [grantId, this.type]);
  }
}

/** The adapter over a pool whose connections are already open. */
export async function connect(database, connections) {
  const pool = new pg.Pool({ connectionString: database, max: connections, idleTimeoutMillis: 0 });
  pool.on('error', (error) => console.error(`peer: a connection to PostgreSQL was lost: ${error.message}`));
  const open = await Promise.all(Array.from({ length: connections }, () => pool.connect()));
  open.forEach((one) => one.release());
  return (model) => new PostgresAdapter(pool, model);
}

const ROWS_AT_ONCE = 5_000;
const SEED = `INSERT INTO oidc_payloads (id, type, payload, grant_id, user_code, uid, expires_at)
  SELECT id, type, payload, grant_id, user_code, uid, to_timestamp(expires_at)
  FROM unnest($1::text[], $2::smallint[], $3::jsonb[], $4::text[], $5::text[], $6::text[], $7::float8[])
    AS seed (id, type, payload, grant_id, user_code, uid, expires_at)`;

/**
 * An empty table, and an adapter that only writes, thousands of rows in one statement: for seeding. `finish` writes the rest,
 * leaves the table as a live one would be after its autovacuum, and closes the connection.
 */
export async function openForSeeding(database) {
  const connection = new pg.Client({ connectionString: database });
  await connection.connect();
  await connection.query(SCHEMA);
  let rows = [];
  const flush = async () => {
    const columns = Array.from({ length: 7 }, (_, at) => rows.map((one) => one[at] ?? null));
    rows = [];
    await connection.query(SEED, columns);
  };
  const adapter = (model) => ({
    async upsert(id, payload, expiresIn) {
      rows.push(row(TYPES[model], id, payload, expiresIn));
      if (rows.length >= ROWS_AT_ONCE) await flush();
    },
  });
  const finish = async () => {
    await flush();
    await connection.query('VACUUM (ANALYZE) oidc_payloads');
    await connection.end();
  };
  return { adapter, finish };
}
