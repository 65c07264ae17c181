/** Commands about webhooks. */
import { bodyOf, type Command, first, inPath } from './command.ts'
import { ago, facts, table } from './table.ts'

export const webhookCommands: Command[] = [
  {
    words: 'webhooks list',
    takes: '[--limit N]',
    mostWords: 0,
    does: 'lists the webhooks and how they fare',
    options: { limit: { type: 'string' } },
    async run({ api, options, print }) {
      const page = await bodyOf(await api.v1.webhooks.$get({ query: { limit: options.text('limit') } }))
      print.answer(page, () => [
        ...table(
          ['webhook', 'url', 'told of', 'last success', 'failures', 'state'],
          page.webhooks.map((webhook) => [
            webhook.webhookId,
            webhook.url,
            webhook.eventTypes.map((type) => type.replace('job.', '')).join(' '),
            ago(webhook.lastSuccessAt),
            webhook.failures,
            webhook.enabled ? 'enabled' : `disabled: ${webhook.disabledReason}`,
          ]),
        ),
        `${page.webhooks.length} of ${page.total}`,
      ])
      return 0
    },
  },
  {
    words: 'webhooks add',
    takes: 'URL [--event TYPE]… [--definition KEY] [--queue Q] [--tag T] [--description TEXT]',
    mostWords: 1,
    does: 'makes a webhook and shows its secret, this once',
    options: {
      event: { type: 'string', multiple: true },
      definition: { type: 'string' },
      queue: { type: 'string' },
      tag: { type: 'string' },
      description: { type: 'string' },
    },
    async run({ api, given, options, print }) {
      const made = await bodyOf(
        await api.v1.webhooks.$post({
          json: {
            url: first(given, 'URL'),
            // What is no type of event the API refuses, with those that are.
            eventTypes: options.list('event') as 'job.succeeded'[] | undefined,
            definitionKey: options.text('definition'),
            queue: options.text('queue'),
            tag: options.text('tag'),
            description: options.text('description'),
          },
        }),
      )
      print.answer(made, () => facts({ webhook: made.webhookId, secret: made.secret }))
      return 0
    },
  },
  {
    words: 'webhooks enable',
    takes: 'WEBHOOK',
    mostWords: 1,
    does: 'tells it of what happens from now on',
    run: (context) => setEnabled(context, true),
  },
  {
    words: 'webhooks disable',
    takes: 'WEBHOOK',
    mostWords: 1,
    does: 'tells it of nothing; what is on the way is cancelled',
    run: (context) => setEnabled(context, false),
  },
  {
    words: 'webhooks remove',
    takes: 'WEBHOOK',
    mostWords: 1,
    does: 'removes a webhook and its log; what is on the way is cancelled',
    async run({ api, given, print }) {
      const webhookId = first(given, 'WEBHOOK')
      const response = await api.v1.webhooks[':webhookId'].$delete({
        param: { webhookId: inPath(webhookId) },
      })
      if (!response.ok) await bodyOf(response)
      print.answer({ webhookId, removed: true }, () => ['removed'])
      return 0
    },
  },
  {
    words: 'webhooks rotate',
    takes: 'WEBHOOK [--overlap SECONDS]',
    mostWords: 1,
    does: 'gives it a new secret, beside which the old one signs for a while (a day)',
    options: { overlap: { type: 'string' } },
    async run({ api, given, options, print }) {
      const param = { webhookId: inPath(first(given, 'WEBHOOK')) }
      const json = { overlapSeconds: options.number('overlap') }
      const answer = await bodyOf(await api.v1.webhooks[':webhookId']['rotate-secret'].$post({ param, json }))
      print.answer(answer, () => facts({ secret: answer.secret }))
      return 0
    },
  },
  {
    words: 'webhooks test',
    takes: 'WEBHOOK',
    mostWords: 1,
    does: 'sends a message to try the endpoint',
    async run({ api, given, print }) {
      const param = { webhookId: inPath(first(given, 'WEBHOOK')) }
      const answer = await bodyOf(await api.v1.webhooks[':webhookId'].test.$post({ param }))
      print.answer(answer, () => [`${answer.deliveryId}  queued`])
      return 0
    },
  },
  {
    words: 'webhooks deliveries',
    takes: 'WEBHOOK [--status S] [--limit N]',
    mostWords: 1,
    does: 'shows what was sent, newest first, and what was answered',
    options: { status: { type: 'string' }, limit: { type: 'string' } },
    async run({ api, given, options, print }) {
      const param = { webhookId: inPath(first(given, 'WEBHOOK')) }
      const query = {
        status: options.text('status') as 'failed' | undefined,
        limit: options.text('limit') ?? '20',
      }
      const page = await bodyOf(await api.v1.webhooks[':webhookId'].deliveries.$get({ param, query }))
      print.answer(page, () =>
        table(
          ['delivery', 'event', 'job', 'status', 'attempts', 'answer', 'next', 'error'],
          page.deliveries.map((delivery) => [
            delivery.deliveryId,
            delivery.eventType,
            delivery.jobId,
            delivery.status,
            `${delivery.attempts}/${delivery.maxAttempts}`,
            delivery.lastAnswer?.responseStatus,
            ago(delivery.nextAttemptAt),
            delivery.errorSummary,
          ]),
        ),
      )
      return 0
    },
  },
  {
    words: 'webhooks redeliver',
    takes: 'WEBHOOK DELIVERY',
    mostWords: 2,
    does: 'sends a delivery again',
    async run({ api, given, print }) {
      const param = {
        webhookId: inPath(first(given, 'WEBHOOK')),
        deliveryId: inPath(first(given.slice(1), 'DELIVERY')),
      }
      const answer = await bodyOf(
        await api.v1.webhooks[':webhookId'].deliveries[':deliveryId'].redeliver.$post({ param }),
      )
      print.answer(answer, () => [`${answer.deliveryId}  queued`])
      return 0
    },
  },
]

async function setEnabled(
  { api, given, print }: Parameters<Command['run']>[0],
  enabled: boolean,
): Promise<number> {
  const param = { webhookId: inPath(first(given, 'WEBHOOK')) }
  const answer = await bodyOf(await api.v1.webhooks[':webhookId'].$patch({ param, json: { enabled } }))
  print.answer(answer, () => [answer.enabled ? 'enabled' : 'disabled'])
  return 0
}
