import { expect, test } from 'vitest'
import { z } from 'zod'
import { defineJob, type JobContext, JobError } from '../../../../core/job.ts'
import { runJob } from '../../../../core/testing/run-job.ts'
import batch from '../../../../jobs/process.batch.ts'

test('what a job did is given back', async () => {
  const run = await runJob(batch, { items: ['a', 'b', 'c'], batchSize: 2 })
  expect(run.outcome).toMatchObject({ kind: 'succeeded', result: { processed: 3, batches: 2 } })
  expect(run.progress.at(-1)).toMatchObject({ percent: 100 })
  expect(run.checkpoint).toEqual({ digests: [expect.any(String), expect.any(String), expect.any(String)] })
})

test('an attempt goes on from the checkpoint of an earlier one', async () => {
  const digests = ['of an earlier attempt']
  const run = await runJob(batch, { items: ['a', 'b'] }, { attempt: 2, checkpoint: { digests } })
  expect(run.outcome).toMatchObject({ result: { digests: ['of an earlier attempt', expect.any(String)] } })
})

const moody = defineJob({
  key: 'moody',
  params: z.object({ mood: z.enum(['fail', 'retry', 'snooze', 'wait', 'throw', 'copy']) }),
  async run({ mood }, context) {
    context.log.info('in the mood', { mood })
    switch (mood) {
      case 'fail':
        return context.fail('No.', { retry: false, code: 'unwilling' })
      case 'retry':
        return context.retryIn(7)
      case 'snooze':
        return context.snooze(60)
      case 'wait':
        return context.enqueueChildren([{ definitionKey: 'child' }])
      case 'throw':
        throw new Error('just so')
      case 'copy': {
        const path = `${context.scratchDirectory}/copy`
        await context.storage.download('original', path)
        return await context.storage.upload(path, { name: 'copy', contentType: 'text/plain' })
      }
    }
  },
})

test.each([
  ['fail', { kind: 'failed', errorCode: 'unwilling', message: 'No.', retry: false }],
  ['retry', { kind: 'failed', errorCode: 'retry_in', retry: true, retryInSeconds: 7 }],
  ['snooze', { kind: 'snoozed', seconds: 60 }],
  ['wait', { kind: 'waits', children: [{ definitionKey: 'child' }], onFailure: 'fail' }],
  ['throw', { kind: 'failed', errorCode: 'threw', message: 'just so', retry: true }],
] as const)('a job that wants to %s', async (mood, outcome) => {
  const run = await runJob(moody, { mood })
  expect(run.outcome).toMatchObject(outcome)
  expect(run.logs).toEqual([{ level: 'info', text: 'in the mood', fields: { mood } }])
})

test('storage is what the test puts into it', async () => {
  const { outcome, objects } = await runJob(moody, { mood: 'copy' }, { objects: { original: 'bytes' } })
  expect(outcome).toMatchObject({ result: { key: 'outputs/copy', sizeBytes: 5 } })
  expect(Buffer.from(objects.get('outputs/copy') ?? []).toString()).toBe('bytes')
  expect((await runJob(moody, { mood: 'copy' })).outcome).toMatchObject({ errorCode: 'source_missing' })
})

test('parameters that the definition does not take are a failure that no other attempt follows', async () => {
  const { outcome } = await runJob(batch, { items: [] })
  expect(outcome).toMatchObject({ kind: 'failed', errorCode: 'invalid_params', retry: false })
})

test.each<[string, (context: JobContext) => unknown]>([
  ['a name with a blank', (context) => context.storage.upload('nothing', { name: 'a b', contentType: '' })],
  ['a time in the past', (context) => context.snooze(-1)],
  ['no number of seconds', (context) => context.retryIn(Number.NaN)],
  ['an event without a type', (context) => context.event('')],
  ['a number as progress', (context) => context.progress(50 as never)],
  ['a list as payload', (context) => context.event('told', [] as never)],
  ['nothing as a checkpoint', (context) => context.saveCheckpoint(undefined as never)],
])('%s is refused as a worker refuses it', async (_what, run) => {
  const careless = defineJob({
    key: 'careless',
    params: z.object({}),
    run: (_params, context) => run(context),
  })
  expect((await runJob(careless, {})).outcome).toMatchObject({
    kind: 'failed',
    errorCode: 'threw',
    message: expect.stringMatching(/^expected /),
  })
})

test.each<[string, (context: JobContext) => unknown, object]>([
  ['children without an onChildren', ({ attempt }) => attempt, { errorCode: 'no_on_children', retry: false }],
  ['a bigint', () => 5n, { errorCode: 'unserialisable_result', retry: false }],
  ['9 MB', () => 'x'.repeat(9e6), { errorCode: 'result_too_large', retry: false }],
  [
    'an event of 1 MB',
    (context) => context.event('large', { text: 'x'.repeat(1e6) }),
    { errorCode: 'report_too_large', retry: false },
  ],
  ['what is no time', (context) => retryIn(Number.NaN, context), { errorCode: 'busy', retry: true }],
])('%s is a failure as a worker has it', async (what, run, outcome) => {
  const job = defineJob({ key: 'job', params: z.object({}), run: (_params, context) => run(context) })
  const children = what.startsWith('children') ? { children: [] } : {}
  const failed = await runJob(job, {}, children)
  expect(failed.outcome).toMatchObject({ kind: 'failed', ...outcome })
})

function retryIn(seconds: number, { log }: JobContext): never {
  log.error('before', new Error('with its text') as never)
  throw new JobError('busy', 'No slot.', { retryInSeconds: seconds })
}

test('a job gets what JSON makes of its parameters', async () => {
  const dated = defineJob({
    key: 'dated',
    params: z.object({ at: z.coerce.date(), note: z.unknown() }),
    run: ({ at, note }) => ({ at: at instanceof Date, note: typeof note }),
  })
  const { outcome } = await runJob(dated, { at: new Date(0), note: new Date(0) })
  expect(outcome).toEqual({ kind: 'succeeded', result: { at: true, note: 'string' } })
})

test('the backoff function of the definition is asked', async () => {
  const job = defineJob({
    key: 'job',
    params: z.object({}),
    backoff: (attempt, error) => attempt * error.message.length,
    run() {
      throw new Error('four')
    },
  })
  expect((await runJob(job, {}, { attempt: 3 })).outcome).toMatchObject({ retryInSeconds: 12 })
})
