import { beforeEach, expect, test } from 'vitest'
import { listDeadLetters, readDeadLetter } from '../../../../core/dead-letters/read.ts'
import { redrive, redriveMatching, redriveOne } from '../../../../core/dead-letters/redrive.ts'
import { beginning } from '../../../../core/events/cursor.ts'
import { readJobPage } from '../../../../core/events/read.ts'
import { newId } from '../../../../core/ids.ts'
import { cancel } from '../../../../core/queue/cancel.ts'
import { finish } from '../../../../core/queue/finish.ts'
import { readJob } from '../../../../core/queue/read.ts'
import { retryJob } from '../../../../core/queue/retry.ts'
import { readAdditions } from '../../../../core/videos/additions.ts'
import { testDatabase } from '../../../support/database.ts'
import { failedWith, testQueue } from '../../../support/queue.ts'

const { sql } = await testDatabase()
const queue = await testQueue(sql)

beforeEach(async () => {
  await sql`truncate job_server.jobs, job_server.dead_letters`
})

async function bury(errorCode = 'boom'): Promise<{ jobId: string; letterId: string }> {
  const jobId = await queue.enqueue({ params: { errorCode }, priority: 7 })
  const { lease } = await queue.claimOne()
  const details = { signal: 'SIGSEGV' }
  await finish(sql, [{ lease, end: { ...failedWith(errorCode), retry: false, details } }])
  const [letter] = await sql<{ id: string }[]>`
    select id from job_server.dead_letters where original_job_id = ${jobId}`
  return { jobId, letterId: letter?.id ?? '' }
}

test('a dead letter keeps what is needed to understand it and to run it again', async () => {
  const { jobId, letterId } = await bury()
  expect(await readDeadLetter(sql, letterId)).toMatchObject({
    originalJobId: jobId,
    params: { errorCode: 'boom' },
    priority: 7,
    attempts: 1,
    errorCode: 'boom',
    details: { signal: 'SIGSEGV' },
    redrivenJobId: null,
  })
  expect((await listDeadLetters(sql, {}, { limit: 10, offset: 0, total: true })).total).toBe(1)
})

test('redriving makes a new job with the old parameters; the old one stays as it was', async () => {
  const { jobId, letterId } = await bury()
  const [redriven] = await redrive(sql, [letterId], { maxAttempts: 9 })
  expect(redriven).toMatchObject({ deadLetterId: letterId, created: true })
  const job = await queue.claimOne()
  expect(job).toMatchObject({ params: { errorCode: 'boom' }, maxAttempts: 9, attempt: 1 })
  expect(job.lease.jobId).toBe(redriven?.jobId)
  expect(await readJob(sql, jobId)).toMatchObject({ status: 'failed' })
  expect(
    (await readJobPage(sql, { jobId, logs: false }, beginning, { items: 100, bytes: 1e6 })).items.at(-1),
  ).toMatchObject({
    eventType: 'redriven',
    payload: { jobId: job.lease.jobId },
  })
})

test('what is redriven, or retried after it was cancelled, adds to the video that the old one was to add to', async () => {
  const videoId = newId()
  const additionIds = async () => (await readAdditions(sql, videoId)).map((job) => job.jobId)
  const addTo = async (jobId: string) => {
    await sql`insert into job_server.video_additions (video_id, job_id) values (${videoId}, ${jobId})`
  }
  const { jobId, letterId } = await bury()
  await addTo(jobId)
  const [redriven] = await redrive(sql, [letterId])
  const cancelled = await queue.enqueue()
  await addTo(cancelled)
  await cancel(sql, cancelled)
  const retried = await retryJob(sql, cancelled)
  if (retried.kind !== 'retried') throw new Error(`the job is ${retried.kind}`)
  expect(await additionIds()).toEqual([jobId, redriven?.jobId, cancelled, retried.jobId])
})

test('however often and by however many a letter is redriven, it makes one job', async () => {
  const { letterId } = await bury()
  const answers = await Promise.all(Array.from({ length: 20 }, () => redrive(sql, [letterId])))
  expect(new Set(answers.flat().map(({ jobId }) => jobId)).size).toBe(1)
  expect(answers.flat().filter(({ created }) => created)).toHaveLength(1)
  expect(await queue.claim({ limit: 10 })).toHaveLength(1)
})

