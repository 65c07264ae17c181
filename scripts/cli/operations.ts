/** Commands about dead letters, queues and schedules. */
import { definitionNameOf } from '../../core/definitions/name.ts'
import { bodyOf, type Command, first } from './command.ts'
import { redriveMatching } from './redrive.ts'
import { ago, table } from './table.ts'

export const operationCommands: Command[] = [
  {
    words: 'dlq list',
    takes: '[--definition KEY] [--limit N]',
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
    takes: '[DEAD-LETTER] [--definition KEY] [--error-code CODE] [--limit N] [--max-attempts N]',
    does: 'gives one, or all that match, another chance as new jobs',
    options: {
      definition: { type: 'string' },
      'error-code': { type: 'string' },
      limit: { type: 'string' },
      'max-attempts': { type: 'string' },
    },
    async run({ api, given: [dlqJobId], options, print }) {
      const maxAttempts = options.number('max-attempts')
      if (dlqJobId !== undefined) {
        const request = { param: { dlqJobId }, json: { maxAttempts } }
        const answer = await bodyOf(await api.v1.dlq[':dlqJobId'].retry.$post(request))
        print.answer(answer, () => [`${answer.jobId}  ${answer.status}`])
        return 0
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
    takes: '',
    does: 'shows how full the queues are',
    async run({ api, print }) {
      const answer = await bodyOf(await api.v1.queues.$get())
      print.answer(answer, () =>
        table(
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
      )
      return 0
    },
  },
  {
    words: 'queues pause',
    takes: 'QUEUE',
    does: 'lets its jobs wait; what runs goes on',
    async run({ api, given, print }) {
      const param = { name: first(given, 'QUEUE') }
      const answer = await bodyOf(await api.v1.queues[':name'].pause.$post({ param }))
      print.answer(answer, () => [answer.message])
      return 0
    },
  },
  {
    words: 'queues resume',
    takes: 'QUEUE',
    does: 'lets its jobs go on',
    async run({ api, given, print }) {
      const param = { name: first(given, 'QUEUE') }
      const answer = await bodyOf(await api.v1.queues[':name'].resume.$post({ param }))
      print.answer(answer, () => [answer.message])
      return 0
    },
  },
  {
    words: 'schedules list',
    takes: '',
    does: 'lists the schedules and when they fire next',
    async run({ api, print }) {
      const answer = await bodyOf(await api.v1.schedules.$get({ query: {} }))
      print.answer(answer, () =>
        table(
          ['schedule', 'name', 'definition', 'when', 'next', 'last'],
          answer.schedules.map((schedule) => [
            schedule.scheduleId,
            schedule.name,
            definitionNameOf(schedule),
            schedule.description,
            schedule.enabled ? ago(schedule.nextFireAt) : 'disabled',
            ago(schedule.lastFireAt),
          ]),
        ),
      )
      return 0
    },
  },
  {
    words: 'schedules run',
    takes: 'SCHEDULE',
    does: 'fires a schedule now, beside its times',
    async run({ api, given, print }) {
      const param = { scheduleId: first(given, 'SCHEDULE') }
      const answer = await bodyOf(await api.v1.schedules[':scheduleId']['run-now'].$post({ param }))
      print.answer(answer, () => [`${answer.jobId}  ${answer.status}`])
      return 0
    },
  },
]
