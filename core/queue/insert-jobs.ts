/**
 * The one statement that writes jobs: idempotency keys, lanes, jobs, what they wait for and use, and their first events.
 * It runs on connections of others too, hence the quoted names.
 */
import { type Sql, waitBriefly } from '../db.ts'
import { definitionName } from '../definitions/name.ts'
import type { Json, JsonObject } from '../json.ts'
import type { EnqueueRow } from './enqueue-row.ts'
import { makeLanes } from './lanes.ts'
import { jsonParameter } from './row.ts'
import { isPool } from './wake.ts'

/** By the id of each row the job that it became, or met by its key. `otherParams`: the one it met has others. */
export type Written = Map<string, { jobId: string; otherParams: boolean }>

/** The rows were made after definitions that have changed since; nothing was written. */
export class StaleDefinitions extends Error {}

/**
 * @param options.briefly whether to wait no longer than a few seconds for a key or a new lane that somebody holds
 * @throws StaleDefinitions; with `briefly` what `isInUse` knows
 */
export async function insertJobs(
  sql: Sql,
  rows: EnqueueRow[],
  { briefly = isPool(sql) } = {},
): Promise<Written> {
  // Parts stand in the statement only where they are wanted: their planning is not free.
  const keyed = rows.some(({ key }) => key !== null)
  const depends = rows.some(({ depends_on }) => depends_on.length > 0)
  const stamps = stampsOf(rows)
  // definitions_pk, jobs_pk and idempotency_keys_pk.
  const written = await sql<{ isStale: boolean; id: string | null; jobId: string; otherParams: boolean }[]>`
    with known as materialized (
      select ${briefly ? sql`${waitBriefly(sql)},` : sql``} exists (
        select
        from unnest(
          ${stamps.map(({ definition_key }) => definition_key)}::text[],
          ${stamps.map(({ definition_version }) => definition_version)}::int[],
          ${stamps.map(({ definition_stamp }) => definition_stamp)}::text[]
        ) as stamped (key, version, stamp)
        left join lateral (
          select definitions.xmin::text as stamp from job_server.definitions
          where definitions.key = stamped.key and definitions.version = stamped.version
          ${
            // Until we have committed it is not removed; who registers it anew waits for nobody. A statement of its own
            // needs no lock for that: who removes waits for all of them.
            isPool(sql) ? sql`` : sql`for key share`
          }
        ) as held on true
        where held.stamp is distinct from stamped.stamp
      ) as is_stale
    ),
    given as materialized (
      select
        id, definition_key, coalesce(definition_version, ${usual.definition_version}) as definition_version,
        coalesce(queue, ${usual.queue}) as queue, coalesce(priority, ${usual.priority}) as priority, max_attempts, timeout_seconds,
        backoff, coalesce(key_kind, ${usual.key_kind}) as key_kind, key, coalesce(key_seconds, ${usual.key_seconds}) as key_seconds,
        params_hash, coalesce(params, '{}') as params, coalesce(delay_seconds, ${usual.delay_seconds}) as delay_seconds, scheduled_at,
        concurrency_key, concurrency_key_limit, coalesce(depends_on, '{}') as depends_on, coalesce(owners, '{}') as owners,
        parent_id, coalesce(tags, '{}') as tags, coalesce(metadata, '{}') as metadata, webhook_url, traceparent, tracestate
      from jsonb_to_recordset(${sql.json(jsonParameter(rows.map(withoutUsual)))}) as sent (
        id uuid, definition_key text, definition_version int, queue text, priority int, max_attempts int,
        timeout_seconds float8, backoff jsonb, key_kind text, key text, key_seconds float8, params_hash text,
        params jsonb, delay_seconds float8, scheduled_at timestamptz, concurrency_key text,
        concurrency_key_limit int, depends_on uuid[], owners uuid[], parent_id uuid, tags text[], metadata jsonb, webhook_url text,
        traceparent text, tracestate text
      )
      where not (select is_stale from known)
    ),
    ${keyed ? holdKeys(sql) : sql``}
    met as materialized (
      select
        given.*,
        ${keyed ? sql`coalesce(key_held.job_id, given.id)` : sql`given.id`} as job_id,
        ${keyed ? sql`coalesce(key_held.params_hash <> decode(given.params_hash, 'hex'), false)` : sql`false`} as other_params,
        greatest(given.scheduled_at, case when delay_seconds > 0 then now() + make_interval(secs => delay_seconds) end) as due_at,
        ${depends ? hasOpenDependencies(sql) : sql`false`} as waits
      from given
      ${
        keyed
          ? sql`
              left join key_held
                on key_held.definition_key = given.definition_key and key_held.kind = given.key_kind and key_held.key = given.key`
          : sql``
      }
    ),
    laned as (${makeLanes(sql, sql`(select * from met where job_id = id)`)}),
    created as (
      insert into job_server.jobs (
        id, definition_key, definition_version, queue, state, priority, turn_at, max_attempts, timeout_seconds, backoff,
        idempotency_key, concurrency_key, concurrency_key_limit, parent_id, params, scheduled_at, tags, metadata,
        traceparent, tracestate
      )
      select
        id, definition_key, definition_version, queue,
        case
          when waits then 'waiting'
          when due_at > now() then 'scheduled'
          when concurrency_key is not null then 'blocked'
          else 'ready'
        end,
        priority, greatest(due_at, now()), max_attempts, timeout_seconds, backoff,
        case when key_kind = 'client' then key end, concurrency_key, concurrency_key_limit, parent_id, params,
        case when due_at > now() then due_at end, tags, metadata, traceparent, tracestate
      from met
      where job_id = id
      order by id
      returning id
    ),
    ${depends ? noteDependencies(sql) : sql``}
    ${rows.some((row) => row.webhook_url !== null) ? watchEnds(sql) : sql``}
    ${rows.some((row) => row.owners.length > 0) ? noteUses(sql) : sql``}
    noted as (
      insert into job_server.events (job_id, event_type)
      select id, 'queued' from created order by id
    )
    select is_stale as "isStale", id, job_id as "jobId", other_params as "otherParams"
    from known left join met on job_id <> id or other_params`
  if (written.some(({ isStale }) => isStale)) throw new StaleDefinitions('a definition has changed')
  const all: Written = new Map(rows.map(({ id }) => [id, { jobId: id, otherParams: false }]))
  for (const { id, jobId, otherParams } of written) if (id !== null) all.set(id, { jobId, otherParams })
  return all
}

