/**
 * Makes definitions of job files. It imports them, so it runs where job code may do no harm: in a process of its own
 * or a short-lived script.
 */
import { pathToFileURL } from 'node:url'
import { z } from 'zod'
import { type BackoffPolicy, defaultBackoff, maxBackoff } from '../backoff.ts'
import { type HookName, hookNames, type JobDefinition, type RateLimit } from '../job.ts'
import type { JsonObject } from '../json.ts'
import { type DefinitionSchedule, refusedParams, scheduleShape } from '../schedules/in-code.ts'
import { findJobFiles, isHooksFile, type JobFile } from './job-files.ts'
import { definitionName } from './name.ts'
import { paramsSchemaOf } from './params-schema.ts'

/** A definition as plain data: what is registered, and where its code is. */
export interface DefinitionRecord {
  file: string
  key: string
  version: number
  queue: string
  maxAttempts: number
  timeoutSeconds: number
  /** Null: no limit. */
  concurrencyLimit: number | null
  concurrencyKeyLimit: number
  rateLimit: RateLimit | null
  /** The default policy where the definition brings a function of its own. */
  backoff: BackoffPolicy
  memoryLimitMb: number
  scratchLimitMb: number
  logLimitBytes: number
  nice: number
  runsPerProcess: number
  /** Whether its jobs may be divided into children, and go on when those have ended. */
  hasChildren: boolean
  schedule: DefinitionSchedule | null
  /** Lifecycle hooks that the definition has, or its directory for all of its definitions. */
  hooks: HookName[]
  /** The file of the directory's hooks, if there is one. */
  hooksFile: string | null
  paramsSchema: JsonObject
}

export interface Discovery {
  definitions: DefinitionRecord[]
  /** Files that could not be loaded or define nothing usable; the others work all the same. */
  broken: { file: string; error: string }[]
}

/** As the names of those that are there. */
const hooksShape = z
  .strictObject(
    Object.fromEntries(
      hookNames.map((name) => [
        name,
        z.custom((value) => typeof value === 'function', 'expected a function').optional(),
      ]),
    ),
  )
  .transform((hooks) => hookNames.filter((name) => hooks[name] !== undefined))

const shape = z
  .object({
    key: z.string().min(1).max(255),
    version: z.int().positive().default(1),
    queue: z.string().min(1).max(100).default('default'),
    maxAttempts: z.int().min(1).max(1000).default(3),
    timeoutSeconds: z.number().positive().max(604_800).default(3600),
    concurrencyLimit: z.int().positive().nullable().default(null),
    concurrencyKeyLimit: z.int().positive().default(1),
    rateLimit: z
      .object({ count: z.int().positive(), seconds: z.number().positive().max(2_592_000) })
      .nullable()
      .default(null),
    backoff: z
      .union([
        z.object({
          baseSeconds: z.number().min(0).max(maxBackoff.baseSeconds).default(defaultBackoff.baseSeconds),
          factor: z.number().min(1).max(maxBackoff.factor).default(defaultBackoff.factor),
          maxSeconds: z.number().min(0).max(maxBackoff.maxSeconds).default(defaultBackoff.maxSeconds),
        }),
        z.custom<() => number>((value) => typeof value === 'function').transform(() => defaultBackoff),
      ])
      .default(defaultBackoff),
    memoryLimitMb: z.int().min(64).max(16_777_216).default(4096),
    scratchLimitMb: z.int().min(1).max(1_073_741_824).default(102_400),
    logLimitBytes: z.int().min(0).max(104_857_600).default(1_048_576),
    nice: z.int().min(0).max(19).default(0),
    runsPerProcess: z.int().min(1).max(1_000_000).default(1),
    schedule: scheduleShape.nullable().default(null),
    hooks: hooksShape.default([]),
    params: z.instanceof(z.ZodType, { error: 'expected a zod schema' }),
    run: z.custom<JobDefinition['run']>((value) => typeof value === 'function', 'expected a function'),
    onChildren: z
      .custom<JobDefinition['onChildren']>((value) => typeof value === 'function', 'expected a function')
      .optional(),
  })
  .superRefine(({ schedule, params }, context) => {
    for (const issue of refusedParams(schedule, params)) context.addIssue(issue)
  })

/** What a file gives when it is loaded. */
type LoadedFile = { kind: 'definition'; record: DefinitionRecord } | { kind: 'hooks'; names: HookName[] }

/** What came of a file. */
export type FileOutcome = LoadedFile | { kind: 'broken'; error: string }

