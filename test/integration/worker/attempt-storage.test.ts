import { createHash, randomBytes } from 'node:crypto'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { afterAll, beforeEach, expect, test } from 'vitest'
import { newId } from '../../../core/ids.ts'
import { JobError } from '../../../core/job.ts'
import type { ClaimedJob } from '../../../core/queue/claim.ts'
import { sourceKey } from '../../../core/storage/keys.ts'
import { removeStrayParts } from '../../../core/storage/output-parts.ts'
import { AttemptStorage } from '../../../worker/attempt-storage.ts'
import { type Ask, createChildStorage } from '../../../worker/child-storage.ts'
import { testDatabase } from '../../support/database.ts'
import { openMultiparts } from '../../support/leftovers.ts'
import { testQueue } from '../../support/queue.ts'
import { testStorage } from '../../support/storage.ts'

const { sql } = await testDatabase()
const bucket = await testStorage()
const { storage, keys } = bucket
const queue = await testQueue(sql)
const directory = await mkdtemp(join(tmpdir(), 'job-server-attempt-storage-'))
afterAll(() => rm(directory, { recursive: true, force: true }))

const partSizeBytes = 5 * 1024 ** 2
const sizes = { singlePutBytes: partSizeBytes, partSizeBytes }
const stray = { linkSeconds: 0, limit: 10 }
const video = { name: 'video.mp4', contentType: 'video/mp4' }

beforeEach(async () => {
  await sql`truncate job_server.jobs`
  await removeStrayParts(sql, storage, stray)
  for (const key of await keys()) await storage.remove(key)
})

/** Both ends of an attempt's storage, without the socket between. */
async function openAttempt(): Promise<{ job: ClaimedJob; ours: AttemptStorage; ask: Ask }> {
  await queue.enqueue()
  const job = await queue.claimOne()
  const ours = new AttemptStorage(sql, storage, job, sizes)
  const ask: Ask = async (operation) => {
    const answer = await ours.perform({ type: 'storage', run: 1, request: 1, operation })
    if (answer.type === 'refused') throw new JobError(answer.code, answer.message, { retry: answer.retry })
    if (answer.type === 'run' || answer.type === 'abort' || answer.type === 'enqueued')
      throw new Error(`answered ${answer.type}`)
    return answer
  }
  return { job, ours, ask }
}

const childStorage = (ask: Ask) => createChildStorage(ask, new AbortController().signal, 30, [10, 10])

async function fileOf(sizeBytes: number): Promise<{ path: string; sha256: string; bytes: Buffer }> {
  const bytes = randomBytes(sizeBytes)
  const path = join(directory, String(sizeBytes))
  await writeFile(path, bytes)
  return { path, bytes, sha256: createHash('sha256').update(bytes).digest('hex') }
}

test.each([
  { what: 'an empty file', sizeBytes: 0, parts: 0 },
  { what: 'what fits into one request', sizeBytes: partSizeBytes, parts: 0 },
  { what: 'a byte more than that', sizeBytes: partSizeBytes + 1, parts: 2 },
  { what: 'exactly two parts', sizeBytes: 2 * partSizeBytes, parts: 2 },
])('$what is stored whole, with the hash of what was sent', async ({ sizeBytes, parts }) => {
  const { job, ours, ask } = await openAttempt()
  const { path, bytes, sha256 } = await fileOf(sizeBytes)
  let asked = 0
  const stored = await childStorage((operation) => {
    if (operation.kind === 'part') asked++
    return ask(operation)
  }).upload(path, video)
  const key = `outputs/${job.lease.jobId}/${job.lease.epoch}/video.mp4`
  expect(stored).toEqual({ key, sizeBytes, sha256 })
  expect(asked).toBe(parts)
  const object = await storage.get(key)
  if (object === null || object === 'unsatisfiable') throw new Error('there is no object')
  expect(object.contentType).toBe('video/mp4')
  expect(bytes.equals(await new Response(object.body).bytes())).toBe(true)
  expect(ours.hasOpenParts).toBe(false)
  expect(await openMultiparts(bucket)).toEqual([])
  expect(await sql`select from job_server.output_parts`).toHaveLength(0)
})

/** A place in storage that can be read from, with so many bytes there. */
async function readable(sizeBytes: number): Promise<{ ask: Ask; bytes: Buffer }> {
  const { path, bytes } = await fileOf(sizeBytes)
  const { ask } = await openAttempt()
  const { key } = await childStorage(ask).upload(path, video)
  const url = await storage.presignGet(key, { expiresInSeconds: 60, audience: 'job' })
  return { bytes, ask: async () => ({ type: 'presigned', request: 1, url, key }) }
}

test.each([0, 1, 3 * 1024 ** 2 + 1])(
  '%i bytes are downloaded in the place of a longer file',
  async (size) => {
    const { ask, bytes } = await readable(size)
    const path = join(directory, 'downloaded')
    await writeFile(path, randomBytes(4 * 1024 ** 2))
    expect(await childStorage(ask).download('any', path)).toEqual({ sizeBytes: size })
    expect(bytes.equals(await readFile(path))).toBe(true)
  },
)

