/**
 * How the bytes of one upload get to the storage: by one link, or part by part. A part that fails is sent again by a
 * fresh link; what has arrived before is not sent again. While there is no network, or nobody answers, it waits.
 */
import { ApiProblem, api, read } from '../../api.ts'
import type { OpenedUpload, UploadProgress } from '../../types.ts'
import { putBytes } from './put-bytes.ts'

const partsAtOnce = 3
const triesPerPart = 4
const firstWaitMs = 500
/** Between looks whether somebody is there again; the browser may say so before. */
const awayWaitMs = 5000
/** Large files on slow lines take hours, and who was interrupted may come back the next morning. */
const livesSeconds = 86_400

/** What is asked for of the video once it has arrived. */
export interface EncodeWish {
  preset: 'web' | 'streaming' | 'webm'
  quality?: '720p' | '1080p' | '4k'
}

/** Of parts by number, how many bytes have arrived; the only one is 1. */
export type Sent = Map<number, number>

export async function openUpload({ name, size, type }: File): Promise<OpenedUpload> {
  const contentType = type === '' ? 'video/mp4' : type
  const json = { filename: name, sizeBytes: size, contentType, expiresInSeconds: livesSeconds }
  return await read(api.v1.videos.uploads.$post({ json }))
}

export async function readUpload(uploadId: string): Promise<UploadProgress> {
  return await read(api.v1.videos.uploads[':uploadId'].$get({ param: { uploadId } }))
}

export async function freshLinks(uploadId: string): Promise<OpenedUpload> {
  return await read(api.v1.videos.uploads[':uploadId'].resume.$post({ param: { uploadId } }))
}

export function sentOf({ parts = [] }: UploadProgress): Sent {
  const arrived = parts.filter(({ done }) => done)
  return new Map(arrived.map(({ partNumber, sizeBytes }) => [partNumber, sizeBytes]))
}

/** All of it is there: what remains to be done needs no file. */
export function hasArrived({ status, parts }: UploadProgress): boolean {
  return status === 'completed' || parts?.every(({ done }) => done) === true
}

/** @returns the id of the job; asked for twice, it is one job */
export async function completeAndEncode(uploadId: string, wish: EncodeWish): Promise<string> {
  await read(api.v1.videos.uploads[':uploadId'].complete.$post({ param: { uploadId } }))
  // The storyboard is the player's strip of pictures.
  const json = { uploadId, ...wish, storyboard: true, idempotencyKey: `dashboard-${uploadId}` }
  const { jobId } = await read(api.v1.videos.encode.$post({ json }))
  return jobId
}

/** @param sent of what arrived before */
export async function sendBytes(
  target: OpenedUpload,
  file: File,
  { sent, signal, note }: { sent: Sent; signal: AbortSignal; note: (part: number, bytes: number) => void },
): Promise<void> {
  if ('url' in target) {
    const { url, headers } = target
    await putBytes(url, file, { headers, signal, onSent: (bytes) => note(1, bytes) })
    return
  }
  // All parts but the last are of one size, which the first tells even where it has arrived already.
  const first = target.parts.find(({ partNumber }) => partNumber === 1)
  const partBytes = first?.sizeBytes ?? sent.get(1) ?? 0
  const waiting = [...target.parts]
  // Longer it can't be awaited, whatever this machine's clock makes of the time that the answer says.
  const givenUpAt = Date.now() + livesSeconds * 1000
  const worker = async () => {
    for (let part = waiting.shift(); part !== undefined; part = waiting.shift()) {
      signal.throwIfAborted()
      const from = (part.partNumber - 1) * partBytes
      await sendPart(target.uploadId, part, file.slice(from, from + part.sizeBytes), {
        signal,
        note,
        givenUpAt,
      })
    }
  }
  await Promise.all(Array.from({ length: partsAtOnce }, worker))
}

async function sendPart(
  uploadId: string,
  { partNumber, sizeBytes, url }: { partNumber: number; sizeBytes: number; url: string },
  bytes: Blob,
  {
    signal,
    note,
    givenUpAt,
  }: { signal: AbortSignal; note: (part: number, bytes: number) => void; givenUpAt: number },
): Promise<void> {
  let failures = 0
  for (let isFirst = true; ; isFirst = false) {
    try {
      const link = isFirst ? url : await freshLink(uploadId, partNumber)
      if (link !== null) await putBytes(link, bytes, { signal, onSent: (sent) => note(partNumber, sent) })
      note(partNumber, sizeBytes)
      return
    } catch (error) {
      note(partNumber, 0)
      if (signal.aborted || isRefusal(error)) throw error
      const isAway = isUnreachable(error) || navigator.onLine === false
      if (!isAway) failures++
      if (failures >= triesPerPart || Date.now() >= givenUpAt) throw error
      const wantedMs = error instanceof ApiProblem ? (error.retryAfterSeconds ?? 0) * 1000 : 0
      await pause(isAway ? awayWaitMs : Math.max(wantedMs, firstWaitMs * 2 ** failures), signal)
      // It may have been paused meanwhile, and go on by another call.
      signal.throwIfAborted()
    }
  }
}

/**
 * The link before may have run out while the connection was gone.
 * @returns null when the part has arrived: of one whose answer was lost, nobody but the API knows
 */
async function freshLink(uploadId: string, partNumber: number): Promise<string | null> {
  const target = await freshLinks(uploadId)
  if (!('parts' in target)) throw new ApiProblem('The part can’t be sent any more.', 404, 'part_gone')
  return target.parts.find((each) => each.partNumber === partNumber)?.url ?? null
}

/** By the API, which would refuse it the next time too; the storage refuses links that have run out. */
function isRefusal(error: unknown): boolean {
  if (!(error instanceof ApiProblem) || error.code === 'storage') return false
  return error.status !== null && error.status < 500 && error.status !== 429
}

/** The API. Of the storage the browser tells only that there was no answer, which may as well be one it may not read. */
function isUnreachable(error: unknown): boolean {
  return error instanceof ApiProblem && error.code === 'unreachable'
}

/** Ends early when the network is back, or when nothing is awaited any more. */
async function pause(ms: number, signal: AbortSignal): Promise<void> {
  const over = new AbortController()
  await new Promise<void>((resolve) => {
    const timer = setTimeout(resolve, ms)
    const end = () => {
      clearTimeout(timer)
      resolve()
    }
    addEventListener('online', end, { signal: over.signal })
    signal.addEventListener('abort', end, { signal: over.signal })
  })
  over.abort()
}
