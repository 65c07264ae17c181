/**
 * The arrows of the architecture: who may import whom, and what stands in one place only. Every rule is proved on
 * samples first, so that none passes because it sees nothing.
 */
import { describe, expect, test } from 'vitest'
import { type SourceFile, sourceFile, sourceFiles } from '../support/source-files.ts'

const product = ['api', 'core', 'worker', 'scheduler', 'jobs', 'web']
const files = await sourceFiles([...product, 'scripts'])

/** What is wrong with a file, in a few words each. */
type Check = (file: SourceFile) => string[]

interface Rule {
  name: string
  check: Check
  /** Each breaks the rule. */
  wrong: [path: string, text: string][]
  /** Each keeps to it, closely. */
  right: [path: string, text: string][]
}

const importedByJobs = new Set([
  'core/job.ts',
  'core/addresses.ts',
  'core/encode/abilities.ts',
  'core/encode/options.ts',
  'core/encode/wish.ts',
  'core/stall-timer.ts',
])

/** Answers FFmpeg, which speaks HTTP, on loopback; nobody else. */
const relay = 'jobs/video/segments/source-relay.ts'

const entries = new Set([
  'api/server.ts',
  'api/function.ts',
  'api/deno.ts',
  'api/node.ts',
  'worker/main.ts',
  'worker/child.ts',
  'scheduler/main.ts',
  'scheduler/function.ts',
])

