/**
 * What dividing a video among workers gives: one worker and two, each on a processor of its own and so with one thread
 * for an encoder, at the same pieces; and what the division costs, against the video in one piece. How it goes on with
 * more workers than this machine has processors is computed from what was measured, and said to be.
 */
import { link, mkdtemp } from 'node:fs/promises'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { type Bench, interleave } from './bench.ts'
import type { BenchDatabase } from './database.ts'
import { encodeCommand, runCommand } from './encode-command.ts'
import { compare } from './measurement.ts'
import type { BenchStack } from './stack.ts'
import { cpuSecondsOf, encodeBy, makeClip, uploadTo } from './video-client.ts'

const clipSeconds = 40
/** Of a second clip, by which costs that grow with the length are told from those that don't. */
const shortSeconds = 20
const pieces = 4
const quality = '720p'
const simulatedSeconds = 3600
const simulatedWorkers = [4, 16, 64]
/** As `segments: auto` has it at most. */
const simulatedPieceSeconds = 30

export const segmentsBench: Bench = {
  name: 'segments',
  about: `a video of ${clipSeconds} s in ${pieces} pieces, by one worker and by two of one thread each`,
  defaultRounds: 3,
  limitSeconds: 900,
  async run(context) {
    if (availableParallelism() < 2) throw new Error('two workers need two processors')
    const { stack, onStep } = context
    const directory = await mkdtemp(join(stack.directory, 'segments-'))
    const clip = join(directory, 'clip.mp4')
    const shortClip = join(directory, 'short.mp4')
    onStep('making the clips')
    await makeClip(stack.tools.ffmpeg, clip, clipSeconds)
    await makeClip(stack.tools.ffmpeg, shortClip, shortSeconds)
    const bare = [await bareCommand(stack, clip, 0), await bareCommand(stack, clip, 1)]
    const database = await stack.openDatabase()
    const api = await database.startApi()
    const uploads = { long: await uploadTo(api.url, clip), short: await uploadTo(api.url, shortClip) }
    const encode = (workers: number, segments: number | 'off', uploadId = uploads.long) =>
      byWorkers(database, workers, () => encodeBy(api.url, uploadId, { quality, segments }))
    const { whole, one, short, two, limit } = await interleave(
      context,
      {
        whole: () => encode(1, 'off'),
        one: () => encode(1, pieces),
        short: () => encode(1, pieces, uploads.short),
        two: () => encode(2, pieces),
        limit: () => bareSpeedUp(bare),
      },
      { what: 'encode', warmUp: false },
    )
    await database.close()
    requireDivision([...one, ...short, ...two], pieces)
    const seconds = (runs: Run[]) => runs.map((run) => run.seconds)
    const cpu = (runs: Run[]) => runs.map(({ cpuSeconds }) => cpuSeconds)
    const speedUps = one.map((run, round) => run.seconds / (two[round]?.seconds ?? 0))
    return [
      compare(
        { name: 'speed-up by a second worker', unit: '×', better: 'higher' },
        { label: 'measured', values: speedUps },
        { label: 'workers', values: two.map(() => 2) },
      ),
      compare(
        { name: 'speed-up by a second processor', unit: '×', better: 'higher' },
        { label: 'by a second worker', values: speedUps },
        { label: 'of the FFmpeg command, bare, twice at once', values: limit },
      ),
      compare(
        { name: 'time', unit: 's', better: 'lower' },
        { label: `in ${pieces} pieces, two workers`, values: seconds(two) },
        { label: 'in one piece, one worker', values: seconds(whole) },
      ),
      compare(
        { name: 'CPU time of the workers and their jobs', unit: 's', better: 'lower' },
        { label: `in ${pieces} pieces, two workers`, values: cpu(two) },
        { label: 'in one piece, one worker', values: cpu(whole) },
      ),
      ...simulatedWorkers.map((workers) =>
        compare(
          {
            name: `an hour of video by ${workers} workers, simulated from the above`,
            unit: '×',
            better: 'higher',
          },
          {
            label: 'speed-up, computed',
            values: one.map((run, round) =>
              speedUp(
                costsOf({ divided: run, short: short[round] ?? run, whole: whole[round] ?? run }),
                workers,
              ),
            ),
          },
          { label: 'workers', values: one.map(() => workers) },
        ),
      ),
    ]
  },
}

/** One thread on one processor, with a directory of its own. */
async function bareCommand({ tools, directory }: BenchStack, clip: string, processor: number) {
  const input = join(await mkdtemp(join(directory, 'bare-')), 'clip.mp4')
  await link(clip, input)
  const { command } = await encodeCommand(tools, input, { quality, threads: 1 })
  return ['taskset', '--cpu-list', String(processor), ...command]
}

