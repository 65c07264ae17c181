import { describe, expect, test } from 'vitest'
import { run } from '../support/run.ts'
import { testSchedulers } from '../support/schedulers.ts'
import { startServer } from '../support/server.ts'
import { until } from '../support/until.ts'

const script = new URL('../../scripts/schedules.ts', import.meta.url).pathname
const server = await startServer({ environment: { SCHEDULE_MIN_PERIOD_SECONDS: '0.1' } })
const schedulers = testSchedulers(server.database.url, { SCHEDULER_LEASE_SECONDS: '2' })
const first = await schedulers.start()

interface Answer {
  status: number
  body: Record<string, unknown> & { scheduleId: string }
}

async function call(method: string, path: string, body?: unknown): Promise<Answer> {
  const response = await server.request(method, `/v1/schedules${path}`, body)
  const text = await response.text()
  return { status: response.status, body: text === '' ? {} : JSON.parse(text) }
}

async function create(settings: object): Promise<Answer['body']> {
  const name = `test ${crypto.randomUUID()}`
  const { status, body } = await call('POST', '', { name, definitionKey: 'echo', ...settings })
  expect(status, JSON.stringify(body)).toBe(201)
  return body
}

interface Fire {
  fireAt: string
  recordedAt: string
  outcome: string
  jobId: string | null
  manual: boolean
}

async function firesOf(scheduleId: string): Promise<Fire[]> {
  return (await call('GET', `/${scheduleId}/fires`)).body.fires as Fire[]
}

async function leader(): Promise<string | undefined> {
  const { workers } = await (await server.request('GET', '/v1/workers')).json()
  return workers.find((worker: { leader: boolean }) => worker.leader)?.id
}

test('a schedule is made, fires, and its job runs', async () => {
  const { scheduleId, ...made } = await create({ expression: 'every 500ms', params: { message: 'tick' } })
  expect(made).toMatchObject({
    source: 'api',
    definitionKey: 'echo',
    definitionVersion: 1,
    params: { message: 'tick' },
    priority: 0,
    queue: null,
    timezone: 'UTC',
    description: 'Every 500 milliseconds',
    enabled: true,
    overlap: 'allow',
    catchUp: 'last',
    catchUpLimit: 100,
    lastFireAt: null,
  })
  const [fire] = await until('a fire', async () => {
    const fires = await firesOf(scheduleId)
    return fires.length > 0 && fires
  })
  expect(fire).toMatchObject({ outcome: 'enqueued', manual: false })
  const job = await server.job(fire?.jobId ?? '').reaches('succeeded')
  expect(job.result).toEqual({ message: 'tick' })
  await call('DELETE', `/${scheduleId}`)
})

test('fires come at their time, not with the next look', async () => {
  const { scheduleId } = await create({ expression: 'every 250ms' })
  // The middle one: single ones may fall to the load of the machine. By looks each 500 ms alone it would be at 250.
  await until('twenty fires in a row, the middle one within 200 ms', async () => {
    const enqueued = (await firesOf(scheduleId)).filter(({ outcome }) => outcome === 'enqueued')
    const lateMs = enqueued
      .slice(0, 20)
      .map(({ fireAt, recordedAt }) => Date.parse(recordedAt) - Date.parse(fireAt))
      .sort((a, b) => a - b)
    if (lateMs.length > 0) expect(lateMs[0]).toBeGreaterThanOrEqual(0)
    return lateMs.length === 20 && Number(lateMs[10]) < 200
  })
  await call('DELETE', `/${scheduleId}`)
})

