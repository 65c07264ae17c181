/** Who runs the jobs and who fires the schedules. */
import { useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { useLiveQuery } from '../../live/live.ts'
import { workersQuery } from '../../queries.ts'
import type { Worker } from '../../types.ts'
import { Card, Empty, Foreign, Loaded, Page } from '../../ui/basics.tsx'
import { Slots } from '../../ui/slots.tsx'
import { Time } from '../../ui/time.tsx'

export function Workers() {
  const workers = useQuery(workersQuery)
  useLiveQuery(workersQuery.queryKey)
  return (
    <Page
      title="Workers"
      lead="Those that ended well are not listed; those that fell silent are, for a while."
    >
      <Loaded query={workers}>
        {(all) => {
          const schedulers = all.filter(({ kind }) => kind === 'scheduler')
          const others = all.filter(({ kind }) => kind === 'worker')
          return (
            <>
              {others.length === 0 ? (
                <Card>
                  <Empty icon="workers" title="No worker is up.">
                    Jobs wait until one is: <code>bun run worker</code>
                  </Empty>
                </Card>
              ) : (
                <div className="worker-cards">
                  {others.map((worker) => (
                    <WorkerCard key={worker.id} worker={worker} />
                  ))}
                </div>
              )}
              <Card title="Schedulers">
                {schedulers.length === 0 ? (
                  <Empty icon="schedules" title="No scheduler is up.">
                    Schedules don’t fire until one is: <code>bun run scheduler</code>
                  </Empty>
                ) : (
                  <ul className="rows">
                    {schedulers.map((scheduler) => (
                      <li key={scheduler.id} className="worker-row">
                        <span className="worker-name">
                          <Foreign>{scheduler.id}</Foreign>
                          <Alive worker={scheduler} />
                        </span>
                        {scheduler.leader ? <span className="tag tag-good">leads</span> : <span />}
                        <span className="aside">
                          since <Time at={scheduler.startedAt} />
                        </span>
                      </li>
                    ))}
                  </ul>
                )}
              </Card>
            </>
          )
        }}
      </Loaded>
    </Page>
  )
}

function WorkerCard({ worker }: { worker: Worker }) {
  const queues = textsOf(worker.info.queues)
  const definitions = textsOf(worker.info.definitions)
  return (
    <Card
      title={
        <Link to="/jobs" search={{ worker: worker.id, status: 'running' }}>
          <Foreign>{worker.id}</Foreign>
        </Link>
      }
      aside={<Alive worker={worker} />}
    >
      <div className="worker-load">
        <span className="tile-value">{worker.runningJobs}</span>
        <span className="aside">of {worker.slots} slots busy</span>
      </div>
      <Slots worker={worker} />
      <dl className="facts worker-facts">
        <div>
          <dt>Up since</dt>
          <dd>
            <Time at={worker.startedAt} />
          </dd>
        </div>
        <div>
          <dt>Heard of</dt>
          <dd>
            <Time at={worker.heartbeatAt} />
          </dd>
        </div>
        <div>
          <dt>Queues</dt>
          <dd>{queues.length === 0 ? 'all' : <Foreign>{queues.join(', ')}</Foreign>}</dd>
        </div>
      </dl>
      <details className="stack">
        <summary>{definitions.length} definitions</summary>
        <p className="worker-definitions">
          {definitions.map((name) => (
            <span key={name} className="tag">
              <Foreign>{name}</Foreign>
            </span>
          ))}
        </p>
      </details>
    </Card>
  )
}

function Alive({ worker }: { worker: Worker }) {
  return worker.alive ? null : <span className="tag tag-bad">silent</span>
}

function textsOf(value: unknown): string[] {
  return Array.isArray(value) ? value.map(String) : []
}
