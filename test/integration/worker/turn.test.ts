/** Turns of several jobs, given to real processes. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import pino from 'pino'
import { afterAll, expect, test } from 'vitest'
import { recordOf } from '../../../core/definitions/discover.ts'
import { defaultJobLimits } from '../../../core/job-limits.ts'
import echo from '../../../jobs/echo.ts'
import { Guardian } from '../../../worker/guardian.ts'
import { JobProcess, type JobToRun } from '../../../worker/job-process.ts'
import { LimitWatch } from '../../../worker/limits.ts'
import { Scratch } from '../../../worker/scratch.ts'
import { type Place, Turn } from '../../../worker/turn.ts'
import { until } from '../../support/until.ts'

const pathOf = (name: string) => fileURLToPath(new URL(`../../../${name}`, import.meta.url))
const log = pino({ level: 'silent' })
const root = await mkdtemp(join(tmpdir(), 'job-server-turn-'))
const scratch = new Scratch(root)
await scratch.start()
const guardian = new Guardian({ directories: [], environment: { PATH: process.env.PATH }, log })
guardian.start()
afterAll(async () => {
  await guardian.stop()
  await rm(root, { recursive: true, force: true })
})

const definition = recordOf(
  { ...echo, runsPerProcess: 100 },
  { file: pathOf('jobs/echo.ts'), hooks: { file: null, names: [] } },
)

/**
 * A program in the place of a job process.
 * @param receive declares a function of this name, which gets each message; `begin`, `end` and `close` are of a run
 */
async function programThat(name: string, receive: string): Promise<string> {
  const path = join(root, `${name}.ts`)
  await writeFile(
    path,
    `import { writeSync } from 'node:fs'
import { endOfOutput } from '${pathOf('worker/end-of-output.ts')}'
const say = (message) => writeSync(3, JSON.stringify(message) + '\\n')
const begin = (run) => say({ type: 'began', run })
const end = (run, result = null) => say({ type: 'result', run, result, goesOn: true })
const close = (run) => [process.stdout, process.stderr].forEach((stream) => stream.write(endOfOutput(run)))
${receive}
say({ type: 'ready' })
const decoder = new TextDecoder()
let rest = ''
for await (const chunk of Bun.file(3).stream()) {
  const lines = (rest + decoder.decode(chunk, { stream: true })).split('\\n')
  rest = lines.pop()
  for (const line of lines) receive(JSON.parse(line))
}`,
  )
  return path
}

/**
 * Does its first job, and takes its time to begin the next, as on a busy machine. It says when it is at the second, and is
 * asked nothing in between.
 */
const late = await programThat(
  'late',
  `const revoked = new Set()
function receive({ type, run, params }) {
  if (type === 'abort') revoked.add(run)
  else setTimeout(() => perform(run, params), run === 1 ? 0 : 1000)
}
function perform(run, params) {
  if (revoked.has(run)) return
  begin(run)
  end(run, params)
  close(run)
}`,
)

async function startProcess(...command: string[]): Promise<JobProcess> {
  const child = new JobProcess({
    command,
    directory: scratch.directory,
    environment: { PATH: process.env.PATH },
    guardian,
    log,
  })
  await child.ready
  return child
}

test('what is held up behind others goes back; the one that is next stays, however late it begins', async () => {
  const child = await startProcess(late)
  const taken = {
    process: child,
    runsPerProcess: 100,
    waitIn: scratch.directory,
    giveBack: () => child.kill(),
  }
  const turn = new Turn(definition, 'turn', {
    standby: { take: () => taken },
    scratch,
    limits: new LimitWatch(log),
    log,
  })
  const places = [0, 1, 2, 3]
  for (const _ of places.slice(1)) turn.add()
  const ends = places.map((place) =>
    turn
      .run(
        (seat) => job(place, seat),
        listener,
        () => {},
      )
      .finally(() => turn.leave()),
  )
  const done = (place: number) => ({ end: { kind: 'succeeded', result: { message: String(place) } } })
  const givenBack = { end: { kind: 'stopped', reason: 'interrupted' } }
  expect(await Promise.all(ends)).toMatchObject([done(0), done(1), givenBack, givenBack])
  await child.gone
})

