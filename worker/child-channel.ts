/**
 * The job process's end of its channel: descriptor 3. Writing is synchronous: what was sent has left the process,
 * whatever becomes of it in the next moment, and a job that sends faster than the coordinator reads waits.
 */
import { readSync, writeSync } from 'node:fs'
import { JobError, type JsonObject } from '../core/job.ts'
import type { Ask } from './child-storage.ts'
import type { FromChild, StorageOperation, ToChild } from './protocol.ts'

const descriptor = 3
type Answer = Extract<ToChild, { request: number }>

export class ChildChannel {
  readonly #waiting = new Map<number, (answer: Answer) => void>()
  #requests = 0
  readonly #decoder = new TextDecoder()
  #rest = ''
  #isListening = false

  /** @param closed the other side is gone */
  constructor(
    private readonly receive: (message: ToChild) => void,
    private readonly closed: () => void,
  ) {}

  /**
   * Blocks until something has come. While a process waits for its first job, nothing else goes on in it; and to get
   * ready to listen takes as long as to start the runtime, which a short job need not pay for.
   */
  await(): void {
    const bytes = new Uint8Array(64 * 1024)
    for (let messages = 0; messages === 0; ) {
      const count = readSync(descriptor, bytes)
      if (count === 0) {
        this.closed()
        return
      }
      messages = this.#take(bytes.subarray(0, count))
    }
  }

  /** From now on what comes is received when it comes. */
  listen(): void {
    if (this.#isListening) return
    this.#isListening = true
    void this.#listen()
  }

  async #listen(): Promise<void> {
    for await (const chunk of Bun.file(descriptor).stream()) this.#take(chunk)
    this.closed()
  }

  /** @returns how many messages are complete with it */
  #take(chunk: Uint8Array): number {
    const lines = (this.#rest + this.#decoder.decode(chunk, { stream: true })).split('\n')
    this.#rest = lines.pop() ?? ''
    for (const line of lines) this.receive(JSON.parse(line))
    return lines.length
  }

  send(message: FromChild): void {
    this.#write(JSON.stringify(message))
  }

  answer(answer: Answer): void {
    this.#waiting.get(answer.request)?.(answer)
    this.#waiting.delete(answer.request)
  }

  asker(run: number): Ask {
    return async (operation: StorageOperation) => {
      const answer = await this.#ask((request) => this.send({ type: 'storage', run, request, operation }))
      if (answer.type === 'enqueued') throw new Error('the answer to another question')
      return answer
    }
  }

  /** @throws JobError when it is refused */
  async enqueue(run: number, job: JsonObject): Promise<{ jobId: string; created: boolean }> {
    const answer = await this.#ask((request) => this.send({ type: 'enqueue', run, request, job }))
    if (answer.type !== 'enqueued') throw new Error('the answer to another question')
    return { jobId: answer.jobId, created: answer.created }
  }

  async #ask(send: (request: number) => void): Promise<Exclude<Answer, { type: 'refused' }>> {
    this.listen()
    const request = ++this.#requests
    send(request)
    const answer = await new Promise<Answer>((resolve) => this.#waiting.set(request, resolve))
    if (answer.type !== 'refused') return answer
    throw new JobError(answer.code, answer.message, { retry: answer.retry })
  }

  #write(line: string): void {
    let rest = Buffer.from(`${line}\n`)
    while (rest.length > 0) rest = rest.subarray(writeSync(descriptor, rest))
  }
}
