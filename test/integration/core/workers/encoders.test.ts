import { afterEach, expect, test } from 'vitest'
import { beat } from '../../../../core/workers/beat.ts'
import { requireEncoders } from '../../../../core/workers/encoders.ts'
import { testDatabase } from '../../../support/database.ts'

const { sql } = await testDatabase()

afterEach(async () => {
  await sql`delete from job_server.workers`
})

const worker = (id: string, ...encoders: string[]) =>
  beat(sql, { id, kind: 'worker', slots: 1, info: { ffmpeg: { version: '1', encoders } } })

test('what no worker has an encoder for is refused, and the encoder is named', async () => {
  await worker('w1', 'libx264', 'aac')
  await expect(requireEncoders(sql, ['h264', 'aac'])).resolves.toBeUndefined()
  await expect(requireEncoders(sql, ['av1', 'aac'])).rejects.toMatchObject({
    code: 'encoder_missing',
    message: expect.stringContaining('av1 (libsvtav1 or libaom-av1)'),
  })
})

test('one worker must have them all: two that have one each are of no help', async () => {
  await worker('w1', 'libx264', 'libopus')
  await worker('w2', 'libvpx-vp9')
  await expect(requireEncoders(sql, ['vp9', 'opus'])).rejects.toMatchObject({ code: 'encoder_missing' })
  await worker('w3', 'libvpx-vp9', 'libopus')
  await expect(requireEncoders(sql, ['vp9', 'opus'])).resolves.toBeUndefined()
})

test('while no worker has told what it has, the job may wait for one that has it', async () => {
  await expect(requireEncoders(sql, ['hevc'])).resolves.toBeUndefined()
  await beat(sql, { id: 'before', kind: 'worker', slots: 1, info: {} })
  await expect(requireEncoders(sql, ['hevc'])).resolves.toBeUndefined()
})

test('a worker that has long been silent counts no more', async () => {
  await worker('w1', 'libx264', 'aac')
  await worker('gone', 'libx265')
  await sql`update job_server.workers set heartbeat_at = now() - interval '1 minute' where id = 'gone'`
  await expect(requireEncoders(sql, ['hevc'])).rejects.toMatchObject({ code: 'encoder_missing' })
})