/** In this very process: only where a job file may do harm. Workers use `discoverInProcess`. */
export async function discoverDefinitions(directories: string[]): Promise<Discovery> {
  const { files, broken } = await findJobFiles(directories)
  const outcomes = new Map<string, FileOutcome>()
  for (const { path } of files) outcomes.set(path, await loadJobFile(path))
  return assembleDiscovery(files, outcomes, broken)
}

/** Never throws: what is wrong with the file is an outcome too. */
export async function loadJobFile(path: string): Promise<FileOutcome> {
  try {
    if (isHooksFile(path)) {
      return { kind: 'hooks', names: parsed(hooksShape, await defaultExport(path, 'defineHooks({…})')) }
    }
    const definition = await defaultExport(path, 'defineJob({…})')
    return { kind: 'definition', record: recordOf(definition, { file: path, hooks: noHooks }) }
  } catch (error) {
    return { kind: 'broken', error: describe(error) }
  }
}

/** With the place in the code where there is one, as in what Bun can't read; of errors in one, a handful. */
function describe(error: unknown): string {
  if (!(error instanceof AggregateError)) return withPlace(error)
  const told = error.errors.slice(0, errorsTold).map(withPlace)
  const left = error.errors.length - told.length
  return [error.message, [...told, ...(left > 0 ? [`and ${left} more`] : [])].join('; ')].join(': ')
}

function withPlace(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error)
  const placed = placeShape.safeParse(error)
  if (!placed.success) return message
  const { file, line, column } = placed.data.position
  return `${file}:${line}:${column}: ${message}`
}

/** Of what Bun throws for a file that is no code. */
const placeShape = z.object({
  position: z.object({ file: z.string(), line: z.number(), column: z.number() }),
})
const errorsTold = 5

/** Gives definitions the hooks of their directory, and finds those that are defined twice: the first one counts. */
export function assembleDiscovery(
  files: JobFile[],
  outcomes: ReadonlyMap<string, FileOutcome>,
  broken: Discovery['broken'],
): Discovery {
  const found: Discovery = { definitions: [], broken: [...broken] }
  const hooks = new Map<string, SharedHooks>()
  const seen = new Map<string, string>()
  for (const { path, directory } of files) {
    const outcome = outcomes.get(path)
    if (outcome?.kind === 'hooks') hooks.set(directory, { file: path, names: outcome.names })
  }
  for (const { path, directory } of files) {
    const outcome = outcomes.get(path)
    if (outcome?.kind === 'broken') found.broken.push({ file: path, error: outcome.error })
    if (outcome?.kind !== 'definition') continue
    const name = definitionName(outcome.record)
    const other = seen.get(name)
    if (other !== undefined)
      found.broken.push({ file: path, error: `${name} is already defined in ${other}` })
    else found.definitions.push(withHooks(outcome.record, hooks.get(directory) ?? noHooks))
    if (other === undefined) seen.set(name, path)
  }
  return found
}

interface SharedHooks {
  file: string | null
  names: HookName[]
}

const noHooks: SharedHooks = { file: null, names: [] }

function withHooks(record: DefinitionRecord, { file, names }: SharedHooks): DefinitionRecord {
  return { ...record, hooks: [...new Set([...record.hooks, ...names])], hooksFile: file }
}

/**
 * A definition as plain data.
 * @param from where it came from, and the hooks it shares with others there
 * @throws Error with every problem of what should be a definition
 */
export function recordOf(
  definition: unknown,
  { file, hooks: shared }: { file: string; hooks: SharedHooks },
): DefinitionRecord {
  const { run: _run, onChildren, params, hooks, ...rest } = parsed(shape, definition)
  const paramsSchema = paramsSchemaOf(params)
  const hasChildren = onChildren !== undefined
  return withHooks({ file, ...rest, hasChildren, hooks, hooksFile: null, paramsSchema }, shared)
}

async function defaultExport(file: string, expected: string): Promise<unknown> {
  const module: { default?: unknown } = await import(pathToFileURL(file).href)
  if (module.default === undefined) throw new Error(`the file has no default export; expected ${expected}`)
  return module.default
}

/** @throws Error with every problem */
function parsed<Schema extends z.ZodType>(schema: Schema, value: unknown): z.output<Schema> {
  const outcome = schema.safeParse(value)
  if (outcome.success) return outcome.data
  const problems = outcome.error.issues.map(
    (issue) => `${issue.path.join('.') || 'default export'}: ${issue.message}`,
  )
  throw new Error(problems.join('; '))
}