test('a download for which there is no room fails', async () => {
  const { ask } = await readable(3 * 1024 ** 2)
  const download = childStorage(ask).download('any', '/dev/full')
  await expect(download).rejects.toMatchObject({ code: 'storage_unavailable', retry: true })
})

/** The second part goes astray, so many times. */
function astray(ask: Ask, times: number): Ask {
  let failures = 0
  return async (operation) => {
    const granted = await ask(operation)
    if (operation.kind !== 'part' || operation.partNumber !== 2 || ++failures > times) return granted
    return granted.type === 'presigned' ? { ...granted, url: `${granted.url}0` } : granted
  }
}

test('a part that fails is sent again, and counts once in the hash', async () => {
  const { ask } = await openAttempt()
  const { path, sha256 } = await fileOf(2 * partSizeBytes + 1)
  expect(await childStorage(astray(ask, 1)).upload(path, video)).toMatchObject({ sha256 })
})

test('an output of which a part never arrives is no object, and leaves no part behind', async () => {
  const { ours, ask } = await openAttempt()
  const { path } = await fileOf(2 * partSizeBytes)
  await expect(childStorage(astray(ask, 3)).upload(path, video)).rejects.toMatchObject({
    code: 'storage_unavailable',
    retry: true,
  })
  expect(await openMultiparts(bucket)).toHaveLength(1)
  await ours.removeMine()
  expect(await keys()).toEqual([])
  expect(await openMultiparts(bucket)).toEqual([])
})

test('a job that gave up one large output and wrote another keeps that one alone', async () => {
  const { ours, ask } = await openAttempt()
  const { path } = await fileOf(2 * partSizeBytes)
  await childStorage(astray(ask, 3))
    .upload(path, video)
    .catch(() => {})
  const { key } = await childStorage(ask).upload(path, { ...video, name: 'other.mp4' })
  expect(ours.hasOpenParts).toBe(true)
  await ours.keepOnlyMine()
  expect(await keys()).toEqual([key])
  expect(await openMultiparts(bucket)).toEqual([])
})

test('what is not whole can not be joined', async () => {
  const { ask } = await openAttempt()
  const granted = await ask({ kind: 'put', ...video, sizeBytes: 2 * partSizeBytes })
  if (granted.type !== 'in_parts') throw new Error('it goes in one request')
  await expect(ask({ kind: 'join', multipartId: granted.multipartId })).rejects.toThrow(
    `0 of ${2 * partSizeBytes} bytes have arrived`,
  )
})

test('parts of another attempt can be neither written nor joined', async () => {
  const { ask: first } = await openAttempt()
  const granted = await first({ kind: 'put', ...video, sizeBytes: 2 * partSizeBytes })
  if (granted.type !== 'in_parts') throw new Error('it goes in one request')
  const { multipartId } = granted
  const { ask: second } = await openAttempt()
  await expect(
    second({ kind: 'part', multipartId, partNumber: 1, sizeBytes: partSizeBytes }),
  ).rejects.toMatchObject({ code: 'object_not_allowed', retry: false })
  await expect(second({ kind: 'join', multipartId })).rejects.toMatchObject({ code: 'object_not_allowed' })
})

test('parts of an attempt whose worker died go once their links are dead, those of a living one stay', async () => {
  const { ask } = await openAttempt()
  await ask({ kind: 'put', ...video, sizeBytes: 2 * partSizeBytes })
  expect(await removeStrayParts(sql, storage, stray)).toBe(0)
  await sql`delete from job_server.jobs`
  expect(await removeStrayParts(sql, storage, { ...stray, linkSeconds: 3600 })).toBe(0)
  expect(await openMultiparts(bucket)).toHaveLength(1)
  expect(await removeStrayParts(sql, storage, stray)).toBe(1)
  expect(await openMultiparts(bucket)).toEqual([])
  expect(await sql`select from job_server.output_parts`).toHaveLength(0)
})

test.each([
  { contentType: 'video/mp4', status: 'errored', left: 0 },
  { contentType: 'image/png', status: 'completed', left: 1 },
])(
  'of an upload of $contentType that a job gives up, $left are left',
  async ({ contentType, status, left }) => {
    const uploadId = newId()
    const key = sourceKey(uploadId)
    await sql`
    insert into job_server.uploads (id, object_key, filename, content_type, size_bytes, status, expires_at)
    values (${uploadId}, ${key}, 'file', ${contentType}, 4, 'completed', now())`
    await storage.putStream(key, Readable.from([Buffer.from('data')]), { contentType, partSizeBytes })
    await queue.enqueue({ params: { source: { key } } })
    const ours = new AttemptStorage(sql, storage, await queue.claimOne(), sizes)
    const operation = { kind: 'discard', key, reason: 'It is no video.' } as const
    expect(await ours.perform({ type: 'storage', run: 1, request: 1, operation })).toMatchObject({
      type: 'done',
    })
    expect(await sql`select status from job_server.uploads where id = ${uploadId}`).toEqual([{ status }])
    expect(await keys()).toHaveLength(left)
  },
)
