/** One output stream of a job process, of which one run after the other writes its section. */
import { cutSection } from './end-of-output.ts'

interface Section {
  run: number
  write(chunk: Uint8Array): void
  end(): void
}

/** Reads the stream to its end, so that the child never blocks on a full pipe. */
export class ProcessOutput {
  /** Settles when no process holds the stream open any more. */
  readonly done: Promise<void>
  readonly #sections: Section[] = []
  #rest = Buffer.alloc(0)

  constructor(stream: ReadableStream<Uint8Array>) {
    this.done = this.#read(stream)
  }

  /**
   * What is written after the sections of earlier runs is of this one.
   * @returns settles when the run has said that it writes no more, and all of it is read
   */
  expect(run: number, write: (chunk: Uint8Array) => void): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#sections.push({ run, write, end: resolve })
    return promise
  }

  /** The run will write nothing: it did not begin. */
  forget(run: number): void {
    const place = this.#sections.findIndex((section) => section.run === run)
    if (place !== -1) this.#sections.splice(place, 1)
  }

  async #read(stream: ReadableStream<Uint8Array>): Promise<void> {
    for await (const chunk of stream) this.#add(Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength))
    this.#write(this.#rest)
  }

  #add(chunk: Buffer): void {
    let bytes = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk])
    for (;;) {
      const { text, run, rest } = cutSection(bytes)
      this.#write(text)
      if (run !== null) this.#end(run)
      bytes = rest
      if (run === null) break
    }
    this.#rest = Buffer.from(bytes)
  }

  /** Of nobody when no run is at work. */
  #write(text: Buffer): void {
    if (text.length > 0) this.#sections[0]?.write(text)
  }

  /** An end that is not the current run's is something a job has written. */
  #end(run: number): void {
    if (this.#sections[0]?.run === run) this.#sections.shift()?.end()
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
