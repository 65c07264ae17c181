/** Schedules: create, list, read, change, remove, run now; their next times and their history. */
import { Hono } from 'hono'
import { z } from 'zod'
import { databaseTime } from '../../core/db.ts'
import { ScheduleNotFound } from '../../core/errors.ts'
import { checkTiming } from '../../core/schedules/check.ts'
import { createSchedule, scheduleDefaults } from '../../core/schedules/create.ts'
import { describe } from '../../core/schedules/describe.ts'
import { listSchedules, readFires, readSchedule } from '../../core/schedules/read.ts'
import { removeSchedule } from '../../core/schedules/remove.ts'
import { catchUpPolicies, overlapPolicies, type Schedule, scheduleSources } from '../../core/schedules/row.ts'
import { runNow } from '../../core/schedules/run-now.ts'
import { nextTimes } from '../../core/schedules/timetable.ts'
import { updateSchedule } from '../../core/schedules/update.ts'
import { listDuties } from '../../core/upkeep/duties.ts'
import type { ApiEnv, AppDependencies } from '../app.ts'
import { id, jsonBody, queryInteger, text, validate } from '../validate.ts'
import { priority } from './jobs.ts'

const time = z.iso
  .datetime({ offset: true, error: 'expected an ISO 8601 time with its zone' })
  .transform((value) => new Date(value))

const expression = text(255).describe(
  'A cron expression, an interval such as "every 90s", or an ISO 8601 time.',
)

const settings = {
  // The @ is for the names of schedules that are defined in code.
  name: text(255).refine((name) => !name.includes('@'), 'expected a name without @'),
  definitionKey: text(255),
  definitionVersion: z.int32().positive(),
  params: z.record(z.string(), z.json()),
  priority,
  queue: text(100).nullable(),
  expression,
  timezone: text(100).describe('IANA time zone.'),
  startsAt: time.nullable(),
  endsAt: time.nullable(),
  jitterSeconds: z.number().min(0).max(86_400),
  overlap: z.enum(overlapPolicies),
  catchUp: z.enum(catchUpPolicies),
  catchUpLimit: z.int().min(1).max(1000),
  enabled: z.boolean(),
}

const { name, definitionKey, ...optional } = settings
const CreateBody = z
  .strictObject({ ...optional })
  .partial()
  .extend({ name, definitionKey, expression })

const UpdateBody = z.strictObject(settings).partial()

const ListQuery = z.object({
  definitionKey: text(255).optional(),
  source: z.enum(scheduleSources).optional(),
  enabled: z
    .enum(['true', 'false'])
    .transform((value) => value === 'true')
    .optional(),
  limit: queryInteger(1, 1000).default(100),
  offset: queryInteger(0, 2_147_483_647).default(0),
})

const count = queryInteger(1, 1000).default(10)
const NextQuery = z.object({ count })
const PreviewQuery = z.object({ expression, timezone: text(100).default('UTC'), count })
const FireQuery = z.object({ before: time.optional(), limit: queryInteger(1, 1000).default(100) })
const ScheduleParam = z.object({ scheduleId: id })

export function scheduleRoutes({ sql, config }: AppDependencies): Hono<ApiEnv> {
  const routes = new Hono<ApiEnv>()
  const limits = { minPeriodSeconds: config.SCHEDULE_MIN_PERIOD_SECONDS }

  routes.post('/', jsonBody, validate('json', CreateBody), async (c) => {
    const schedule = await createSchedule(sql, { ...scheduleDefaults, ...c.req.valid('json') }, limits)
    return c.json(viewOf(schedule), 201)
  })

  routes.get('/', validate('query', ListQuery), async (c) => {
    const { schedules, total } = await listSchedules(sql, c.req.valid('query'))
    return c.json({ schedules: schedules.map(viewOf), total })
  })

  /** What the product does for itself, each duty on a schedule of its own. */
  routes.get('/internal', async (c) => c.json({ duties: await listDuties(sql) }))

  /** What an expression would do, before it is used. */
  routes.get('/preview', validate('query', PreviewQuery), async (c) => {
    const { count: wanted, ...query } = c.req.valid('query')
    const now = await databaseTime(sql)
    const timing = { ...scheduleDefaults, ...query, createdAt: now }
    checkTiming(timing, now, limits)
    return c.json({
      description: describe(query.expression, query.timezone),
      times: nextTimes(timing, now, wanted),
    })
  })

  const existing = async (scheduleId: string): Promise<Schedule> => {
    const schedule = await readSchedule(sql, scheduleId)
    if (schedule === null) throw new ScheduleNotFound(scheduleId)
    return schedule
  }

  routes.get('/:scheduleId', validate('param', ScheduleParam), async (c) => {
    return c.json(viewOf(await existing(c.req.valid('param').scheduleId)))
  })

  routes.patch(
    '/:scheduleId',
    validate('param', ScheduleParam),
    jsonBody,
    validate('json', UpdateBody),
    async (c) => {
      const { scheduleId } = c.req.valid('param')
      return c.json(viewOf(await updateSchedule(sql, scheduleId, c.req.valid('json'), limits)))
    },
  )

  routes.delete('/:scheduleId', validate('param', ScheduleParam), async (c) => {
    const { scheduleId } = c.req.valid('param')
    if (!(await removeSchedule(sql, scheduleId))) throw new ScheduleNotFound(scheduleId)
    return c.body(null, 204)
  })

  routes.post('/:scheduleId/run-now', validate('param', ScheduleParam), async (c) => {
    const jobId = await runNow(sql, c.req.valid('param').scheduleId)
    return c.json({ jobId, status: 'queued', message: 'The job is queued.' }, 201)
  })

  routes.get(
    '/:scheduleId/next',
    validate('param', ScheduleParam),
    validate('query', NextQuery),
    async (c) => {
      const schedule = await existing(c.req.valid('param').scheduleId)
      const times = nextTimes(schedule, await databaseTime(sql), c.req.valid('query').count)
      return c.json({ scheduleId: schedule.id, enabled: schedule.enabled, times })
    },
  )

  routes.get(
    '/:scheduleId/fires',
    validate('param', ScheduleParam),
    validate('query', FireQuery),
    async (c) => {
      const { id: scheduleId } = await existing(c.req.valid('param').scheduleId)
      return c.json({ scheduleId, fires: await readFires(sql, scheduleId, c.req.valid('query')) })
    },
  )

  return routes
}

function viewOf({ id: scheduleId, dueAt: _dueAt, ...schedule }: Schedule) {
  return { scheduleId, ...schedule, description: describe(schedule.expression, schedule.timezone) }
}
