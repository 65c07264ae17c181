/**
 * What an idle worker holds: its coordinator and each process that stands by for a job, as proportional set size
 * (pages that several processes share count in parts), against a Bun process that does nothing; and what the API holds
 * while a gigabyte is uploaded, against before. Linux only.
 */
import { readFile } from 'node:fs/promises'
import { type Bench, interleave } from './bench.ts'
import type { BenchDatabase } from './database.ts'
import { compare, median } from './measurement.ts'
import { type Footprint, uploadFootprints } from './upload-memory.ts'

const standbyProcesses = 4
/** All have started and dropped what starting took. */
const settleMs = 5_000

interface Held {
  coordinator: number
  standby: number
  empty: number
}

export const memoryBench: Bench = {
  name: 'memory',
  about:
    'proportional set size of an idle coordinator and of each standby process; resident set of the API while 1 GiB is uploaded',
  defaultRounds: 3,
  async run(context) {
    const database = await context.stack.openDatabase()
    const { idle } = await interleave(
      context,
      { idle: () => heldWhenIdle(database) },
      { what: 'memory', warmUp: false },
    )
    context.onStep('1 GiB to the API and past it')
    const { inParts, asForm } = await uploadFootprints(database)
    await database.close()
    const whileUploading = (name: string, { peakMb, beforeMb }: Footprint) =>
      compare(
        { name, unit: 'MB', better: 'about 1' },
        { label: 'the API, at most', values: [peakMb] },
        { label: 'the API before', values: [beforeMb] },
      )
    const against = (name: string, of: (held: Held) => number) =>
      compare(
        { name, unit: 'MB', better: 'lower' },
        { label: 'Job Server', values: idle.map(of) },
        { label: 'a Bun process that waits', values: idle.map(({ empty }) => empty) },
      )
    return [
      against('an idle coordinator', ({ coordinator }) => coordinator),
      against('a standby process', ({ standby }) => standby),
      whileUploading('1 GiB in presigned parts', inParts),
      whileUploading('1 GiB as a form through the API', asForm),
    ]
  },
}

/** In megabytes, all at the same time: what they share is shared by as many. */
async function heldWhenIdle(database: BenchDatabase): Promise<Held> {
  const worker = await database.startWorker({ STANDBY_PROCESSES: String(standbyProcesses) })
  const empty = Bun.spawn([process.execPath, '-e', 'setInterval(() => {}, 1_000_000)'], {
    cwd: '/',
    env: {},
    stdio: ['ignore', 'ignore', 'inherit'],
  })
  try {
    await Bun.sleep(settleMs)
    const standby = await standbyOf(worker.pid)
    if (standby.length !== standbyProcesses) {
      throw new Error(`${standby.length} processes stand by, not ${standbyProcesses}`)
    }
    return {
      coordinator: await proportionalMb(worker.pid),
      standby: median(await Promise.all(standby.map(proportionalMb))),
      empty: await proportionalMb(empty.pid),
    }
  } finally {
    empty.kill()
    await empty.exited
    await worker.stop()
  }
}

/** The children of a worker but its guardian. */
async function standbyOf(pid: number): Promise<number[]> {
  const children = await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8')
  const named = await Promise.all(
    children
      .trim()
      .split(' ')
      .map(async (child) => ({ child, command: await readFile(`/proc/${child}/cmdline`, 'utf8') })),
  )
  return named
    .filter(({ command }) => !command.includes('guardian-process'))
    .map(({ child }) => Number(child))
}

async function proportionalMb(pid: number): Promise<number> {
  const [, kibibytes] = /^Pss:\s+(\d+) kB$/m.exec(await readFile(`/proc/${pid}/smaps_rollup`, 'utf8')) ?? []
  if (kibibytes === undefined) throw new Error(`the system does not tell what process ${pid} holds`)
  return (Number(kibibytes) * 1024) / 1e6
}
