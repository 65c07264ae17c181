/**
 * Links into the storage for what the API answers with a redirect: elements of a page can't send a key, so the redirect
 * is followed by a request for one byte, and where that ended is the link.
 */
import { problemOf, sendSigned } from '../../api.ts'

/** @throws ApiProblem */
export async function linkOf(path: string): Promise<string> {
  const stop = new AbortController()
  const answer = await sendSigned(path, { headers: { range: 'bytes=0-0' }, signal: stop.signal })
  if (!answer.ok) throw problemOf(await answer.text(), answer)
  // The rest is for whoever follows the link.
  stop.abort()
  return answer.url
}

/** Opens a file that is sent as one to save. */
export async function download(path: string): Promise<void> {
  location.assign(await linkOf(path))
}