test('a letter whose job is gone is redriven afresh, once by however many', async () => {
  const { jobId, letterId } = await bury()
  const first = await redriveOne(sql, letterId)
  expect(await redriveOne(sql, letterId)).toEqual({ ...first, created: false })
  await sql`delete from job_server.jobs`
  const answers = await Promise.all(Array.from({ length: 20 }, () => redriveOne(sql, letterId)))
  expect(answers.filter((answer) => answer?.created)).toHaveLength(1)
  const [again, ...others] = new Set(answers.map((answer) => answer?.jobId))
  expect(others).toEqual([])
  expect(again).not.toBe(first?.jobId)
  expect(await retryJob(sql, jobId)).toEqual({
    ...{ kind: 'retried', jobId: again, status: 'queued', created: false },
  })
  expect(await readDeadLetter(sql, letterId)).toMatchObject({ redrivenJobId: again })
  expect(await queue.claim({ limit: 10 })).toHaveLength(1)
})

test('a letter whose job ended is not redriven again while anything is left of it', async () => {
  const { letterId } = await bury()
  const first = await redriveOne(sql, letterId)
  const { lease } = await queue.claimOne()
  await finish(sql, [{ lease, end: { ...failedWith('boom'), retry: false } }])
  const failed = { ...first, status: 'failed', created: false }
  expect(await redriveOne(sql, letterId)).toEqual(failed)
  await sql`delete from job_server.job_history where id = ${lease.jobId}`
  expect(await redriveOne(sql, letterId), 'its own letter is left').toEqual(failed)
  await sql`delete from job_server.dead_letters where original_job_id = ${lease.jobId}`
  expect(await redriveOne(sql, letterId)).toMatchObject({ status: 'queued', created: true })
})

test('many are redriven by what they have in common, each once', async () => {
  for (const code of ['disk_full', 'disk_full', 'bad_input']) await bury(code)
  expect(await redriveMatching(sql, { errorCode: 'disk_full' }, { limit: 100 })).toHaveLength(2)
  expect(await redriveMatching(sql, { errorCode: 'disk_full' }, { limit: 100 })).toEqual([])
  expect(await queue.claim({ limit: 10 })).toHaveLength(2)
})

test('those without a code can be asked for, and no others are taken', async () => {
  for (const code of ['disk_full', 'lost', 'lost']) await bury(code)
  await sql`update job_server.dead_letters set error_code = null where error_code = 'lost'`
  expect(await redriveMatching(sql, { errorCode: null }, { limit: 100 })).toHaveLength(2)
  expect(
    await listDeadLetters(sql, { redriven: false }, { limit: 10, offset: 0, total: true }),
  ).toMatchObject({
    jobs: [{ errorCode: 'disk_full' }],
    total: 1,
  })
})

test('more than a statement takes are redriven by one call, each once, and no more than asked for', async () => {
  const { letterId } = await bury()
  const columns = await sql<{ name: string }[]>`
    select quote_ident(attname) as name from pg_attribute
    where attrelid = 'job_server.dead_letters'::regclass and attnum > 0 and not attisdropped and attgenerated = ''
      and attname not in ('id', 'original_job_id')`
  const others = sql.unsafe(columns.map(({ name }) => name).join(', '))
  await sql`
    insert into job_server.dead_letters (id, original_job_id, ${others})
    select uuidv7(), uuidv7(), ${others} from job_server.dead_letters, generate_series(1, 2500)
    where id = ${letterId}`
  const redriven = await redriveMatching(sql, { errorCode: 'boom' }, { limit: 2300 })
  expect(new Set(redriven.map(({ jobId }) => jobId)).size).toBe(2300)
  expect(await redriveMatching(sql, {}, { limit: 100_000 })).toHaveLength(201)
  const [jobs] = await sql`select count(*)::int as count from job_server.jobs`
  expect(jobs).toEqual({ count: 2501 })
})

test('an unknown letter has no answer', async () => {
  expect(await redrive(sql, [newId()])).toEqual([])
})

test('a job that took its process down three times is a dead letter, whatever attempts it has left', async () => {
  const jobId = await queue.enqueue({ maxAttempts: 100 })
  for (let crash = 1; crash <= 3; crash++) {
    const { lease } = await queue.claimOne()
    await finish(sql, [{ lease, end: { ...failedWith('process_killed'), crashed: true } }])
  }
  expect(await readJob(sql, jobId)).toMatchObject({
    status: 'failed',
    attempts: 3,
    errorCode: 'process_killed',
  })
})
