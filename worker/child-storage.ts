/** `context.storage` inside the job process: bytes go straight to storage, over links asked of the coordinator. */
import { JobError, type JobStorage } from '../core/job.ts'
import type { StorageOperation } from './protocol.ts'
import { StallTimer } from './stall-timer.ts'

/** Asks the coordinator; a link comes back where one was asked for. @throws JobError when it is refused */
export interface Ask {
  (operation: Exclude<StorageOperation, { kind: 'discard' }>): Promise<{ url: string; key: string }>
  (operation: Extract<StorageOperation, { kind: 'discard' }>): Promise<null>
}

/** @param stallSeconds a transfer of which no byte has moved for so long is given up as `stalled` */
export function createChildStorage(ask: Ask, signal: AbortSignal, stallSeconds: number): JobStorage {
  return {
    readUrl: async (key) => (await ask({ kind: 'get', key })).url,

    async download(key, path) {
      // Not on top: streams alone take as long to load as the rest of the process.
      const [{ createWriteStream }, { Readable }, { pipeline }] = await Promise.all([
        import('node:fs'),
        import('node:stream'),
        import('node:stream/promises'),
      ])
      const { url } = await ask({ kind: 'get', key })
      return await transfer('reading', async (timer) => {
        const response = await fetch(url, { signal: timer.signal })
        if (response.status === 404)
          throw new JobError('source_missing', 'The object is not in storage.', { retry: false })
        if (!response.ok || response.body === null) throw unavailable(`reading answered ${response.status}`)
        const bytes = Readable.fromWeb(timer.watch(response.body) as never)
        await pipeline(bytes, createWriteStream(path), { signal: timer.signal })
        const sizeBytes = Bun.file(path).size
        const announced = response.headers.get('content-length')
        if (announced !== null && Number(announced) !== sizeBytes)
          throw unavailable(`${sizeBytes} of ${announced} bytes came`)
        return { sizeBytes }
      })
    },

    async upload(path, { name, contentType }) {
      const sizeBytes = (await Bun.file(path).stat()).size
      const sha256 = await sha256Of(path)
      const { url, key } = await ask({ kind: 'put', name, contentType, sizeBytes })
      return await transfer('writing', async (timer) => {
        const response = await fetch(url, {
          method: 'PUT',
          body: timer.watch(Bun.file(path).stream()),
          headers: { 'content-type': contentType, 'content-length': String(sizeBytes) },
          signal: timer.signal,
        })
        if (!response.ok) throw unavailable(`writing answered ${response.status}`)
        return { key, sizeBytes, sha256 }
      })
    },

    async discard(key, reason) {
      await ask({ kind: 'discard', key, reason: reason.slice(0, 1000) })
    },
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

function unavailable(detail: string, cause?: unknown): JobError {
  return new JobError('storage_unavailable', `The object storage could not be used: ${detail}.`, { cause })
}

async function sha256Of(path: string): Promise<string> {
  const hash = new Bun.CryptoHasher('sha256')
  for await (const chunk of Bun.file(path).stream()) hash.update(chunk)
  return hash.digest('hex')
}
