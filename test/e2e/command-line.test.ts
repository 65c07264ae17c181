/** `bun run jobs …` as people and programs use it. */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, inject, test } from 'vitest'
import { newId } from '../../core/ids.ts'
import { createKey } from '../../core/keys/create.ts'
import { testQueue } from '../support/queue.ts'
import { testReceiver, verify } from '../support/receiver.ts'
import { run } from '../support/run.ts'
import { startServer } from '../support/server.ts'
import { until } from '../support/until.ts'

const receiver = await testReceiver()
const server = await startServer({
  environment: { WEBHOOK_ALLOWED_HOSTS: '127.0.0.1', JOBS_DIR: 'test/fixtures/browser-jobs' },
})

async function jobs(args: string[], { url = server.url, stdin = '', apiKey = '' } = {}) {
  return await run([process.execPath, 'scripts/jobs.ts', ...args], {
    environment: { JOB_SERVER_URL: url, JOB_SERVER_API_KEY: apiKey },
    stdin,
  })
}

/** Follows a job, and acts as soon as a line of that says what is awaited. @returns all that was said */
async function tailing(jobId: string, awaited: string, act: () => Promise<unknown>): Promise<string> {
  const child = Bun.spawn([process.execPath, 'scripts/jobs.ts', 'tail', jobId], {
    env: { PATH: process.env.PATH, JOB_SERVER_URL: server.url },
    stdout: 'pipe',
  })
  let output = ''
  let hasActed = false
  for await (const chunk of child.stdout.pipeThrough(new TextDecoderStream())) {
    output += chunk
    if (hasActed || !output.includes(awaited)) continue
    hasActed = true
    await act()
  }
  return output
}

async function json(...args: string[]) {
  const { status, output, errors } = await jobs([...args, '--json'])
  expect(status, errors).toBe(0)
  return JSON.parse(output)
}

function jsonLines(output: string) {
  return output
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line))
}

describe('enqueue', () => {
  test('prints the id of the job, with all that was asked for', async () => {
    const options = [
      '--params',
      '{"message":"hi"}',
      '--priority=-2',
      '--delay',
      '1000',
      '--tag',
      'a',
      '--tag',
      'b',
    ]
    const { output } = await jobs(['enqueue', 'echo', ...options])
    const [, jobId = ''] = /^([\w-]{36}) {2}queued$/m.exec(output) ?? []
    expect(await json('get', jobId)).toMatchObject({
      params: { message: 'hi' },
      priority: -2,
      tags: ['a', 'b'],
    })
  })

  test('takes parameters from a file and from standard input', async () => {
    const file = join(inject('backend').directory, `params-${newId()}.json`)
    await writeFile(file, '{"message":"from a file"}')
    const fromFile = await json('enqueue', 'echo', '--params', `@${file}`)
    expect(await json('get', fromFile.jobId)).toMatchObject({ params: { message: 'from a file' } })
    const piped = await jobs(['enqueue', 'echo', '--params', '-', '--json'], { stdin: '{"message":"piped"}' })
    expect(await json('get', JSON.parse(piped.output).jobId)).toMatchObject({ params: { message: 'piped' } })
  })

  test('with --wait follows the job, and its status is that of the job', async () => {
    const well = await jobs(['enqueue', 'echo', '--params', '{"message":"hi"}', '--wait'])
    expect(well.status).toBe(0)
    expect(well.output).toMatch(/queued\n.*started.*\n(.*\n)*succeeded {2}\{"message":"hi"\}\n$/)
    const badly = await jobs(['enqueue', 'failing', '--max-attempts', '1', '--wait'])
    expect(badly.status).toBe(1)
    expect(badly.output).toMatch(/\nfailed {2}\S.*\n$/)
  })
})

test('tail tells what happened, for programs one JSON a line, of which the last is the job', async () => {
  const { jobId } = await json('enqueue', 'echo')
  const { output, status } = await jobs(['tail', jobId, '--json'])
  expect(status).toBe(0)
  const lines = jsonLines(output)
  expect(lines.slice(0, -1).map(({ eventType }) => eventType)).toEqual(['queued', 'started', 'succeeded'])
  expect(lines.at(-1)).toMatchObject({ jobId, status: 'succeeded', result: {} })
})

test('tail shows the fields of the log', async () => {
  const { jobId } = await json('enqueue', 'stumble')
  const { output } = await jobs(['tail', jobId])
  expect(output).toMatch(/^\S+ {4}sending {2}\{"to":"Ann Lee","orderId":7\}$/m)
})

