/**
 * Takes definitions away that nobody needs any more. Their history and dead letters stay.
 *
 * Of one who enqueues and one who removes at the same time the second waits for the first, and sees what it did: no job is
 * left without its definition. It is removal that pays for it: it has the whole table to itself for a moment, so that it
 * comes between statements. Only who may have looked before that moment, in a transaction, holds the row (`for key share`).
 */
import { endWhenStill, hasClass, isInUse, type Pool, type Sql } from '../db.ts'
import { removeCodeSchedules } from '../schedules/sync.ts'
import { silentSeconds } from '../workers/read.ts'
import { isInternal } from './internal.ts'
import { definitionName } from './name.ts'
import { listDefinitions } from './read.ts'

export interface DefinitionKey {
  key: string
  version: number
}

export type Removal =
  | { kind: 'removed' }
  | { kind: 'not_found' }
  /** `uses` are parts of a sentence: each says why it stays. */
  | { kind: 'in_use'; uses: string[] }

/** With the schedule that its code gave it. Our own definitions are not to be found. */
export async function removeDefinition(sql: Pool, definition: DefinitionKey): Promise<Removal> {
  if (isInternal(definition.key)) return { kind: 'not_found' }
  // Before any lock: where jobs of it are enqueued all the time, nobody is to wait for that.
  const uses = await usesOf(sql, definition)
  if (uses === null) return { kind: 'not_found' }
  if (uses.length > 0) return { kind: 'in_use', uses }
  for (let tries = 0; tries < lockTries; tries++) {
    try {
      // Each statement has to see what those did for which the one before it waited.
      return await sql.begin('isolation level read committed', (tx) => removeUnused(tx, definition))
    } catch (error) {
      // query_canceled
      if (hasClass(error, '57014')) return { kind: 'in_use', uses: [tooMany] }
      if (!isInUse(error)) throw error
      await new Promise((resolve) => setTimeout(resolve, pauseMs))
    }
  }
  return { kind: 'in_use', uses: [openTransaction] }
}

/** Jobs are found by their key. */
const tooMany = 'too many jobs of its other versions have not ended to look through them at once'
const openTransaction = 'a transaction that is still open has read the definitions'
/** While it waits for the table, and while it has it, all who enqueue, claim and end jobs wait. */
const lockPatience = '200ms'
const heldAtMost = { statement: '500ms', stillSeconds: 5 }
const lockTries = 6
const pauseMs = 300

/**
 * Removes all but these, as far as nobody needs them: for who knows that these are all there are.
 * @returns what became of each of the others
 */
export async function pruneDefinitions(
  sql: Pool,
  definitions: DefinitionKey[],
): Promise<{ name: string; removal: Removal }[]> {
  const names = new Set(definitions.map(definitionName))
  const others = (await listDefinitions(sql)).filter((each) => !names.has(definitionName(each)))
  const pruned: { name: string; removal: Removal }[] = []
  for (const other of others) {
    const removal = await removeDefinition(sql, other)
    pruned.push({ name: definitionName(other), removal })
    // It would be in the way of the others, too, and each try holds up all who enqueue.
    if (removal.kind === 'in_use' && removal.uses.includes(openTransaction)) break
  }
  return pruned
}

async function removeUnused(tx: Sql, definition: DefinitionKey): Promise<Removal> {
  const { key, version } = definition
  await tx`
    select
      ${endWhenStill(tx, heldAtMost.stillSeconds)}, set_config('lock_timeout', ${lockPatience}, true),
      set_config('statement_timeout', ${heldAtMost.statement}, true)`
  await tx`lock table job_server.definitions in access exclusive mode`
  // schedules_definition_idx
  await tx`
    select (
      select count(*) from (
        select from job_server.schedules
        where source = 'code' and definition_key = ${key} and definition_version = ${version}
        for update
      ) as held
    )`
  const uses = await usesOf(tx, definition)
  if (uses === null) return { kind: 'not_found' }
  if (uses.length > 0) return { kind: 'in_use', uses }
  await removeCodeSchedules(tx, [definition])
  await tx`
    with unlaned as (
      delete from job_server.lanes where definition_key = ${key} and definition_version = ${version}
    )
    delete from job_server.definitions where key = ${key} and version = ${version}`
  return { kind: 'removed' }
}

const countedJobs = 1000

interface Uses {
  jobs: number
  schedules: string[]
  workers: string[]
  registeredSecondsAgo: number
}

/** A schedule that was switched off or is over starts nothing. @returns null when there is no such definition */
async function usesOf(sql: Sql, { key, version }: DefinitionKey): Promise<string[] | null> {
  // definitions_pk, schedules_definition_idx, and jobs_definition_idx, by which jobs of the key's other versions are read,
  // too. A worker registers what it has some time before it first says that it lives.
  const [row] = await sql<Uses[]>`
    select
      (
        select count(*)::int from (
          select from job_server.jobs
          where definition_key = ${key} and definition_key <> '' and definition_version = ${version}
          limit ${countedJobs}
        ) as live
      ) as jobs,
      array(
        select name from job_server.schedules
        where definition_key = ${key} and definition_version = ${version} and source = 'api' and next_fire_at is not null
        order by name
      ) as schedules,
      array(
        select id from job_server.workers
        where kind = 'worker' and heartbeat_at > now() - make_interval(secs => ${silentSeconds})
          and info -> 'definitions' ? ${definitionName({ key, version })}
        order by id
      ) as workers,
      extract(epoch from now() - registered_at)::float8 as registered_seconds_ago
    from job_server.definitions
    where key = ${key} and version = ${version}`
  return row === undefined ? null : sentencesOf(row)
}

function sentencesOf({ jobs, schedules, workers, registeredSecondsAgo }: Uses): string[] {
  const uses: string[] = []
  if (jobs > 0) {
    uses.push(
      jobs === 1
        ? 'one of its jobs has not ended'
        : `${jobs === countedJobs ? `${countedJobs} or more` : jobs} of its jobs have not ended`,
    )
  }
  if (schedules.length > 0)
    uses.push(
      `${listed(
        'schedule',
        schedules.map((name) => `"${name}"`),
      )} will start it`,
    )
  if (workers.length > 0) uses.push(`${listed('worker', workers)} would register it again`)
  else if (registeredSecondsAgo < silentSeconds) {
    const left = Math.ceil(silentSeconds - registeredSecondsAgo)
    uses.push(`it was registered just now, and a worker that has it may be starting (try again in ${left} s)`)
  }
  return uses
}

const named = 3

function listed(noun: string, names: string[]): string {
  const rest = names.length - named
  const shown = names.slice(0, named).join(', ')
  return `${noun}${names.length === 1 ? '' : 's'} ${shown}${rest > 0 ? ` and ${rest} more` : ''}`
}
