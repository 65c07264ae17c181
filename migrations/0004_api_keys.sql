-- API keys. A key is 32 random bytes, so its SHA-256 is enough to recognise it and useless to who reads the table.
-- Rows are never deleted: an API that had a key once does not open up because the last one was revoked.

create table api_keys (
  id uuid not null,
  name text not null,
  scopes text[] not null,
  secret_hash bytea not null,
  -- How the key begins, for people to recognise it by.
  prefix text not null,
  created_at timestamptz not null default now(),
  expires_at timestamptz,
  revoked_at timestamptz,
  -- To the minute.
  last_used_at timestamptz,
  constraint api_keys_pk primary key (id),
  constraint api_keys_secret_hash_unique unique (secret_hash),
  constraint api_keys_secret_hash_sha256 check (octet_length(secret_hash) = 32),
  constraint api_keys_name_length check (char_length(name) between 1 and 100),
  constraint api_keys_scopes_known check (scopes <@ array['read', 'enqueue', 'admin'] and cardinality(scopes) > 0)
);
