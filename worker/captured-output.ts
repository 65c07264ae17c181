/**
 * What one attempt writes: standard output and error, cut into lines, and its log. Up to the limit every line is
 * kept; what comes after is counted and noted once. The last lines are at hand whatever the limit, for the record of
 * a crash. A byte that is not kept costs next to nothing, so a job may print what it likes.
 */
import type { JsonObject } from '../core/json.ts'
import type { LogEntry } from '../core/queue/logs.ts'

export type CapturedLine = Omit<LogEntry, 'lease'>

/** A line without an end is cut here. */
const lineLength = 8 * 1024
/** What a line takes beside its text: a flood of empty lines is one too. */
const lineCostBytes = 50
const tailBytes = 64 * 1024
const tailLines = 200
/** More small pieces are made one: each takes far more than its bytes. */
const tailPieces = 1000

export class CapturedOutput {
  readonly #open = { stdout: new OpenLine(), stderr: new OpenLine() }
  #tail: Uint8Array[] = []
  #tailBytes = 0
  #keptBytes = 0
  #droppedBytes = 0

  constructor(
    private readonly limitBytes: number,
    private readonly keep: (line: CapturedLine) => void,
  ) {}

  write(stream: 'stdout' | 'stderr', chunk: Uint8Array): void {
    this.#remember(chunk)
    if (this.#keptBytes >= this.limitBytes) this.#droppedBytes += chunk.length
    else
      for (const text of this.#open[stream].add(chunk)) this.#add({ stream, level: null, text, fields: null })
  }

  log(level: NonNullable<LogEntry['level']>, text: string, fields: JsonObject): void {
    const hasFields = Object.keys(fields).length > 0
    this.#remember(Buffer.from(`${level}: ${text}${hasFields ? ` ${JSON.stringify(fields)}` : ''}\n`))
    this.#add({ stream: 'log', level, text, fields: hasFields ? fields : null })
  }

  /** What the process itself already left out. */
  dropped(bytes: number): void {
    this.#droppedBytes += bytes
  }

  /** Nothing more comes: what is left without a line's end, and the note on what is missing. */
  end(): void {
    for (const stream of ['stdout', 'stderr'] as const) {
      const text = this.#open[stream].rest
      if (text !== '') this.#add({ stream, level: null, text, fields: null })
    }
    if (this.#droppedBytes === 0) return
    const text = `${this.#droppedBytes} bytes of output are not kept: the limit is ${this.limitBytes} bytes.`
    this.keep({ stream: 'log', level: 'warn', at: new Date(), text, fields: null })
  }

  /** The end of all that was written, up to 200 lines and 64 KiB. */
  lastLines(): string[] {
    const text = new TextDecoder().decode(Buffer.concat(this.#tail).subarray(-tailBytes))
    return text.replace(/\n$/, '').split('\n').slice(-tailLines)
  }

  #add(line: Omit<CapturedLine, 'at'>): void {
    if (this.#keptBytes >= this.limitBytes) {
      this.#droppedBytes += line.text.length + 1
      return
    }
    const fieldsBytes = line.fields === null ? 0 : JSON.stringify(line.fields).length
    this.#keptBytes += line.text.length + fieldsBytes + lineCostBytes
    this.keep({ ...line, at: new Date() })
  }

  #remember(chunk: Uint8Array): void {
    this.#tail.push(chunk)
    this.#tailBytes += chunk.length
    for (
      let [first] = this.#tail;
      first && this.#tailBytes - first.length >= tailBytes;
      [first] = this.#tail
    ) {
      this.#tail.shift()
      this.#tailBytes -= first.length
    }
    if (this.#tail.length > tailPieces) this.#tail = [Buffer.concat(this.#tail)]
  }
}

class OpenLine {
  rest = ''
  readonly #decoder = new TextDecoder()

  /** The lines that are complete now. */
  add(chunk: Uint8Array): string[] {
    const lines = (this.rest + this.#decoder.decode(chunk, { stream: true })).split('\n')
    const [rest = '', ...pieces] = cut(lines.pop() ?? '').reverse()
    this.rest = rest
    return [...lines.flatMap(cut), ...pieces.reverse()]
  }
}

function cut(line: string): string[] {
  if (line.length <= lineLength) return [line]
  const count = Math.ceil(line.length / lineLength)
  return Array.from({ length: count }, (_, place) => line.slice(place * lineLength, (place + 1) * lineLength))
}
