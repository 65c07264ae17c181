/**
 * Keeps the schedules that are defined in code in step with it: one for each definition that has a `schedule`, known by
 * key and version, whoever registers it and how often.
 *
 * Code without the schedule takes none away when it is registered, as older code may come after newer: a worker of the last
 * release starts anew while the next one is rolled out, or a release is taken back for a while. The schedule is marked
 * absent. It goes on as long as a living worker's code has it, since those of older code run its jobs as well; otherwise its
 * times are skipped from the next on (`decide.ts`). Code that has it takes it up again, with its history, and switched off if it
 * was.
 */
import { v5 } from 'uuid'
import { databaseTime, type Sql } from '../db.ts'
import { definitionName } from '../definitions/name.ts'
import { jsonParameter } from '../queue/row.ts'
import { aimAfter } from './due.ts'
import type { DefinitionSchedule } from './in-code.ts'

export interface ScheduledDefinition {
  key: string
  version: number
  schedule: DefinitionSchedule | null
}

/** The id comes from the name, so that all who register a schedule for the first time give it the same. */
const namespace = '3f0d7c1e-2a49-4f5b-8c7a-5d1e9b60a3c4'

const timingColumns = ['expression', 'timezone', 'starts_at', 'ends_at', 'jitter_seconds']
const otherColumns = ['params', 'priority', 'queue', 'overlap', 'catch_up', 'catch_up_limit']

/** Makes and changes those of the definitions, and marks those of definitions that have none. */
export async function syncSchedules(sql: Sql, definitions: ScheduledDefinition[]): Promise<void> {
  const bare = definitions.filter(({ schedule }) => schedule === null)
  await markAbsent(sql, bare)
  if (bare.length === definitions.length) return
  const now = await databaseTime(sql)
  const rows = definitions
    .map((definition) => rowOf(definition, now))
    .filter((row) => row !== null)
    // One order for all who register at once: two statements that lock rows in other orders deadlock.
    .sort((a, b) => (a.name < b.name ? -1 : 1))
  // What was switched off by hand stays so. With other times a schedule goes on from now, and otherwise where it is.
  const differs = (columns: string[]) => sql`
    (${sql(columns.map((column) => `known.${column}`))}) is distinct from
    (${sql(columns.map((column) => `excluded.${column}`))})`
  const isBack = sql`known.absent_since is not null`
  const goesOnAnew = sql`(${differs(timingColumns)} or (${isBack} and known.next_fire_at is null))`
  await sql`
    insert into job_server.schedules as known (
      id, name, source, definition_key, definition_version, params, priority, queue, expression, timezone, starts_at,
      ends_at, jitter_seconds, overlap, catch_up, catch_up_limit, next_fire_at, due_at, created_at
    )
    select
      id, name, 'code', "definitionKey", "definitionVersion", params, priority, queue, expression, timezone, "startsAt",
      "endsAt", "jitterSeconds", overlap, "catchUp", "catchUpLimit", "nextFireAt", "dueAt", "createdAt"
    from jsonb_to_recordset(${sql.json(jsonParameter(rows))}) as given (
      id uuid, name text, "definitionKey" text, "definitionVersion" int, params jsonb, priority int, queue text,
      expression text, timezone text, "startsAt" timestamptz, "endsAt" timestamptz, "jitterSeconds" float8,
      overlap text, "catchUp" text, "catchUpLimit" int, "nextFireAt" timestamptz, "dueAt" timestamptz,
      "createdAt" timestamptz
    )
    on conflict on constraint schedules_name_unique do update set
      params = excluded.params,
      priority = excluded.priority,
      queue = excluded.queue,
      expression = excluded.expression,
      timezone = excluded.timezone,
      starts_at = excluded.starts_at,
      ends_at = excluded.ends_at,
      jitter_seconds = excluded.jitter_seconds,
      overlap = excluded.overlap,
      catch_up = excluded.catch_up,
      catch_up_limit = excluded.catch_up_limit,
      next_fire_at = case when ${goesOnAnew} then case when known.enabled then excluded.next_fire_at end else known.next_fire_at end,
      due_at = case when ${goesOnAnew} then case when known.enabled then excluded.due_at end else known.due_at end,
      created_at = case when ${goesOnAnew} then excluded.created_at else known.created_at end,
      absent_since = null,
      updated_at = now()
    where ${differs([...timingColumns, ...otherColumns])} or ${isBack}`
}

async function markAbsent(sql: Sql, definitions: { key: string; version: number }[]): Promise<void> {
  if (definitions.length === 0) return
  // schedules_definition_idx; in the order of those who write them.
  await sql`
    with absent as (
      select id from job_server.schedules
      where source = 'code' and absent_since is null and (definition_key, definition_version) in (
        select * from unnest(${definitions.map(({ key }) => key)}::text[], ${definitions.map(({ version }) => version)}::int[])
      )
      order by name
      for update
    )
    update job_server.schedules set absent_since = now() from absent where schedules.id = absent.id`
}

/** Of definitions whose code was seen to have lost it. @returns how many there were */
export async function removeCodeSchedules(
  sql: Sql,
  definitions: { key: string; version: number }[],
): Promise<number> {
  if (definitions.length === 0) return 0
  // schedules_definition_idx
  const removed = await sql`
    delete from job_server.schedules
    using unnest(${definitions.map(({ key }) => key)}::text[], ${definitions.map(({ version }) => version)}::int[])
      as gone (key, version)
    where source = 'code' and definition_key = key and definition_version = version`
  return removed.count
}

/**
 * Removes those that none of the definitions has: for who knows that these are all there are.
 * @returns their names
 */
export async function pruneCodeSchedules(sql: Sql, definitions: ScheduledDefinition[]): Promise<string[]> {
  const scheduled = definitions.filter(({ schedule }) => schedule !== null)
  const removed = await sql<{ name: string }[]>`
    delete from job_server.schedules
    where source = 'code' and (definition_key, definition_version) not in (
      select * from unnest(${scheduled.map(({ key }) => key)}::text[], ${scheduled.map(({ version }) => version)}::int[])
    )
    returning name`
  return removed.map(({ name }) => name)
}

function rowOf({ key, version, schedule }: ScheduledDefinition, now: Date) {
  if (schedule === null) return null
  const name = definitionName({ key, version })
  const id = v5(name, namespace)
  const { startsAt, endsAt } = schedule
  const { nextFireAt, dueAt } = aimAfter(
    {
      ...schedule,
      id,
      startsAt: startsAt === null ? null : new Date(startsAt),
      endsAt: endsAt === null ? null : new Date(endsAt),
      createdAt: now,
      enabled: true,
    },
    now,
  )
  return {
    ...schedule,
    id,
    name,
    definitionKey: key,
    definitionVersion: version,
    nextFireAt: nextFireAt?.toISOString() ?? null,
    dueAt: dueAt?.toISOString() ?? null,
    createdAt: now.toISOString(),
  }
}
