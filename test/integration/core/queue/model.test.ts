/**
 * The state machine against a model: random interleavings of what several workers and clients do, those with stale
 * leases among them. After each step the database must say what the model says.
 */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { FinalStatus } from '../../../../core/job-state.ts'
import { cancel } from '../../../../core/queue/cancel.ts'
import { type End, finish, rescue } from '../../../../core/queue/finish.ts'
import { heartbeat } from '../../../../core/queue/heartbeat.ts'
import { readAttempts, readJob } from '../../../../core/queue/read.ts'
import type { Lease } from '../../../../core/queue/row.ts'
import { stage } from '../../../../core/queue/stage.ts'
import { testDatabase } from '../../../support/database.ts'
import { failedWith, testQueue } from '../../../support/queue.ts'

const { sql } = await testDatabase()
const queue = await testQueue(sql)
const maxAttempts = 4
const crashLimit = 3

interface ModelJob {
  id: string
  state: 'scheduled' | 'ready' | 'running' | FinalStatus
  attempts: number
  crashes: number
  cancelling: boolean
  /** Of the attempt that runs. */
  epoch: string | null
  /** Outcomes of ended attempts, oldest first. */
  outcomes: string[]
}

type EndName = 'success' | 'failure' | 'crash' | 'for good' | 'later' | 'snooze' | 'interrupt'
const ends: Record<EndName, End> = {
  success: { kind: 'succeeded', result: { done: true } },
  failure: failedWith('x'),
  crash: { ...failedWith('x'), crashed: true },
  'for good': { ...failedWith('x'), retry: false },
  later: { ...failedWith('x'), retryInSeconds: 1000 },
  snooze: { kind: 'snoozed', seconds: 1000 },
  interrupt: { kind: 'interrupted' },
}

type Action =
  | { kind: 'enqueue'; delayed: boolean }
  | { kind: 'claim'; limit: number }
  | { kind: 'end'; which: number; end: EndName }
  | { kind: 'beat' }
  | { kind: 'cancel'; which: number }
  | { kind: 'go silent'; which: number }
  | { kind: 'rescue' }
  | { kind: 'time passes' }

/** Counted from the newest, and mostly it. */
const which = fc.oneof(fc.constant(0), fc.nat({ max: 5 }), fc.nat({ max: 1000 }))
const action: fc.Arbitrary<Action> = fc.oneof(
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('enqueue' as const), delayed: fc.boolean() }) },
  {
    weight: 4,
    arbitrary: fc.record({ kind: fc.constant('claim' as const), limit: fc.integer({ min: 1, max: 3 }) }),
  },
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant('end' as const),
      which,
      end: fc.constantFrom(...(Object.keys(ends) as EndName[])),
    }),
  },
  { weight: 1, arbitrary: fc.constant({ kind: 'beat' as const }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('cancel' as const), which }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('go silent' as const), which }) },
  { weight: 2, arbitrary: fc.constant({ kind: 'rescue' as const }) },
  { weight: 2, arbitrary: fc.constant({ kind: 'time passes' as const }) },
)

class Model {
  readonly jobs: ModelJob[] = []
  /** Every lease ever given, stale ones too. */
  readonly leases: Lease[] = []
  readonly silent = new Set<string>()

  held(lease: Lease): ModelJob | undefined {
    return this.jobs.find(({ id, epoch }) => id === lease.jobId && epoch === lease.epoch)
  }

  end(job: ModelJob, end: End, outcome: string): void {
    const failed = end.kind === 'failed'
    if (failed && end.crashed) job.crashes++
    job.epoch = null
    if (job.cancelling) job.state = 'cancelled'
    else if (end.kind === 'succeeded') job.state = 'succeeded'
    else if (!failed) {
      job.attempts--
      if (end.kind === 'snoozed') job.crashes = 0
      job.state = end.kind === 'snoozed' ? 'scheduled' : 'ready'
    } else if (end.retry && job.attempts < maxAttempts && job.crashes < crashLimit) {
      job.state = end.retryInSeconds > 0 ? 'scheduled' : 'ready'
    } else job.state = 'failed'
    job.outcomes.push(job.state === 'cancelled' ? 'cancelled' : outcome)
  }
}

