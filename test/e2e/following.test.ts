/** `bun run jobs enqueue --wait` and `bun run jobs tail`: a job is followed to its end, whatever the API goes through. */
import { expect, onTestFinished, test } from 'vitest'
import { openGate } from '../support/gate.ts'
import { startServer } from '../support/server.ts'
import { until } from '../support/until.ts'

const server = await startServer()
const gate = openGate(server.url)

interface Following {
  output: string
  errors: string
  ended: Promise<number>
}

/** By way of the gate. */
function following(args: string[], { preload = [] as string[] } = {}): Following {
  const preloads = preload.flatMap((file) => ['--preload', file])
  const child = Bun.spawn([process.execPath, ...preloads, 'scripts/jobs.ts', ...args], {
    env: { PATH: process.env.PATH, JOB_SERVER_URL: gate.url },
    stdout: 'pipe',
    stderr: 'pipe',
  })
  onTestFinished(() => child.kill())
  const read = async (stream: typeof child.stdout, into: 'output' | 'errors') => {
    for await (const chunk of stream.pipeThrough(new TextDecoderStream())) said[into] += chunk
  }
  const said = { output: '', errors: '' }
  const isRead = Promise.all([read(child.stdout, 'output'), read(child.stderr, 'errors')])
  return Object.assign(said, { ended: isRead.then(() => child.exited) })
}

function linesOf({ output }: Following) {
  return output
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line))
}

/** A queue whose jobs wait until it is resumed. */
async function heldQueue(name: string) {
  expect((await server.request('POST', `/v1/queues/${name}/pause`)).status).toBe(200)
  return { resume: () => server.request('POST', `/v1/queues/${name}/resume`) }
}

test('for programs, the first line is the enqueued job and the last the job as it ended', async () => {
  const well = following(['enqueue', 'echo', '--params', '{"message":"hi"}', '--wait', '--json'])
  expect(await well.ended, well.errors).toBe(0)
  const lines = linesOf(well)
  const { jobId } = lines[0]
  expect(lines[0]).toEqual({ jobId, status: 'queued' })
  expect(lines.slice(1, -1).map(({ eventType }) => eventType)).toEqual(['queued', 'started', 'succeeded'])
  expect(lines.at(-1)).toMatchObject({
    jobId,
    status: 'succeeded',
    result: { message: 'hi' },
    errorSummary: null,
  })
  const badly = following(['enqueue', 'failing', '--max-attempts', '1', '--wait', '--json'])
  expect(await badly.ended, badly.errors).toBe(1)
  expect(linesOf(badly).at(-1)).toMatchObject({
    jobId: linesOf(badly)[0].jobId,
    status: 'failed',
    result: null,
    errorSummary: expect.stringMatching(/./),
  })
})

test('for people, the id of the job stands first', async () => {
  const tail = following(['enqueue', 'echo', '--wait'])
  expect(await tail.ended, tail.errors).toBe(0)
  expect(tail.output).toMatch(/^[\w-]{36} {2}queued\n.* queued\n(.*\n)*succeeded {2}\{"message":""\}\n$/)
})

test('only events behind those that were seen are asked for again', async () => {
  const { resume } = await heldQueue('seen')
  const tail = following(['enqueue', 'echo', '--queue', 'seen', '--wait', '--json'])
  const looks = () => gate.asked.filter(({ path }) => path.includes(`${linesOf(tail)[0].jobId}/events`))
  await until('looks at a job that waits', () => tail.output.includes('"eventType"') && looks().length > 2)
  await resume()
  expect(await tail.ended, tail.errors).toBe(0)
  const [first, ...later] = looks()
  expect(first?.path).not.toContain('after=')
  for (const { path } of later) expect(path).toContain('after=')
  const types = linesOf(tail).flatMap(({ eventType }) => eventType ?? [])
  expect(types).toEqual(['queued', 'started', 'succeeded'])
})

