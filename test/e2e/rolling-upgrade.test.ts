/**
 * An upgrade as the operations guide has it, under load: the schema first, then new programs beside the old, then the
 * old ones go. The old version is the real one from the history. What this does not show: a migration that takes things
 * away, versions that lie further apart, and the way back.
 */
import { join } from 'node:path'
import { afterAll, expect, inject, onTestFinished, test } from 'vitest'
import { migrate } from '../../core/migrate.ts'
import { ChildProcess } from '../../scripts/child-process.ts'
import { anyPort } from '../../scripts/ports.ts'
import { testDatabase } from '../support/database.ts'
import { layOut, previousVersion } from '../support/previous-version.ts'
import { testStorage } from '../support/storage.ts'
import { until } from '../support/until.ts'

const previous = await previousVersion()
if (previous === null)
  console.log('rolling upgrade skipped: the history does not reach back to the version before.')

const stopGraceSeconds = 30
const pauseMs = 40
const { url, sql } = await testDatabase({ empty: true })
const bucket = await testStorage()
const processes: ChildProcess[] = []
afterAll(async () => {
  await Promise.all(processes.map((process) => process.stop(stopGraceSeconds)))
})

const common = {
  PATH: process.env.PATH,
  DATABASE_URL: url,
  ...bucket.environment,
  SHUTDOWN_GRACE_SECONDS: '10',
  POLL_INTERVAL_SECONDS: '1',
}

type Start = (options: ConstructorParameters<typeof ChildProcess>[0]) => ChildProcess

async function startVersion(start: Start, version: 'old' | 'new', apiPort: number): Promise<ChildProcess[]> {
  const named = { api: 'api/server.ts', one: 'worker/main.ts', two: 'worker/main.ts' }
  const started = Object.entries(named).map(([name, entry]) =>
    start({
      name: `${version}-${name}`,
      entry,
      environment: { ...common, WORKER_ID: `${version}-${name}`, PORT: String(apiPort) },
    }),
  )
  processes.push(...started)
  await Promise.all(started.map(({ ready }) => ready))
  return started
}

/** Enqueues through whichever API is up, one after the other, until told to stop. */
function load() {
  const accepted: string[] = []
  const apis: number[] = []
  let going = true
  async function go(): Promise<void> {
    for (let count = 0; going; count++) {
      const port = apis[count % apis.length]
      const slow = count % 4 === 0
      const response = await fetch(`http://127.0.0.1:${port}/v1/jobs`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(
          slow
            ? {
                definitionKey: 'process.batch',
                params: { items: Array.from({ length: 100 }, String), batchSize: 1 },
              }
            : { definitionKey: 'echo', params: { message: `${count}` } },
        ),
      })
      expect(response.status, await response.clone().text()).toBe(201)
      accepted.push(((await response.json()) as { jobId: string }).jobId)
      // As many as the workers can do, so that what waits at the end is soon done.
      await Bun.sleep(pauseMs)
    }
  }
  let running: Promise<void> | undefined
  return {
    accepted,
    apis,
    start() {
      running = go()
    },
    async stop() {
      going = false
      await running
    },
  }
}

/** Jobs that workers of a version ended after a time. */
async function endedBy(version: 'old' | 'new', since: Date): Promise<number> {
  const [row] = await sql<{ jobs: number }[]>`
    select count(*)::int as jobs from job_server.attempts
    where worker_id like ${`${version}-%`} and ended_at > ${since}`
  return row?.jobs ?? 0
}

test.skipIf(previous === null)(
  'a schema and programs of the next version come and the old ones go under load, and every job is done once',
  async () => {
    const directory = join(inject('backend').directory, 'previous-version')
    await layOut(previous ?? '', directory)
    const old = await import(join(directory, 'scripts/child-process.ts'))
    const oldMigrate = new old.ChildProcess({
      name: 'old-migrate',
      entry: 'scripts/migrate.ts',
      environment: common,
    })
    expect(await oldMigrate.exited, oldMigrate.lastLines).toBe(0)

    const traffic = load()
    // Whatever became of the test, whose failure this would hide.
    onTestFinished(() => traffic.stop().catch(() => {}))
    const oldPort = await anyPort()
    const oldProcesses = await startVersion((options) => new old.ChildProcess(options), 'old', oldPort)
    traffic.apis.push(oldPort)
    traffic.start()
    await until('the old version to end jobs', async () => (await endedBy('old', new Date(0))) > 10)

    expect((await migrate(sql)).length).toBeGreaterThan(0)
    const [migrated] = await sql<{ at: Date }[]>`select now() as at`
    const at = migrated?.at ?? new Date()
    await until('the old version to work on with the new schema', async () => (await endedBy('old', at)) > 10)

    const newPort = await anyPort()
    await startVersion((options) => new ChildProcess(options), 'new', newPort)
    traffic.apis.push(newPort)
    await until('both versions to end jobs side by side', async () => {
      const both = await Promise.all([endedBy('old', at), endedBy('new', at)])
      return both.every((jobs) => jobs > 10)
    })

    traffic.apis.shift()
    await Promise.all(oldProcesses.map((process) => process.stop(stopGraceSeconds)))
    const accepted = traffic.accepted.length
    await until('the new version to take more', async () => traffic.accepted.length > accepted + 10)
    await traffic.stop()
    await until('every job to end', async () => (await sql`select from job_server.jobs limit 1`).length === 0)

    const ends = await sql<{ id: string; status: string; attempts: number; ended: number }[]>`
      select
        id, status, attempts,
        (select count(*)::int from job_server.events where job_id = history.id and event_type = 'succeeded') as ended
      from job_server.job_history as history`
    expect(ends.map(({ id }) => id).toSorted()).toEqual(traffic.accepted.toSorted())
    const wrong = ends.filter(
      ({ status, attempts, ended }) => status !== 'succeeded' || attempts !== 1 || ended !== 1,
    )
    expect(wrong).toEqual([])
  },
  180_000,
)
