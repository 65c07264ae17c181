/**
 * What the API holds while a gigabyte goes by: straight into storage in presigned parts, of which it sees only the first
 * and the last request, and through itself, as a form, the largest body that it takes. Linux only.
 */
import { readFile, writeFile } from 'node:fs/promises'
import { z } from 'zod'
import type { BenchDatabase, Running } from './database.ts'

const mebibyte = 1024 ** 2
const bodyBytes = 1024 * mebibyte
const partsAtOnce = 4
const boundary = 'a-boundary-of-the-bench'

/** In megabytes: before, and at most while it went on. */
export interface Footprint {
  beforeMb: number
  peakMb: number
}

const Opened = z.object({
  uploadId: z.string(),
  parts: z.array(z.object({ url: z.string(), sizeBytes: z.int() })),
})

export async function uploadFootprints(
  database: BenchDatabase,
): Promise<{ inParts: Footprint; asForm: Footprint }> {
  const api = await database.startApi()
  // What the first requests load stays.
  await answered(await fetch(`${api.url}/v1/definitions`))
  const inParts = await footprintOf(api, () => uploadInParts(api))
  const asForm = await footprintOf(api, () => uploadAsForm(api))
  await api.stop()
  return { inParts, asForm }
}

async function footprintOf({ pid }: Running, act: () => Promise<void>): Promise<Footprint> {
  const beforeMb = await residentMb(pid, 'VmRSS')
  // Sets the peak to what is resident now (proc(5)).
  await writeFile(`/proc/${pid}/clear_refs`, '5')
  await act()
  return { beforeMb, peakMb: await residentMb(pid, 'VmHWM') }
}

async function uploadInParts({ url }: Running): Promise<void> {
  const opened = await fetch(`${url}/v1/videos/uploads`, {
    method: 'POST',
    body: JSON.stringify({ filename: 'large.mp4', contentType: 'video/mp4', sizeBytes: bodyBytes }),
    headers: { 'content-type': 'application/json' },
  })
  const { uploadId, parts } = Opened.parse(await (await answered(opened)).json())
  const waiting = parts.map((part, place) => ({ ...part, isFirst: place === 0 }))
  const send = async () => {
    for (let part = waiting.shift(); part !== undefined; part = waiting.shift()) {
      const body = new Uint8Array(part.sizeBytes)
      if (part.isFirst) body.set(fileHead())
      await answered(await fetch(part.url, { method: 'PUT', body }))
    }
  }
  await Promise.all(Array.from({ length: partsAtOnce }, send))
  await answered(await fetch(`${url}/v1/videos/uploads/${uploadId}/complete`, { method: 'POST' }))
}

/** Nobody is there to encode it. */
async function uploadAsForm({ url }: Running): Promise<void> {
  const lines = [
    `--${boundary}`,
    'Content-Disposition: form-data; name="video"; filename="large.mp4"',
    'Content-Type: video/mp4',
  ]
  function* form() {
    yield Buffer.from(`${lines.join('\r\n')}\r\n\r\n`)
    yield fileHead()
    const zeros = new Uint8Array(mebibyte)
    for (let left = bodyBytes; left > 0; left -= mebibyte) yield zeros
    yield Buffer.from(`\r\n--${boundary}--\r\n`)
  }
  const chunks = form()
  const body = new ReadableStream<Uint8Array>({
    pull(controller) {
      const { done, value } = chunks.next()
      if (done) controller.close()
      else controller.enqueue(value)
    },
  })
  const response = await fetch(`${url}/v1/videos/encode`, {
    method: 'POST',
    body,
    headers: { 'content-type': `multipart/form-data; boundary=${boundary}` },
  })
  await answered(response)
}

/** What an MP4 begins with: the box that names its kind. The zeros behind it are no video; nobody reads so far. */
function fileHead(): Uint8Array {
  const box = Buffer.alloc(24)
  box.writeUInt32BE(box.length, 0)
  box.write('ftypisom', 4, 'latin1')
  box.write('isommp41', 16, 'latin1')
  return box
}

async function answered(response: Response): Promise<Response> {
  if (!response.ok) throw new Error(`${response.url} answered ${response.status}: ${await response.text()}`)
  return response
}

async function residentMb(pid: number, name: 'VmRSS' | 'VmHWM'): Promise<number> {
  const [, kibibytes] =
    new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm').exec(await readFile(`/proc/${pid}/status`, 'utf8')) ?? []
  if (kibibytes === undefined) throw new Error(`the system does not tell what process ${pid} holds`)
  return (Number(kibibytes) * 1024) / 1e6
}
