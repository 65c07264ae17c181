import pino from 'pino'
import { expect, test } from 'vitest'
import type { Discovery } from '../../../core/definitions/discover.ts'
import { discoverInProcess } from '../../../worker/discovery.ts'
import { jobDirectory, jobFile } from '../../support/job-files.ts'
import { processesNaming } from '../../support/processes.ts'
import { until } from '../../support/until.ts'

const log = pino({ level: 'silent' })
const environment = { PATH: process.env.PATH, DATABASE_URL: 'postgres://secret' }

async function discover(...directories: string[]): Promise<Discovery> {
  const { signal } = new AbortController()
  const found = await discoverInProcess(directories, { environment, log, signal, patienceSeconds: 4 })
  for (const directory of directories) expect(await processesNaming(directory), 'processes left').toEqual([])
  return found
}

const keysOf = ({ definitions }: Discovery) => definitions.map(({ key, version }) => `${key}@${version}`)
const errorsOf = ({ broken }: Discovery) =>
  Object.fromEntries(broken.map(({ file, error }) => [file.split('/').at(-1), error]))

test('a file that does what it should not while it is loaded is named with its error, and the others work', async () => {
  const { path } = await jobDirectory({
    'a-good.ts': jobFile({ key: 'first' }),
    'b-throws.ts': jobFile({ key: 'b', top: "throw new Error('thrown while loading')" }),
    'c-syntax.ts': 'export default {{{',
    'd-exits.ts': jobFile({ key: 'd', top: "console.error('last words'); process.exit(0)" }),
    'e-kills.ts': jobFile({ key: 'e', top: "process.kill(process.pid, 'SIGKILL')" }),
    'f-hangs.ts': jobFile({ key: 'f', top: 'for (;;);' }),
    'g-never-settles.ts': jobFile({ key: 'g', top: 'await new Promise(() => {})' }),
    'h-rejects.ts': jobFile({ key: 'h', top: "void Promise.reject(new Error('nobody awaits this'))" }),
    'i-imports-nothing.ts': "import './does-not-exist.ts'",
    'j-no-default.ts': 'export const key = 1',
    'k-no-params.ts': "export default { key: 'k', run() {} }",
    'l-floods.ts': jobFile({
      key: 'l',
      top: "import { writeSync } from 'node:fs'\nfor (let i = 0; i < 20; i++) writeSync(3, 'x'.repeat(1 << 20))",
    }),
    'm-leaves-a-child.ts': jobFile({
      key: 'middle',
      top: "Bun.spawn(['sh', '-c', 'sleep 1000', import.meta.path], { stdio: ['ignore', 'ignore', 'ignore'] })",
    }),
    'z-good.ts': jobFile({ key: 'last' }),
  })
  const found = await discover(path)
  expect(keysOf(found)).toEqual(['first@1', 'middle@1', 'last@1'])
  expect(errorsOf(found)).toEqual({
    'b-throws.ts': 'thrown while loading',
    'c-syntax.ts': expect.any(String),
    'd-exits.ts': expect.stringMatching(/status 0 while loading.*last words/s),
    'e-kills.ts': expect.stringContaining('SIGKILL'),
    'f-hangs.ts': expect.stringContaining('not loaded within 4 s'),
    'g-never-settles.ts': expect.any(String),
    'h-rejects.ts': expect.stringContaining('nobody awaits this'),
    'i-imports-nothing.ts': expect.stringContaining('does-not-exist'),
    'j-no-default.ts': expect.stringContaining('no default export'),
    'k-no-params.ts': expect.stringContaining('expected a zod schema'),
    'l-floods.ts': expect.any(String),
  })
})

test('a file that ends the process when another is being loaded is to blame, and not the other', async () => {
  const { path } = await jobDirectory({
    'a-exits-later.ts': jobFile({ key: 'later', top: 'setTimeout(() => process.exit(1), 20)' }),
    'b-takes-its-time.ts': jobFile({ key: 'slow', top: 'await Bun.sleep(300)' }),
    'c-good.ts': jobFile({ key: 'good' }),
  })
  const found = await discover(path)
  expect(keysOf(found)).toEqual(expect.arrayContaining(['slow@1', 'good@1']))
  expect(errorsOf(found)).not.toHaveProperty('b-takes-its-time.ts')
})

