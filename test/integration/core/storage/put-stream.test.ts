import { randomBytes } from 'node:crypto'
import { Readable } from 'node:stream'
import { S3ServiceException } from '@aws-sdk/client-s3'
import { describe, expect, test } from 'vitest'
import { openClient } from '../../../../core/storage/client.ts'
import { putStream } from '../../../../core/storage/put-stream.ts'
import { openMultiparts } from '../../../support/leftovers.ts'
import { testStorage } from '../../../support/storage.ts'

const partSizeBytes = 5 * 1024 ** 2
const bucket = await testStorage()
const { storage, config } = bucket
const target = { Bucket: config.S3_BUCKET, ContentType: 'video/mp4' }

function client() {
  return openClient(config, config.S3_ENDPOINT)
}

/** In pieces that no part is a multiple of. */
function streamOf(bytes: Buffer): Readable {
  function* pieces() {
    for (let at = 0; at < bytes.length; at += 70_001) yield bytes.subarray(at, at + 70_001)
  }
  return Readable.from(pieces(), { objectMode: false })
}

/** Fails requests of a command before they are sent, as long as `fails` says so. */
function unreliableClient(command: string, fails: (time: number) => Error | null) {
  const unreliable = client()
  let times = 0
  unreliable.middlewareStack.add(
    (next, context) => async (args) => {
      const error = context.commandName === command ? fails(++times) : null
      if (error !== null) throw error
      return await next(args)
    },
    { step: 'finalizeRequest' },
  )
  return { client: unreliable, times: () => times }
}

test.each([
  { what: 'no bytes', sizeBytes: 0 },
  { what: 'one byte', sizeBytes: 1 },
  { what: 'a part but one byte', sizeBytes: partSizeBytes - 1 },
  { what: 'exactly one part', sizeBytes: partSizeBytes },
  { what: 'exactly three parts', sizeBytes: 3 * partSizeBytes },
  { what: 'three parts and a byte', sizeBytes: 3 * partSizeBytes + 1 },
])('a stream of $what becomes an object of the same bytes', async ({ what, sizeBytes }) => {
  const bytes = randomBytes(sizeBytes)
  await putStream(client(), { ...target, Key: what }, streamOf(bytes), { partSizeBytes })
  const object = await storage.get(what)
  if (object === null || object === 'unsatisfiable') throw new Error('there is no object')
  expect(object.contentType).toBe('video/mp4')
  expect(bytes.equals(await new Response(object.body).bytes())).toBe(true)
  expect(await openMultiparts(bucket)).toEqual([])
})

test('a part that fails for a reason that passes is sent again', async () => {
  const bytes = randomBytes(2 * partSizeBytes + 1)
  const { client, times } = unreliableClient('UploadPartCommand', (time) =>
    time <= 2 ? new Error('the connection was reset') : null,
  )
  await putStream(client, { ...target, Key: 'again' }, streamOf(bytes), { partSizeBytes })
  expect(times()).toBe(5)
  expect((await storage.head('again'))?.sizeBytes).toBe(bytes.length)
})

describe('nothing stays', () => {
  const bytes = randomBytes(3 * partSizeBytes)

  test('of a stream that breaks after parts of it were stored', async () => {
    let stored = 0
    async function* breaking() {
      yield* streamOf(bytes)
      throw new Error('the client went away')
    }
    const put = putStream(client(), { ...target, Key: 'broken' }, Readable.from(breaking()), {
      partSizeBytes,
      afterPart: () => stored++,
    })
    await expect(put).rejects.toThrow('the client went away')
    expect(stored).toBeGreaterThan(0)
    expect(await storage.head('broken')).toBeNull()
    expect(await openMultiparts(bucket)).toEqual([])
  })

  test('when the storage refuses a part, which is not asked a second time', async () => {
    const refusal = new S3ServiceException({
      name: 'AccessDenied',
      $fault: 'client',
      $metadata: { httpStatusCode: 403 },
    })
    const { client, times } = unreliableClient('UploadPartCommand', (time) => (time === 2 ? refusal : null))
    const body = streamOf(bytes)
    const put = putStream(client, { ...target, Key: 'refused' }, body, { partSizeBytes })
    await expect(put).rejects.toBe(refusal)
    expect(times()).toBeLessThanOrEqual(3)
    expect(body.destroyed, 'the rest is not read').toBe(true)
    expect(await storage.head('refused')).toBeNull()
    expect(await openMultiparts(bucket)).toEqual([])
  })
})