describe('of a job that stays queued, tail says once why', () => {
  test('its queue is paused', async () => {
    await server.request('POST', '/v1/queues/held/pause')
    const { jobId } = await json('enqueue', 'echo', '--queue', 'held')
    const output = await tailing(jobId, 'queue "held" is paused', () =>
      server.request('POST', '/v1/queues/held/resume'),
    )
    expect(output).toMatch(/^queued {2}its queue "held" is paused; `bun run jobs queues resume held` /m)
    expect(output.match(/is paused/g)).toHaveLength(1)
    expect(output).toMatch(/^succeeded /m)
  })

  test('it is due later', async () => {
    const { jobId } = await json('enqueue', 'echo', '--delay', '100000')
    const output = await tailing(jobId, 'it is due in 28 h', () =>
      server.request('POST', `/v1/jobs/${jobId}/cancel`),
    )
    expect(output).toMatch(/^queued {2}it is due in 28 h, at \d{4}-\d\d-\d\dT[\d:.]+Z$/m)
    expect(output).toMatch(/^cancelled /m)
  })
})

test('get shows the job and its attempts; list a table', async () => {
  const { jobId } = await json('enqueue', 'failing', '--max-attempts', '1')
  await jobs(['tail', jobId])
  const { output } = await jobs(['get', jobId])
  expect(output).toMatch(/^status +failed$/m)
  expect(output).toMatch(/^attempts +1 of 1$/m)
  expect(output).toMatch(
    /^attempt +outcome +worker +took +error\n1 +threw +worker-1 +\d+\.\d s +always_fails$/m,
  )
  const list = await jobs(['list', '--status', 'failed', '--definition', 'failing', '--limit', '1'])
  expect(list.output).toMatch(
    /^job +definition +status +attempts +queued +error\n[\w-]{36} +failing@1 +failed +1\/1 /,
  )
  expect(list.output).toMatch(/1 of \d+\n$/)
})

test('jobs are cancelled one by one, and all that match', async () => {
  const { jobId } = await json('enqueue', 'echo', '--delay', '1000')
  expect((await jobs(['cancel', jobId])).output).toBe('The job is cancelled.\n')
  const again = await jobs(['cancel', jobId])
  expect(again.status).toBe(1)
  expect(again.errors).toBe(`Job ${jobId} has already finished: it is cancelled.\n`)
  for (let count = 0; count < 2; count++) await json('enqueue', 'echo', '--delay', '1000', '--tag', 'many')
  expect((await jobs(['cancel', '--tag', 'many'])).output).toBe('2 cancelled, 0 being stopped\n')
  expect((await jobs(['cancel'])).status).toBe(2)
})

describe('of several jobs', () => {
  const unknown = '019a8b3e-5c1f-7c3a-9f4e-2d6b8a1c0e57'

  test('each is cancelled, though another can not be, and what became of each is said', async () => {
    const one = await json('enqueue', 'echo', '--delay', '1000')
    const other = await json('enqueue', 'echo', '--delay', '1000')
    const { status, output, errors } = await jobs(['cancel', one.jobId, unknown, other.jobId, one.jobId])
    expect(status).toBe(1)
    expect(output).toBe(`${one.jobId}  The job is cancelled.\n${other.jobId}  The job is cancelled.\n`)
    expect(errors).toBe(`${unknown}  There is no job ${unknown}.\n`)
    for (const { jobId } of [one, other])
      expect(await json('get', jobId)).toMatchObject({ status: 'cancelled' })
    const again = await jobs(['cancel', unknown, one.jobId, '--json'])
    expect(again.status).toBe(1)
    expect(jsonLines(again.output)).toEqual([
      { jobId: unknown, code: 'job_not_found', error: `There is no job ${unknown}.` },
      { jobId: one.jobId, code: 'job_already_finished', error: expect.stringContaining('is cancelled') },
    ])
  })

  test('each is run again, and each dead letter redriven', async () => {
    const failed = []
    for (let count = 0; count < 2; count++) {
      const { jobId } = await json('enqueue', 'failing', '--max-attempts', '1', '--tag', 'several')
      await jobs(['tail', jobId])
      failed.push(jobId)
    }
    const retried = await jobs(['retry', ...failed, unknown])
    expect(retried.status).toBe(1)
    const lines = failed.map((id) => `${id} {2}[\\w-]{36} {2}queued\n`)
    expect(retried.output).toMatch(new RegExp(`^${lines.join('')}$`))
    expect(retried.errors).toBe(`${unknown}  There is no job ${unknown}.\n`)
    const { jobs: letters } = await json('dlq', 'list', '--definition', 'failing')
    const ids = failed.map(
      (id) => letters.find((letter: { originalJobId: string }) => letter.originalJobId === id).dlqJobId,
    )
    const redriven = await jobs(['dlq', 'redrive', ...ids, unknown, '--json'])
    expect(redriven.status).toBe(1)
    const [first, second] = retried.output.match(/(?<= {2})[\w-]{36}/g) ?? []
    expect(jsonLines(redriven.output)).toMatchObject([
      { dlqJobId: ids[0], jobId: first },
      { dlqJobId: ids[1], jobId: second },
      { dlqJobId: unknown, code: 'dead_letter_not_found' },
    ])
  })
})

