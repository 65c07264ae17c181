import { expect, test } from 'vitest'
import { JobError, type StoredFile } from '../../../../core/job.ts'
import { OutputUploads } from '../../../../jobs/video/output-uploads.ts'

const as = { name: '720p.mp4', contentType: 'video/mp4' }

/** A storage of which each transfer ends when it is told to. */
function storage() {
  const transfers: { path: string; end: PromiseWithResolvers<StoredFile> }[] = []
  return {
    transfers,
    paths: () => transfers.map(({ path }) => path),
    upload(path: string): Promise<StoredFile> {
      const end = Promise.withResolvers<StoredFile>()
      transfers.push({ path, end })
      return end.promise
    },
    arrive(place: number) {
      const { path, end } = transfers[place] ?? {}
      end?.resolve({ key: `outputs/${path}`, sizeBytes: 1, sha256: 'ab' })
    },
  }
}

/** Until all that can go on without us has gone on. */
const settled = () => Bun.sleep(1)

test('an output is sent once, whether it is asked for before or after it has arrived', async () => {
  const store = storage()
  const uploads = new OutputUploads(store)
  uploads.begin('a', as)
  await settled()
  const early = uploads.upload('a', as)
  store.arrive(0)
  expect(await early).toMatchObject({ key: 'outputs/a' })
  expect(await uploads.upload('a', as)).toMatchObject({ key: 'outputs/a' })
  expect(store.paths()).toEqual(['a'])
})

test('outputs are sent one after the other', async () => {
  const store = storage()
  const uploads = new OutputUploads(store)
  uploads.begin('a', as)
  const second = uploads.upload('b', as)
  await settled()
  expect(store.paths()).toEqual(['a'])
  store.arrive(0)
  await settled()
  expect(store.paths()).toEqual(['a', 'b'])
  store.arrive(1)
  expect(await second).toMatchObject({ key: 'outputs/b' })
})

test('one that can not be stored is told when it is asked for, and nothing is sent after it', async () => {
  const store = storage()
  const uploads = new OutputUploads(store)
  uploads.begin('a', as)
  uploads.begin('b', as)
  await settled()
  store.transfers[0]?.end.reject(new JobError('storage_unavailable', 'No.'))
  await settled()
  await expect(uploads.upload('a', as)).rejects.toMatchObject({ code: 'storage_unavailable' })
  await expect(uploads.upload('b', as)).rejects.toMatchObject({ code: 'storage_unavailable' })
  await uploads.giveUp()
  expect(store.paths()).toEqual(['a'])
})

test('giving up waits for what is under way, and sends nothing more', async () => {
  const store = storage()
  const uploads = new OutputUploads(store)
  uploads.begin('a', as)
  uploads.begin('b', as)
  await settled()
  let isOver = false
  const over = uploads.giveUp().then(() => {
    isOver = true
  })
  await settled()
  expect(isOver).toBe(false)
  store.arrive(0)
  await over
  expect(store.paths()).toEqual(['a'])
})