async function perform(model: Model, action: Action): Promise<void> {
  switch (action.kind) {
    case 'enqueue': {
      const id = await queue.enqueue({ maxAttempts, ...(action.delayed ? { delaySeconds: 1000 } : {}) })
      const state = action.delayed ? 'scheduled' : 'ready'
      model.jobs.push({ id, state, attempts: 0, crashes: 0, cancelling: false, epoch: null, outcomes: [] })
      return
    }
    case 'claim': {
      const claimed = await queue.claim({ limit: action.limit })
      const ready = model.jobs.filter(({ state }) => state === 'ready')
      expect(claimed).toHaveLength(Math.min(action.limit, ready.length))
      for (const { lease, attempt } of claimed) {
        const job = ready.find(({ id }) => id === lease.jobId)
        if (job === undefined) throw new Error(`${lease.jobId} was claimed but was not ready`)
        job.state = 'running'
        job.attempts++
        job.epoch = lease.epoch
        expect(attempt).toBe(job.attempts)
        expect(model.leases.map(({ epoch }) => epoch)).not.toContain(lease.epoch)
        model.leases.push(lease)
      }
      return
    }
    case 'end': {
      const lease = pick(model.leases, action.which)
      if (lease === undefined) return
      const job = model.held(lease)
      const end = ends[action.end]
      const { finished } = await finish(sql, [{ lease, end }])
      if (job === undefined) return
      model.end(job, end, end.kind === 'failed' ? end.outcome : end.kind)
      const status = job.state === 'ready' || job.state === 'scheduled' ? 'queued' : job.state
      expect(finished).toMatchObject([{ lease, status }])
      return
    }
    case 'beat': {
      const { lost, cancelling } = await heartbeat(sql, model.leases, { leaseSeconds: 60 })
      const jobOf = (lease: Lease) => model.held(lease)
      expect(byEpoch(lost)).toEqual(byEpoch(model.leases.filter((lease) => jobOf(lease) === undefined)))
      expect(byEpoch(cancelling)).toEqual(byEpoch(model.leases.filter((lease) => jobOf(lease)?.cancelling)))
      model.silent.clear()
      return
    }
    case 'cancel': {
      const job = pick(model.jobs, action.which)
      if (job === undefined) return
      const outcome = await cancel(sql, job.id)
      if (job.state === 'running') {
        expect(outcome).toEqual({ kind: 'cancelling' })
        job.cancelling = true
      } else if (job.state === 'ready' || job.state === 'scheduled') {
        expect(outcome).toEqual({ kind: 'cancelled' })
        job.state = 'cancelled'
      } else expect(outcome).toEqual({ kind: 'already_finished', status: job.state })
      return
    }
    case 'go silent': {
      const lease = pick(model.leases, action.which)
      if (lease === undefined) return
      await sql`
        update job_server.jobs set lease_expires_at = now() - interval '1 second'
        where id = ${lease.jobId} and lease_epoch = ${lease.epoch}`
      if (model.held(lease) !== undefined) model.silent.add(lease.epoch)
      return
    }
    case 'rescue': {
      await rescue(sql, { limit: 1000 })
      for (const job of model.jobs) {
        if (job.epoch !== null && model.silent.has(job.epoch)) model.end(job, ends.crash, 'lease_expired')
      }
      model.silent.clear()
      return
    }
    case 'time passes': {
      await sql`update job_server.jobs set scheduled_at = now() where state = 'scheduled'`
      await stage(sql, { limit: 1000 })
      for (const job of model.jobs) if (job.state === 'scheduled') job.state = 'ready'
      return
    }
  }
}

async function agree(model: Model): Promise<void> {
  for (const job of model.jobs) {
    const status =
      job.state === 'ready' || job.state === 'scheduled'
        ? 'queued'
        : job.state === 'running' && job.cancelling
          ? 'cancelling'
          : job.state
    expect(await readJob(sql, job.id)).toMatchObject({ status, attempts: job.attempts })
    expect((await readAttempts(sql, job.id)).map(({ outcome }) => outcome)).toEqual(job.outcomes)
  }
  // Nothing but the jobs we know of, each in one place.
  const [row] = await sql<{ live: number; letters: number }[]>`
    select
      (select count(*) from job_server.jobs)::int as live,
      (select count(*) from job_server.dead_letters where redriven_at is null)::int as letters`
  const isLive = ({ state }: ModelJob) => ['scheduled', 'ready', 'running'].includes(state)
  expect(row).toEqual({
    live: model.jobs.filter(isLive).length,
    letters: model.jobs.filter(({ state }) => state === 'failed').length,
  })
}

test('whatever workers and clients do, in whatever order, jobs are where the model says', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(action, { minLength: 1, maxLength: 60, size: 'max' }), async (actions) => {
      await sql`truncate job_server.jobs, job_server.dead_letters`
      const model = new Model()
      for (const next of actions) await perform(model, next)
      await agree(model)
    }),
    { numRuns: 60 },
  )
})

function pick<Item>(items: Item[], which: number): Item | undefined {
  return items.at(-1 - (which % Math.max(1, items.length)))
}

function byEpoch(leases: Lease[]): Lease[] {
  return [...leases].sort((a, b) => Number(a.epoch) - Number(b.epoch))
}
