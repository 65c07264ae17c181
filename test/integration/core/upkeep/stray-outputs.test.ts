import { Readable } from 'node:stream'
import { expect, test } from 'vitest'
import { finish, rescue } from '../../../../core/queue/finish.ts'
import { outputKey } from '../../../../core/storage/keys.ts'
import { removeStrayOutputs } from '../../../../core/upkeep/stray-outputs.ts'
import { testDatabase } from '../../../support/database.ts'
import { testQueue } from '../../../support/queue.ts'
import { testStorage } from '../../../support/storage.ts'

const { sql } = await testDatabase()
const { storage, keys } = await testStorage()
const queue = await testQueue(sql)

test('what a dead worker wrote is removed once its links are dead, and nothing else', async () => {
  const jobId = await queue.enqueue()
  const write = async (epoch: string) => {
    const key = outputKey(jobId, epoch, 'video.mp4')
    await storage.putStream(key, Readable.from([Buffer.from('bytes')]), {
      contentType: 'video/mp4',
      partSizeBytes: 8 * 1024 ** 2,
    })
    return key
  }
  const dead = await queue.claimOne('w1')
  await write(dead.lease.epoch)
  await queue.expireLeases()
  await rescue(sql, { limit: 10 })
  const alive = await queue.claimOne('w2')
  const published = await write(alive.lease.epoch)
  await finish(sql, [{ lease: alive.lease, end: { kind: 'succeeded', result: null } }])

  expect(await removeStrayOutputs(sql, storage, { limit: 10 })).toBe(0)
  expect(await keys()).toHaveLength(2)

  await sql`update job_server.stray_outputs set remove_after = now() - interval '1 second'`
  expect(await removeStrayOutputs(sql, storage, { limit: 10 })).toBe(1)
  expect(await keys()).toEqual([published])
  expect(await removeStrayOutputs(sql, storage, { limit: 10 })).toBe(0)
})
