/**
 * What there is of everything in a database after years, against an empty one: through a whole worker, by the queue's
 * verbs, and in the answers that dashboards and scrapers ask for.
 */
import { enqueue } from '../core/queue/enqueue.ts'
import { type Bench, type BenchContext, byCallers, interleave, perSecond } from './bench.ts'
import { type Load, seedLoad } from './big-load.ts'
import { type BenchDatabase, poolSize } from './database.ts'
import mark from './jobs/mark.ts'
import { compare, type Measurement } from './measurement.ts'
import { shortJobRate } from './short-jobs.ts'
import { batchSize, drain, enqueueBatches } from './verbs.ts'

const full: Load = { waiting: 1_000_000, finished: 10_000_000, delayed: 1_000_000 }
const shortJobs = 20_000
const singles = 1_000
const batched = 5_000
/** Of each round; the slowest counts. */
const asks = 10
const upkeepDeadlineMs = 120_000

/** What a dashboard and a scraper read while they are open. */
const asked = [
  '/v1/metrics',
  '/v1/metrics/definitions',
  '/v1/metrics/performance',
  '/v1/metrics/throughput?hours=168',
  '/v1/metrics/minutes?minutes=1440',
  '/v1/metrics/latency?minutes=10',
  '/v1/metrics/latency?minutes=60',
  '/metrics',
  '/v1/queues',
  '/v1/workers',
  '/v1/schedules',
  '/v1/dlq',
  '/v1/dlq?redriven=false',
  '/v1/dlq?redriven=false&limit=6&total=false',
  '/v1/dlq/groups',
  ...['', '&status=queued', '&status=running', '&status=failed', '&definitionKey=bench.short'].flatMap(
    (filter) => [
      `/v1/jobs?limit=100&total=false&lookAt=5000${filter}`,
      `/v1/jobs?limit=1&total=true&lookAt=10000${filter}`,
    ],
  ),
]

export const sizesBench: Bench = {
  name: 'sizes',
  about: '1,000,000 jobs that wait, 1,000,000 delayed and 10,000,000 finished, against an empty database',
  defaultRounds: 3,
  limitSeconds: 5400,
  async run(context) {
    const { stack, scale } = context
    const load: Load = {
      waiting: Math.ceil(full.waiting * scale),
      finished: Math.ceil(full.finished * scale),
      delayed: Math.ceil(full.delayed * scale),
    }
    const databases = { filled: await stack.openDatabase(), empty: await stack.openDatabase() }
    await seedLoad(databases.filled, load, context.onStep)
    const measurements = [
      ...(await throughWorker(context, databases)),
      ...(await byVerbs(context, databases)),
      ...(await inAnswers(context, databases)),
    ]
    for (const database of Object.values(databases)) await database.close()
    return measurements
  },
}

interface Databases {
  filled: BenchDatabase
  empty: BenchDatabase
}

const labels = { filled: 'filled database', empty: 'empty database' }

async function throughWorker(context: BenchContext, databases: Databases): Promise<Measurement[]> {
  const rate = (database: BenchDatabase) => shortJobRate(database, { jobs: shortJobs })
  const rates = await interleave(
    context,
    { filled: () => rate(databases.filled), empty: () => rate(databases.empty) },
    { what: 'jobs that do nothing', warmUp: true },
  )
  return [
    compare(
      { name: 'jobs that do nothing, through a worker', unit: 'jobs/s', better: 'about 1' },
      { label: labels.filled, values: rates.filled },
      { label: labels.empty, values: rates.empty },
    ),
  ]
}

async function byVerbs(context: BenchContext, databases: Databases): Promise<Measurement[]> {
  const pass = async (database: BenchDatabase) => {
    const single = () => enqueue(database.sql, { definitionKey: mark.key })
    return {
      single: await perSecond(singles, () => byCallers(poolSize, singles, single)),
      claimTen: await perSecond(singles, () => drain(database, singles, 10)),
      batch: await perSecond(batched, () => enqueueBatches(database, batched)),
      claimHundred: await perSecond(batched, () => drain(database, batched, 100)),
    }
  }
  const { filled, empty } = await interleave(
    context,
    { filled: () => pass(databases.filled), empty: () => pass(databases.empty) },
    { what: "the queue's verbs", warmUp: true },
  )
  const against = (name: string, rate: keyof (typeof filled)[number]) =>
    compare(
      { name, unit: 'jobs/s', better: 'about 1' },
      { label: labels.filled, values: filled.map((rates) => rates[rate]) },
      { label: labels.empty, values: empty.map((rates) => rates[rate]) },
    )
  return [
    against(`enqueue one by one, ${poolSize} callers at once`, 'single'),
    against(`enqueue in batches of ${batchSize}`, 'batch'),
    against('claim and finish in batches of 10', 'claimTen'),
    against('claim and finish in batches of 100', 'claimHundred'),
  ]
}

/**
 * One request after the other, each to its last byte: no statement of it can have taken longer. A scheduler does its
 * upkeep meanwhile, which counts the jobs that are not finished, and has added up the ends of the rounds before.
 */
async function inAnswers(context: BenchContext, databases: Databases): Promise<Measurement[]> {
  for (const database of Object.values(databases)) {
    await database.startScheduler()
    await untilKeptUp(database)
  }
  const urls = {
    filled: (await databases.filled.startApi()).url,
    empty: (await databases.empty.startApi()).url,
  }
  const pass = async (url: string) => {
    const slowest = new Map<string, number>()
    for (const path of asked) slowest.set(path, await slowestAnswer(`${url}${path}`))
    return slowest
  }
  const { filled, empty } = await interleave(
    context,
    { filled: () => pass(urls.filled), empty: () => pass(urls.empty) },
    { what: 'answers', warmUp: true },
  )
  return asked.map((path) =>
    compare(
      { name: `GET ${path}, the slowest of ${asks}`, unit: 'ms', better: 'lower' },
      { label: labels.filled, values: filled.map((slowest) => slowest.get(path) ?? Number.NaN) },
      { label: labels.empty, values: empty.map((slowest) => slowest.get(path) ?? Number.NaN) },
    ),
  )
}

async function untilKeptUp({ sql }: BenchDatabase): Promise<void> {
  const end = performance.now() + upkeepDeadlineMs
  for (;;) {
    const done = await sql`
      select from job_server.upkeep_duties
      where name = 'live-count' and last_outcome is not null and running_until is null
        and not exists (select from job_server.end_tallies) and not exists (select from job_server.claim_tallies)`
    if (done.length > 0) return
    if (performance.now() > end) throw new Error('the scheduler did not come to an end with its upkeep')
    await Bun.sleep(100)
  }
}

/** @returns milliseconds */
async function slowestAnswer(url: string): Promise<number> {
  let slowest = 0
  for (let count = 0; count < asks; count++) {
    const askedAt = performance.now()
    const response = await fetch(url)
    const answer = await response.text()
    if (!response.ok) throw new Error(`GET ${url} answered ${response.status}: ${answer}`)
    slowest = Math.max(slowest, performance.now() - askedAt)
  }
  return slowest
}
