/** The queue's verbs over a test database, spoken shortly. */
import type { Pool } from '../../core/db.ts'
import type { DefinitionRecord } from '../../core/definitions/discover.ts'
import { registerDefinitions } from '../../core/definitions/register.ts'
import { type ClaimedJob, claim } from '../../core/queue/claim.ts'
import { type EnqueueInput, enqueue } from '../../core/queue/enqueue.ts'
import type { End } from '../../core/queue/finish.ts'

const anything: DefinitionRecord = {
  file: '/nowhere/test.ts',
  key: 'test',
  version: 1,
  queue: 'default',
  maxAttempts: 3,
  timeoutSeconds: 60,
  concurrencyLimit: null,
  concurrencyKeyLimit: 1,
  rateLimit: null,
  backoff: { baseSeconds: 0, factor: 1, maxSeconds: 0 },
  memoryLimitMb: 4096,
  scratchLimitMb: 1024,
  logLimitBytes: 1_048_576,
  nice: 0,
  runsPerProcess: 1,
  hasChildren: false,
  schedule: null,
  hooks: [],
  hooksFile: null,
  paramsSchema: {},
}

/** An end that will be tried again at once, while attempts are left. */
export function failedWith(errorCode: string) {
  return {
    kind: 'failed',
    outcome: 'threw',
    errorCode,
    message: `It went ${errorCode}.`,
    retry: true,
    retryInSeconds: 0,
    crashed: false,
  } satisfies End
}

export interface TestQueue {
  definitions: DefinitionRecord[]
  /** Enqueues a job of the first definition and gives its id. */
  enqueue(input?: Partial<EnqueueInput>): Promise<string>
  /** Limited definitions are looked at too. */
  claim(options?: {
    workerId?: string
    limit?: number
    queues?: string[]
    leaseSeconds?: number
  }): Promise<ClaimedJob[]>
  /** @throws when nothing is there to claim */
  claimOne(workerId?: string): Promise<ClaimedJob>
  /** As if the owner of every running job had been silent for too long. */
  expireLeases(): Promise<void>
}

/** @param overrides definitions to register, each on top of `anything` */
export async function testQueue(sql: Pool, ...overrides: Partial<DefinitionRecord>[]): Promise<TestQueue> {
  const definitions = (overrides.length === 0 ? [{}] : overrides).map((override) => ({
    ...anything,
    ...override,
  }))
  await registerDefinitions(sql, definitions)
  const [first] = definitions
  const claimJobs: TestQueue['claim'] = async (options = {}) =>
    await claim(
      sql,
      { workerId: 'w1', limit: 1, queues: [], leaseSeconds: 60, definitions, ...options },
      { limited: true },
    )
  return {
    definitions,
    enqueue: async (input = {}) => {
      const { job } = await enqueue(sql, { definitionKey: first?.key ?? '', ...input })
      return job.id
    },
    claim: claimJobs,
    claimOne: async (workerId = 'w1') => {
      const [job] = await claimJobs({ workerId })
      if (job === undefined) throw new Error('there is nothing to claim')
      return job
    },
    expireLeases: async () => {
      await sql`update job_server.jobs set lease_expires_at = now() - interval '1 second' where state = 'running'`
    },
  }
}
