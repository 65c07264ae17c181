import { Readable } from 'node:stream'
import { expect, test } from 'vitest'
import { testStorage } from '../../../support/storage.ts'

const { storage, keys } = await testStorage()
/** More than the storage lists at once. */
const objects = 1100
const atOnce = 50

test('a listing goes on past what the storage gives at once, each object once, in order', async () => {
  const put = (n: number) =>
    storage.putStream(`many/${String(n).padStart(5, '0')}`, Readable.from([Buffer.from('x')]), {
      contentType: 'text/plain',
      partSizeBytes: 8 * 1024 ** 2,
    })
  for (let first = 0; first < objects; first += atOnce) {
    await Promise.all(Array.from({ length: atOnce }, (_, n) => put(first + n)))
  }
  await storage.remove('many/00007')
  const listed = await keys()
  expect(listed).toHaveLength(objects - 1)
  expect([...new Set(listed)].sort()).toEqual(listed)
  expect(await Array.fromAsync(storage.list('none/'))).toEqual([])
})
