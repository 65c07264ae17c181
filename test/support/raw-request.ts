/** HTTP by hand over TCP, to do what no client library does: to stop in the middle. */
import { connect } from 'node:net'

export interface RawRequest {
  /** Settles when the bytes have left this process. */
  write(bytes: Uint8Array | string): Promise<void>
  /** Says that nothing more comes, and goes on listening. */
  end(): void
  /** Goes away, as a client does whose line broke. */
  destroy(): void
  /** What was answered, head and body, once the other side closed or the content length is reached. */
  answer: Promise<string>
}

export async function openRaw(
  url: string,
  path: string,
  headers: Record<string, string>,
  method = 'POST',
): Promise<RawRequest> {
  const { hostname, port, host } = new URL(url)
  const socket = connect({ host: hostname, port: Number(port), allowHalfOpen: true })
  const answered = Promise.withResolvers<string>()
  let heard = ''
  socket.on('data', (bytes) => {
    heard += bytes.toString('latin1')
    const [head = '', ...body] = heard.split('\r\n\r\n')
    const length = /^content-length: *(\d+)/im.exec(head)?.[1]
    if (length !== undefined && body.join('\r\n\r\n').length >= Number(length)) answered.resolve(heard)
  })
  // A line that is cut from our side or theirs is what is being tested; what was heard until then is the answer.
  socket.on('error', () => {})
  socket.on('end', () => answered.resolve(heard))
  socket.on('close', () => answered.resolve(heard))
  await new Promise<void>((resolve, reject) => {
    socket.once('connect', resolve)
    socket.once('error', reject)
  })
  const write = (bytes: Uint8Array | string) =>
    new Promise<void>((resolve, reject) => {
      socket.write(bytes, (error) => (error ? reject(error) : resolve()))
    })
  const lines = Object.entries({ host, ...headers }).map(([name, value]) => `${name}: ${value}`)
  await write(`${method} ${path} HTTP/1.1\r\n${lines.join('\r\n')}\r\n\r\n`)
  return { write, end: () => socket.end(), destroy: () => socket.destroy(), answer: answered.promise }
}

export const boundary = 'a-boundary-of-the-tests'

/**
 * The parts of a form with one file, as they go over the line.
 * @param options.extendedName in place of the name, encoded as RFC 8187 has it: `UTF-8''a%20b.mp4`
 */
export function formParts(
  filename = 'clip.mp4',
  { extendedName, type = 'video/mp4' }: { extendedName?: string; type?: string } = {},
) {
  const name = extendedName === undefined ? `filename="${filename}"` : `filename*=${extendedName}`
  const head = [
    `--${boundary}`,
    `Content-Disposition: form-data; name="video"; ${name}`,
    `Content-Type: ${type}`,
  ]
  return {
    contentType: `multipart/form-data; boundary=${boundary}`,
    head: Buffer.from(`${head.join('\r\n')}\r\n\r\n`),
    tail: Buffer.from(`\r\n--${boundary}--\r\n`),
  }
}