test('a name may have signs that mean something in an address', async () => {
  expect((await jobs(['queues', 'pause', 'a/b?c#d e'])).status).toBe(0)
  expect((await jobs(['queues', 'list'])).output).toMatch(/^a\/b\?c#d e +0 .*paused /m)
  const { jobId } = await json('enqueue', 'echo')
  expect((await jobs(['get', `${jobId}?x`])).errors).toBe('jobId: expected a UUID\n')
})

test('all that match are cancelled by one command, which says how many they were', async () => {
  // More than the API cancels in a request that does not say how many.
  const job = { definitionKey: 'echo', delaySeconds: 1000, tags: ['herd'] }
  await server.request('POST', '/v1/jobs/bulk', { jobs: Array.from({ length: 1105 }, () => job) })
  expect((await jobs(['cancel', '--tag', 'herd', '--limit', '3'])).output).toBe(
    '3 cancelled, 0 being stopped\n',
  )
  expect((await jobs(['cancel', '--tag', 'herd'])).output).toBe('1102 cancelled, 0 being stopped\n')
  expect((await jobs(['cancel', '--tag', 'herd'])).output).toBe('0 cancelled, 0 being stopped\n')
})

test('a failed job is retried and dead letters are redriven', async () => {
  const { jobId } = await json('enqueue', 'failing', '--max-attempts', '1')
  await jobs(['tail', jobId])
  const { jobs: letters } = await json('dlq', 'list', '--definition', 'failing', '--limit', '1')
  expect(letters[0].originalJobId).toBe(jobId)
  const redriven = await json('dlq', 'redrive', letters[0].dlqJobId)
  expect((await json('retry', jobId)).jobId).toBe(redriven.jobId)
  expect((await jobs(['dlq', 'list'])).output).toContain(redriven.jobId)
  const rest = await json('dlq', 'redrive', '--definition', 'failing')
  expect(rest.jobs.map(({ dlqJobId }: { dlqJobId: string }) => dlqJobId)).not.toContain(letters[0].dlqJobId)
})

test('all dead letters that match are redriven by one command, which says how many they were', async () => {
  const { sql } = server.database
  expect((await server.request('POST', '/v1/queues/kept/pause')).status).toBe(200)
  // More than the API takes in a request that does not say how many.
  await sql`
    insert into job_server.dead_letters (
      id, original_job_id, definition_key, definition_version, queue, priority, attempts, max_attempts,
      timeout_seconds, params, error_code, queued_at, finished_at
    )
    select
      gen_random_uuid(), gen_random_uuid(), 'echo', 1, 'kept', 0, 1, 1, 60, '{}',
      case when number <= 120 then 'many' else 'other' end, now(), now()
    from generate_series(1, 125) as number`
  const limited = await jobs(['dlq', 'redrive', '--error-code', 'many', '--limit', '3'])
  expect(limited.output).toMatch(/\n3 redriven\n$/)
  const all = await jobs(['dlq', 'redrive', '--error-code', 'many'])
  expect(all.output).toMatch(/\n117 redriven\n$/)
  expect((await jobs(['dlq', 'redrive', '--error-code', 'many'])).output).toBe(
    'There is nothing to redrive.\n',
  )
  expect(await json('dlq', 'redrive', '--definition', 'echo')).toMatchObject({ redriven: 5 })
})

test('definitions are listed, and removed when no worker has them', async () => {
  await testQueue(server.database.sql, { key: 'send@mail' }, { key: 'send@mail', version: 2 })
  await server.database.sql`
    update job_server.definitions set registered_at = now() - interval '1 hour' where key = 'send@mail'`
  expect((await jobs(['definitions', 'list'])).output).toMatch(/^send@mail@2 +default +3 +60 s$/m)
  const removed = await jobs(['definitions', 'remove', 'send@mail', 'send@mail@2', 'echo'])
  expect(removed).toMatchObject({ status: 1, output: 'send@mail  removed\nsend@mail@2  removed\n' })
  expect(removed.errors).toMatch(/^echo {2}Definition "echo" version 1 can't be removed: .*worker .* would/)
  const { definitions } = await json('definitions', 'list')
  const keys = definitions.map(({ key }: { key: string }) => key)
  expect(keys).toContain('echo')
  expect(keys).not.toContain('send@mail')
})

test('queues are paused, seen paused, and resumed', async () => {
  expect((await jobs(['queues', 'pause', 'side'])).status).toBe(0)
  expect((await jobs(['queues', 'list'])).output).toMatch(/^side +0 .*paused \d+ s ago$/m)
  expect((await jobs(['queues', 'resume', 'side'])).status).toBe(0)
  // Without a job there is nothing else to be seen of it.
  expect((await jobs(['queues', 'list'])).output).not.toMatch(/^side /m)
})

test('schedules are listed and run', async () => {
  const schedule = { name: 'daily', definitionKey: 'echo', expression: '0 0 1 1 *' }
  const { scheduleId } = await (await server.request('POST', '/v1/schedules', schedule)).json()
  expect((await jobs(['schedules', 'list'])).output).toMatch(/^[\w-]{36} +daily +echo@1 /m)
  const { jobId } = await json('schedules', 'run', scheduleId)
  expect((await jobs(['tail', jobId])).status).toBe(0)
})

test('webhooks are made, tried, switched and removed', async () => {
  const made = await jobs(['webhooks', 'add', receiver.url('/cli'), '--event', 'job.failed', '--tag', 'cli'])
  const [, id = ''] = /^webhook +([\w-]{36})$/m.exec(made.output) ?? []
  const [, secret = ''] = /^secret +(whsec_\S+)$/m.exec(made.output) ?? []
  const { deliveryId } = await json('webhooks', 'test', id)
  const [message] = await receiver.gets('/cli', 1)
  if (message === undefined) throw new Error('no message')
  expect(verify(message, secret)).toMatchObject({ type: 'webhook.test' })
  await until('the delivery to be shown', async () => {
    const { output } = await jobs(['webhooks', 'deliveries', id, '--status', 'delivered'])
    return new RegExp(`^${deliveryId} +webhook\\.test +– +delivered +1/1 +204 `, 'm').test(output)
  })
  expect((await json('webhooks', 'redeliver', id, deliveryId)).deliveryId).not.toBe(deliveryId)
  expect((await json('webhooks', 'rotate', id, '--overlap', '60')).secret).not.toBe(secret)
  expect((await jobs(['webhooks', 'disable', id])).output).toBe('disabled\n')
  const list = await jobs(['webhooks', 'list'])
  expect(list.output).toMatch(new RegExp(`^${id} +http\\S+/cli +failed +.*disabled: requested$`, 'm'))
  expect((await jobs(['webhooks', 'enable', id])).output).toBe('enabled\n')
  expect((await jobs(['webhooks', 'remove', id])).output).toBe('removed\n')
  const gone = await jobs(['webhooks', 'remove', id])
  expect(gone).toMatchObject({ status: 1, errors: `There is no webhook ${id}.\n` })
  const wrong = await jobs(['webhooks', 'add', 'http://10.0.0.1/', '--event', 'job.exploded'])
  expect(wrong.errors).toMatch(/eventTypes\.0: /)
})

describe('what is asked wrongly is said, with what would be right', () => {
  test.each([
    [['enqueue'], 'DEFINITION is missing', 'bun run jobs enqueue DEFINITION'],
    [['enqueue', 'echo', '--params', '{'], '--params takes JSON', 'bun run jobs enqueue'],
    [['enqueue', 'echo', '--priority', 'high'], '--priority takes a number', 'bun run jobs enqueue'],
    [['enqueue', 'echo', '--colour', 'red'], '--colour', 'bun run jobs enqueue'],
    [['dlq', 'burn'], 'no command "dlq burn"', 'bun run jobs dlq redrive'],
    [['enqueue', 'echo', '{"a":1}'], 'Too much: "{"a":1}".', 'are given by --params'],
    [['enqueue', 'echo', '--params', '@nowhere.json'], 'nowhere.json', 'bun run jobs enqueue'],
    [
      ['enqueue', 'echo', '--queue', 'a', '--queue', 'b'],
      '--queue can be given once',
      'bun run jobs enqueue',
    ],
    [['get', 'a', 'b', 'c'], 'Too much: "b", "c". The command takes one word.', 'bun run jobs get JOB'],
    [['list', 'failed'], 'Too much: "failed". The command takes no more words.', 'bun run jobs list'],
    [['queues', 'pause', 'a', 'b'], 'Too much: "b"', 'bun run jobs queues pause'],
    [['webhooks', 'redeliver', 'a', 'b', 'c'], 'takes 2 words', 'bun run jobs webhooks redeliver'],
    [['cancel', 'a', '--tag', 'x'], "--tag can't stand beside a JOB", 'bun run jobs cancel'],
    [['cancel', 'a', ''], 'One of the names is empty', 'bun run jobs cancel'],
    [['dlq', 'redrive', 'a', '--limit', '1'], "--limit can't stand beside", 'bun run jobs dlq redrive'],
    [['retry'], 'JOB is missing', 'bun run jobs retry'],
  ])('%j', async (args, sentence, usage) => {
    const { status, errors } = await jobs(args)
    expect(status).toBe(2)
    expect(errors).toContain(sentence)
    expect(errors).toContain(usage)
  })

  test('what the API refuses, too', async () => {
    const unknown = await jobs(['enqueue', 'nope'])
    expect(unknown).toMatchObject({ status: 1, errors: 'No definition "nope" version 1 is registered.\n' })
    const wrong = await jobs(['enqueue', 'echo', '--params', '{"message":1}'])
    expect(wrong.errors).toMatch(/^The parameters are not what "echo" takes\.\n {2}params\.message: /)
    const noId = await jobs(['tail', 'nonsense'])
    expect(noId).toMatchObject({ status: 1, errors: 'jobId: expected a UUID\n' })
    const nowhere = await jobs(['list'], { url: 'http://127.0.0.1:1' })
    expect(nowhere).toMatchObject({ status: 1, output: '' })
    expect(nowhere.errors).toContain('There is no API at http://127.0.0.1:1')
  })

  test('help is there for everything and for one thing', async () => {
    const all = await jobs(['--help'])
    expect(all.status).toBe(0)
    for (const words of [
      'enqueue',
      'get',
      'tail',
      'cancel',
      'retry',
      'list',
      'dlq redrive',
      'queues pause',
    ]) {
      expect(all.output).toContain(`bun run jobs ${words}`)
    }
    expect((await jobs(['cancel', '--help'])).output).toMatch(
      /cancels jobs.*\n(.*\n)* +Exit status: 1 .*\n.*3 when/,
    )
  })

  test('help for enqueue has a line for each of its options', async () => {
    const { output } = await jobs(['enqueue', '--help'])
    for (const option of [
      'params JSON',
      'version N',
      'queue QUEUE',
      'priority N',
      'delay SECONDS',
      'at TIME',
      'max-attempts N',
      'idempotency-key KEY',
      'tag TAG',
      'webhook-url URL',
      'wait',
    ]) {
      expect(output).toMatch(new RegExp(`^ +--${option}\\S* {2,}\\w`, 'm'))
    }
  })
})

// Last: from then on every request needs a key.
test('where a key is needed, it is said how to give one', async () => {
  const { secret } = await createKey(server.database.sql, { name: 'operator', scopes: ['read'] })
  await until('the API to ask for keys', async () => (await server.request('GET', '/v1/jobs')).status === 401)
  const without = await jobs(['list'])
  expect(without).toMatchObject({ status: 1, output: '' })
  expect(without.errors).toMatch(/JOB_SERVER_API_KEY/)
  expect(without.errors).not.toContain('Authorization')
  const wrong = await jobs(['list'], { apiKey: 'jsk_wrong' })
  expect(wrong.errors).toMatch(/unknown, revoked or expired.*JOB_SERVER_API_KEY/)
  expect((await jobs(['list'], { apiKey: secret })).status).toBe(0)
})