/** Begins a job, and heeds nothing. */
const deaf = await programThat('deaf', 'const receive = ({ run }) => begin(run)')

test('a job in its grace is killed as soon as another reason gives it none', async () => {
  const child = await startProcess(deaf)
  const run = child.run(job(0, { scratchDirectory: scratch.make('deaf'), waitIn: null }), listener)
  run.stop('timed_out', 3600)
  run.stop('lease_lost', 0)
  expect(await run.ended).toEqual({ kind: 'stopped', reason: 'timed_out' })
  await child.gone
})

test('a job that is cancelled and ends within its grace takes none of those behind it along', async () => {
  const program = await programThat(
    'heedless',
    `function receive({ type, run }) {
  if (type === 'run' && run === 1) begin(1)
  if (type === 'run') return
  for (const each of [1, 2]) {
    end(each)
    close(each)
    begin(each + 1)
  }
  setTimeout(() => {
    end(3)
    close(3)
  }, 1200)
}`,
  )
  const child = await startProcess(program)
  const place = { scratchDirectory: scratch.make('heedless'), waitIn: scratch.directory }
  const [cancelled, ...behind] = [0, 1, 2].map((each) => child.run(job(each, place), listener))
  await until('the first to begin', () => cancelled?.hasBegun)
  cancelled?.stop('cancelled', 1)
  for (const run of [cancelled, ...behind])
    expect(await run?.ended).toEqual({ kind: 'succeeded', result: null })
  child.kill()
  await child.gone
})

test('a job that was begun already when another has its process killed is interrupted', async () => {
  const program = await programThat(
    'noisy',
    `function receive({ run }) {
  if (run !== 1) return
  begin(1)
  end(1)
  begin(2)
}`,
  )
  const child = await startProcess(program)
  const place = { scratchDirectory: scratch.make('noisy'), waitIn: scratch.directory }
  // The output of the first never ends, for which the process is killed.
  const runs = [0, 1, 2].map((each) => child.run(job(each, place), listener))
  expect(await Promise.all(runs.map(({ ended }) => ended))).toEqual([
    { kind: 'succeeded', result: null },
    { kind: 'stopped', reason: 'interrupted' },
    { kind: 'not_begun' },
  ])
  await child.gone
})

test('a process in which a job was told to stop takes up no other, however that one ended', async () => {
  const child = await startProcess(pathOf('worker/child.ts'), pathOf('worker/child-warm-up.ts'))
  const place = { scratchDirectory: scratch.make('told'), waitIn: scratch.directory }
  const long = {
    ...job(0, place),
    file: pathOf('test/fixtures/turn-jobs/short.ts'),
    definition: { key: 'short', version: 1 },
    params: { does: 'take long' },
  }
  // It says something, and then waits to be told.
  const waits = Promise.withResolvers<void>()
  const told = child.run(long, { ...listener, report: () => waits.resolve() })
  const next = child.run(job(1, place), listener)
  await waits.promise
  told.stop('cancelled', 60)
  expect(await told.ended).toMatchObject({ kind: 'succeeded' })
  expect(await next.ended).toEqual({ kind: 'not_begun' })
  await child.gone
})

function job(place: number, { scratchDirectory, waitIn }: Place): JobToRun {
  return {
    file: definition.file,
    definition: { key: definition.key, version: definition.version },
    jobId: Bun.randomUUIDv7(),
    attempt: 1,
    maxAttempts: 1,
    params: { message: String(place) },
    checkpoint: null,
    children: null,
    hook: null,
    scratchDirectory,
    waitIn,
    tools: { ffmpeg: '', ffprobe: '' },
    limits: defaultJobLimits,
    trace: null,
    recordsSpans: false,
    fleet: { slots: 1, freeSlots: 0 },
    logLimitBytes: definition.logLimitBytes,
    nice: 0,
    asksBackoff: false,
  }
}

const listener = { report: () => {}, output: () => {}, storage: nothing, enqueue: nothing }

async function nothing(): Promise<never> {
  throw new Error('no job here has anything to store')
}
