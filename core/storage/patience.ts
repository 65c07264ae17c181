/**
 * How long the storage is waited for. One that hangs would hold up for good whoever asked it; a transfer that goes on may take
 * as long as it likes, and so may the joining of many gigabytes.
 */

export interface Patience {
  /** Until a request is answered; after that it is made again, twice. */
  answerSeconds: number
  /** Until something moves. */
  idleSeconds: number
}

export const patience: Patience = { answerSeconds: 30, idleSeconds: 300 }

/** For requests with many bytes, or whose answer takes its time: they are waited for as long as anything moves. */
export const untilIdle = { requestTimeout: 0 }

export interface RequestOptions {
  /** To wait no longer: it is open then whether the storage did what it was asked. */
  signal?: AbortSignal | undefined
}

export function abortedBy(signal: AbortSignal | undefined) {
  return signal === undefined ? {} : { abortSignal: signal }
}
