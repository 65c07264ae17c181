/** Commands about jobs. */
import { readFile } from 'node:fs/promises'
import { definitionNameOf } from '../../core/definitions/name.ts'
import { UsageError } from '../command-line.ts'
import { cancelMatching } from './cancel.ts'
import { type Api, bodyOf, type Command, first, inPath } from './command.ts'
import { each, refuseFilters } from './each.ts'
import { ago, facts, table } from './table.ts'
import { tail } from './tail.ts'

type Job = Awaited<ReturnType<typeof readJob>>

const cancelFilters = {
  definition: { type: 'string' },
  queue: { type: 'string' },
  tag: { type: 'string', multiple: true },
  limit: { type: 'string' },
} as const

export const jobCommands: Command[] = [
  {
    words: 'enqueue',
    takes: 'DEFINITION [--params JSON|@FILE|-] [--wait] [OPTION]…',
    mostWords: 1,
    whereElse: 'Parameters are given by --params.',
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
      print.answer(enqueued, () => [`${enqueued.jobId}  ${enqueued.status}`])
      return options.flag('wait') ? await tail(api, enqueued.jobId, print) : 0
    },
  },
  {
    words: 'get',
    takes: 'JOB',
    mostWords: 1,
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
    mostWords: 1,
    does: 'follows what happens to a job and what it writes until it ends; status 1 unless it succeeded',
    async run({ api, given, print }) {
      const jobId = first(given, 'JOB')
      // Without patience: who gives a wrong id or address learns it at once.
      await readJob(api, jobId)
      return await tail(api, jobId, print)
    },
  },
  {
    words: 'list',
    takes: '[--status S] [--definition KEY] [--queue Q] [--tag T]… [--error TEXT] [--limit N]',
    mostWords: 0,
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
    takes: 'JOB… | [--definition KEY] [--queue Q] [--tag T]… [--limit N]',
    mostWords: Number.POSITIVE_INFINITY,
    does: 'cancels jobs, or all that match',
    options: cancelFilters,
    async run({ api, given, options, print }) {
      if (given.length > 0) {
        refuseFilters(options, cancelFilters, 'JOB')
        return await each(given, {
          print,
          idName: 'jobId',
          act: async (jobId) =>
            await bodyOf(await api.v1.jobs[':jobId'].cancel.$post({ param: { jobId: inPath(jobId) } })),
          line: ({ message }) => message,
        })
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
    takes: 'JOB…',
    mostWords: Number.POSITIVE_INFINITY,
    does: 'runs finished jobs again, each as a new one',
    async run({ api, given, print }) {
      first(given, 'JOB')
      return await each(given, {
        print,
        idName: 'originalJobId',
        act: async (jobId) =>
          await bodyOf(await api.v1.jobs[':jobId'].retry.$post({ param: { jobId: inPath(jobId) } })),
        line: ({ jobId, status }) => `${jobId}  ${status}`,
      })
    },
  },
]

async function readJob(api: Api, jobId: string) {
  return await bodyOf(await api.v1.jobs[':jobId'].$get({ param: { jobId: inPath(jobId) } }))
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
        ? await fileText(given.slice(1))
        : given
  try {
    return JSON.parse(text)
  } catch {
    throw new UsageError('--params takes JSON, @FILE or - for standard input.')
  }
}

async function fileText(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    throw new UsageError(`--params: ${error instanceof Error ? error.message : String(error)}`)
  }
}
