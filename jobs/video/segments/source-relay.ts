/**
 * The way from FFmpeg to a source in our store, for reading parts of it: a server on loopback, under a name that nobody
 * can guess, that asks the store for the ranges that FFmpeg asks for.
 *
 *   FFmpeg ── http, ranges ──► relay ── presigned link, ranges ──► store
 *
 * FFmpeg itself would need TLS and name resolution, which static builds have not or crash in; it would show the link's
 * signature to all who list processes; a link that runs out would end it; and what the store refused would look like a
 * damaged video. An answer holds a window of the file: FFmpeg asks for the next one when it has used it up, so nothing
 * is read ahead without bound. Windows grow while it reads on, so that looking about costs little.
 */
import { randomUUID } from 'node:crypto'
import { JobError, type JobStorage } from '../../../core/job.ts'

const firstWindowBytes = 512 * 1024
const largestWindowBytes = 16 * 1024 * 1024
const tries = 4
const pauseMs = 250

export interface SourceRelay {
  url: URL
  /** Why the store gave no bytes, if so: it tells more than what FFmpeg makes of it. */
  failure(): JobError | undefined
  stop(): Promise<void>
}

/** @throws JobError as `JobStorage.readUrl` */
export async function startRelay(
  storage: Pick<JobStorage, 'readUrl'>,
  key: string,
  { signal, stallSeconds }: { signal: AbortSignal; stallSeconds: number },
): Promise<SourceRelay> {
  let link = await storage.readUrl(key)
  let failure: JobError | undefined
  let next = { from: -1, windowBytes: firstWindowBytes }

  /** A part of the object; a link that ran out is asked for anew. */
  async function read(range: string): Promise<Response> {
    for (let left = tries; ; left--) {
      const problem = await tryRead(range).catch((error: unknown) => error)
      if (problem instanceof Response) return problem
      if (signal.aborted || left <= 1) throw problem
      await Bun.sleep(pauseMs)
      link = await storage.readUrl(key)
    }
  }

  async function tryRead(range: string): Promise<Response> {
    const patience = AbortSignal.any([signal, AbortSignal.timeout(stallSeconds * 1000)])
    const answer = await fetch(link, { headers: { range }, signal: patience })
    if (!answer.ok && answer.status !== rangeNotSatisfiable)
      throw new Error(`reading answered ${answer.status}`)
    const headers = new Headers({ 'accept-ranges': 'bytes', 'content-type': 'application/octet-stream' })
    const place = answer.headers.get('content-range')
    if (place !== null) headers.set('content-range', place)
    return new Response(await answer.arrayBuffer(), { status: answer.status, headers })
  }

  async function serve(request: Request): Promise<Response> {
    if (request.url !== url.href) return new Response(null, { status: 404 })
    const from = Number(/^bytes=(\d+)-/.exec(request.headers.get('range') ?? 'bytes=0-')?.[1] ?? 0)
    const readsOn = from === next.from
    const windowBytes = readsOn ? Math.min(largestWindowBytes, 2 * next.windowBytes) : firstWindowBytes
    next = { from: from + windowBytes, windowBytes }
    try {
      return await read(`bytes=${from}-${from + windowBytes - 1}`)
    } catch (cause) {
      failure ??=
        cause instanceof JobError
          ? cause
          : new JobError('storage_unavailable', 'The object storage could not be used for the source.', {
              cause,
            })
      return new Response(null, { status: 502 })
    }
  }

  const server = Bun.serve({ hostname: '127.0.0.1', port: 0, idleTimeout: 0, fetch: serve })
  const url = new URL(`http://127.0.0.1:${server.port}/${randomUUID()}`)
  return {
    url,
    failure: () => failure,
    stop: () => server.stop(true),
  }
}

const rangeNotSatisfiable = 416
