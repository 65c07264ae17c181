/** Aborts a transfer when no byte has moved for a time: a server that falls silent must not hold a job for ever. */

export class StallTimer {
  readonly #abort = new AbortController()
  readonly #timer: NodeJS.Timeout
  /** Aborts when time is up, and with the signal that was given. */
  readonly signal: AbortSignal

  constructor(
    readonly seconds: number,
    signal: AbortSignal,
  ) {
    this.signal = AbortSignal.any([this.#abort.signal, signal])
    this.#timer = setTimeout(() => this.#abort.abort(), seconds * 1000)
  }

  get isOver(): boolean {
    return this.#abort.signal.aborted
  }

  /** Bytes have moved: the time begins anew. */
  moved(): void {
    this.#timer.refresh()
  }

  /**
   * Passes the bytes on; each piece is a sign of life. Read as fast as it is asked for, never ahead.
   * @param saw gets each piece, too
   */
  watch(
    bytes: ReadableStream<Uint8Array>,
    saw: (piece: Uint8Array) => void = () => {},
  ): ReadableStream<Uint8Array> {
    const reader = bytes.getReader()
    return new ReadableStream<Uint8Array>({
      pull: async (controller) => {
        const { done, value } = await reader.read()
        this.moved()
        if (done) return controller.close()
        saw(value)
        controller.enqueue(value)
      },
      cancel: (reason) => reader.cancel(reason),
    })
  }

  stop(): void {
    clearTimeout(this.#timer)
  }
}
