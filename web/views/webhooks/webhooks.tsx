/** Who is told of what happens to jobs. */
import { useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { useState } from 'react'
import { api, read } from '../../api.ts'
import type { Webhook } from '../../types.ts'
import { Allowed } from '../../ui/allowed.tsx'
import { Button, Card, Empty, Foreign, Loaded, Page } from '../../ui/basics.tsx'
import { type Column, DataTable } from '../../ui/data-table.tsx'
import { Time } from '../../ui/time.tsx'
import { NewWebhook } from './new-webhook.tsx'

export function Webhooks() {
  return (
    <Allowed title="Webhooks" needs="admin">
      <All />
    </Allowed>
  )
}

function All() {
  const webhooks = useQuery({
    queryKey: ['webhooks'],
    queryFn: () => read(api.v1.webhooks.$get({ query: { limit: '1000' } })),
    select: (page) => page.webhooks,
    refetchInterval: 10_000,
  })
  const [isMaking, setMaking] = useState(false)
  return (
    <Page
      title="Webhooks"
      lead="Messages are signed, sent until they arrive, and logged."
      actions={
        <Button needs="admin" icon="plus" look="primary" onClick={() => setMaking(true)}>
          New webhook
        </Button>
      }
    >
      <Card flush>
        <Loaded query={webhooks}>
          {(all) =>
            all.length === 0 ? (
              <Empty icon="webhooks" title="There are no webhooks yet.">
                A webhook tells an address of yours when jobs end, or start, or are tried again.
              </Empty>
            ) : (
              <DataTable rows={all} columns={columns} keyOf={({ webhookId }) => webhookId} />
            )
          }
        </Loaded>
      </Card>
      {isMaking ? <NewWebhook onClose={() => setMaking(false)} /> : null}
    </Page>
  )
}

const columns: Column<Webhook>[] = [
  {
    heading: 'Address',
    cell: ({ webhookId, url, description }) => (
      <>
        <Link to="/webhooks/$webhookId" params={{ webhookId }} className="name">
          <Foreign>{url}</Foreign>
        </Link>
        {description === null ? null : (
          <span className="aside">
            <Foreign>{description}</Foreign>
          </span>
        )}
      </>
    ),
  },
  {
    heading: 'Is told of',
    isWide: true,
    cell: ({ eventTypes }) =>
      eventTypes.map((type) => (
        <span key={type} className="tag">
          {type.replace('job.', '')}
        </span>
      )),
  },
  { heading: 'Last success', isWide: true, cell: ({ lastSuccessAt }) => <Time at={lastSuccessAt} /> },
  { heading: 'State', cell: (webhook) => <WebhookState webhook={webhook} /> },
]

const reasons = { requested: 'paused', gone: 'gone', failing: 'given up' }

export function WebhookState({ webhook }: { webhook: Webhook }) {
  if (!webhook.enabled) {
    const reason = webhook.disabledReason ?? 'requested'
    return <span className={`tag ${reason === 'requested' ? 'tag-warn' : 'tag-bad'}`}>{reasons[reason]}</span>
  }
  return webhook.failures > 0 ? (
    <span className="tag tag-warn">failing</span>
  ) : (
    <span className="tag tag-good">on</span>
  )
}
