/** What is answered about schedules, for the document and for the tests that hold the answers against it. */
import { z } from 'zod'
import { describe } from '../../core/schedules/describe.ts'
import { catchUpPolicies, overlapPolicies, type Schedule, scheduleSources } from '../../core/schedules/row.ts'
import { exampleId } from './job-answers.ts'

const moment = z.iso.datetime()

export const ScheduleAnswer = z
  .object({
    scheduleId: z.uuid(),
    name: z.string(),
    source: z
      .enum(scheduleSources)
      .describe('api: made by a client. code: by the `schedule` of a definition.'),
    definitionKey: z.string(),
    definitionVersion: z.int(),
    params: z.record(z.string(), z.unknown()),
    priority: z.int(),
    queue: z.string().nullable().describe("Null: the definition's."),
    expression: z.string(),
    description: z.string().describe('The expression in English.'),
    timezone: z.string(),
    enabled: z.boolean(),
    startsAt: moment.nullable(),
    endsAt: moment.nullable(),
    jitterSeconds: z.number(),
    overlap: z.enum(overlapPolicies),
    catchUp: z.enum(catchUpPolicies),
    catchUpLimit: z.int(),
    nextFireAt: moment
      .nullable()
      .describe(
        'Without jitter; null when disabled, when no time is to come, or while the code of no worker has the schedule.',
      ),
    lastFireAt: moment.nullable(),
    lastJobId: z.uuid().nullable(),
    createdAt: moment,
    updatedAt: moment,
  })
  .meta({ id: 'Schedule' })

export const exampleSettings = {
  name: 'nightly report',
  definitionKey: 'process.data',
  params: { dataset: 'orders', operation: 'aggregate' },
  expression: '30 2 * * 1-5',
  timezone: 'Europe/Berlin',
  overlap: 'skip',
}

export const exampleSchedule = {
  scheduleId: exampleId,
  source: 'api',
  definitionVersion: 1,
  priority: 0,
  queue: null,
  description: 'At 02:30, Monday through Friday (Europe/Berlin)',
  enabled: true,
  startsAt: null,
  endsAt: null,
  jitterSeconds: 0,
  catchUp: 'last',
  catchUpLimit: 100,
  nextFireAt: '2026-11-27T01:30:00.000Z',
  lastFireAt: '2026-11-26T01:30:00.000Z',
  lastJobId: exampleId,
  createdAt: '2026-11-01T09:00:00.000Z',
  updatedAt: '2026-11-01T09:00:00.000Z',
  ...exampleSettings,
}

export const FireAnswer = z
  .object({
    fireAt: moment.describe('The time of the expression; of a run by hand, when it was asked for.'),
    manual: z.boolean(),
    recordedAt: moment,
    outcome: z.enum(['enqueued', 'skipped', 'missed', 'failed']),
    jobId: z.uuid().nullable(),
    missedThrough: moment.nullable().describe('Of times missed one after another, the last.'),
    missedTimes: z.int().nullable().describe('How many these are; null when there are more than a thousand.'),
    reason: z.string().nullable().describe('Why it was skipped, missed or failed.'),
  })
  .meta({ id: 'Fire' })

export const exampleFire = {
  fireAt: '2026-11-26T01:30:00.000Z',
  manual: false,
  recordedAt: '2026-11-26T01:30:00.012Z',
  outcome: 'enqueued',
  jobId: exampleId,
  missedThrough: null,
  missedTimes: null,
  reason: null,
}

export const DutyAnswer = z
  .object({
    name: z.string(),
    intervalSeconds: z.number(),
    nextRunAt: moment,
    running: z.boolean(),
    lastStartedAt: moment.nullable(),
    lastDurationSeconds: z.number().nullable(),
    lastOutcome: z.unknown().describe('What the last run did, in numbers.'),
    lastError: z.string().nullable(),
  })
  .meta({ id: 'Duty' })

export const exampleDuty = {
  name: 'partitions',
  intervalSeconds: 3600,
  nextRunAt: '2026-11-26T10:00:00.000Z',
  running: false,
  lastStartedAt: '2026-11-26T09:00:00.310Z',
  lastDurationSeconds: 0.021,
  lastOutcome: { made: 0, dropped: 0 },
  lastError: null,
}

export function viewSchedule({ id: scheduleId, dueAt: _dueAt, ...schedule }: Schedule) {
  return { scheduleId, ...schedule, description: describe(schedule.expression, schedule.timezone) }
}