describe('bad input', () => {
  const good = { name: 'bad input', definitionKey: 'echo', expression: '0 3 * * *' }
  test.each([
    ['an expression that is none', { expression: 'nonsense' }, 400, 'invalid_schedule', 'expression'],
    ['30 February', { expression: '0 0 30 2 *' }, 400, 'invalid_schedule', 'expression'],
    ['a time that is over', { expression: '2020-01-01T00:00:00Z' }, 400, 'invalid_schedule', 'expression'],
    ['a period under the minimum', { expression: 'every 50ms' }, 400, 'invalid_schedule', 'expression'],
    ['an unknown zone', { timezone: 'Mars/Olympus' }, 400, 'invalid_schedule', 'timezone'],
    [
      'parameters that the definition refuses',
      { params: { message: 1 } },
      400,
      'invalid_params',
      'params.message',
    ],
    ['an unknown definition', { definitionKey: 'unknown' }, 404, 'definition_not_found', undefined],
    ['an unknown policy', { overlap: 'maybe' }, 400, 'invalid_request', 'overlap'],
    ['a field that is none', { cron: '* * * * *' }, 400, 'invalid_request', ''],
    ['a name of the code', { name: 'echo@1' }, 400, 'invalid_request', 'name'],
    ['no expression', { expression: undefined }, 400, 'invalid_request', 'expression'],
    ['a time without a zone', { startsAt: '2030-01-01T00:00:00' }, 400, 'invalid_request', 'startsAt'],
  ])('%s', async (_what, settings, status, code, path) => {
    const answer = await call('POST', '', { ...good, ...settings })
    expect(answer).toMatchObject({ status, body: { code } })
    if (path !== undefined) expect(answer.body.details).toMatchObject([{ path }])
    expect((await call('GET', '')).body.schedules).not.toContainEqual(
      expect.objectContaining({ name: good.name }),
    )
  })

  test.each([
    ['GET', ''],
    ['GET', '/next'],
    ['GET', '/fires'],
    ['POST', '/run-now'],
    ['DELETE', ''],
  ])('%s of a schedule that is not there: %s', async (method, path) => {
    const unknown = crypto.randomUUID()
    expect(await call(method, `/${unknown}${path}`)).toMatchObject({
      status: 404,
      body: { code: 'schedule_not_found' },
    })
  })

  test('a name that is taken', async () => {
    const { name } = await create({ expression: '0 3 * * *' })
    expect(await call('POST', '', { ...good, name })).toMatchObject({
      status: 409,
      body: { code: 'schedule_name_taken' },
    })
  })
})

test('a schedule is listed, read, changed, disabled and removed', async () => {
  const made = await create({ expression: '30 2 * * *', timezone: 'Europe/Berlin', catchUp: 'none' })
  const { scheduleId } = made
  expect((await call('GET', `/${scheduleId}`)).body).toEqual(made)
  const list = await call('GET', '?definitionKey=echo&source=api&enabled=true')
  expect(list.body.schedules).toContainEqual(made)

  const changed = await call('PATCH', `/${scheduleId}`, {
    expression: '0 4 * * 1',
    priority: 5,
    enabled: false,
  })
  expect(changed).toMatchObject({
    status: 200,
    body: { priority: 5, nextFireAt: null, description: 'At 04:00, only on Monday (Europe/Berlin)' },
  })
  expect((await call('PATCH', `/${scheduleId}`, { expression: '* *' })).status).toBe(400)
  expect((await call('DELETE', `/${scheduleId}`)).status).toBe(204)
  expect((await call('GET', `/${scheduleId}`)).status).toBe(404)
})

test('the next times are shown, of a schedule and of an expression that is none yet', async () => {
  const { scheduleId, nextFireAt } = await create({ expression: '0 3 29 2 *', timezone: 'Asia/Kolkata' })
  const { times } = (await call('GET', `/${scheduleId}/next?count=3`)).body as unknown as { times: string[] }
  expect(times[0]).toBe(nextFireAt)
  expect(times.map((time) => time.slice(4, 10) + time.slice(10))).toEqual(
    Array(3).fill('-02-28T21:30:00.000Z'),
  )
  expect((await call('GET', `/${scheduleId}/next?count=0`)).status).toBe(400)

  const query = new URLSearchParams({ expression: '@weekly', timezone: 'UTC', count: '2' })
  const { status, body } = await call('GET', `/preview?${query}`)
  expect(status).toBe(200)
  expect(body).toMatchObject({
    description: 'At 00:00, only on Sunday (UTC)',
    times: [expect.any(String), expect.any(String)],
  })
  for (const expression of ['nonsense', 'every 99999999999999d']) {
    const refused = await call('GET', `/preview?${new URLSearchParams({ expression })}`)
    expect(refused).toMatchObject({ status: 400, body: { code: 'invalid_schedule' } })
  }
})

