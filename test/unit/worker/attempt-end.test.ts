import { describe, expect, test } from 'vitest'
import { defaultBackoff } from '../../../core/backoff.ts'
import { endOf } from '../../../worker/attempt-end.ts'
import type { ProcessEnd } from '../../../worker/job-process.ts'

const job = { attempt: 1, timeoutSeconds: 60, backoff: defaultBackoff }

describe('each way a process ends has an error code of its own', () => {
  const ends: [ProcessEnd, string][] = [
    [{ kind: 'threw', errorCode: 'boom', message: 'm', stack: '', retry: true }, 'boom'],
    [{ kind: 'exited', exitCode: 3, output: '' }, 'process_exited'],
    [{ kind: 'signalled', signal: 'SIGSEGV', output: '' }, 'process_killed'],
    [{ kind: 'stopped', reason: 'timed_out' }, 'timed_out'],
  ]
  test.each(ends)('%o', (end, errorCode) => {
    expect(endOf(end, job)).toMatchObject({ kind: 'failed', errorCode, retry: true })
  })
})

test('only an end that took the process down counts as a crash', () => {
  expect(endOf({ kind: 'exited', exitCode: 1, output: '' }, job)).toMatchObject({ crashed: true })
  expect(endOf({ kind: 'stopped', reason: 'timed_out' }, job)).toMatchObject({ crashed: false })
})

test('a lost lease is nobody’s end to write', () => {
  expect(endOf({ kind: 'stopped', reason: 'lease_lost' }, job)).toBeNull()
})

test('an error that says it is for good is not retried', () => {
  const end: ProcessEnd = { kind: 'threw', errorCode: 'invalid_media', message: 'm', stack: '', retry: false }
  expect(endOf(end, job)).toMatchObject({ retry: false })
})
