/** BODY_GB=1 sends so much. */
import { readFile } from 'node:fs/promises'
import { expect, test } from 'vitest'
import { freeBox, testClips } from '../support/clips.ts'
import { formParts, openRaw } from '../support/raw-request.ts'
import { startServer } from '../support/server.ts'

const mebibyte = 1024 ** 2
const bodyBytes = process.env.BODY_GB === undefined ? 256 * mebibyte : Number(process.env.BODY_GB) * 1024 ** 3

const server = await startServer()
// It has registered the definitions. What is measured is the way in: nobody is to encode it.
await Promise.all(server.workers.map((worker) => worker.stop(60)))
const clips = await testClips()

interface Footprint {
  residentBytes: number
  peakBytes: number
  writtenBytes: number
}

async function footprint(pid: number): Promise<Footprint> {
  const read = async (file: string, name: string) => {
    const line = new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(await readFile(`/proc/${pid}/${file}`, 'utf8'))
    if (line === null) throw new Error(`/proc/${pid}/${file} has no ${name}`)
    return Number(line[1])
  }
  return {
    residentBytes: 1024 * (await read('status', 'VmRSS')),
    peakBytes: 1024 * (await read('status', 'VmHWM')),
    writtenBytes: await read('io', 'write_bytes'),
  }
}

test(`a body of ${bodyBytes / mebibyte} MiB goes through the API without staying in its memory or touching its disk`, async () => {
  const video = await readFile(await clips.make({ name: 'clip.mp4', seconds: 1 }))
  const { contentType, head, tail } = formParts()
  const padding = bodyBytes - video.length
  const headers = {
    'content-type': contentType,
    'content-length': String(head.length + bodyBytes + tail.length),
  }
  const before = await footprint(server.api.pid)

  const request = await openRaw(server.url, '/v1/videos/encode', headers)
  await request.write(Buffer.concat([head, video, freeBox(padding)]))
  const zeros = Buffer.alloc(mebibyte)
  for (let left = padding - 8; left > 0; left -= zeros.length) await request.write(zeros.subarray(0, left))
  await request.write(tail)
  const answer = await request.answer
  request.destroy()

  const after = await footprint(server.api.pid)
  expect(answer).toMatch(/^HTTP\/1.1 201 /)
  const [stored] = await Array.fromAsync(server.bucket.storage.list(''))
  expect(stored?.sizeBytes, 'all of it arrived').toBe(bodyBytes)
  expect(after.peakBytes - before.residentBytes).toBeLessThan(100e6)
  expect(after.writtenBytes - before.writtenBytes).toBeLessThan(mebibyte)
  await server.bucket.storage.remove(stored?.key ?? '')
})
