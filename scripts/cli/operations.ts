/** Commands about dead letters, queues and schedules. */
import { definitionNameOf } from '../../core/definitions/name.ts'
import { bodyOf, type Command, first, inPath } from './command.ts'
import { each, refuseFilters } from './each.ts'
import { redriveMatching } from './redrive.ts'
import { ago, table } from './table.ts'

const redriveFilters = {
  definition: { type: 'string' },
  'error-code': { type: 'string' },
  limit: { type: 'string' },
} as const

export const operationCommands: Command[] = [
  {
    words: 'dlq list',
    takes: '[--definition KEY] [--limit N]',
    mostWords: 0,
    does: 'lists the jobs that failed for good',
    options: { definition: { type: 'string' }, limit: { type: 'string' } },
    async run({ api, options, print }) {
      const query = { definitionKey: options.text('definition'), limit: options.text('limit') ?? '20' }
      const page = await bodyOf(await api.v1.dlq.$get({ query }))
      print.answer(page, () => [
        ...table(
          ['dead letter', 'definition', 'attempts', 'failed', 'error', 'redriven as'],
          page.jobs.map((letter) => [
            letter.dlqJobId,
            definitionNameOf(letter),
            letter.attempts,
            ago(letter.movedToDlqAt),
            letter.errorCode,
            letter.redrivenJobId,
          ]),
        ),
        `${page.jobs.length} of ${page.total}`,
      ])
      return 0
    },
  },
  {
    words: 'dlq redrive',
    takes: 'DEAD-LETTER… | [--definition KEY] [--error-code CODE] [--limit N]   [--max-attempts N]',
    mostWords: Number.POSITIVE_INFINITY,
    does: 'gives those named, or all that match, another chance as new jobs',
    options: { ...redriveFilters, 'max-attempts': { type: 'string' } },
    async run({ api, given, options, print }) {
      const maxAttempts = options.number('max-attempts')
      if (given.length > 0) {
        refuseFilters(options, redriveFilters, 'DEAD-LETTER')
        return await each(given, {
          print,
          idName: 'dlqJobId',
          act: async (dlqJobId) => {
            const request = { param: { dlqJobId: inPath(dlqJobId) }, json: { maxAttempts } }
            return await bodyOf(await api.v1.dlq[':dlqJobId'].retry.$post(request))
          },
          line: ({ jobId, status }) => `${jobId}  ${status}`,
        })
      }
      const filter = { definitionKey: options.text('definition'), errorCode: options.text('error-code') }
      const answer = await redriveMatching(api, { ...filter, maxAttempts }, options.number('limit'))
      print.answer(answer, () =>
        answer.redriven === 0
          ? ['There is nothing to redrive.']
          : [
              ...table(
                ['dead letter', 'new job'],
                answer.jobs.map((redriven) => [redriven.dlqJobId, redriven.jobId]),
              ),
              `${answer.redriven} redriven`,
            ],
      )
      return 0
    },
  },
  {
    words: 'queues list',
    takes: '[--limit N]',
    mostWords: 0,
    does: 'shows how full the queues are',
    options: { limit: { type: 'string' } },
    async run({ api, options, print }) {
      const answer = await bodyOf(await api.v1.queues.$get({ query: { limit: options.text('limit') } }))
      print.answer(answer, () => [
        ...table(
          ['queue', 'ready', 'oldest', 'running', 'scheduled', 'blocked', 'waiting', 'state'],
          answer.queues.map((queue) => [
            queue.name,
            queue.ready,
            queue.oldestAgeSeconds === null ? null : `${queue.oldestAgeSeconds.toFixed(1)} s`,
            queue.running,
            queue.scheduled,
            queue.blocked,
            queue.waiting,
            queue.pausedAt === null ? 'open' : `paused ${ago(queue.pausedAt)}`,
          ]),
        ),
        `${answer.queues.length} of ${answer.total}`,
      ])
      return 0
    },
  },
  {
    words: 'queues pause',
    takes: 'QUEUE',
    mostWords: 1,
    does: 'lets its jobs wait; what runs goes on',
    async run({ api, given, print }) {
      const param = { name: inPath(first(given, 'QUEUE')) }
      const answer = await bodyOf(await api.v1.queues[':name'].pause.$post({ param }))
      print.answer(answer, () => [answer.message])
      return 0
    },
  },
  {
    words: 'queues resume',
    takes: 'QUEUE',
    mostWords: 1,
    does: 'lets its jobs go on',
    async run({ api, given, print }) {
      const param = { name: inPath(first(given, 'QUEUE')) }
      const answer = await bodyOf(await api.v1.queues[':name'].resume.$post({ param }))
      print.answer(answer, () => [answer.message])
      return 0
    },
  },
  {
    words: 'schedules list',
    takes: '[--limit N]',
    mostWords: 0,
    does: 'lists the schedules and when they fire next',
    options: { limit: { type: 'string' } },
    async run({ api, options, print }) {
      const page = await bodyOf(await api.v1.schedules.$get({ query: { limit: options.text('limit') } }))
      print.answer(page, () => [
        ...table(
          ['schedule', 'name', 'definition', 'when', 'next', 'last'],
          page.schedules.map((schedule) => [
            schedule.scheduleId,
            schedule.name,
            definitionNameOf(schedule),
            schedule.description,
            schedule.enabled ? ago(schedule.nextFireAt) : 'disabled',
            ago(schedule.lastFireAt),
          ]),
        ),
        `${page.schedules.length} of ${page.total}`,
      ])
      return 0
    },
  },
  {
    words: 'schedules run',
    takes: 'SCHEDULE',
    mostWords: 1,
    does: 'fires a schedule now, beside its times',
    async run({ api, given, print }) {
      const param = { scheduleId: inPath(first(given, 'SCHEDULE')) }
      const answer = await bodyOf(await api.v1.schedules[':scheduleId']['run-now'].$post({ param }))
      print.answer(answer, () => [`${answer.jobId}  ${answer.status}`])
      return 0
    },
  },
]