const rules: Rule[] = [
  {
    name: 'api, worker and scheduler import core, never each other',
    check: ({ path, imports }) =>
      ['api', 'worker', 'scheduler'].includes(topOf(path))
        ? ours(imports).filter((name) => ![topOf(path), 'core'].includes(topOf(name)))
        : [],
    wrong: [
      ['worker/a.ts', "import { createApp } from '../api/app.ts'\ncreateApp()"],
      ['worker/a.ts', "import type { App } from '../api/app.ts'"],
      ['scheduler/a.ts', "import {\n  tick,\n  type Tick,\n} from '../worker/tick.ts'\ntick()"],
      ['api/routes/a.ts', "export { x } from '../../scheduler/x.ts'"],
      ['api/a.ts', "const job = await import('../jobs/echo.ts')"],
      ['api/a.ts', "let a: import('../worker/a.ts').A"],
      ['api/a.ts', "import '../scripts/ports.ts'"],
    ],
    right: [
      ['worker/a.ts', "import { claim } from '../core/queue/claim.ts'\nclaim()"],
      ['api/routes/a.ts', "// from '../../worker/main.ts'\nimport type { App } from '../app.ts'"],
    ],
  },
  {
    name: 'core imports nothing of ours but core',
    check: ({ path, imports }) =>
      topOf(path) === 'core' ? ours(imports).filter((name) => topOf(name) !== 'core') : [],
    wrong: [['core/queue/a.ts', "import type { A } from '../../worker/a.ts'"]],
    right: [['core/queue/a.ts', "import type { A } from '../json.ts'"]],
  },
  {
    // What is known of addresses, and what can be asked of an encode, must mean the same on both sides: data and pure
    // functions, nothing that acts.
    name: 'jobs import the public job API, what is known of addresses and of encodes, and their own helpers only',
    check: ({ path, imports }) =>
      topOf(path) === 'jobs'
        ? [
            ...ours(imports).filter((name) => topOf(name) !== 'jobs' && !importedByJobs.has(name)),
            ...imports.filter((name) => name === 'postgres'),
          ]
        : [],
    wrong: [
      ['jobs/a.ts', "import { openPool } from '../core/db.ts'\nopenPool()"],
      ['jobs/video/a.ts', "import type { Json } from '../../core/json.ts'"],
      ['jobs/a.ts', "import postgres from 'postgres'\npostgres()"],
    ],
    right: [
      [
        'jobs/video/a.ts',
        "import { JobError } from '../../core/job.ts'\nimport { b } from './b.ts'\nb(JobError)",
      ],
    ],
  },
  {
    name: 'web talks HTTP only, through the client that everybody has',
    check: ({ path, imports }) =>
      topOf(path) === 'web'
        ? ours(imports).filter((name) => topOf(name) !== 'web' && name !== 'api/client.ts')
        : [],
    wrong: [['web/a.ts', "import type { Job } from '../api/routes/jobs.ts'"]],
    right: [
      ['web/a.ts', "import { b } from './b.ts'\nb()"],
      ['web/a.ts', "import { createApiClient } from '../api/client.ts'\ncreateApiClient()"],
    ],
  },
  {
    name: 'SQL stands only in core',
    check: ({ path, code }) =>
      ['core', 'scripts'].includes(topOf(path))
        ? []
        : [
            ...matches(code, /\bpostgres\(/g),
            ...matches(code, /(?:\b(?:sql|tx)(?:<[^`]*>)?\s*`[^`]{0,40}|\.unsafe\()/g),
            ...matches(
              code,
              /\w\s*`\s*(?:select|insert|update|delete|with|create|drop|alter|notify|listen)\s[^`]{0,30}/gi,
            ),
          ],
    wrong: [
      ['api/a.ts', 'export const a = (sql) => sql`select 1`'],
      ['worker/a.ts', 'export const a = (pool) => pool.begin((tx) => tx<{ a: number }[]>`\n  where`)'],
      ['worker/a.ts', 'export const a = (pool) => pool`\n  update jobs set a = 1`'],
      ['scheduler/a.ts', "export const a = (pool) => pool.unsafe('select 1')"],
      ['worker/a.ts', "import postgres from 'postgres'\nexport const sql = postgres('postgres://db')"],
    ],
    right: [
      ['api/a.ts', '/** sql`select 1` */\nexport const a = (name) => `select from ` + name'],
      ['core/a.ts', 'export const a = (sql) => sql`select 1`'],
    ],
  },
  {
    name: 'the environment is read only by core/config.ts and the entries that hand it over',
    check: ({ path, code, imports }) =>
      path === 'core/config.ts' || entries.has(path) || topOf(path) === 'scripts'
        ? []
        : [
            ...matches(
              code,
              /\bprocess\s*\??\.\s*env\b|\bprocess\s*\[\s*["']env|\bBun\.env\b|\bimport\.meta\.env\b/g,
            ),
            ...matches(code, /\{[^{}]*\benv\b[^{}]*\}\s*=\s*(?:process|Bun)\b/g),
            ...imports.filter((name) => /^(node:)?process$/.test(name)),
          ],
    wrong: [
      ['core/a.ts', 'export const a = process.env.A'],
      ['worker/a.ts', "export const a = process['env'].A"],
      ['api/a.ts', 'export const { env } = process'],
      ['jobs/a.ts', 'export const a = Bun.env'],
      ['core/a.ts', "import { env } from 'node:process'\nexport const a = env.A"],
    ],
    right: [
      ['core/a.ts', '// process.env\nexport const a = (options) => options.env'],
      ['worker/main.ts', 'export const a = process.env'],
    ],
  },
  {
    name: 'only api answers HTTP: no server, framework or status code elsewhere',
    check: ({ path, code, imports }) =>
      ['api', 'scripts', 'web'].includes(topOf(path)) || path === relay
        ? []
        : [
            ...imports.filter((name) => /^(@?hono)(\/|$)/.test(name)),
            ...matches(code, /\bBun\.serve\b|\bcreateServer\(|\bnew Response\([^)]*status/g),
            ...matches(code, /\b(?:status|statusCode|httpStatus)["']?\s*[:=]\s*[1-5]\d\d\b/g),
            ...matches(code, /:\s*(?:40\d|41\d|42\d|50[0-4])\b(?!\s*\?)/g),
          ],
    wrong: [
      ['core/errors.ts', 'export class NotFound extends Error { readonly status = 404 }'],
      ['core/a.ts', 'export const a = { not_found: 404 }'],
      ['worker/a.ts', "import { Hono } from 'hono'\nnew Hono()"],
      ['scheduler/a.ts', "import type { Context } from 'hono'"],
      ['worker/a.ts', 'Bun.serve({ fetch: () => new Response() })'],
    ],
    right: [
      // Reading what another server answered.
      [
        'core/a.ts',
        'export const a = (answer) => answer.status === 404 || new Set([503]).has(answer.status)',
      ],
      ['api/problem.ts', 'export const a = { not_found: 404 }'],
    ],
  },
  {
    name: 'child processes start only in worker, jobs/video/ffmpeg.ts and scripts',
    check: ({ path, code, imports }) =>
      ['worker', 'scripts'].includes(topOf(path)) || path === 'jobs/video/ffmpeg.ts'
        ? []
        : [
            ...imports.filter((name) => /^(node:)?(child_process|cluster)$/.test(name)),
            ...matches(code, /\bBun\s*\.\s*(?:spawn(?:Sync)?\b|\$)/g),
            ...matches(code, /\{[^{}]*(?:\bspawn(?:Sync)?\b|\$)[^{}]*\}\s*(?:=\s*Bun\b|from\s*["']bun["'])/g),
          ],
    wrong: [
      ['core/a.ts', "export const a = () => Bun.spawn(['ls'])"],
      ['jobs/a.ts', "import { execFile } from 'node:child_process'\nexecFile('ls')"],
      ['api/a.ts', "import { $ } from 'bun'\nawait $`ls`"],
      ['jobs/video/probe.ts', "export const a = () => Bun.spawnSync(['ls'])"],
    ],
    right: [
      ['jobs/video/ffmpeg.ts', "export const a = () => Bun.spawn(['ls'])"],
      ['core/a.ts', "import type { Subprocess } from 'bun'\n/** Bun.spawn */\nexport let a: Subprocess"],
    ],
  },
]

describe.each(rules)('$name', ({ check, wrong, right }) => {
  test.each(wrong)('the rule sees what breaks it: %s %j', (path, text) => {
    expect(check(sourceFile(path, text))).not.toEqual([])
  })

  test.each(right)('the rule lets pass what keeps to it: %s %j', (path, text) => {
    expect(check(sourceFile(path, text))).toEqual([])
  })

  test('the product keeps to it', () => {
    const offending = files.map((file) => ({ file: file.path, found: check(file) }))
    expect(offending.filter(({ found }) => found.length > 0)).toEqual([])
  })
})

test('the job process loads nothing that could reach the database or the configuration', () => {
  const loaded = loadedBy('worker/child.ts')
  expect(loaded).toContain('core/job.ts')
  expect(loaded).not.toContain('postgres')
  expect(loaded).not.toContain('core/db.ts')
  expect(loaded).not.toContain('core/config.ts')
  expect(loadedBy('worker/main.ts'), 'the same look at the coordinator').toContain('postgres')
})

test('the rules look at the whole product', () => {
  const seen = new Set(files.map(({ path }) => topOf(path)))
  expect([...seen]).toEqual(expect.arrayContaining(['api', 'core', 'worker', 'scheduler', 'jobs', 'scripts']))
  for (const entry of [...entries, relay]) expect(files.map(({ path }) => path)).toContain(entry)
})

function topOf(path: string): string {
  return path.split('/')[0] ?? ''
}

/** Imports of files, not of packages. */
function ours(imports: string[]): string[] {
  return imports.filter((name) => name.includes('/') && /\.[jt]sx?$/.test(name))
}

function matches(code: string, pattern: RegExp): string[] {
  return [...code.matchAll(pattern)].map(([found]) => found.trim())
}

function loadedBy(entry: string): string[] {
  const loaded = new Set<string>()
  const load = (path: string) => {
    if (loaded.has(path)) return
    loaded.add(path)
    files.find((file) => file.path === path)?.importsAtRuntime.forEach(load)
  }
  load(entry)
  return [...loaded]
}
