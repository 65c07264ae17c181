/** Fetches a file from an address that a user gave, as guarded as other requests, however large it is. */
import { createWriteStream } from 'node:fs'
import type { IncomingMessage } from 'node:http'
import { pipeline } from 'node:stream/promises'
import type { Reach } from '../../core/addresses.ts'
import { JobError } from '../../core/job.ts'
import { StallTimer } from '../../core/stall-timer.ts'
import { following, refusal, send } from './guarded-request.ts'

/** Of 4xx, those that another attempt may not meet. */
const passing = new Set([408, 425, 429])

export interface Download {
  signal: AbortSignal
  mayReach: Reach
  /** Seconds without a byte after which it is given up. */
  stallSeconds: number
  /** Larger files are refused. */
  maxBytes: number
}

/**
 * @param path the file to write
 * @throws JobError source_missing, limit_exceeded, address_not_allowed, too_many_redirects (no retry);
 * source_unavailable, unreachable, stalled
 */
export async function guardedDownload(
  url: string,
  path: string,
  { signal, mayReach, stallSeconds, maxBytes }: Download,
): Promise<{ sizeBytes: number }> {
  const timer = new StallTimer(stallSeconds, signal)
  const outgoing = {
    method: 'GET',
    mayReach,
    patienceSeconds: null,
    signal: timer.signal,
    // What is on the wire is what is counted.
    headers: { accept: '*/*', 'accept-encoding': 'identity' },
  }
  try {
    const { sizeBytes } = await following(url, (target) => send(target, outgoing, save))
    return { sizeBytes }
  } catch (cause) {
    signal.throwIfAborted()
    if (timer.isOver) {
      const message = `The source's server fell silent: no byte came for ${stallSeconds} s.`
      throw new JobError('stalled', message, { cause })
    }
    if (cause instanceof JobError) throw cause
    throw new JobError('source_unavailable', 'The connection to the source broke.', { cause })
  } finally {
    timer.stop()
  }

  async function save(response: IncomingMessage) {
    const { statusCode: status = 0, headers } = response
    timer.moved()
    if (status >= 300 && status < 400) {
      response.destroy()
      return { status, headers, sizeBytes: 0 }
    }
    if (status !== 200) {
      response.destroy()
      throw refusedBy(status)
    }
    const announced = headers['content-length'] === undefined ? null : Number(headers['content-length'])
    if (announced !== null && announced > maxBytes) {
      response.destroy()
      throw tooLarge(announced, maxBytes)
    }
    let sizeBytes = 0
    await pipeline(
      response,
      async function* (chunks: AsyncIterable<Buffer>) {
        for await (const chunk of chunks) {
          timer.moved()
          sizeBytes += chunk.length
          if (sizeBytes > maxBytes) throw tooLarge(sizeBytes, maxBytes)
          yield chunk
        }
      },
      createWriteStream(path),
    )
    if (announced !== null && announced !== sizeBytes) {
      throw new JobError('source_unavailable', `Only ${sizeBytes} of ${announced} bytes of the source came.`)
    }
    return { status, headers, sizeBytes }
  }
}

function refusedBy(status: number): JobError {
  const message = `The source's server answered ${status}.`
  return status >= 400 && status < 500 && !passing.has(status)
    ? refusal('source_missing', message)
    : new JobError('source_unavailable', message)
}

function tooLarge(sizeBytes: number, maxBytes: number): JobError {
  const message = `The source has ${sizeBytes} bytes or more; ${maxBytes} are allowed.`
  return new JobError('limit_exceeded', message, {
    retry: false,
    details: { limit: 'sizeBytes', value: sizeBytes, bound: maxBytes },
  })
}
