/** `bun run schedules …`: schedules from the command line. */
import { z } from 'zod'
import type { ConfigWithoutStorage } from '../core/config.ts'
import { databaseTime, openPool, type Pool } from '../core/db.ts'
import { DomainError, InvalidParams, ScheduleNotFound } from '../core/errors.ts'
import { createSchedule, scheduleDefaults } from '../core/schedules/create.ts'
import { describe } from '../core/schedules/describe.ts'
import { findSchedule, listSchedules, readFires } from '../core/schedules/read.ts'
import { removeSchedule } from '../core/schedules/remove.ts'
import { catchUpPolicies, overlapPolicies, type Schedule } from '../core/schedules/row.ts'
import { runNow } from '../core/schedules/run-now.ts'
import { nextTimes } from '../core/schedules/timetable.ts'
import { updateSchedule } from '../core/schedules/update.ts'
import { commandConfig, readWords, refuseMore, refuseOthers, tableLines, UsageError } from './command-line.ts'

const usage = `Usage
  bun run schedules list
  bun run schedules add NAME DEFINITION[@VERSION] EXPRESSION [options]
      EXPRESSION: cron ("30 2 * * 1-5", "@daily"), an interval ("every 90s"), or an ISO 8601 time
      --timezone Europe/Berlin   --params '{"a": 1}'   --priority N   --queue NAME
      --starts-at TIME   --ends-at TIME   --jitter SECONDS   --disabled
      --overlap allow|skip|queueOne   --catch-up none|last|all   --catch-up-limit N
  bun run schedules next NAME [--count N]     the times to come
  bun run schedules fires NAME [--count N]    what became of the times that were
  bun run schedules run NAME                  now, beside its times
  bun run schedules enable|disable|remove NAME`

const time = z.iso.datetime({ offset: true }).transform((text) => new Date(text))
const json = z.string().transform((text, context) => {
  try {
    return JSON.parse(text)
  } catch {
    context.addIssue('expected JSON')
    return z.NEVER
  }
})
/** Number('') is 0. */
const number = z.string().trim().min(1, 'expected a number').pipe(z.coerce.number())
const optionShape = z.object({
  timezone: z.string().optional(),
  params: json.pipe(z.record(z.string(), z.json())).optional(),
  priority: number.pipe(z.int32()).optional(),
  queue: z.string().min(1).max(100).optional(),
  'starts-at': time.optional(),
  'ends-at': time.optional(),
  jitter: number.pipe(z.number().min(0).max(86_400)).optional(),
  overlap: z.enum(overlapPolicies).optional(),
  'catch-up': z.enum(catchUpPolicies).optional(),
  'catch-up-limit': number.pipe(z.int().min(1).max(1000)).optional(),
  count: number.pipe(z.int().min(1).max(1000)).optional(),
  disabled: z.boolean().optional(),
})
const known = {
  ...Object.fromEntries(Object.keys(optionShape.shape).map((name) => [name, { type: 'string' } as const])),
  disabled: { type: 'boolean' },
  help: { type: 'boolean', short: 'h' },
} as const
type Options = z.output<typeof optionShape>

interface Context {
  sql: Pool
  limits: { minPeriodSeconds: number }
  options: Options
}

interface Command {
  mostWords: number
  /** Said of more. */
  whereElse?: string
  options: string[]
  /** @returns the lines to print */
  run(context: Context, words: string[]): Promise<string[]>
}

const usualCount = 10
const mostListed = 1000

const commands: Record<string, Command> = {
  list: { mostWords: 0, options: [], run: list },
  add: {
    mostWords: 3,
    whereElse: 'An EXPRESSION of several words stands in quotes.',
    options: Object.keys(optionShape.shape).filter((name) => name !== 'count'),
    run: add,
  },
  next: { mostWords: 1, options: ['count'], run: next },
  fires: { mostWords: 1, options: ['count'], run: fires },
  run: { mostWords: 1, options: [], run },
  enable: { mostWords: 1, options: [], run: (context, [name]) => setEnabled(context, name, true) },
  disable: { mostWords: 1, options: [], run: (context, [name]) => setEnabled(context, name, false) },
  remove: { mostWords: 1, options: [], run: remove },
}

process.exit(await main())

/** @returns the exit status: 1 for what can't be, 2 for what was asked wrongly */
async function main(): Promise<number> {
  try {
    const { words, values } = readWords(process.argv.slice(2), known)
    const [name = '', ...rest] = words
    if (values.help) {
      console.log(usage)
      return 0
    }
    const command = Object.hasOwn(commands, name) ? commands[name] : undefined
    if (command === undefined) throw new UsageError(name === '' ? 'No command.' : `No command "${name}".`)
    refuseMore(rest, command.mostWords, command.whereElse)
    refuseOthers(name, values, command.options)
    const options = optionsOf(values)
    const config = await commandConfig()
    for (const line of await withPool(config, (sql) => {
      const limits = { minPeriodSeconds: config.SCHEDULE_MIN_PERIOD_SECONDS }
      return command.run({ sql, limits, options }, rest)
    })) {
      console.log(line)
    }
    return 0
  } catch (error) {
    if (error instanceof DomainError) {
      const details = error instanceof InvalidParams ? error.issues : []
      console.error([error.message, ...details.map(({ path, message }) => `${path}: ${message}`)].join('\n'))
      return 1
    }
    if (!(error instanceof UsageError)) throw error
    console.error(`${error.message}\n\n${usage}`)
    return 2
  }
}

