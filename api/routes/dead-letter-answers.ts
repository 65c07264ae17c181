/** What is answered about dead letters, for the document and for the tests that hold the answers against it. */
import { z } from 'zod'
import { exampleId } from './job-answers.ts'

const moment = z.iso.datetime()
const anyObject = z.record(z.string(), z.unknown())

export const DeadLetterSummary = z
  .object({
    dlqJobId: z.uuid(),
    originalJobId: z.uuid(),
    definitionKey: z.string(),
    definitionVersion: z.int(),
    priority: z.int(),
    attempts: z.int(),
    maxAttempts: z.int(),
    queuedAt: moment,
    startedAt: moment.nullable(),
    finishedAt: moment,
    errorCode: z.string().nullable(),
    errorSummary: z.string().nullable(),
    movedToDlqAt: moment,
    redrivenAt: moment.nullable(),
    redrivenJobId: z.uuid().nullable(),
  })
  .meta({ id: 'DeadLetterSummary' })

export const DeadLetter = DeadLetterSummary.extend({
  params: anyObject,
  idempotencyKey: z.string().nullable(),
  details: anyObject.nullable(),
}).meta({ id: 'DeadLetter' })

export const DeadLetterGroup = z
  .object({
    definitionKey: z.string(),
    errorCode: z.string().nullable(),
    count: z.int(),
    firstAt: moment,
    lastAt: moment,
    errorSummary: z.string().nullable().describe('Of the newest of them.'),
  })
  .meta({ id: 'DeadLetterGroup' })

export const exampleGroup = {
  definitionKey: 'failing',
  errorCode: 'always_fails',
  count: 12,
  firstAt: '2030-01-31T09:31:01.000Z',
  lastAt: '2030-01-31T10:02:47.000Z',
  errorSummary: 'This job always fails.',
}

export const exampleLetter = {
  dlqJobId: exampleId,
  originalJobId: exampleId,
  definitionKey: 'failing',
  definitionVersion: 1,
  priority: 0,
  attempts: 3,
  maxAttempts: 3,
  queuedAt: '2030-01-31T09:30:00.000Z',
  startedAt: '2030-01-31T09:31:00.000Z',
  finishedAt: '2030-01-31T09:31:01.000Z',
  errorCode: 'always_fails',
  errorSummary: 'This job always fails.',
  movedToDlqAt: '2030-01-31T09:31:01.000Z',
  redrivenAt: null,
  redrivenJobId: null,
}