test('run-now runs beside the times, and a second one meets the overlap policy', async () => {
  const queue = 'paused'
  await server.request('POST', `/v1/queues/${queue}/pause`)
  const { scheduleId } = await create({ expression: '0 3 * * *', overlap: 'skip', queue })
  const run = await call('POST', `/${scheduleId}/run-now`)
  expect(run).toMatchObject({ status: 201, body: { status: 'queued' } })
  expect(await firesOf(scheduleId)).toMatchObject([
    { manual: true, outcome: 'enqueued', jobId: run.body.jobId },
  ])
  expect(await server.job(String(run.body.jobId)).read()).toMatchObject({ queue, status: 'queued' })
  expect(await call('POST', `/${scheduleId}/run-now`)).toMatchObject({
    status: 409,
    body: { code: 'schedule_overlaps', error: `Job ${run.body.jobId} of an earlier time has not ended.` },
  })
})

test("the product's own upkeep runs on schedules of its own", async () => {
  const duties = await until('all duties to have run', async () => {
    const { body } = await call('GET', '/internal')
    const found = body.duties as { name: string; lastStartedAt: string | null; lastError: string | null }[]
    return found.every(({ lastStartedAt }) => lastStartedAt !== null) && found
  })
  expect(duties.map(({ name }) => name)).toEqual(expect.arrayContaining(['partitions', 'rescue', 'uploads']))
  expect(duties.filter(({ lastError }) => lastError !== null)).toEqual([])
})

test('workers and schedulers are listed, and who leads', async () => {
  const { workers } = await (await server.request('GET', '/v1/workers')).json()
  expect(workers).toMatchObject([
    { id: 'scheduler-1', kind: 'scheduler', alive: true, leader: true, runningJobs: 0 },
    { id: 'worker-1', kind: 'worker', slots: 4, alive: true, leader: false, info: { queues: [] } },
  ])
})

test('when the leader dies, another takes over within seconds; when it ends well, at once', async () => {
  // Its lease does not run out: who follows it was left the lead.
  const second = await schedulers.start({ SCHEDULER_LEASE_SECONDS: '3600' })
  expect(await leader()).toBe(first.name)
  first.signal('SIGKILL')
  await until('the second to lead', async () => (await leader()) === second.name)

  const third = await schedulers.start()
  await second.stop(60)
  await until('the third to lead', async () => (await leader()) === third.name)
  const { workers } = await (await server.request('GET', '/v1/workers')).json()
  expect(workers.map(({ id }: { id: string }) => id)).not.toContain(second.name)
  await third.stop(60)
})

