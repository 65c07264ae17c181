/**
 * `bun run bench [name…] [--rounds n] [--scale n] [--json]`: measures the product against a peer or the physical limit, in the
 * same run. Figures go to standard output, what happens meanwhile to standard error. Everything it starts and writes
 * is gone when it ends, also when it is interrupted.
 */
import { constants } from 'node:os'
import { parseArgs } from 'node:util'
import type { Bench } from './bench.ts'
import { blockedBench } from './blocked.ts'
import { cancelBench } from './cancel.ts'
import { type Circumstances, currentLoad, readCircumstances } from './circumstances.ts'
import { coldStartBench } from './cold-start.ts'
import { encodeBench } from './encode.ts'
import { enqueueBench } from './enqueue.ts'
import { idleBench } from './idle.ts'
import { latencyBench } from './latency.ts'
import { lifeBench } from './life.ts'
import { memoryBench } from './memory.ts'
import { peersBench } from './peers.ts'
import { pickUpBench } from './pick-up.ts'
import { pinnedBench } from './pinned.ts'
import { processBench } from './process.ts'
import { qualityBench } from './quality.ts'
import { queueBench } from './queue.ts'
import { queuesBench } from './queues.ts'
import { recoveryBench } from './recovery.ts'
import { type BenchResult, circumstancesText, resultText } from './report.ts'
import { scrollBench } from './scroll.ts'
import { segmentsBench } from './segments.ts'
import { sizesBench } from './sizes.ts'
import { BenchStack } from './stack.ts'

const benches = [
  queueBench,
  processBench,
  encodeBench,
  segmentsBench,
  qualityBench,
  latencyBench,
  cancelBench,
  coldStartBench,
  peersBench,
  enqueueBench,
  blockedBench,
  pickUpBench,
  queuesBench,
  recoveryBench,
  idleBench,
  lifeBench,
  memoryBench,
  sizesBench,
  pinnedBench,
  scrollBench,
]
const defaultLimitSeconds = 300
const EX_USAGE = 64

const options = readOptions()
const loadAverage = currentLoad()
const stack = new BenchStack(process.env)
const interrupted = new Promise<number>((resolve) => {
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.once(signal, () => resolve(128 + constants.signals[signal]))
  }
})
let status = 1
try {
  status = await Promise.race([runAll().then(() => 0), interrupted])
} catch (error) {
  console.error(error)
} finally {
  await stack.stop()
}
// An interrupted bench may still wait for something.
process.exit(status)

async function runAll(): Promise<void> {
  onStep('starting PostgreSQL and S3')
  await stack.start()
  const circumstances = await describe()
  if (!options.json) console.log(circumstancesText(circumstances))
  const results: BenchResult[] = []
  for (const bench of options.chosen) {
    const result = await runOne(bench)
    results.push(result)
    if (!options.json) console.log(`\n${resultText(result)}`)
  }
  if (options.json) console.log(JSON.stringify({ ...circumstances, benches: results }, null, 2))
}

async function describe(): Promise<Circumstances> {
  const database = await stack.openDatabase()
  const circumstances = await readCircumstances(database.sql, { ffmpeg: stack.tools.ffmpeg, loadAverage })
  await database.close()
  return circumstances
}

async function runOne(bench: Bench): Promise<BenchResult> {
  const { name, about, defaultRounds, limitSeconds = defaultLimitSeconds } = bench
  const rounds = options.rounds ?? defaultRounds
  const startedAt = performance.now()
  const timeout = Promise.withResolvers<never>()
  const timer = setTimeout(
    () => timeout.reject(new Error(`${name} takes longer than ${limitSeconds} s`)),
    limitSeconds * 1000,
  )
  const context = {
    stack,
    rounds,
    scale: options.scale,
    onStep: (step: string) => onStep(`${name}: ${step}`),
  }
  const measurements = await Promise.race([bench.run(context), timeout.promise])
  clearTimeout(timer)
  return { name, about, rounds, seconds: (performance.now() - startedAt) / 1000, measurements }
}

function onStep(step: string): void {
  console.error(`… ${step}`)
}

function readOptions(): { chosen: Bench[]; rounds: number | undefined; scale: number; json: boolean } {
  try {
    const { values, positionals } = parseArgs({
      args: process.argv.slice(2),
      options: {
        json: { type: 'boolean', default: false },
        rounds: { type: 'string' },
        scale: { type: 'string', default: '1' },
      },
      allowPositionals: true,
    })
    const unknown = positionals.find((wanted) => !benches.some(({ name }) => name === wanted))
    if (unknown !== undefined) throw new Error(`There is no bench ${JSON.stringify(unknown)}.`)
    if (values.rounds !== undefined && !/^[1-9]\d?$/.test(values.rounds)) {
      throw new Error(`--rounds  expected an integer from 1 to 99, got ${JSON.stringify(values.rounds)}`)
    }
    const scale = Number(values.scale)
    if (!(scale > 0 && scale <= 10)) {
      throw new Error(`--scale  expected a number above 0, up to 10, got ${JSON.stringify(values.scale)}`)
    }
    return {
      scale,
      chosen: benches.filter(({ name }) => positionals.length === 0 || positionals.includes(name)),
      rounds: values.rounds === undefined ? undefined : Number(values.rounds),
      json: values.json,
    }
  } catch (error) {
    const names = benches.map(({ name, about }) => `  ${name.padEnd(10)} ${about}`).join('\n')
    console.error(
      `${error instanceof Error ? error.message : error}\n\nbun run bench [name…] [--rounds n] [--scale n] [--json]\n${names}`,
    )
    process.exit(EX_USAGE)
  }
}
