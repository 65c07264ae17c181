/** UPLOAD_GB=5 sends so much, in 64 MiB parts; without it, just more than two parts. Figures are printed. */
import { readFile } from 'node:fs/promises'
import { expect, test } from 'vitest'
import { freeBox, testClips } from '../support/clips.ts'
import { openRaw } from '../support/raw-request.ts'
import { startServer } from '../support/server.ts'
import { type Opened, openUpload, put } from '../support/video-client.ts'

const mebibyte = 1024 ** 2
const sizeBytes =
  process.env.UPLOAD_GB === undefined ? 130 * mebibyte : Number(process.env.UPLOAD_GB) * 1024 ** 3
const boxHeadBytes = 8

const server = await startServer({ workers: 0 })
const clip = await readFile(await (await testClips()).make({ name: 'clip.mp4', seconds: 1 }))

type Part = NonNullable<Opened['parts']>[number]

/** A real video; in every part a box that readers skip, filled with the number of the part. */
function bytesOf({ partNumber, sizeBytes: partBytes }: Part): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(partBytes).fill(partNumber)
  const begin = partNumber === 1 ? clip.length : 0
  if (begin > 0) bytes.set(clip)
  bytes.set(freeBox(partBytes - begin), begin)
  return bytes
}

async function send(parts: Part[]): Promise<void> {
  for (const part of parts) {
    const response = await put(part.url, new Blob([bytesOf(part)]))
    expect(response.status, await response.text()).toBe(200)
  }
}

/** The line breaks in the middle of it. */
async function sendHalf(part: Part): Promise<void> {
  const { origin, pathname, search } = new URL(part.url)
  const raw = await openRaw(
    origin,
    `${pathname}${search}`,
    { 'content-length': String(part.sizeBytes) },
    'PUT',
  )
  await raw.write(bytesOf(part).subarray(0, part.sizeBytes / 2))
  raw.destroy()
}

test('a large upload goes on where it was after a broken line and a killed API, and is whole', async () => {
  const startedAt = performance.now()
  const opened = await openUpload(server, { sizeBytes })
  const parts = opened.parts ?? []
  const sent = Math.max(1, Math.floor(parts.length / 2))
  await send(parts.slice(0, sent))
  await sendHalf(parts[sent] as Part)
  await server.restartApi('SIGKILL')

  const response = await server.request('POST', `/v1/videos/uploads/${opened.uploadId}/resume`)
  const { parts: missing = [] } = (await response.json()) as Opened
  expect(missing.map(({ partNumber }) => partNumber)).toEqual(
    parts.slice(sent).map(({ partNumber }) => partNumber),
  )
  await send(missing)
  const sentAt = performance.now()
  const completed = await server.request('POST', `/v1/videos/uploads/${opened.uploadId}/complete`)
  expect(await completed.json()).toMatchObject({ status: 'completed', sizeBytes })
  const completedAt = performance.now()

  const [key = ''] = await server.bucket.keys()
  expect(await server.bucket.storage.head(key)).toMatchObject({ sizeBytes })
  let begin = 0
  for (const part of parts) {
    const end = begin + part.sizeBytes
    for (const [from, to] of [
      [begin, begin + boxHeadBytes],
      [end - boxHeadBytes, end],
    ] as const) {
      const stored = await server.bucket.storage.get(key, `bytes=${from}-${to - 1}`)
      if (stored === null || stored === 'unsatisfiable') throw new Error(`nothing is stored at ${from}`)
      const expected = bytesOf(part).slice(from - begin, to - begin)
      expect(await new Response(stored.body).bytes(), `part ${part.partNumber}`).toEqual(expected)
    }
    begin = end
  }
  await server.bucket.storage.remove(key)
  const seconds = (from: number, to: number) => ((to - from) / 1000).toFixed(1)
  console.info(
    `${sizeBytes} bytes in ${parts.length} parts: sent in ${seconds(startedAt, sentAt)} s, ` +
      `completed in ${seconds(sentAt, completedAt)} s`,
  )
}, 1_800_000)
