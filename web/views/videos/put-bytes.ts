/** Puts bytes to a presigned link and tells how far it is, which fetch can't. */
import { ApiProblem } from '../../api.ts'

export async function putBytes(
  url: string,
  bytes: Blob,
  {
    headers = {},
    signal,
    onSent,
  }: { headers?: Record<string, string>; signal: AbortSignal; onSent: (bytes: number) => void },
): Promise<void> {
  // A request that is aborted before it is sent is sent all the same.
  signal.throwIfAborted()
  await new Promise<void>((resolve, reject) => {
    const request = new XMLHttpRequest()
    const stop = () => request.abort()
    const fail = (message: string) => reject(new ApiProblem(message, request.status || null, 'storage'))
    request.open('PUT', url)
    for (const [name, value] of Object.entries(headers)) request.setRequestHeader(name, value)
    request.upload.onprogress = ({ loaded }) => onSent(loaded)
    request.onload = () =>
      request.status < 300 ? resolve() : fail(`The storage answered with status ${request.status}.`)
    request.onerror = () => fail('The storage can’t be reached, or does not take uploads from this page.')
    request.onabort = () => fail('It was stopped.')
    request.onloadend = () => signal.removeEventListener('abort', stop)
    signal.addEventListener('abort', stop)
    // A slice of a file has no type; without one the browser would send one of its own where a link is bound to none.
    request.send(Object.keys(headers).length === 0 ? bytes.slice(0, bytes.size, '') : bytes)
  })
}
