/** Schedules: make, list, read, change, remove. */
import { Hono } from 'hono'
import { z } from 'zod'
import { ScheduleNotFound } from '../../core/errors.ts'
import { createSchedule, scheduleDefaults } from '../../core/schedules/create.ts'
import { listSchedules, readSchedule } from '../../core/schedules/read.ts'
import { removeSchedule } from '../../core/schedules/remove.ts'
import { catchUpPolicies, overlapPolicies, scheduleSources } from '../../core/schedules/row.ts'
import { updateSchedule } from '../../core/schedules/update.ts'
import type { ApiEnv, AppDependencies } from '../app.ts'
import { operation } from '../openapi/operation.ts'
import { id, jsonBody, jsonObject, queryInteger, text, time, validate } from '../validate.ts'
import { priority } from './job-requests.ts'
import { exampleSchedule, exampleSettings, ScheduleAnswer, viewSchedule } from './schedule-answers.ts'

export const expression = text(255).describe(
  'A cron expression (five to seven fields, L, W, #, nicknames), an interval ("every 90s"), or one ISO 8601 time.',
)
export const timezone = text(100).describe('IANA time zone.')

const required = {
  // The @ is for the names of schedules that are defined in code.
  name: text(255).refine((name) => !name.includes('@'), 'expected a name without @'),
  definitionKey: text(255),
  expression,
}
const optional = {
  definitionVersion: z.int32().positive(),
  params: jsonObject,
  priority,
  queue: text(100).nullable(),
  timezone,
  startsAt: time.nullable(),
  endsAt: time.nullable().describe('Fires before this time.'),
  jitterSeconds: z.number().min(0).max(86_400).describe('Each fire comes later by a part of this.'),
  overlap: z.enum(overlapPolicies).describe('What happens while a job of an earlier time has not ended.'),
  catchUp: z.enum(catchUpPolicies).describe('What happens to times that nobody was there to fire.'),
  catchUpLimit: z.int().min(1).max(1000).describe('Of all: at most so many of the latest.'),
  enabled: z.boolean(),
}
const CreateBody = z.strictObject(optional).partial().extend(required)
const UpdateBody = z.strictObject({ ...optional, ...required }).partial()

const ListQuery = z.strictObject({
  definitionKey: text(255).optional(),
  source: z.enum(scheduleSources).optional(),
  enabled: z.enum(['true', 'false']).optional(),
  limit: queryInteger(1, 1000).default(100),
  offset: queryInteger(0, 2_147_483_647).default(0),
})

export const ScheduleParam = z.object({ scheduleId: id })

export function scheduleRoutes({ sql, config }: AppDependencies) {
  const limits = { minPeriodSeconds: config.SCHEDULE_MIN_PERIOD_SECONDS }
  const answer = { schema: ScheduleAnswer, example: exampleSchedule }
  return new Hono<ApiEnv>()
    .post(
      '/',
      operation({
        summary: 'Make a schedule',
        example: exampleSettings,
        answers: { 201: { description: 'The schedule.', ...answer } },
        problems: [
          'invalid_schedule',
          'invalid_params',
          'definition_not_found',
          'only_as_child',
          'schedule_name_taken',
        ],
      }),
      jsonBody,
      validate('json', CreateBody),
      async (c) => {
        const schedule = await createSchedule(sql, { ...scheduleDefaults, ...c.req.valid('json') }, limits)
        return c.json(viewSchedule(schedule), 201)
      },
    )
    .get(
      '/',
      operation({
        summary: 'List schedules by name',
        answers: {
          200: {
            description: 'A page, and how many match in all.',
            schema: z.object({ schedules: z.array(ScheduleAnswer), total: z.int() }),
            example: { schedules: [exampleSchedule], total: 1 },
          },
        },
      }),
      validate('query', ListQuery),
      async (c) => {
        const { enabled, ...filter } = c.req.valid('query')
        const { schedules, total } = await listSchedules(sql, {
          ...filter,
          enabled: enabled === undefined ? undefined : enabled === 'true',
        })
        return c.json({ schedules: schedules.map(viewSchedule), total })
      },
    )
    .get(
      '/:scheduleId',
      operation({
        summary: 'Read a schedule',
        answers: { 200: { description: 'The schedule.', ...answer } },
        problems: ['schedule_not_found'],
      }),
      validate('param', ScheduleParam),
      async (c) => {
        const { scheduleId } = c.req.valid('param')
        const schedule = await readSchedule(sql, scheduleId)
        if (schedule === null) throw new ScheduleNotFound(scheduleId)
        return c.json(viewSchedule(schedule))
      },
    )
    .patch(
      '/:scheduleId',
      operation({
        summary: 'Change a schedule',
        description:
          'With other times, or enabled again, it goes on from now. One of the code can only be enabled and disabled.',
        example: { enabled: false },
        answers: { 200: { description: 'The schedule as it is now.', ...answer } },
        problems: [
          'invalid_schedule',
          'invalid_params',
          'definition_not_found',
          'only_as_child',
          'schedule_not_found',
          'schedule_name_taken',
          'schedule_defined_in_code',
        ],
      }),
      validate('param', ScheduleParam),
      jsonBody,
      validate('json', UpdateBody),
      async (c) => {
        const { scheduleId } = c.req.valid('param')
        return c.json(viewSchedule(await updateSchedule(sql, scheduleId, c.req.valid('json'), limits)))
      },
    )
    .delete(
      '/:scheduleId',
      operation({
        summary: 'Remove a schedule and its history',
        description: 'Its jobs go on. One of the code comes back when a worker that has the code starts.',
        answers: { 204: { description: 'It is gone.' } },
        problems: ['schedule_not_found'],
      }),
      validate('param', ScheduleParam),
      async (c) => {
        const { scheduleId } = c.req.valid('param')
        if (!(await removeSchedule(sql, scheduleId))) throw new ScheduleNotFound(scheduleId)
        return c.body(null, 204)
      },
    )
}
