/** What is answered for a file in the storage: a redirect to a link, and on HEAD its head. */
import type { Context } from 'hono'
import type { Storage } from '../core/storage/client.ts'
import { contentDisposition } from '../core/storage/presign.ts'
import type { ApiEnv } from './app.ts'
import { RequestProblem } from './problem.ts'

interface SentOutput {
  key: string
  contentType: string
  /** What it is saved as; without it, it is played or shown. */
  filename?: string
}

/**
 * A link is good for GET alone, so that a HEAD must be answered here.
 * @throws RequestProblem output_not_ready, on HEAD alone
 */
export async function redirectToOutput(
  c: Context<ApiEnv>,
  storage: Storage,
  output: SentOutput,
  { expiresInSeconds }: { expiresInSeconds: number },
) {
  if (c.req.method === 'HEAD') return await headOfOutput(c, storage, output)
  const { key, filename } = output
  const saved = filename === undefined ? {} : { filename }
  return c.redirect(await storage.presignGet(key, { expiresInSeconds, audience: 'client', ...saved }), 302)
}

/**
 * Hono answers HEAD by the route of GET and drops the body: one that was opened, and is never read, would keep its
 * connection to the storage. Ranges are of GET alone (RFC 9110, 14.2).
 * @throws RequestProblem output_not_ready
 */
export async function headOfOutput(c: Context<ApiEnv>, storage: Storage, output: SentOutput) {
  const stored = await storage.head(output.key)
  if (stored === null) throw notKept()
  return c.body(null, 200, outputHeaders(output, stored.sizeBytes))
}

export function outputHeaders({ contentType, filename }: SentOutput, sizeBytes: number) {
  return {
    'content-type': contentType,
    'content-length': String(sizeBytes),
    ...(filename === undefined ? {} : { 'content-disposition': contentDisposition(filename) }),
    'accept-ranges': 'bytes',
  }
}

export function notKept(): RequestProblem {
  return new RequestProblem('output_not_ready', 'The output is not kept any more.')
}