type Stamped = Pick<EnqueueRow, 'definition_key' | 'definition_version' | 'definition_stamp'>

/** Each once. Rows of several callers may tell of one definition in two states. */
function stampsOf(rows: Stamped[]): Stamped[] {
  const byText = new Map<string, Stamped>()
  for (const row of rows) {
    const name = definitionName({ key: row.definition_key, version: row.definition_version })
    byText.set(`${name} ${row.definition_stamp}`, row)
  }
  return [...byText.values()]
}

/** Beside null and what is empty. */
const usual = {
  definition_version: 1,
  queue: 'default',
  priority: 0,
  key_kind: 'client',
  key_seconds: 86_400,
  delay_seconds: 0,
}

/** To read 25 values of JSON would take PostgreSQL about as long as to write the row. */
function withoutUsual({ definition_stamp: _stamp, ...row }: EnqueueRow): JsonObject {
  const unusual: JsonObject = {}
  for (const [name, value] of Object.entries(row))
    if (!isEmpty(value) && value !== usual[name as keyof typeof usual]) unusual[name] = value
  return unusual
}

function isEmpty(value: Json): boolean {
  return value === null || (typeof value === 'object' && Object.keys(value).length === 0)
}

/**
 * `on conflict do update` rather than `do nothing`: it waits for a concurrent request with the same key and gives back
 * the winner's row.
 */
function holdKeys(sql: Sql) {
  return sql`
    key_held as (
      insert into job_server.idempotency_keys as held (definition_key, kind, key, job_id, params_hash, expires_at)
      select definition_key, key_kind, key, id, decode(params_hash, 'hex'), now() + make_interval(secs => key_seconds)
      from given
      where key is not null
      order by definition_key, key_kind, key
      on conflict on constraint idempotency_keys_pk do update set
        job_id = case when held.expires_at <= now() then excluded.job_id else held.job_id end,
        params_hash = case when held.expires_at <= now() then excluded.params_hash else held.params_hash end,
        expires_at = case when held.expires_at <= now() then excluded.expires_at else held.expires_at end
      returning definition_key, kind, key, job_id, params_hash
    ),`
}

/**
 * One that failed since it was looked at counts as open: `sweep` finds what waits for it, and cancels it. Each is looked for
 * by itself (`offset 0`): PostgreSQL might read all jobs, where it believes that there are none.
 */
function hasOpenDependencies(sql: Sql) {
  return sql`exists (
    select from unnest(given.depends_on) as dependency (id)
    cross join lateral (
      select from job_server.jobs where id = dependency.id
      union all
      select from job_server.job_history where id = dependency.id and status <> 'succeeded'
      offset 0
    ) as open
  )`
}

function noteDependencies(sql: Sql) {
  return sql`
    depending as (
      insert into job_server.job_dependencies (job_id, depends_on)
      select met.id, unnest(met.depends_on) from met where met.job_id = met.id and waits
    ),`
}

function watchEnds(sql: Sql) {
  return sql`
    watched as (
      insert into job_server.job_webhooks (job_id, url)
      select id, webhook_url from met where job_id = id and webhook_url is not null
    ),`
}

function noteUses(sql: Sql) {
  return sql`
    used as (
      insert into job_server.source_uses (owner_id, job_id)
      select unnest(owners), id from met where job_id = id
    ),`
}
