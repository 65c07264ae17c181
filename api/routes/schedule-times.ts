/** Times of schedules: those to come, those that were, and now. Its fixed paths stand before that of one schedule. */
import { Hono } from 'hono'
import { z } from 'zod'
import { databaseTime } from '../../core/db.ts'
import { ScheduleNotFound } from '../../core/errors.ts'
import { checkTiming } from '../../core/schedules/check.ts'
import { scheduleDefaults } from '../../core/schedules/create.ts'
import { describe } from '../../core/schedules/describe.ts'
import { readFires, readSchedule } from '../../core/schedules/read.ts'
import type { Schedule } from '../../core/schedules/row.ts'
import { runNow } from '../../core/schedules/run-now.ts'
import { nextTimes } from '../../core/schedules/timetable.ts'
import { listDuties } from '../../core/upkeep/duties.ts'
import type { ApiEnv, AppDependencies } from '../app.ts'
import { operation } from '../openapi/operation.ts'
import { queryInteger, time, validate } from '../validate.ts'
import { Enqueued, exampleId } from './job-answers.ts'
import { DutyAnswer, exampleDuty, exampleFire, FireAnswer } from './schedule-answers.ts'
import { expression, ScheduleParam, timezone } from './schedules.ts'

const count = queryInteger(1, 1000).default(10)
const PreviewQuery = z.strictObject({ expression, timezone: timezone.default('UTC'), count })
const FireQuery = z.strictObject({ before: time.optional(), limit: queryInteger(1, 1000).default(100) })

const times = z.array(z.iso.datetime())
const exampleTimes = ['2026-11-27T01:30:00.000Z', '2026-11-30T01:30:00.000Z']

export function scheduleTimeRoutes({ sql, config }: AppDependencies) {
  const existing = async (scheduleId: string): Promise<Schedule> => {
    const schedule = await readSchedule(sql, scheduleId)
    if (schedule === null) throw new ScheduleNotFound(scheduleId)
    return schedule
  }
  return new Hono<ApiEnv>()
    .get(
      '/internal',
      operation({
        summary: "List the product's own upkeep",
        answers: {
          200: {
            description: 'Each duty has an interval of its own.',
            schema: z.object({ duties: z.array(DutyAnswer) }),
            example: { duties: [exampleDuty] },
          },
        },
      }),
      async (c) => c.json({ duties: await listDuties(sql) }),
    )
    .get(
      '/preview',
      operation({
        summary: 'Show what an expression would do',
        answers: {
          200: {
            description: 'In English, and its next times; of those beyond ten years one at most.',
            schema: z.object({ description: z.string(), times }),
            example: {
              description: 'At 02:30, Monday through Friday (Europe/Berlin)',
              times: exampleTimes,
            },
          },
        },
        problems: ['invalid_schedule'],
      }),
      validate('query', PreviewQuery),
      async (c) => {
        const { count: wanted, ...query } = c.req.valid('query')
        const now = await databaseTime(sql)
        const timing = { ...scheduleDefaults, ...query, createdAt: now }
        checkTiming(timing, now, { minPeriodSeconds: config.SCHEDULE_MIN_PERIOD_SECONDS })
        const description = describe(query.expression, query.timezone)
        return c.json({ description, times: nextTimes(timing, now, wanted) })
      },
    )
    .get(
      '/:scheduleId/next',
      operation({
        summary: 'Show the next times of a schedule',
        description: 'Of a disabled one, those it would have.',
        answers: {
          200: {
            description: 'Without jitter; of those beyond ten years one at most.',
            schema: z.object({ scheduleId: z.uuid(), enabled: z.boolean(), times }),
            example: { scheduleId: exampleId, enabled: true, times: exampleTimes },
          },
        },
        problems: ['schedule_not_found'],
      }),
      validate('param', ScheduleParam),
      validate('query', z.strictObject({ count })),
      async (c) => {
        const schedule = await existing(c.req.valid('param').scheduleId)
        const found = nextTimes(schedule, await databaseTime(sql), c.req.valid('query').count)
        return c.json({ scheduleId: schedule.id, enabled: schedule.enabled, times: found })
      },
    )
    .get(
      '/:scheduleId/fires',
      operation({
        summary: 'Show what became of the times of a schedule, newest first',
        answers: {
          200: {
            description: 'Go on with `before` set to the last `fireAt`.',
            schema: z.object({ scheduleId: z.uuid(), fires: z.array(FireAnswer) }),
            example: { scheduleId: exampleId, fires: [exampleFire] },
          },
        },
        problems: ['schedule_not_found'],
      }),
      validate('param', ScheduleParam),
      validate('query', FireQuery),
      async (c) => {
        const { id: scheduleId } = await existing(c.req.valid('param').scheduleId)
        return c.json({ scheduleId, fires: await readFires(sql, scheduleId, c.req.valid('query')) })
      },
    )
    .post(
      '/:scheduleId/run-now',
      operation({
        summary: 'Run a schedule now, beside its times',
        description: 'A disabled one too. The overlap policy holds.',
        answers: {
          201: {
            description: 'The job.',
            schema: Enqueued.extend({ message: z.string() }),
            example: { jobId: exampleId, status: 'queued', message: 'The job is queued.' },
          },
        },
        problems: ['schedule_not_found', 'schedule_overlaps', 'definition_not_found', 'invalid_params'],
      }),
      validate('param', ScheduleParam),
      async (c) => {
        const jobId = await runNow(sql, c.req.valid('param').scheduleId)
        return c.json({ jobId, status: 'queued' as const, message: 'The job is queued.' }, 201)
      },
    )
}
