/** One output stream of a job process. */

/** More than any end of output is long. */
const keptEndBytes = 100

/** Reads the stream to its end, so that the child never blocks on a full pipe. */
export class ProcessOutput {
  /** Settles when no process holds the stream open any more. */
  readonly done: Promise<void>
  #last = Buffer.alloc(0)
  #awaited: { ending: Buffer; read: () => void } | undefined

  constructor(
    stream: ReadableStream<Uint8Array>,
    private readonly output: (chunk: Uint8Array) => void,
  ) {
    this.done = this.#read(stream)
  }

  /** Settles when this is the last that was written. */
  endsWith(text: string): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#awaited = { ending: Buffer.from(text), read: resolve }
    this.#check()
    return promise
  }

  async #read(stream: ReadableStream<Uint8Array>): Promise<void> {
    for await (const chunk of stream) {
      this.#last = Buffer.concat([this.#last, chunk.subarray(-keptEndBytes)]).subarray(-keptEndBytes)
      this.output(chunk)
      this.#check()
    }
  }

  #check(): void {
    if (
      this.#awaited === undefined ||
      !this.#last.subarray(-this.#awaited.ending.length).equals(this.#awaited.ending)
    )
      return
    this.#awaited.read()
    this.#awaited = undefined
  }
}

/** @returns whether it was done in time: what a process out of our reach still holds open is not waited for */
export async function within(done: Promise<unknown>, milliseconds: number): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>()
  const timer = setTimeout(() => resolve(false), milliseconds)
  const inTime = await Promise.race([done.then(() => true), promise])
  clearTimeout(timer)
  return inTime
}
