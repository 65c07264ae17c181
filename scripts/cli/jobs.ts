/** Commands about jobs. */
import { readFile } from 'node:fs/promises'
import { definitionNameOf } from '../../core/definitions/name.ts'
import { UsageError } from '../command-line.ts'
import { cancelMatching } from './cancel.ts'
import { type Api, bodyOf, type Command, first } from './command.ts'
import { ago, facts, table } from './table.ts'
import { tail } from './tail.ts'

type Job = Awaited<ReturnType<typeof readJob>>

export const jobCommands: Command[] = [
  {
    words: 'enqueue',
    takes: 'DEFINITION [--params JSON|@FILE|-] [--wait] [OPTION]…',
    does: 'enqueues a job; with --wait it ends when the job does, with status 1 unless that succeeded',
    options: {
      params: { type: 'string', takes: 'JSON|@FILE|-', does: 'as text, from a file or from standard input' },
      version: { type: 'string', takes: 'N', does: 'of the definition; left out: 1' },
      queue: { type: 'string', takes: 'QUEUE', does: 'another one than that of the definition' },
      priority: { type: 'string', takes: 'N', does: 'the higher, the sooner; left out: 0' },
      delay: { type: 'string', takes: 'SECONDS', does: 'it is due after so long' },
      at: { type: 'string', takes: 'TIME', does: 'it is due then (ISO 8601)' },
      'max-attempts': { type: 'string', takes: 'N', does: 'how often it is tried' },
      'idempotency-key': { type: 'string', takes: 'KEY', does: 'with the same key it is enqueued once' },
      tag: {
        type: 'string',
        multiple: true,
        takes: 'TAG',
        does: 'to find it by; may be given more than once',
      },
      'webhook-url': { type: 'string', takes: 'URL', does: 'is told how it ends' },
      wait: { type: 'boolean', does: 'follows it until it ends' },
    },
    async run({ api, given, options, print }) {
      const enqueued = await bodyOf(
        await api.v1.jobs.$post({
          json: {
            definitionKey: first(given, 'DEFINITION'),
            definitionVersion: options.number('version'),
            params: await paramsOf(options.text('params')),
            priority: options.number('priority'),
            queue: options.text('queue'),
            delaySeconds: options.number('delay'),
            scheduledAt: options.text('at'),
            maxAttempts: options.number('max-attempts'),
            idempotencyKey: options.text('idempotency-key'),
            tags: options.list('tag'),
            webhookUrl: options.text('webhook-url'),
          },
        }),
      )
      if (options.flag('wait')) return await tail(api, enqueued.jobId, print)
      print.answer(enqueued, () => [`${enqueued.jobId}  ${enqueued.status}`])
      return 0
    },
  },
  {
    words: 'get',
    takes: 'JOB',
    does: 'shows a job and its attempts',
    async run({ api, given, print }) {
      const job = await readJob(api, first(given, 'JOB'))
      print.answer(job, () => [...facts(summaryOf(job)), ...attemptsOf(job)])
      return 0
    },
  },
  {
    words: 'tail',
    takes: 'JOB',
    does: 'follows what happens to a job and what it writes until it ends; status 1 unless it succeeded',
    run: async ({ api, given, print }) => await tail(api, first(given, 'JOB'), print),
  },
  {
    words: 'list',
    takes: '[--status S] [--definition KEY] [--queue Q] [--tag T] [--error TEXT] [--limit N]',
    does: 'lists jobs, newest first',
    options: {
      status: { type: 'string' },
      definition: { type: 'string' },
      queue: { type: 'string' },
      tag: { type: 'string', multiple: true },
      error: { type: 'string' },
      limit: { type: 'string' },
    },
    async run({ api, options, print }) {
      const page = await bodyOf(
        await api.v1.jobs.$get({
          query: {
            status: options.text('status') as Job['status'] | undefined,
            definitionKey: options.text('definition'),
            queue: options.text('queue'),
            tag: options.list('tag'),
            error: options.text('error'),
            limit: options.text('limit') ?? '20',
          },
        }),
      )
      print.answer(page, () => [
        ...table(
          ['job', 'definition', 'status', 'attempts', 'queued', 'error'],
          page.jobs.map((job) => [
            job.jobId,
            definitionNameOf(job),
            job.status,
            `${job.attempts}/${job.maxAttempts}`,
            ago(job.queuedAt),
            job.errorCode,
          ]),
        ),
        `${page.jobs.length} of ${page.total ?? page.jobs.length}`,
      ])
      return 0
    },
  },
  {
    words: 'cancel',
    takes: 'JOB | [--definition KEY] [--queue Q] [--tag T] [--limit N]',
    does: 'cancels a job, or all that match',
    options: {
      definition: { type: 'string' },
      queue: { type: 'string' },
      tag: { type: 'string', multiple: true },
      limit: { type: 'string' },
    },
    async run({ api, given: [jobId], options, print }) {
      if (jobId !== undefined) {
        const answer = await bodyOf(await api.v1.jobs[':jobId'].cancel.$post({ param: { jobId } }))
        print.answer(answer, () => [answer.message])
        return 0
      }
      const filter = {
        definitionKey: options.text('definition'),
        queue: options.text('queue'),
        tags: options.list('tag'),
      }
      if (Object.values(filter).every((value) => value === undefined)) {
        throw new UsageError('Which? A JOB, or --definition, --queue or --tag.')
      }
      const sum = await cancelMatching(api, filter, options.number('limit'))
      print.answer(sum, () => [`${sum.cancelled.length} cancelled, ${sum.cancelling.length} being stopped`])
      return 0
    },
  },
  {
    words: 'retry',
    takes: 'JOB',
    does: 'runs a finished job again, as a new one',
    async run({ api, given, print }) {
      const param = { jobId: first(given, 'JOB') }
      const answer = await bodyOf(await api.v1.jobs[':jobId'].retry.$post({ param }))
      print.answer(answer, () => [`${answer.jobId}  ${answer.status}`])
      return 0
    },
  },
]

async function readJob(api: Api, jobId: string) {
  return await bodyOf(await api.v1.jobs[':jobId'].$get({ param: { jobId } }))
}

function summaryOf(job: Job): Record<string, unknown> {
  const { attemptHistory: _attempts, definitionKey, definitionVersion, attempts, maxAttempts, ...rest } = job
  return {
    ...rest,
    definition: definitionNameOf({ definitionKey, definitionVersion }),
    attempts: `${attempts} of ${maxAttempts}`,
  }
}

function attemptsOf({ attemptHistory }: Job): string[] {
  if (attemptHistory.length === 0) return []
  const rows = attemptHistory.map((attempt) => [
    attempt.attempt,
    attempt.outcome,
    attempt.workerId,
    `${((Date.parse(attempt.endedAt) - Date.parse(attempt.startedAt)) / 1000).toFixed(1)} s`,
    attempt.errorCode,
  ])
  return ['', ...table(['attempt', 'outcome', 'worker', 'took', 'error'], rows)]
}

/** As JSON, from a file (`@name`) or from standard input (`-`). */
async function paramsOf(given: string | undefined) {
  if (given === undefined) return undefined
  const text =
    given === '-'
      ? await new Response(Bun.stdin.stream()).text()
      : given.startsWith('@')
        ? await readFile(given.slice(1), 'utf8')
        : given
  try {
    return JSON.parse(text)
  } catch {
    throw new UsageError('--params takes JSON, @FILE or - for standard input.')
  }
}
