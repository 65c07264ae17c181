import { describe, expect, test } from 'vitest'
import { defaultBackoff } from '../../../core/backoff.ts'
import { type EndOfProcess, endOf } from '../../../worker/attempt-end.ts'

const job = {
  attempt: 1,
  timeoutSeconds: 60,
  memoryLimitMb: 100,
  scratchLimitMb: 10,
  backoff: defaultBackoff,
}
const known = { peakMemoryBytes: 5, lastLines: ['last words'] }

const ends: { end: EndOfProcess; errorCode: string; crashed: boolean }[] = [
  { end: { kind: 'exited', exitCode: 3 }, errorCode: 'process_exited', crashed: true },
  { end: { kind: 'exited', exitCode: 0 }, errorCode: 'exited_without_result', crashed: true },
  { end: { kind: 'signalled', signal: 'SIGSEGV' }, errorCode: 'process_killed', crashed: true },
  { end: { kind: 'broke_protocol', problem: 'p' }, errorCode: 'protocol_error', crashed: true },
  { end: { kind: 'stopped', reason: 'out_of_memory' }, errorCode: 'out_of_memory', crashed: true },
  { end: { kind: 'stopped', reason: 'scratch_full' }, errorCode: 'scratch_limit_exceeded', crashed: false },
  { end: { kind: 'stopped', reason: 'timed_out' }, errorCode: 'timed_out', crashed: false },
]

describe('each way a process dies has an error code of its own, and tells what is known of it', () => {
  test.each(ends)('$errorCode', ({ end, errorCode, crashed }) => {
    expect(endOf(end, job, known)).toMatchObject({
      kind: 'failed',
      retry: true,
      errorCode,
      crashed,
      details: known,
    })
  })

  test('no two share one', () => {
    expect(new Set(ends.map(({ errorCode }) => errorCode)).size).toBe(ends.length)
  })
})

test('one that was ended for the sake of the container says so, and what its own limit is', () => {
  const peakMemoryBytes = 70 * 1024 * 1024
  const end = endOf({ kind: 'stopped', reason: 'container_full' }, job, { ...known, peakMemoryBytes })
  expect(end).toMatchObject({
    errorCode: 'out_of_memory',
    message: expect.stringMatching(/container was about to run out.* 70 MiB\. Its own limit is 100 MiB\.$/),
  })
})

const thrown: EndOfProcess = { kind: 'threw', errorCode: 'boom', message: 'm', stack: '', retry: true }

test('an error that was thrown keeps its code and is no crash', () => {
  expect(endOf(thrown, job, known)).toMatchObject({ errorCode: 'boom', crashed: false, retry: true })
})

test('an error that says it is for good is not retried', () => {
  expect(endOf({ ...thrown, retry: false }, job, known)).toMatchObject({ retry: false })
})

test('seconds that came with the failure go before the policy', () => {
  expect(endOf({ ...thrown, retryInSeconds: 1234 }, job, known)).toMatchObject({ retryInSeconds: 1234 })
  const { retryInSeconds } = endOf(thrown, job, known) as { retryInSeconds: number }
  expect(retryInSeconds).toBeLessThanOrEqual(defaultBackoff.baseSeconds)
})

test('a lost lease is nobody’s end to write', () => {
  expect(endOf({ kind: 'stopped', reason: 'lease_lost' }, job, known)).toBeNull()
})