async function list({ sql }: Context): Promise<string[]> {
  const { schedules, total } = await listSchedules(sql, { limit: mostListed, offset: 0 })
  const lines = tableLines(
    schedules.map(({ name, source, definitionKey, expression, timezone, enabled, nextFireAt }) => [
      name,
      definitionKey,
      source,
      enabled ? (nextFireAt?.toISOString() ?? 'done') : 'disabled',
      describe(expression, timezone),
    ]),
  )
  return total > schedules.length ? [...lines, `${schedules.length} of ${total}`] : lines
}

async function add({ sql, limits, options }: Context, words: string[]): Promise<string[]> {
  const schedule = await createSchedule(sql, settingsOf(words, options), limits)
  return [`${describe(schedule.expression, schedule.timezone)}, next ${schedule.nextFireAt?.toISOString()}`]
}

async function next({ sql, options: { count = usualCount } }: Context, [name]: string[]): Promise<string[]> {
  const times = nextTimes(await named(sql, name), await databaseTime(sql), count)
  return times.map((at) => at.toISOString())
}

async function fires({ sql, options: { count = usualCount } }: Context, [name]: string[]): Promise<string[]> {
  const found = await readFires(sql, (await named(sql, name)).id, { limit: count })
  return tableLines(
    found.map(({ fireAt, outcome, jobId, reason }) => [fireAt.toISOString(), outcome, jobId ?? reason ?? '']),
  )
}

async function run({ sql }: Context, [name]: string[]): Promise<string[]> {
  return [`job ${await runNow(sql, (await named(sql, name)).id)}`]
}

async function remove({ sql }: Context, [name]: string[]): Promise<string[]> {
  await removeSchedule(sql, (await named(sql, name)).id)
  return ['removed']
}

async function withPool<Value>(
  config: ConfigWithoutStorage,
  run: (sql: Pool) => Promise<Value>,
): Promise<Value> {
  const sql = openPool(config, 'job-server schedules')
  try {
    return await run(sql)
  } finally {
    await sql.end({ timeout: 1 })
  }
}

function optionsOf(values: object): Options {
  const outcome = optionShape.safeParse(values)
  if (outcome.success) return outcome.data
  throw new UsageError(
    outcome.error.issues.map(({ path, message }) => `--${path[0]?.toString()}: ${message}`).join('\n'),
  )
}

function settingsOf([name, definition, expression]: string[], options: Options) {
  if (name === undefined || definition === undefined || expression === undefined) {
    throw new UsageError('A schedule needs a NAME, a DEFINITION and an EXPRESSION.')
  }
  if (name.includes('@')) throw new UsageError('Names with @ are for schedules that are defined in code.')
  const [definitionKey = '', ...versions] = definition.split('@')
  const version = versions.length === 0 ? '1' : versions.join('@')
  if (!/^[1-9]\d{0,8}$/.test(version)) throw new UsageError(`"${version}" is no version.`)
  return {
    ...scheduleDefaults,
    name,
    definitionKey,
    definitionVersion: Number(version),
    expression,
    timezone: options.timezone ?? scheduleDefaults.timezone,
    params: options.params ?? scheduleDefaults.params,
    priority: options.priority ?? scheduleDefaults.priority,
    queue: options.queue ?? scheduleDefaults.queue,
    startsAt: options['starts-at'] ?? scheduleDefaults.startsAt,
    endsAt: options['ends-at'] ?? scheduleDefaults.endsAt,
    jitterSeconds: options.jitter ?? scheduleDefaults.jitterSeconds,
    overlap: options.overlap ?? scheduleDefaults.overlap,
    catchUp: options['catch-up'] ?? scheduleDefaults.catchUp,
    catchUpLimit: options['catch-up-limit'] ?? scheduleDefaults.catchUpLimit,
    enabled: options.disabled !== true,
  }
}

async function setEnabled({ sql, limits }: Context, name: string | undefined, enabled: boolean) {
  const { nextFireAt } = await updateSchedule(sql, (await named(sql, name)).id, { enabled }, limits)
  return [enabled ? `enabled, next ${nextFireAt?.toISOString() ?? 'never'}` : 'disabled']
}

async function named(sql: Pool, name: string | undefined): Promise<Schedule> {
  if (name === undefined || name === '') throw new UsageError('Which schedule? Its NAME is missing.')
  const schedule = await findSchedule(sql, name)
  if (schedule === null) throw new ScheduleNotFound(`"${name}"`)
  return schedule
}