/** Processors share caches and memory, and may share the machine with others: two are seldom twice as fast as one. */
async function bareSpeedUp(commands: string[][]): Promise<number> {
  const [first = []] = commands
  const alone = await secondsOf(() => runCommand(first))
  return (commands.length * alone) / (await secondsOf(() => Promise.all(commands.map(runCommand))))
}

async function secondsOf(act: () => Promise<unknown>): Promise<number> {
  const startedAt = performance.now()
  await act()
  return (performance.now() - startedAt) / 1000
}

interface Run {
  seconds: number
  cpuSeconds: number
  /** Of every attempt of the video's own job, in order: the first prepares, the last joins. */
  ownSeconds: number[]
  /** How long each of its parts took. */
  partSeconds: number[]
}

/** A video that came out in one piece after all, or parts that were done twice, are no figures of a division. */
function requireDivision(runs: Run[], pieceCount: number): void {
  const soundParts = 1
  for (const { partSeconds } of runs) {
    if (partSeconds.length !== pieceCount + soundParts) {
      throw new Error(`${pieceCount} pieces and the sound took ${partSeconds.length} attempts`)
    }
  }
}

/** Each worker alone on its processor, with one slot: encoders take as many threads as they find processors. */
async function byWorkers(database: BenchDatabase, count: number, act: () => Promise<string>): Promise<Run> {
  // Processes that stand by would have been started before they could be told where to run.
  const settings = { MAX_CONCURRENT_EXECUTIONS: '1', STANDBY_PROCESSES: '0' }
  const workers = await Promise.all(Array.from({ length: count }, () => database.startWorker(settings)))
  for (const [index, { pid }] of workers.entries()) {
    await runCommand(['taskset', '--all-tasks', '--cpu-list', '--pid', String(index), String(pid)])
  }
  const pids = workers.map(({ pid }) => pid)
  const cpuBefore = await cpuSecondsOf(pids)
  let jobId = ''
  const seconds = await secondsOf(async () => {
    jobId = await act()
  })
  const cpuSeconds = (await cpuSecondsOf(pids)) - cpuBefore
  const attempts = await database.sql<{ isOwn: boolean; seconds: number }[]>`
    select job_id = ${jobId} as is_own, extract(epoch from ended_at - attempts.started_at)::float8 as seconds
    from job_server.attempts join job_server.job_history on job_history.id = job_id
    where ${jobId} in (job_id, parent_id)
    order by attempts.started_at`
  await Promise.all(workers.map((worker) => worker.stop()))
  return {
    seconds,
    cpuSeconds,
    ownSeconds: attempts.filter(({ isOwn }) => isOwn).map((attempt) => attempt.seconds),
    partSeconds: attempts.filter(({ isOwn }) => !isOwn).map((attempt) => attempt.seconds),
  }
}

interface Costs {
  /** What the first and the last attempt do, of any video and for each second of it. */
  ownSeconds: number
  own: number
  /** Per second of video: what a piece takes. */
  encode: number
  /** Of every piece, whatever its length. */
  fixedSeconds: number
}

/** A piece costs what encoding costs in one go, and what is left of the time of all pieces, shared by them. */
function costsOf({ divided, short, whole }: { divided: Run; short: Run; whole: Run }): Costs {
  const ownSeconds = sum(divided.ownSeconds)
  const own = Math.max(0, ownSeconds - sum(short.ownSeconds)) / (clipSeconds - shortSeconds)
  const partSeconds = sum(divided.partSeconds)
  const encodeSeconds = Math.min(partSeconds, (whole.ownSeconds[0] ?? 0) - ownSeconds)
  return {
    ownSeconds: Math.max(0, ownSeconds - own * clipSeconds),
    own,
    encode: encodeSeconds / clipSeconds,
    fixedSeconds: (partSeconds - encodeSeconds) / pieces,
  }
}

/** Against one worker at the same pieces. Preparing and joining are done by one worker while the others have nothing. */
function speedUp({ ownSeconds, own, encode, fixedSeconds }: Costs, workers: number): number {
  const count = Math.max(workers, Math.ceil(simulatedSeconds / simulatedPieceSeconds))
  const pieceSeconds = fixedSeconds + (encode * simulatedSeconds) / count
  const alone = ownSeconds + own * simulatedSeconds
  return (alone + count * pieceSeconds) / (alone + Math.ceil(count / workers) * pieceSeconds)
}

function sum(values: number[]): number {
  return values.reduce((total, value) => total + value, 0)
}
