/**
 * The coordinator's end of a job process's socket: lines of JSON both ways.
 *
 * A job can write as much as it likes; here nothing grows with it. A line longer than any message may be breaks the
 * channel. More than a share of messages or bytes in a moment, and it is not read for the rest of that moment: the
 * writer then blocks on the full socket, so a flood slows down the process it comes from and nobody else.
 */
import { connect, type Socket } from 'node:net'
import { jobBounds } from '../core/job-bounds.ts'

const momentMs = 100
const messagesPerMoment = 1000
const bytesPerMoment = 4 * 1024 * 1024
const newline = 10

export interface ChannelHolder {
  message(message: unknown): void
  /** What came is no line of JSON, or too long for one. Nothing more is read. */
  broken(problem: string): void
}

export class Channel {
  /** Settles when the other end is closed and all that it sent is read. */
  readonly closed: Promise<void>
  readonly #socket: Socket
  #pieces: Buffer[] = []
  #pendingBytes = 0
  #momentBegan = 0
  #messages = 0
  #bytes = 0
  #holds = 0
  #ended = false
  /** Sent in this moment, after the first, which went out at once; null when none was. */
  #outgoing: string[] | null = null

  constructor(
    descriptor: number,
    private readonly holder: ChannelHolder,
  ) {
    // Bun connects sockets by descriptor; Node's types don't know that.
    this.#socket = connect({ fd: descriptor } as unknown as { path: string })
    this.closed = new Promise((resolve) => this.#socket.once('close', () => resolve()))
    // A child that died while we wrote: its end is on the way by another road.
    this.#socket.on('error', () => {})
    this.#socket.on('data', (chunk: Buffer) => this.#receive(chunk))
  }

  /** Of several at once the first goes out now, the others together. */
  send(message: object): void {
    const line = `${JSON.stringify(message)}\n`
    if (this.#outgoing === null) {
      this.#outgoing = []
      this.#write(line)
      setImmediate(() => this.#flush())
    } else this.#outgoing.push(line)
  }

  #flush(): void {
    const lines = this.#outgoing ?? []
    this.#outgoing = null
    if (lines.length > 0) this.#write(lines.join(''))
  }

  #write(text: string): void {
    if (!this.#ended && this.#socket.writable) this.#socket.write(text)
  }

  /** Reads nothing more until as many calls of `release`. */
  hold(): void {
    if (this.#holds++ === 0) this.#socket.pause()
  }

  release(): void {
    if (--this.#holds === 0) this.#socket.resume()
  }

  close(): void {
    this.#ended = true
    this.#socket.destroy()
  }

  #receive(chunk: Buffer): void {
    let begin = 0
    for (let end = chunk.indexOf(newline); end !== -1; end = chunk.indexOf(newline, begin)) {
      this.#pieces.push(chunk.subarray(begin, end))
      begin = end + 1
      this.#line(Buffer.concat(this.#pieces))
      this.#pieces = []
      this.#pendingBytes = 0
      if (this.#ended) return
    }
    if (begin < chunk.length) {
      this.#pieces.push(chunk.subarray(begin))
      this.#pendingBytes += chunk.length - begin
      if (this.#pendingBytes > jobBounds.message)
        this.#break(`a message of more than ${jobBounds.message} bytes`)
    }
    this.#slowDown(chunk.length)
  }

  #line(line: Buffer): void {
    this.#messages++
    const message = parsed(line)
    if (message === undefined) this.#break('a line that is not JSON, or too long')
    else this.holder.message(message)
  }

  #break(problem: string): void {
    if (this.#ended) return
    this.close()
    this.holder.broken(problem)
  }

  #slowDown(bytes: number): void {
    const now = performance.now()
    if (now - this.#momentBegan > momentMs) {
      this.#momentBegan = now
      this.#messages = 0
      this.#bytes = 0
    }
    this.#bytes += bytes
    if (this.#ended || (this.#messages <= messagesPerMoment && this.#bytes <= bytesPerMoment)) return
    this.#messages = 0
    this.#bytes = 0
    this.hold()
    setTimeout(() => this.release(), this.#momentBegan + momentMs - now)
  }
}

function parsed(line: Buffer): unknown {
  if (line.length > jobBounds.message) return undefined
  try {
    return JSON.parse(line.toString('utf8'))
  } catch {
    return undefined
  }
}
