/** What is asked of events, and answered. */
import { z } from 'zod'
import { parseCursor } from '../../core/events/cursor.ts'
import { queryInteger, text } from '../validate.ts'
import { exampleId } from './job-answers.ts'

export const pageItems = 1000
export const pageBytes = 4 * 1024 ** 2

const cursor = z
  .string()
  .transform((value, context) => {
    const parsed = parseCursor(value)
    if (parsed !== null) return parsed
    context.addIssue({
      code: 'custom',
      message: 'expected the cursor of an answer or the id of a streamed event',
    })
    return z.NEVER
  })
  .meta({ openapi: { type: 'string', description: 'Only what came after it.' } })

const filter = {
  types: z
    .string()
    .max(1000)
    .transform((value) => new Set(value.split(',').filter(Boolean)))
    .meta({ openapi: { type: 'string', description: 'Only these types, separated by commas.' } })
    .optional(),
  logs: z
    .enum(['true', 'false'])
    .transform((value) => value === 'true')
    .meta({ openapi: { type: 'boolean', description: 'Lines of logs too, as events of the type log.' } })
    .optional(),
  after: cursor.optional(),
  limit: queryInteger(1, pageItems).optional(),
}

export const JobQuery = z.strictObject(filter)
export const AllQuery = z.strictObject({
  ...filter,
  definitionKey: text(255).optional(),
  queue: text(100).optional(),
})

export const StreamHeaders = z.object({ 'last-event-id': cursor.optional() })

const Event = z
  .object({
    id: z.string(),
    jobId: z.uuid(),
    eventType: z
      .string()
      .describe('queued, started, progress, succeeded and so on, or one of the job’s own.'),
    at: z.iso.datetime(),
    payload: z.record(z.string(), z.unknown()),
    definitionKey: z.string().describe('Among the events of all jobs.').optional(),
    queue: z.string().describe('Among the events of all jobs.').optional(),
  })
  .meta({ id: 'Event' })

export const pageFields = {
  events: z.array(Event),
  cursor: z.string().describe('What to give as `after`, or as Last-Event-ID, to go on from here.'),
  more: z.boolean().describe('Whether there is more already.'),
}

export const exampleEvent = {
  id: '42',
  jobId: exampleId,
  eventType: 'started',
  at: '2030-01-31T09:30:00.000Z',
  payload: { attempt: 1 },
}
