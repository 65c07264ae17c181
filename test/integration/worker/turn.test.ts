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
 * A program that does its first job, and takes its time to begin the next, as on a busy machine. It says when it is at
 * the second, and is asked nothing in between.
 */
const late = join(root, 'late.ts')
await writeFile(
  late,
  `import { writeSync } from 'node:fs'
import { endOfOutput } from '${pathOf('worker/end-of-output.ts')}'
const say = (message) => writeSync(3, JSON.stringify(message) + '\\n')
const revoked = new Set()
say({ type: 'ready' })
const decoder = new TextDecoder()
let rest = ''
for await (const chunk of Bun.file(3).stream()) {
  const lines = (rest + decoder.decode(chunk, { stream: true })).split('\\n')
  rest = lines.pop()
  for (const message of lines.map((line) => JSON.parse(line))) {
    if (message.type === 'abort') revoked.add(message.run)
    else setTimeout(() => perform(message), message.run === 1 ? 0 : 1000)
  }
}
function perform({ run, params }) {
  if (revoked.has(run)) return
  say({ type: 'began', run })
  say({ type: 'result', run, result: params, goesOn: true })
  process.stdout.write(endOfOutput(run))
  process.stderr.write(endOfOutput(run))
}`,
)

async function startProcess(program: string): Promise<JobProcess> {
  const child = new JobProcess({
    command: [program],
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
        { report: () => {}, output: () => {}, storage: nothing, enqueue: nothing },
        () => {},
      )
      .finally(() => turn.leave()),
  )
  const done = (place: number) => ({ end: { kind: 'succeeded', result: { message: String(place) } } })
  const givenBack = { end: { kind: 'stopped', reason: 'interrupted' } }
  expect(await Promise.all(ends)).toMatchObject([done(0), done(1), givenBack, givenBack])
  await child.gone
})

/** A program that begins a job, and heeds nothing. */
const deaf = join(root, 'deaf.ts')
await writeFile(
  deaf,
  `import { writeSync } from 'node:fs'
const say = (message) => writeSync(3, JSON.stringify(message) + '\\n')
say({ type: 'ready' })
for await (const chunk of Bun.file(3).stream()) say({ type: 'began', run: 1 })`,
)

test('a job in its grace is killed as soon as another reason gives it none', async () => {
  const child = await startProcess(deaf)
  const run = child.run(job(0, { scratchDirectory: scratch.make('deaf'), waitIn: null }), {
    report: () => {},
    output: () => {},
    storage: nothing,
    enqueue: nothing,
  })
  run.stop('timed_out', 3600)
  run.stop('lease_lost', 0)
  expect(await run.ended).toEqual({ kind: 'stopped', reason: 'timed_out' })
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

async function nothing(): Promise<never> {
  throw new Error('no job here has anything to store')
}
