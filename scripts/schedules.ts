/** `bun run schedules …`: schedules from the command line. */
import { parseArgs } from 'node:util'
import { z } from 'zod'
import type { ConfigWithoutStorage } from '../core/config.ts'
import { databaseTime, openPool, type Pool } from '../core/db.ts'
import { DomainError, InvalidParams } from '../core/errors.ts'
import { createSchedule, scheduleDefaults } from '../core/schedules/create.ts'
import { describe } from '../core/schedules/describe.ts'
import { findSchedule, listSchedules, readFires } from '../core/schedules/read.ts'
import { removeSchedule } from '../core/schedules/remove.ts'
import { catchUpPolicies, overlapPolicies, type Schedule } from '../core/schedules/row.ts'
import { runNow } from '../core/schedules/run-now.ts'
import { nextTimes } from '../core/schedules/timetable.ts'
import { updateSchedule } from '../core/schedules/update.ts'
import { commandConfig, tableLines, UsageError } from './command-line.ts'

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
const optionShape = z.object({
  timezone: z.string().optional(),
  params: json.pipe(z.record(z.string(), z.json())).optional(),
  priority: z.coerce.number().pipe(z.int32()).optional(),
  queue: z.string().min(1).max(100).optional(),
  'starts-at': time.optional(),
  'ends-at': time.optional(),
  jitter: z.coerce.number().min(0).max(86_400).optional(),
  overlap: z.enum(overlapPolicies).optional(),
  'catch-up': z.enum(catchUpPolicies).optional(),
  'catch-up-limit': z.coerce.number().pipe(z.int().min(1).max(1000)).optional(),
  count: z.coerce.number().pipe(z.int().min(1).max(1000)).default(10),
  disabled: z.boolean().optional(),
  help: z.boolean().optional(),
})
type Options = z.output<typeof optionShape>

interface Context {
  sql: Pool
  limits: { minPeriodSeconds: number }
  options: Options
}

const commands: Record<string, (context: Context, words: string[]) => Promise<string[]>> = {
  list: async ({ sql }) => {
    const { schedules } = await listSchedules(sql, { limit: 1000, offset: 0 })
    return tableLines(
      schedules.map(({ name, source, definitionKey, expression, timezone, enabled, nextFireAt }) => [
        name,
        definitionKey,
        source,
        enabled ? (nextFireAt?.toISOString() ?? 'done') : 'disabled',
        describe(expression, timezone),
      ]),
    )
  },
  add: async ({ sql, limits, options }, words) => {
    const schedule = await createSchedule(sql, settingsOf(words, options), limits)
    return [`${describe(schedule.expression, schedule.timezone)}, next ${schedule.nextFireAt?.toISOString()}`]
  },
  next: async ({ sql, options }, [name]) => {
    const times = nextTimes(await named(sql, name), await databaseTime(sql), options.count)
    return times.map((at) => at.toISOString())
  },
  fires: async ({ sql, options }, [name]) => {
    const fires = await readFires(sql, (await named(sql, name)).id, { limit: options.count })
    return tableLines(
      fires.map(({ fireAt, outcome, jobId, reason }) => [
        fireAt.toISOString(),
        outcome,
        jobId ?? reason ?? '',
      ]),
    )
  },
  run: async ({ sql }, [name]) => [`job ${await runNow(sql, (await named(sql, name)).id)}`],
  enable: (context, [name]) => setEnabled(context, name, true),
  disable: (context, [name]) => setEnabled(context, name, false),
  remove: async ({ sql }, [name]) => {
    await removeSchedule(sql, (await named(sql, name)).id)
    return ['removed']
  },
}

process.exit(await main())

/** @returns the exit status */
async function main(): Promise<number> {
  try {
    const { words, options } = read(process.argv.slice(2))
    const [name = '', ...rest] = words
    const command = commands[name]
    if (options.help) {
      console.log(usage)
      return 0
    }
    if (command === undefined) throw new UsageError(name === '' ? 'No command.' : `No command "${name}".`)
    const config = await commandConfig()
    for (const line of await withPool(config, (sql) => {
      const limits = { minPeriodSeconds: config.SCHEDULE_MIN_PERIOD_SECONDS }
      return command({ sql, limits, options }, rest)
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

function read(args: string[]): { words: string[]; options: Options } {
  const flags = ['disabled', 'help']
  const known = Object.keys(optionShape.shape).map((name) => {
    return [name, { type: flags.includes(name) ? 'boolean' : 'string' }] as const
  })
  try {
    const { values, positionals } = parseArgs({
      args,
      allowPositionals: true,
      options: Object.fromEntries(known),
    })
    return { words: positionals, options: optionShape.parse(values) }
  } catch (error) {
    if (!(error instanceof z.ZodError)) throw new UsageError(error instanceof Error ? error.message : '')
    throw new UsageError(
      error.issues.map(({ path, message }) => `--${path[0]?.toString()}: ${message}`).join('\n'),
    )
  }
}

function settingsOf([name, definition, expression]: string[], options: Options) {
  if (name === undefined || definition === undefined || expression === undefined) {
    throw new UsageError('A schedule needs a NAME, a DEFINITION and an EXPRESSION.')
  }
  if (name.includes('@')) throw new UsageError('Names with @ are for schedules that are defined in code.')
  const [definitionKey = '', version = '1'] = definition.split('@')
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
  const schedule = name === undefined ? null : await findSchedule(sql, name)
  if (schedule !== null) return schedule
  throw new UsageError(name === undefined ? 'Which schedule?' : `There is no schedule "${name}".`)
}