test('versions of a key stand side by side; what is defined twice is reported, and the first one counts', async () => {
  const one = await jobDirectory({
    'v1.ts': jobFile({ key: 'same' }),
    'v2.ts': jobFile({ key: 'same', more: 'version: 2,' }),
  })
  const other = await jobDirectory({ 'again.ts': jobFile({ key: 'same', more: 'version: 2,' }) })
  const found = await discover(one.path, other.path)
  expect(keysOf(found)).toEqual(['same@1', 'same@2'])
  expect(errorsOf(found)).toEqual({ 'again.ts': `same@2 is already defined in ${one.path}/v2.ts` })
})

test('a directory that is not there is named, and the others work', async () => {
  const { path } = await jobDirectory({ 'good.ts': jobFile({ key: 'good' }) })
  const found = await discover('/does/not/exist', path)
  expect(keysOf(found)).toEqual(['good@1'])
  expect(found.broken).toMatchObject([{ file: '/does/not/exist' }])
})

test('helpers, hidden files and declarations are no definitions; links to files are', async () => {
  const elsewhere = await jobDirectory({ 'real.ts': jobFile({ key: 'linked' }) })
  const { path } = await jobDirectory({
    '_helper.ts': 'export default 1',
    '.hidden.ts': 'export default 1',
    'types.d.ts': 'export default 1',
    'good.test.ts': 'export default 1',
    'good.spec.mjs': 'export default 1',
    'notes.md': 'none',
    'below/nested.ts': 'export default 1',
  })
  await Bun.$`ln -s ${elsewhere.path}/real.ts ${path}/link.ts`
  const found = await discover(path)
  expect(found.broken).toEqual([])
  expect(keysOf(found)).toEqual(['linked@1'])
})

test('a job file sees no secret while it is loaded', async () => {
  const { path } = await jobDirectory({
    'looks.ts': jobFile({ key: 'looks', top: "if (process.env.DATABASE_URL) throw new Error('seen')" }),
  })
  expect(keysOf(await discover(path))).toEqual(['looks@1'])
})

test('a job file sees the variables that jobs are to get, and what is not set is not there', async () => {
  const { path } = await jobDirectory({
    'looks.ts': jobFile({
      key: 'looks',
      top: "if (process.env.BILLING_URL !== 'here' || 'UNSET' in process.env) throw new Error('unseen')",
    }),
  })
  const { signal } = new AbortController()
  const found = await discoverInProcess([path], {
    environment: { ...environment, BILLING_URL: 'here' },
    jobVariables: ['BILLING_URL', 'UNSET'],
    log,
    signal,
  })
  expect(found.broken).toEqual([])
})

test('what Bun can not read is told with file, line and column, a handful of it at most', async () => {
  const { path } = await jobDirectory({
    '_helper.ts': '\nexport const a = ;',
    'imports.ts': "import './_helper.ts'",
    'many.ts': ['', 'a', 'b', 'c', 'd', 'e', 'f', 'g']
      .map((name) => `let ${name || 'x'}; let ${name || 'y'}`)
      .join('\n'),
    'one.ts': 'export default {\n  key: ;\n}',
    'two.ts': 'export default {\n  const x = 1\n}',
  })
  const { 'many.ts': many, ...others } = errorsOf(await discover(path))
  expect(others).toEqual({
    'imports.ts': `${path}/_helper.ts:2:18: Unexpected ;`,
    'one.ts': `${path}/one.ts:2:8: Unexpected ;`,
    'two.ts': `2 errors building "${path}/two.ts": ${path}/two.ts:2:9: Expected ":" but found "x"; ${path}/two.ts:2:11: Unexpected =`,
  })
  expect(many?.split('; ')).toEqual([
    `7 errors building "${path}/many.ts": ${path}/many.ts:2:12: "a" has already been declared`,
    ...['b', 'c', 'd', 'e'].map(
      (name, place) => `${path}/many.ts:${place + 3}:12: "${name}" has already been declared`,
    ),
    'and 2 more',
  ])
})

test('a discovery that is called off ends at once', async () => {
  const { path } = await jobDirectory({ 'hangs.ts': jobFile({ key: 'hangs', top: 'for (;;);' }) })
  const called = new AbortController()
  const discovery = discoverInProcess([path], { environment, log, signal: called.signal })
  const outcome = expect(discovery).rejects.toThrow()
  await until('the file to be loaded', async () => (await processesNaming(path)).length > 0)
  called.abort(new Error('called off'))
  await outcome
  expect(await processesNaming(path)).toEqual([])
})