test('the command line makes, shows, runs, disables and removes schedules', async () => {
  const environment = { DATABASE_URL: server.database.url, S3_BUCKET: 'unused' }
  const schedules = async (...words: string[]) =>
    await run([process.execPath, script, ...words], { environment })
  const options = ['--timezone', 'Europe/Berlin', '--params', '{"message": "hi"}', '--overlap', 'skip']
  const added = await schedules('add', 'by hand', 'echo', '30 2 * * 1-5', ...options)
  expect(added).toMatchObject({ status: 0, errors: '' })
  expect(added.output).toMatch(/^At 02:30, Monday through Friday \(Europe\/Berlin\), next \d{4}-/)
  expect((await schedules('list')).output).toMatch(/^by hand {2,}echo {2,}api {2,}\S+ {2,}At 02:30/m)
  expect((await schedules('next', 'by hand', '--count', '3')).output.trim().split('\n')).toHaveLength(3)
  const [, jobId = ''] = /^job (\S+)$/m.exec((await schedules('run', 'by hand')).output) ?? []
  expect((await server.job(jobId).reaches('succeeded')).result).toEqual({ message: 'hi' })
  expect((await schedules('fires', 'by hand')).output).toMatch(new RegExp(`enqueued {2,}${jobId}`))
  expect((await schedules('disable', 'by hand')).output).toBe('disabled\n')
  expect((await schedules('enable', 'by hand')).output).toMatch(/^enabled, next \d/)
  expect((await schedules('remove', 'by hand')).status).toBe(0)

  const wrong = await schedules('add', 'x', 'echo', '0 0 30 2 *')
  expect(wrong).toMatchObject({ status: 1, errors: expect.stringContaining('never fires') })
  expect((await schedules('add', 'x', 'echo', '@daily', '--overlap', 'maybe')).errors).toMatch(/^--overlap: /)
  expect(await schedules('remove', 'by hand')).toMatchObject({
    status: 1,
    errors: 'There is no schedule "by hand".\n',
  })
})

test.each([
  [['remove', 'a', 'b'], 'Too much: "b"'],
  [['add', 'x', 'echo', '0', '0', '*', '*', '*'], 'stands in quotes'],
  [['add', 'x', 'echo@1@2', '@daily'], '"1@2" is no version'],
  [['next', 'a', '--timezone', 'Europe/Berlin'], '--timezone says nothing to "next"'],
  [['add', 'x', 'echo', '@daily', '--count', '3'], '--count says nothing to "add"'],
  [['add', 'x', 'echo', '@daily', '--jitter', ''], '--jitter: expected a number'],
  [['add', 'x', 'echo', '@daily', '--queue', 'a', '--queue', 'b'], '--queue can be given once'],
  [['remove', ''], 'Which schedule?'],
])('of the command line of schedules, %j is refused with what would be right', async (words, sentence) => {
  const environment = { DATABASE_URL: 'postgres://nobody@127.0.0.1:1/nothing' }
  const { status, errors } = await run([process.execPath, script, ...words], { environment })
  expect(status).toBe(2)
  expect(errors).toContain(sentence)
  expect(errors).toContain('bun run schedules add NAME')
})

test('a tick fires what is due and does the duties, beside another tick too', async () => {
  const { sql } = server.database
  const due = async () => {
    await sql`update job_server.upkeep_duties set next_run_at = now()`
    const { scheduleId } = await create({ expression: 'every 1h' })
    await sql`
      update job_server.schedules set
        created_at = created_at - interval '1 hour', next_fire_at = next_fire_at - interval '1 hour', due_at = due_at - interval '1 hour'
      where id = ${scheduleId}`
    return scheduleId
  }
  const runs = async () => {
    const [row] = await sql<{ runs: number }[]>`select sum(run)::int as runs from job_server.upkeep_duties`
    return row?.runs ?? 0
  }
  const [{ count: duties } = { count: 0 }] = await sql<{ count: number }[]>`
    select count(*)::int from job_server.upkeep_duties`

  const id = await due()
  const before = await runs()
  const ticks = await Promise.all([schedulers.tick(), schedulers.tick()])
  expect(ticks.map(({ status }) => status)).toEqual([0, 0])
  expect(await firesOf(id)).toMatchObject([{ outcome: 'enqueued' }])
  expect((await runs()) - before).toBe(duties)

  const other = await due()
  expect(await schedulers.callFunction()).toMatchObject({ enqueued: 1, failed: 0, duties })
  expect(await firesOf(other)).toMatchObject([{ outcome: 'enqueued' }])
})

test('a tick that can not reach the database says so by its status', async () => {
  const { status, output } = await schedulers.tick({ DATABASE_URL: 'postgres://127.0.0.1:1/nothing' })
  expect(status).toBe(1)
  expect(output).toContain('tick.failed')
})
