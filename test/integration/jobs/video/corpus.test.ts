/**
 * The corpus of awkward inputs, as they are and broken by dice. `CORPUS_SEEDS=200` takes all of them and breaks each in so
 * many ways, which takes hours; without it a sample is taken. What fails names its input and seed.
 */
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, inject, test } from 'vitest'
import type { JobRun } from '../../../../core/testing/run-job.ts'
import { type Input, inputs, withKit } from '../../../support/corpus/inputs.ts'
import { mutate } from '../../../support/corpus/mutate.ts'
import { encodeHere } from '../../../support/encode-here.ts'
import { processesNaming } from '../../../support/processes.ts'

const seeds = Number(process.env.CORPUS_SEEDS ?? 0)
const isWhole = seeds > 0
/** Of the sample: one in so many inputs as it is, and one in so many broken. */
const sampled = { whole: 3, broken: 6 }
/** Of inputs of a second each; busy machines take their time. */
const deadlineSeconds = 120
/** Another attempt would find the same. */
const final = ['succeeded', 'invalid_media', 'unsupported_codec', 'limit_exceeded']
/** Worth another attempt: for what FFmpeg itself does wrong, which must be rare. */
const retried = ['encoder_crashed', 'stalled', 'output_invalid']
const rarely = 0.005

const root = await mkdtemp(join(inject('backend').directory, 'corpus-'))
const scratch = await mkdtemp(join(root, 'scratch-'))
afterAll(() => rm(root, { recursive: true, force: true }))

const corpus: { input: Input; bytes: Uint8Array }[] = []
const taken = inputs.filter((_, number) => isWhole || number % sampled.whole === 0)

test('the corpus can be made', { timeout: 120_000 }, async () => {
  expect(inputs.length).toBeGreaterThanOrEqual(60)
  const made = await inTurns(taken, async (input) => {
    return { input, bytes: await withKit(root, (kit) => input.make(kit)) }
  })
  corpus.push(...made)
})

test('each input ends as it should', { timeout: 300_000 }, async () => {
  const problems = await inTurns(corpus, async ({ input, bytes }) => {
    const run = await encode(bytes)
    const found = problemsOf(run, [input.ends])
    return found.map((problem) => `${input.what}: ${problem}`)
  })
  expect(problems.flat()).toEqual([])
  await expectNothingLeft()
})

test('each broken input ends as a success or as a classified error', { timeout: 24 * 3600_000 }, async () => {
  const cases = corpus.flatMap((entry, number) => {
    const all = Array.from({ length: seeds }, (_, seed) => ({ ...entry, seed: 1000 * number + seed }))
    return isWhole ? all : number % (sampled.broken / sampled.whole) === 0 ? [{ ...entry, seed: number }] : []
  })
  const ends = new Map<string, number>()
  const problems = await inTurns(cases, async ({ input, bytes, seed }) => {
    const run = await encode(mutate(bytes, seed))
    const end = endOf(run)
    ends.set(end, (ends.get(end) ?? 0) + 1)
    return problemsOf(run, [...final, ...retried]).map((problem) => `${input.what}, seed ${seed}: ${problem}`)
  })
  console.info(`${cases.length} broken inputs:`, Object.fromEntries(ends))
  expect(problems.flat()).toEqual([])
  const again = retried.reduce((sum, end) => sum + (ends.get(end) ?? 0), 0)
  expect(again).toBeLessThanOrEqual(rarely * cases.length)
  await expectNothingLeft()
})

async function encode(bytes: Uint8Array): Promise<JobRun> {
  return await encodeHere(
    bytes,
    {},
    {
      // What is broken may last for hours, which others would encode.
      request: { quality: '720p', segments: 'off' },
      ...{ scratchRoot: scratch, signal: AbortSignal.timeout(deadlineSeconds * 1000) },
    },
  )
}

function endOf({ outcome }: JobRun): string {
  return outcome.kind === 'failed' ? outcome.errorCode : outcome.kind
}

function problemsOf(run: JobRun, allowed: string[]): string[] {
  const end = endOf(run)
  const outputs = [...run.objects.keys()].filter((key) => key.startsWith('outputs/'))
  const result = run.outcome.kind === 'succeeded' ? JSON.stringify(run.outcome.result) : ''
  const unnamed = outputs.filter((key) => !result.includes(JSON.stringify(key)))
  const said =
    run.outcome.kind === 'failed' ? `${run.outcome.message} ${JSON.stringify(run.outcome.details)}` : ''
  return [
    ...(allowed.includes(end) ? [] : [`ended as ${end}: ${said}`]),
    ...(unnamed.length === 0 ? [] : [`left ${unnamed}`]),
    ...(end === 'succeeded' && outputs.length === 0 ? ['stored nothing'] : []),
    ...(said.includes(scratch) ? [`shows a path: ${said}`] : []),
  ]
}

async function expectNothingLeft(): Promise<void> {
  expect(await processesNaming(scratch), 'processes').toEqual([])
  expect(await readdir(scratch), 'scratch directories').toEqual([])
}

/** As many at a time as the machine has processors. */
async function inTurns<Item, Result>(
  items: Item[],
  perform: (item: Item) => Promise<Result>,
): Promise<Result[]> {
  const results: Result[] = []
  const left = items.entries()
  const turns = Array.from({ length: availableParallelism() }, async () => {
    for (const [number, item] of left) results[number] = await perform(item)
  })
  await Promise.all(turns)
  return results
}
