/**
 * The job process's end of its channel: descriptor 3. Writing is synchronous: what was sent has left the process,
 * whatever becomes of it in the next moment, and a job that sends faster than the coordinator reads waits.
 */
import { writeSync } from 'node:fs'
import { JobError } from '../core/job.ts'
import type { Ask, Granted } from './child-storage.ts'
import type { FromChild, StorageOperation, ToChild } from './protocol.ts'

const descriptor = 3
type Answer = Extract<ToChild, { request: number }>

export class ChildChannel {
  readonly #waiting = new Map<number, (answer: Answer) => void>()
  #requests = 0

  /** Ends when the other side is closed. */
  async *messages(): AsyncGenerator<ToChild> {
    const decoder = new TextDecoder()
    let rest = ''
    for await (const chunk of Bun.file(descriptor).stream()) {
      const lines = (rest + decoder.decode(chunk, { stream: true })).split('\n')
      rest = lines.pop() ?? ''
      for (const line of lines) yield JSON.parse(line)
    }
  }

  send(message: FromChild): void {
    this.#write(JSON.stringify(message))
  }

  /** @throws JobError report_too_large; TypeError when JSON can't carry the message */
  sendBounded(message: FromChild, limitBytes: number): void {
    const line = JSON.stringify(message)
    const sizeBytes = Buffer.byteLength(line)
    if (sizeBytes > limitBytes) {
      const text = `The ${message.type} takes ${sizeBytes} bytes as JSON; ${limitBytes} are allowed.`
      throw new JobError('report_too_large', text, { retry: false })
    }
    this.#write(line)
  }

  answer(answer: Answer): void {
    this.#waiting.get(answer.request)?.(answer)
    this.#waiting.delete(answer.request)
  }

  asker(run: number): Ask {
    return (operation: StorageOperation) => {
      const request = ++this.#requests
      return new Promise<Granted>((resolve, reject) => {
        this.#waiting.set(request, (answer) => {
          if (answer.type !== 'refused') resolve(answer)
          else reject(new JobError(answer.code, answer.message, { retry: answer.retry }))
        })
        this.send({ type: 'storage', run, request, operation })
      })
    }
  }

  #write(line: string): void {
    let rest = Buffer.from(`${line}\n`)
    while (rest.length > 0) rest = rest.subarray(writeSync(descriptor, rest))
  }
}