test('the API may go away meanwhile: it is said once, and nothing is told twice', async () => {
  const { resume } = await heldQueue('away')
  const tail = following(['enqueue', 'echo', '--queue', 'away', '--wait', '--json'])
  await until('the job to be followed', () => tail.output.includes('"eventType":"queued"'))
  await gate.shut()
  await until('the API to be missed', () => tail.errors !== '')
  await resume()
  await server.job(linesOf(tail)[0].jobId).reaches('succeeded')
  gate.open()
  expect(await tail.ended, tail.errors).toBe(0)
  expect(tail.errors).toBe(
    `There is no API at ${gate.url}; JOB_SERVER_URL names another. It is asked again, for 5 minutes.\n`,
  )
  const types = linesOf(tail).flatMap(({ eventType }) => eventType ?? [])
  expect(types).toEqual(['queued', 'started', 'succeeded'])
})

test.each([
  ['too many requests', () => Response.json({ detail: 'Slowly.' }, { status: 429 }), 'Slowly.'],
  [
    'an API that is not ready',
    () => new Response('<p>gateway</p>', { status: 503 }),
    'The API answered 503.',
  ],
  ['an answer of another', () => new Response('<p>soon</p>'), 'The answer broke off, or is none of the API.'],
])('after %s it is asked again', async (name, answer, sentence) => {
  const queue = name.replaceAll(' ', '-')
  const { resume } = await heldQueue(queue)
  const tail = following(['enqueue', 'echo', '--queue', queue, '--wait'])
  await until('the job to be followed', () => / {2}queued\n.* queued/.test(tail.output))
  gate.answerNext(answer(), answer())
  await until('it to be said', () => tail.errors !== '')
  await resume()
  expect(await tail.ended, tail.errors).toBe(0)
  expect(tail.errors).toBe(`${sentence} It is asked again, for 5 minutes.\n`)
  expect(tail.output).toMatch(/\nsucceeded {2}\{"message":""\}\n$/)
})

test('an API that asks for time is given that', async () => {
  const { resume } = await heldQueue('patient')
  const tail = following(['enqueue', 'echo', '--queue', 'patient', '--wait'])
  await until('the job to be followed', () => / {2}queued\n.* queued/.test(tail.output))
  const headers = { 'retry-after': '2' }
  gate.answerNext(Response.json({ detail: 'Slowly.' }, { status: 429, headers }))
  const { length } = gate.asked
  await until('it to be asked, and asked again', () => gate.asked.length > length + 1)
  const [refused, next] = gate.asked.slice(length)
  expect((next?.atMs ?? 0) - (refused?.atMs ?? 0)).toBeGreaterThanOrEqual(2000)
  await resume()
  expect(await tail.ended).toBe(0)
})

test('who has waited for minutes gives up, with a status that does not say that the job failed', async () => {
  const { resume } = await heldQueue('lost')
  onTestFinished(async () => {
    await resume()
  })
  const tail = following(['enqueue', 'echo', '--queue', 'lost', '--wait'], {
    preload: ['./test/support/quick-clock.ts'],
  })
  await until('the job to be followed', () => / {2}queued\n.* queued/.test(tail.output))
  await gate.shut()
  onTestFinished(() => gate.open())
  expect(await tail.ended).toBe(3)
  expect(tail.errors).toMatch(/\nThere is no API at .* how the job ends is not known\.\n$/)
})

test('what the API refuses is not asked again', async () => {
  const unknown = following(['tail', '019a8b3e-5c1f-7c3a-9f4e-2d6b8a1c0e57'])
  expect(await unknown.ended).toBe(1)
  expect(unknown.errors).toBe('There is no job 019a8b3e-5c1f-7c3a-9f4e-2d6b8a1c0e57.\n')
})

test('tail says at once that there is no API', async () => {
  await gate.shut()
  onTestFinished(() => gate.open())
  const nowhere = following(['tail', '019a8b3e-5c1f-7c3a-9f4e-2d6b8a1c0e57'])
  expect(await nowhere.ended).toBe(1)
  expect(nowhere.errors).toMatch(/^There is no API at [^\n]*\n$/)
})
