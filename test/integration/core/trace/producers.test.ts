import { beforeEach, expect, test } from 'vitest'
import { redrive } from '../../../../core/dead-letters/redrive.ts'
import { enqueue, enqueueMany } from '../../../../core/queue/enqueue.ts'
import { finish } from '../../../../core/queue/finish.ts'
import { readJob } from '../../../../core/queue/read.ts'
import { fireDue } from '../../../../core/schedules/fire-due.ts'
import { parseTrace } from '../../../../core/trace/context.ts'
import { inScope } from '../../../../core/trace/scope.ts'
import { createTracer, type EndedSpan } from '../../../../core/trace/tracer.ts'
import { testClock } from '../../../support/clock.ts'
import { failedWith, testQueue } from '../../../support/queue.ts'
import { testSchedule } from '../../../support/schedules.ts'

const { sql, set } = await testClock('2026-01-01T00:30:00Z')
const queue = await testQueue(sql)

const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'
const context = parseTrace(traceparent)
let spans: EndedSpan[] = []
const tracer = createTracer(
  () => true,
  (span) => spans.push(span),
)

beforeEach(() => {
  spans = []
})

function within<Result>(run: () => Result): Result {
  return inScope({ tracer, context }, run)
}

/** What the job carries. */
async function carried(): Promise<(string | null)[]> {
  const jobs = await queue.claim({ limit: 100 })
  await finish(
    sql,
    jobs.map(({ lease }) => ({ lease, end: { kind: 'succeeded', result: null } })),
  )
  return jobs.map((job) => job.traceparent)
}

function written({ context: { traceId, spanId } }: EndedSpan): string {
  return `00-${traceId}-${spanId}-01`
}

test('a job belongs to the span of its enqueue, and to it still when it has ended', async () => {
  const { job } = await within(() => enqueue(sql, { definitionKey: 'test', queue: 'default' }))
  const [span] = spans
  if (span === undefined) throw new Error('there is no span')
  expect(span).toMatchObject({
    name: 'enqueue test',
    parentId: context?.spanId,
    attributes: { 'messaging.message.id': job.id, 'messaging.destination.name': 'default' },
  })
  expect(await carried()).toEqual([written(span)])
  expect(await readJob(sql, job.id)).toMatchObject({ status: 'succeeded', traceId: context?.traceId })
})

test('jobs enqueued together share one', async () => {
  await within(() => enqueueMany(sql, [{ definitionKey: 'test' }, { definitionKey: 'test' }]))
  expect(spans).toMatchObject([{ name: 'enqueue test', attributes: { 'messaging.batch.message_count': 2 } }])
  expect(new Set(await carried()).size).toBe(1)
})

test('one that comes with a trace keeps it, and one from outside any has none', async () => {
  const trace = { traceparent: traceparent.replace('0af7', 'ffff') }
  await within(() => enqueue(sql, { definitionKey: 'test', trace }))
  await enqueue(sql, { definitionKey: 'test' })
  expect(await carried()).toEqual([trace.traceparent, null])
  expect(spans).toEqual([])
})

test('an enqueue that is refused says why in its code alone', async () => {
  const unknown = within(() => enqueue(sql, { definitionKey: 'unknown' }))
  await expect(unknown).rejects.toThrow('unknown')
  expect(spans).toMatchObject([{ name: 'enqueue unknown', error: 'definition_not_found' }])
})

test('a redriven job belongs to the trace of who redrove it', async () => {
  await queue.enqueue({ maxAttempts: 1 })
  const { lease } = await queue.claimOne()
  await finish(sql, [{ lease, end: failedWith('broken') }])
  const [letter] = await sql<{ id: string }[]>`select id from job_server.dead_letters`
  await within(() => redrive(sql, [letter?.id ?? '']))
  expect(spans).toMatchObject([{ name: 'redrive', parentId: context?.spanId }])
  expect(await carried()).toEqual(spans.map(written))
})

test('each time of a schedule begins a trace of its own', async () => {
  const schedules = [
    await testSchedule(sql, { name: 'hourly', expression: '0 * * * *' }),
    await testSchedule(sql, { name: 'hourly too', expression: '0 * * * *' }),
  ]
  await set('2026-01-01T01:00:00Z')
  await inScope({ tracer, context: null }, () => fireDue(sql))
  expect(spans.map(({ name }) => name).sort()).toEqual(['fire hourly', 'fire hourly too'])
  expect(spans.map(({ parentId }) => parentId)).toEqual([null, null])
  expect(new Set(spans.map((span) => span.context.traceId)).size).toBe(2)
  const fires = (await Promise.all(schedules.map(({ fires: read }) => read()))).flat()
  expect(spans.map(({ attributes }) => attributes['messaging.message.id']).sort()).toEqual(
    fires.map(({ jobId }) => jobId).sort(),
  )
  expect((await carried()).sort()).toEqual(spans.map(written).sort())
})
