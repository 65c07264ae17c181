/** What can be run, how it fares, and a way to start it. */
import { useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { api, read } from '../../api.ts'
import { definitionsQuery } from '../../queries.ts'
import { Card, Empty, Foreign, Loaded, Page } from '../../ui/basics.tsx'
import { count, duration, percent } from '../../ui/format.ts'
import { Icon } from '../../ui/icons.tsx'

export function Definitions() {
  const definitions = useQuery(definitionsQuery)
  const metrics = useQuery({
    queryKey: ['metrics', 'definitions'],
    queryFn: () => read(api.v1.metrics.definitions.$get()),
    select: (answer) =>
      new Map(answer.definitions.map((each) => [`${each.definitionKey}@${each.definitionVersion}`, each])),
    refetchInterval: 5000,
  })
  return (
    <Page title="Definitions" lead="Each is a file in jobs/ of the workers; they register what they find.">
      <Card flush>
        <Loaded query={definitions}>
          {(all) =>
            all.length === 0 ? (
              <Empty icon="definitions" title="Nothing is registered yet.">
                Workers do so when they start; <code>bun run register-definitions</code> does it without one.
              </Empty>
            ) : (
              <div className="table-scroller">
                <table className="table">
                  <thead>
                    <tr>
                      <th scope="col">Definition</th>
                      <th scope="col" className="wide">
                        Queue
                      </th>
                      <th scope="col" className="number">
                        Jobs
                      </th>
                      <th scope="col" className="number">
                        Succeed
                      </th>
                      <th scope="col" className="number wide">
                        Mean run
                      </th>
                      <th scope="col" className="number wide">
                        Attempts
                      </th>
                      <th scope="col" className="number wide">
                        Time limit
                      </th>
                      <th scope="col" className="number wide">
                        At once
                      </th>
                      <th scope="col">
                        <span className="unseen">What can be done</span>
                      </th>
                    </tr>
                  </thead>
                  <tbody>
                    {all.map((definition) => {
                      const known = metrics.data?.get(`${definition.key}@${definition.version}`)
                      return (
                        <tr key={`${definition.key}@${definition.version}`}>
                          <td>
                            <Link to="/jobs" search={{ definition: definition.key }} className="name">
                              <Foreign>{definition.key}</Foreign>
                            </Link>
                            {definition.version === 1 ? null : (
                              <span className="tag">v{definition.version}</span>
                            )}
                          </td>
                          <td className="wide">
                            <Foreign>{definition.queue}</Foreign>
                          </td>
                          <td className="number">{known === undefined ? 0 : count(known.total)}</td>
                          <td className="number">
                            {known === undefined || known.byStatus.succeeded + known.byStatus.failed === 0
                              ? '–'
                              : percent(known.successRate)}
                          </td>
                          <td className="number wide">
                            {known?.avgProcessingTime == null ? '–' : duration(known.avgProcessingTime)}
                          </td>
                          <td className="number wide">{definition.defaultMaxAttempts}</td>
                          <td className="number wide">{duration(definition.timeoutSeconds)}</td>
                          <td className="number wide">{definition.concurrencyLimit ?? 'any'}</td>
                          <td className="table-actions">
                            <Link
                              to="/definitions/$key/$version"
                              params={{ key: definition.key, version: String(definition.version) }}
                              className="button button-plain"
                            >
                              <Icon name="play" />
                              Start
                            </Link>
                          </td>
                        </tr>
                      )
                    })}
                  </tbody>
                </table>
              </div>
            )
          }
        </Loaded>
      </Card>
    </Page>
  )
}
