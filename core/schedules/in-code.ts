/** The `schedule` of a definition, as a job file has it: checked, and made plain data. */
import { z } from 'zod'
import type { JsonObject } from '../json.ts'
import { catchUpPolicies, overlapPolicies } from './row.ts'
import {
  isTimezone,
  jitterProblem,
  nextTime,
  parseExpression,
  shortestPeriod,
  type Timetable,
} from './timetable.ts'

const moment = z.iso
  .datetime({ offset: true, error: 'expected an ISO 8601 time with its zone' })
  .nullable()
  .default(null)

const settings = z
  .strictObject({
    expression: z.string().max(255),
    timezone: z
      .string()
      .refine(isTimezone, 'expected an IANA time zone such as Europe/Berlin')
      .default('UTC'),
    params: z.record(z.string(), z.json()).default({}),
    priority: z.int32().default(0),
    queue: z.string().min(1).max(100).nullable().default(null),
    startsAt: moment,
    endsAt: moment,
    jitterSeconds: z.number().min(0).max(86_400).default(0),
    overlap: z.enum(overlapPolicies).default('allow'),
    catchUp: z.enum(catchUpPolicies).default('last'),
    catchUpLimit: z.int().min(1).max(1000).default(100),
  })
  .superRefine(({ expression, timezone, jitterSeconds, startsAt, endsAt }, context) => {
    const refuse = (path: string, message: string) =>
      context.addIssue({ code: 'custom', path: [path], message })
    const table = { expression, timezone, startsAt: null, endsAt: null, createdAt: new Date() }
    const problem = problemOf(table)
    if (problem !== null) return refuse('expression', problem)
    const periodSeconds = shortestPeriod(table, table.createdAt)
    if (jitterSeconds >= periodSeconds) refuse('jitterSeconds', jitterProblem(periodSeconds))
    if (startsAt !== null && endsAt !== null && new Date(startsAt) >= new Date(endsAt)) {
      refuse('endsAt', 'expected a time after startsAt')
    }
  })

/** Times are ISO 8601: it crosses from one process to another. */
export type DefinitionSchedule = z.output<typeof settings>

/** A text alone is the expression. */
export const scheduleShape = z.preprocess(
  (value) => (typeof value === 'string' ? { expression: value } : value),
  settings,
)

/** What the definition's own parameters have against those of its schedule. */
export function refusedParams(schedule: { params: JsonObject } | null, params: z.ZodType) {
  const outcome = schedule === null ? undefined : params.safeParse(schedule.params)
  return (outcome?.error?.issues ?? []).map(({ path, message }) => ({
    code: 'custom' as const,
    path: ['schedule', 'params', ...path],
    message,
  }))
}

/** One time that is over is no problem: its code may well stay. */
function problemOf(table: Timetable): string | null {
  try {
    const { kind } = parseExpression(table.expression)
    const never = kind === 'cron' && nextTime(table, table.createdAt) === null
    return never ? 'it never fires: no time of it is to come' : null
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
}
