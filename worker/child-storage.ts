/** `context.storage` inside the job process: bytes go straight to storage, over links asked of the coordinator. */
import { JobError, type JobStorage } from '../core/job.ts'
import { checkUpload } from '../core/job-context.ts'
import { StallTimer } from '../core/stall-timer.ts'
import type { StorageOperation, ToChild } from './protocol.ts'

/** Of a download, at a time. */
const writtenBytes = 1024 ** 2

/** Waits before a part is sent again. An output of hours must not fail for one broken connection. */
const waitsMs = [500, 4000]

type Granted = Extract<ToChild, { type: 'presigned' | 'in_parts' | 'done' }>
/** Asks the coordinator. @throws JobError when it is refused */
export type Ask = (operation: StorageOperation) => Promise<Granted>

/** @param stallSeconds a transfer of which no byte has moved for so long is given up as `stalled` */
export function createChildStorage(
  ask: Ask,
  signal: AbortSignal,
  stallSeconds: number,
  partWaitsMs = waitsMs,
): JobStorage {
  return {
    readUrl: async (key) => linkIn(await ask({ kind: 'get', key })).url,

    async download(key, path) {
      const { url } = linkIn(await ask({ kind: 'get', key }))
      return await transfer('reading', async (timer) => {
        const response = await fetch(url, { signal: timer.signal })
        if (response.status === 404)
          throw new JobError('source_missing', 'The object is not in storage.', { retry: false })
        if (!response.ok || response.body === null) throw unavailable(`reading answered ${response.status}`)
        await writeTo(path, timer.watch(response.body))
        const sizeBytes = Bun.file(path).size
        const announced = response.headers.get('content-length')
        if (announced !== null && Number(announced) !== sizeBytes)
          throw unavailable(`${sizeBytes} of ${announced} bytes came`)
        return { sizeBytes }
      })
    },

    async upload(path, { name, contentType }) {
      checkUpload({ name, contentType })
      const sizeBytes = (await Bun.file(path).stat()).size
      const granted = await ask({ kind: 'put', name, contentType, sizeBytes })
      const hash = new Bun.CryptoHasher('sha256')
      if (granted.type === 'in_parts') {
        const sha256 = await sendParts(path, sizeBytes, granted, hash)
        return { key: granted.key, sizeBytes, sha256 }
      }
      const { url, key } = linkIn(granted)
      await send(url, Bun.file(path), sizeBytes, hash, { 'content-type': contentType })
      return { key, sizeBytes, sha256: hash.digest('hex') }
    },

    async discard(key, reason) {
      await ask({ kind: 'discard', key, reason: reason.slice(0, 1000) })
    },
  }

  /** One after the other, so that the file is read once. @returns the hash of them all, lower-case hex */
  async function sendParts(
    path: string,
    sizeBytes: number,
    { multipartId, partSizeBytes }: Extract<Granted, { type: 'in_parts' }>,
    hash: Bun.CryptoHasher,
  ): Promise<string> {
    let hashed = hash
    for (let from = 0, partNumber = 1; from < sizeBytes; from += partSizeBytes, partNumber++) {
      const part = Bun.file(path).slice(from, Math.min(from + partSizeBytes, sizeBytes))
      hashed = await persistently(async () => {
        const { url } = linkIn(await ask({ kind: 'part', multipartId, partNumber, sizeBytes: part.size }))
        const tried = hashed.copy()
        await send(url, part, part.size, tried)
        return tried
      })
    }
    await ask({ kind: 'join', multipartId })
    return hashed.digest('hex')
  }

  /** Hashes while sending: what is told of the bytes is told of those that were sent. */
  async function send(
    url: string,
    bytes: Blob,
    sizeBytes: number,
    hash: Bun.CryptoHasher,
    headers: Record<string, string> = {},
  ): Promise<void> {
    await transfer('writing', async (timer) => {
      let sentBytes = 0
      const body = timer.watch(bytes.stream(), (piece) => {
        sentBytes += piece.length
        hash.update(piece)
      })
      const response = await fetch(url, {
        ...{ method: 'PUT', body, signal: timer.signal },
        headers: { ...headers, 'content-length': String(sizeBytes) },
      })
      if (!response.ok) throw unavailable(`writing answered ${response.status}`)
      if (sentBytes !== sizeBytes) throw unavailable(`${sentBytes} of ${sizeBytes} bytes were sent`)
    })
  }

  async function persistently<Result>(act: () => Promise<Result>): Promise<Result> {
    for (const waitMs of partWaitsMs) {
      try {
        return await act()
      } catch (error) {
        if (signal.aborted || !(error instanceof JobError && error.code === 'storage_unavailable'))
          throw error
        await Bun.sleep(waitMs)
      }
    }
    return await act()
  }

  async function transfer<Result>(
    what: 'reading' | 'writing',
    perform: (timer: StallTimer) => Promise<Result>,
  ): Promise<Result> {
    const timer = new StallTimer(stallSeconds, signal)
    try {
      return await perform(timer)
    } catch (cause) {
      if (signal.aborted || cause instanceof JobError) throw cause
      if (timer.isOver) {
        const message = `The object storage fell silent: while ${what}, no byte moved for ${stallSeconds} s.`
        throw new JobError('stalled', message, { cause })
      }
      throw unavailable(`the connection broke while ${what}`, cause)
    } finally {
      timer.stop()
    }
  }
}

/** Not by Node's streams: they take as long to load as the rest of the process, and twice the time for each byte. */
async function writeTo(path: string, bytes: ReadableStream<Uint8Array>): Promise<void> {
  // The writer begins at the beginning, but leaves what lies behind its end.
  await Bun.write(path, '')
  const file = Bun.file(path).writer({ highWaterMark: writtenBytes })
  try {
    for await (const piece of bytes) await file.write(piece)
  } finally {
    await file.end()
  }
}

function unavailable(detail: string, cause?: unknown): JobError {
  return new JobError('storage_unavailable', `The object storage could not be used: ${detail}.`, { cause })
}

function linkIn(granted: Granted): { url: string; key: string } {
  if (granted.type !== 'presigned')
    throw new Error(`the coordinator answered ${granted.type}, not with a link`)
  return granted
}
