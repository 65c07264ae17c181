import { expect, test } from 'vitest'
import { z } from 'zod'
import { defineJob, type JobContext } from '../../../../core/job.ts'
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

test('parameters that the definition does not take are a failure', async () => {
  expect((await runJob(batch, { items: [] })).outcome).toMatchObject({ kind: 'failed' })
})

test.each<[string, (context: JobContext) => unknown]>([
  ['a name with a blank', (context) => context.storage.upload('nothing', { name: 'a b', contentType: '' })],
  ['a time in the past', (context) => context.snooze(-1)],
  ['no number of seconds', (context) => context.retryIn(Number.NaN)],
  ['an event without a type', (context) => context.event('')],
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
