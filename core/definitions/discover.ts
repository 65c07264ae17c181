/**
 * Finds definitions: every file directly in the given directories whose name does not begin with `_`.
 * It imports them, so it runs where job code may do no harm: in a process of its own or a short-lived script.
 */
import { existsSync } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { z } from 'zod'
import { type BackoffPolicy, defaultBackoff } from '../backoff.ts'
import { type HookName, hookNames, type JobDefinition, type RateLimit } from '../job.ts'
import type { JsonObject } from '../json.ts'

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

const shape = z.object({
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
        baseSeconds: z.number().min(0).default(defaultBackoff.baseSeconds),
        factor: z.number().min(1).default(defaultBackoff.factor),
        maxSeconds: z.number().min(0).default(defaultBackoff.maxSeconds),
      }),
      z.custom<() => number>((value) => typeof value === 'function').transform(() => defaultBackoff),
    ])
    .default(defaultBackoff),
  memoryLimitMb: z.int().min(64).max(16_777_216).default(4096),
  scratchLimitMb: z.int().min(1).max(1_073_741_824).default(102_400),
  logLimitBytes: z.int().min(0).max(104_857_600).default(1_048_576),
  nice: z.int().min(0).max(19).default(0),
  runsPerProcess: z.int().min(1).max(1_000_000).default(1),
  hooks: hooksShape.default([]),
  params: z.instanceof(z.ZodType, { error: 'expected a zod schema' }),
  run: z.custom<JobDefinition['run']>((value) => typeof value === 'function', 'expected a function'),
})

/** A directory that does not exist counts as broken, under its own name. */
export async function discoverDefinitions(directories: string[]): Promise<Discovery> {
  const found: Discovery = { definitions: [], broken: [] }
  const seen = new Map<string, string>()
  for (const directory of directories) {
    const shared = await sharedHooks(directory, found)
    for (const file of await jobFiles(directory, found)) {
      try {
        const record = await load(file, shared)
        const name = `${record.key}@${record.version}`
        const other = seen.get(name)
        if (other !== undefined) throw new Error(`${name} is already defined in ${other}`)
        seen.set(name, file)
        found.definitions.push(record)
      } catch (error) {
        found.broken.push({ file, error: error instanceof Error ? error.message : String(error) })
      }
    }
  }
  return found
}

async function jobFiles(directory: string, found: Discovery): Promise<string[]> {
  try {
    const entries = await readdir(directory, { withFileTypes: true })
    return entries
      .filter(
        (entry) =>
          entry.isFile() && /^[^_.].*\.(ts|mts|js|mjs)$/.test(entry.name) && !entry.name.endsWith('.d.ts'),
      )
      .map((entry) => resolve(join(directory, entry.name)))
      .sort()
  } catch (error) {
    found.broken.push({ file: directory, error: error instanceof Error ? error.message : String(error) })
    return []
  }
}

interface SharedHooks {
  file: string | null
  names: HookName[]
}

/** Of a directory: `_hooks.ts`, for all definitions in it. */
async function sharedHooks(directory: string, found: Discovery): Promise<SharedHooks> {
  const none = { file: null, names: [] }
  for (const name of ['_hooks.ts', '_hooks.mts', '_hooks.js', '_hooks.mjs']) {
    const file = resolve(join(directory, name))
    if (!existsSync(file)) continue
    try {
      return { file, names: parsed(hooksShape, await defaultExport(file, 'defineHooks({…})')) }
    } catch (error) {
      found.broken.push({ file, error: error instanceof Error ? error.message : String(error) })
      return none
    }
  }
  return none
}

async function load(file: string, shared: SharedHooks): Promise<DefinitionRecord> {
  return recordOf(await defaultExport(file, 'defineJob({…})'), { file, hooks: shared })
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
  const { run: _run, params, hooks, ...rest } = parsed(shape, definition)
  return {
    file,
    ...rest,
    hooks: [...new Set([...hooks, ...shared.names])],
    hooksFile: shared.file,
    paramsSchema: z.toJSONSchema(params, { io: 'input', unrepresentable: 'any' }) as JsonObject,
  }
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
