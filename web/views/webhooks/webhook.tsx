/** One webhook: how it fares, what was sent to it and what came back. */
import { useInfiniteQuery, useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { Link, useNavigate, useParams } from '@tanstack/react-router'
import { ApiProblem, api, read } from '../../api.ts'
import type { Delivery, Webhook } from '../../types.ts'
import { Allowed } from '../../ui/allowed.tsx'
import { Button, Card, Empty, Failure, Foreign, Page, Skeleton } from '../../ui/basics.tsx'
import { type Column, DataTable } from '../../ui/data-table.tsx'
import { shortId } from '../../ui/format.ts'
import { say, sayFailure } from '../../ui/notices.ts'
import { RemoveButton } from '../../ui/remove-button.tsx'
import { Time } from '../../ui/time.tsx'
import { Secret } from './new-webhook.tsx'
import { WebhookState } from './webhooks.tsx'

const webhooksKey = ['webhooks']

export function WebhookView() {
  return (
    <Allowed title="Webhook" needs="admin">
      <One />
    </Allowed>
  )
}

function One() {
  const { webhookId } = useParams({ from: '/webhooks/$webhookId' })
  const webhook = useQuery({
    queryKey: [...webhooksKey, webhookId],
    queryFn: () => read(api.v1.webhooks[':webhookId'].$get({ param: { webhookId } })),
    refetchInterval: 5000,
  })
  if (webhook.data !== undefined) return <Shown webhook={webhook.data} />
  return (
    <Page title="Webhook">
      {webhook.error === null ? (
        <Skeleton />
      ) : webhook.error instanceof ApiProblem && webhook.error.status === 404 ? (
        <Empty
          icon="search"
          title="There is no such webhook."
          action={<Link to="/webhooks">All webhooks</Link>}
        />
      ) : (
        <Failure error={webhook.error} retry={() => void webhook.refetch()} />
      )}
    </Page>
  )
}

function Shown({ webhook }: { webhook: Webhook }) {
  return (
    <Page
      title={<Foreign>{webhook.url}</Foreign>}
      name={`${webhook.url} · Webhooks`}
      lead={
        <>
          <WebhookState webhook={webhook} />
          {webhook.description === null ? null : <Foreign>{webhook.description}</Foreign>}
          <span className="aside">{webhook.eventTypes.join(', ')}</span>
        </>
      }
      actions={<Actions webhook={webhook} />}
    >
      <Deliveries webhook={webhook} />
    </Page>
  )
}

function Actions({ webhook }: { webhook: Webhook }) {
  const queries = useQueryClient()
  const navigate = useNavigate()
  const param = { webhookId: webhook.webhookId }
  const onSettled = () => queries.invalidateQueries({ queryKey: webhooksKey })
  const onError = (error: unknown) => sayFailure('That did not work.', error)
  const test = useMutation({
    mutationFn: () => read(api.v1.webhooks[':webhookId'].test.$post({ param })),
    onSuccess: () => say('A message is on its way.'),
    onError,
    onSettled,
  })
  const enable = useMutation({
    mutationFn: (enabled: boolean) =>
      read(api.v1.webhooks[':webhookId'].$patch({ param, json: { enabled } })),
    onSuccess: ({ enabled }) => say(enabled ? 'It is told of what happens from now on.' : 'It is paused.'),
    onError,
    onSettled,
  })
  const rotate = useMutation({
    mutationFn: () => read(api.v1.webhooks[':webhookId']['rotate-secret'].$post({ param, json: {} })),
    onError,
  })
  const remove = useMutation({
    mutationFn: () => read(api.v1.webhooks[':webhookId'].$delete({ param })),
    onSuccess: async () => {
      say('The webhook is removed.')
      await navigate({ to: '/webhooks' })
      void onSettled()
    },
    onError,
  })
  return (
    <>
      <RemoveButton
        title="Remove this webhook?"
        text="What is on the way to it is cancelled, and its log goes with it."
        onConfirm={() => remove.mutate()}
      />
      <Button needs="admin" icon="keys" isBusy={rotate.isPending} onClick={() => rotate.mutate()}>
        New secret
      </Button>
      <Button
        needs="admin"
        icon={webhook.enabled ? 'pause' : 'play'}
        isBusy={enable.isPending}
        onClick={() => enable.mutate(!webhook.enabled)}
      >
        {webhook.enabled ? 'Pause' : 'Go on'}
      </Button>
      <Button
        needs="admin"
        icon="play"
        look="primary"
        isBusy={test.isPending}
        disabled={!webhook.enabled}
        onClick={() => test.mutate()}
      >
        Try it
      </Button>
      {rotate.data === undefined ? null : (
        <Secret secret={rotate.data.secret} onClose={() => rotate.reset()} />
      )}
    </>
  )
}

function Deliveries({ webhook }: { webhook: Webhook }) {
  const deliveries = useInfiniteQuery({
    queryKey: [...webhooksKey, webhook.webhookId, 'deliveries'],
    queryFn: ({ pageParam }) =>
      read(
        api.v1.webhooks[':webhookId'].deliveries.$get({
          param: { webhookId: webhook.webhookId },
          query: { limit: '50', ...(pageParam === null ? {} : { cursor: pageParam }) },
        }),
      ),
    initialPageParam: null as string | null,
    getNextPageParam: ({ nextCursor }) => nextCursor,
    refetchInterval: 3000,
  })
  if (deliveries.data === undefined) {
    if (deliveries.error === null) return <Skeleton />
    return <Failure error={deliveries.error} retry={() => void deliveries.refetch()} />
  }
  const shown = deliveries.data.pages.flatMap((page) => page.deliveries)
  return (
    <Card flush title="Deliveries">
      {shown.length === 0 ? (
        <Empty icon="webhooks" title="Nothing was sent yet." />
      ) : (
        <DataTable rows={shown} columns={columns} keyOf={({ deliveryId }) => deliveryId} />
      )}
      {deliveries.hasNextPage ? (
        <p className="more">
          <Button isBusy={deliveries.isFetchingNextPage} onClick={() => void deliveries.fetchNextPage()}>
            More
          </Button>
        </p>
      ) : null}
    </Card>
  )
}

const columns: Column<Delivery>[] = [
  { heading: 'Message', cell: ({ eventType }) => eventType },
  {
    heading: 'Job',
    isWide: true,
    cell: ({ jobId }) =>
      jobId === null ? (
        <span className="faint">–</span>
      ) : (
        <Link to="/jobs/$jobId" params={{ jobId }} className="id">
          {shortId(jobId)}
        </Link>
      ),
  },
  { heading: 'State', cell: ({ status }) => status },
  { heading: 'Answer', cell: (delivery) => <LastAnswer delivery={delivery} /> },
  {
    heading: 'Attempts',
    kind: 'number',
    isWide: true,
    cell: ({ attempts, maxAttempts }) => `${attempts}/${maxAttempts}`,
  },
  { heading: 'Made', isWide: true, cell: ({ createdAt }) => <Time at={createdAt} /> },
  { heading: 'What can be done', kind: 'actions', cell: (delivery) => <SendAgain delivery={delivery} /> },
]

function LastAnswer({ delivery: { lastAnswer, errorSummary } }: { delivery: Delivery }) {
  return lastAnswer === null ? (
    <span className="cell-text">
      <Foreign>{errorSummary ?? ''}</Foreign>
    </span>
  ) : (
    <span title={lastAnswer.responseBody}>{lastAnswer.responseStatus}</span>
  )
}

function SendAgain({ delivery: { deliveryId, webhookId } }: { delivery: Delivery }) {
  const queries = useQueryClient()
  const param = { webhookId: webhookId ?? '', deliveryId }
  const again = useMutation({
    mutationFn: () =>
      read(api.v1.webhooks[':webhookId'].deliveries[':deliveryId'].redeliver.$post({ param })),
    onSuccess: () => say('It is sent again.'),
    onError: (error) => sayFailure('It could not be sent again.', error),
    onSettled: () => queries.invalidateQueries({ queryKey: webhooksKey }),
  })
  return (
    <Button
      needs="admin"
      look="quiet"
      icon="retry"
      aria-label="Send again"
      title="Send again"
      isBusy={again.isPending}
      onClick={() => again.mutate()}
    />
  )
}
