CREATE TABLE IF NOT EXISTS keys (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    digest TEXT NOT NULL,
    monthly_limit INTEGER NOT NULL,
    created REAL NOT NULL,
    revoked REAL
);
CREATE UNIQUE INDEX IF NOT EXISTS keys_in_force ON keys (name) WHERE revoked IS NULL;
CREATE TABLE IF NOT EXISTS jobs (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    key_id TEXT NOT NULL,
    month TEXT NOT NULL,
    accepted REAL NOT NULL,
    format TEXT NOT NULL,
    quality INTEGER NOT NULL,
    body_digest TEXT NOT NULL,
    idempotency TEXT,
    original_name TEXT NOT NULL UNIQUE,
    optimized_name TEXT NOT NULL UNIQUE,
    original_size INTEGER NOT NULL,
    optimized_size INTEGER NOT NULL DEFAULT 0,
    state TEXT NOT NULL DEFAULT 'queued',
    tries INTEGER NOT NULL DEFAULT 0,
    token INTEGER NOT NULL DEFAULT 0,
    leased_until REAL NOT NULL DEFAULT 0,
    seconds REAL NOT NULL DEFAULT 0,
    expires REAL,
    message TEXT NOT NULL DEFAULT ''
);
CREATE INDEX IF NOT EXISTS jobs_by_state ON jobs (state, id);
CREATE INDEX IF NOT EXISTS jobs_by_end ON jobs (expires);
CREATE UNIQUE INDEX IF NOT EXISTS jobs_once ON jobs (key_id, idempotency) WHERE idempotency IS NOT NULL;
CREATE TABLE IF NOT EXISTS months (
    key_id TEXT NOT NULL,
    month TEXT NOT NULL,
    format TEXT NOT NULL,
    accepted INTEGER NOT NULL DEFAULT 0,
    completed INTEGER NOT NULL DEFAULT 0,
    failed INTEGER NOT NULL DEFAULT 0,
    original_bytes INTEGER NOT NULL DEFAULT 0,
    optimized_bytes INTEGER NOT NULL DEFAULT 0,
    seconds REAL NOT NULL DEFAULT 0,
    PRIMARY KEY (key_id, month, format)
);
CREATE TABLE IF NOT EXISTS stored (bytes INTEGER NOT NULL);
INSERT INTO stored SELECT 0 WHERE NOT EXISTS (SELECT * FROM stored);
PRAGMA user_version = 1;
INSERT INTO keys VALUES ('aaaaaaaaaaaa', 'docs', 'no digest', 10000, 1795000000, NULL);
INSERT INTO keys VALUES ('bbbbbbbbbbbb', 'old', 'no digest', 10000, 1795000001, 1795000002);
INSERT INTO jobs (id, key_id, month, accepted, format, quality, body_digest, original_name, optimized_name,
  original_size, optimized_size, state, tries, token, seconds, expires)
  VALUES (3, 'aaaaaaaaaaaa', '2026-11', 1795000003, 'png', 80, 'a', 'a1.png', 'a2000000000000000000000000000000.png', 230, 70, 'completed', 1, 1, 0.5, 99999999999);
INSERT INTO jobs (id, key_id, month, accepted, format, quality, body_digest, original_name, optimized_name, original_size)
  VALUES (4, 'aaaaaaaaaaaa', '2026-11', 1795000004, 'png', 80, 'b', 'b1.png', 'b2.png', 230);
INSERT INTO jobs (id, key_id, month, accepted, format, quality, body_digest, original_name, optimized_name,
  original_size, state, tries, token, leased_until)
  VALUES (5, 'aaaaaaaaaaaa', '2026-11', 1795000005, 'png', 80, 'c', 'c1.png', 'c2.png', 230, 'leased', 1, 1, 1795000020);
INSERT INTO jobs (id, key_id, month, accepted, format, quality, body_digest, original_name, optimized_name,
  original_size, state, tries, token, expires, message)
  VALUES (7, 'bbbbbbbbbbbb', '2026-11', 1795000006, 'png', 80, 'd', 'd1.png', 'd2.png', 230, 'failed', 3, 3, 99999999999, 'no');
INSERT INTO months (key_id, month, format, accepted, completed, failed, original_bytes, optimized_bytes, seconds)
  VALUES ('aaaaaaaaaaaa', '2026-11', 'png', 3, 1, 0, 230, 70, 0.5);
INSERT INTO months (key_id, month, format, accepted, failed) VALUES ('bbbbbbbbbbbb', '2026-11', 'png', 1, 1);
UPDATE stored SET bytes = 990;
