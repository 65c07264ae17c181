/** `context.storage` inside the job process: bytes go straight to storage, over links asked of the coordinator. */
import { JobError, type JobStorage } from '../core/job.ts'
import type { StorageOperation } from './protocol.ts'

/** Asks the coordinator; a link comes back where one was asked for. @throws JobError when it is refused */
export interface Ask {
  (operation: Exclude<StorageOperation, { kind: 'discard' }>): Promise<{ url: string; key: string }>
  (operation: Extract<StorageOperation, { kind: 'discard' }>): Promise<null>
}

export function createChildStorage(ask: Ask, signal: AbortSignal): JobStorage {
  return {
    readUrl: async (key) => (await ask({ kind: 'get', key })).url,

    async download(key, path) {
      // Not on top: streams alone take as long to load as the rest of the process.
      const [{ createWriteStream }, { Readable, Transform }, { pipeline }] = await Promise.all([
        import('node:fs'),
        import('node:stream'),
        import('node:stream/promises'),
      ])
      const { url } = await ask({ kind: 'get', key })
      const response = await request(url, { signal })
      if (response.status === 404)
        throw new JobError('source_missing', 'The object is not in storage.', { retry: false })
      if (!response.ok || response.body === null) throw unavailable(`reading answered ${response.status}`)
      let sizeBytes = 0
      const counter = new Transform({
        transform(chunk: Buffer, _encoding, done) {
          sizeBytes += chunk.length
          done(null, chunk)
        },
      })
      try {
        await pipeline(Readable.fromWeb(response.body as never), counter, createWriteStream(path), { signal })
      } catch (cause) {
        if (signal.aborted) throw cause
        throw unavailable('the connection broke while reading', cause)
      }
      const announced = response.headers.get('content-length')
      if (announced !== null && Number(announced) !== sizeBytes)
        throw unavailable(`${sizeBytes} of ${announced} bytes came`)
      return { sizeBytes }
    },

    async upload(path, { name, contentType }) {
      const sizeBytes = (await Bun.file(path).stat()).size
      const sha256 = await sha256Of(path)
      const { url, key } = await ask({ kind: 'put', name, contentType, sizeBytes })
      const response = await request(url, {
        method: 'PUT',
        body: Bun.file(path),
        headers: { 'content-type': contentType },
        signal,
      })
      if (!response.ok) throw unavailable(`writing answered ${response.status}`)
      return { key, sizeBytes, sha256 }
    },

    async discard(key, reason) {
      await ask({ kind: 'discard', key, reason: reason.slice(0, 1000) })
    },
  }
}

async function request(url: string, init: RequestInit): Promise<Response> {
  try {
    return await fetch(url, init)
  } catch (cause) {
    if (init.signal?.aborted) throw cause
    throw unavailable('no answer', cause)
  }
}

function unavailable(detail: string, cause?: unknown): JobError {
  return new JobError('storage_unavailable', `The object storage could not be used: ${detail}.`, { cause })
}

async function sha256Of(path: string): Promise<string> {
  const hash = new Bun.CryptoHasher('sha256')
  for await (const chunk of Bun.file(path).stream()) hash.update(chunk)
  return hash.digest('hex')
}
