/** Jobs enqueued a second through the API, one by one and in bulk, against what PostgreSQL and a library could take. */
import postgres from 'postgres'
import { type Bench, type BenchContext, byCallers, interleave, perSecond } from './bench.ts'
import { type BenchDatabase, poolSize } from './database.ts'
import mark from './jobs/mark.ts'
import { compare } from './measurement.ts'
import { askRate } from './peers/ask.ts'

const connections = 32
const singles = 4_000
const bulkJobs = 20_000
const bulkSize = 1_000
/** As many as keep both sides of a request at work. */
const bulkCallers = 4

export const enqueueBench: Bench = {
  name: 'enqueue',
  about: 'jobs enqueued a second over HTTP, one by one and in bulk',
  defaultRounds: 3,
  async run(context) {
    const database = await context.stack.openDatabase()
    const api = await database.startApi()
    const jobsUrl = `${api.url}/v1/jobs`
    const bare = await openBareInserts(database)
    const rates = await interleave(
      context,
      {
        single: () => perSecond(singles, () => byCallers(connections, singles, () => post(jobsUrl, single))),
        inserts: () => perSecond(singles, () => byCallers(connections, singles, bare.insert)),
        bulk: () =>
          perSecond(bulkJobs, () =>
            byCallers(bulkCallers, bulkJobs / bulkSize, () => post(`${jobsUrl}/bulk`, bulk)),
          ),
        addJobs: () => addJobs(context),
      },
      { what: 'enqueue', warmUp: true },
    )
    await bare.close()
    await database.close()
    return [
      compare(
        { name: 'enqueue one by one', unit: 'jobs/s', better: 'higher' },
        { label: `POST /v1/jobs, ${connections} connections`, values: rates.single },
        { label: `INSERT by postgres.js, pool of ${poolSize}`, values: rates.inserts },
      ),
      compare(
        { name: `enqueue ${bulkSize} at a time`, unit: 'jobs/s', better: 'higher' },
        { label: `POST /v1/jobs/bulk, ${bulkCallers} connections`, values: rates.bulk },
        { label: `graphile-worker addJobs, in its process`, values: rates.addJobs },
      ),
    ]
  },
}

const single = JSON.stringify({ definitionKey: mark.key })
const bulk = JSON.stringify({ jobs: Array.from({ length: bulkSize }, () => ({ definitionKey: mark.key })) })

async function post(url: string, body: string): Promise<void> {
  const response = await fetch(url, {
    method: 'POST',
    body,
    headers: { 'content-type': 'application/json' },
  })
  const answer = await response.text()
  if (!response.ok) throw new Error(`the API answered ${response.status}: ${answer}`)
}

/** A table that could do no more than keep what was sent, its statement prepared. */
async function openBareInserts({ url }: BenchDatabase) {
  const sql = postgres(url, { max: poolSize, onnotice: () => {} })
  await sql`create table bare_jobs (id bigint generated always as identity primary key, payload jsonb not null)`
  return {
    insert: () => sql`insert into bare_jobs (payload) values (${sql.json({})})`,
    close: () => sql.end({ timeout: 1 }),
  }
}

async function addJobs({ stack }: BenchContext): Promise<number> {
  const order = { peer: 'graphileWorker', measure: 'enqueue', jobs: bulkJobs } as const
  return await stack.withDatabase(({ url }) => askRate(stack, { ...order, url }))
}
