/** Who is told of what happens to jobs. */
import { useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { useState } from 'react'
import { api, read } from '../../api.ts'
import type { Webhook } from '../../types.ts'
import { Button, Card, Empty, Foreign, Loaded, Page } from '../../ui/basics.tsx'
import { Time } from '../../ui/time.tsx'
import { NewWebhook } from './new-webhook.tsx'

export function Webhooks() {
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
        <Button icon="plus" look="primary" onClick={() => setMaking(true)}>
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
              <div className="table-scroller">
                <table className="table">
                  <thead>
                    <tr>
                      <th scope="col">Address</th>
                      <th scope="col">Is told of</th>
                      <th scope="col">Last success</th>
                      <th scope="col">State</th>
                    </tr>
                  </thead>
                  <tbody>
                    {all.map((webhook) => (
                      <tr key={webhook.webhookId}>
                        <td>
                          <Link
                            to="/webhooks/$webhookId"
                            params={{ webhookId: webhook.webhookId }}
                            className="name"
                          >
                            <Foreign>{webhook.url}</Foreign>
                          </Link>
                          {webhook.description === null ? null : (
                            <span className="aside">
                              <Foreign>{webhook.description}</Foreign>
                            </span>
                          )}
                        </td>
                        <td>
                          {webhook.eventTypes.map((type) => (
                            <span key={type} className="tag">
                              {type.replace('job.', '')}
                            </span>
                          ))}
                        </td>
                        <td>
                          <Time at={webhook.lastSuccessAt} />
                        </td>
                        <td>
                          <WebhookState webhook={webhook} />
                        </td>
                      </tr>
                    ))}
                  </tbody>
                </table>
              </div>
            )
          }
        </Loaded>
      </Card>
      {isMaking ? <NewWebhook onClose={() => setMaking(false)} /> : null}
    </Page>
  )
}

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
