/** One schedule: its times to come, and what became of those that were. */
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { Link, useNavigate, useParams } from '@tanstack/react-router'
import { ApiProblem, api, read } from '../../api.ts'
import { useLiveQuery } from '../../live/live.ts'
import type { Fire, Schedule } from '../../types.ts'
import { Card, Empty, Failure, Foreign, Loaded, Page, Skeleton } from '../../ui/basics.tsx'
import { dateTime, shortId } from '../../ui/format.ts'
import { JsonBlock } from '../../ui/json.tsx'
import { say, sayFailure } from '../../ui/notices.ts'
import { RemoveButton } from '../../ui/remove-button.tsx'
import { Time } from '../../ui/time.tsx'
import { ScheduleActions } from './schedules.tsx'

const schedulesKey = ['schedules']
const shownTimes = '8'
const shownFires = '50'

export function ScheduleView() {
  const { scheduleId } = useParams({ from: '/schedules/$scheduleId' })
  const param = { scheduleId }
  const schedule = useQuery({
    queryKey: [...schedulesKey, scheduleId],
    queryFn: () => read(api.v1.schedules[':scheduleId'].$get({ param })),
    refetchInterval: 5000,
  })
  useLiveQuery(schedulesKey)
  if (schedule.data !== undefined) return <Shown schedule={schedule.data} />
  return (
    <Page title="Schedule">
      {schedule.error === null ? (
        <Skeleton />
      ) : schedule.error instanceof ApiProblem && schedule.error.status === 404 ? (
        <Empty
          icon="search"
          title="There is no such schedule."
          action={<Link to="/schedules">All schedules</Link>}
        />
      ) : (
        <Failure error={schedule.error} retry={() => void schedule.refetch()} />
      )}
    </Page>
  )
}

function Shown({ schedule }: { schedule: Schedule }) {
  const param = { scheduleId: schedule.scheduleId }
  const next = useQuery({
    queryKey: [...schedulesKey, schedule.scheduleId, 'next', schedule.updatedAt, schedule.lastFireAt],
    queryFn: () => read(api.v1.schedules[':scheduleId'].next.$get({ param, query: { count: shownTimes } })),
    refetchInterval: 10_000,
  })
  const fires = useQuery({
    queryKey: [...schedulesKey, schedule.scheduleId, 'fires'],
    queryFn: () => read(api.v1.schedules[':scheduleId'].fires.$get({ param, query: { limit: shownFires } })),
    refetchInterval: 5000,
  })
  return (
    <Page
      title={<Foreign>{schedule.name}</Foreign>}
      name={`${schedule.name} · Schedules`}
      lead={
        <>
          {schedule.description} <code className="id">{schedule.expression}</code>
          {schedule.enabled ? null : <span className="tag tag-warn">paused</span>}
          {schedule.source === 'code' ? <span className="tag">in code</span> : null}
        </>
      }
      actions={
        <>
          <Remove schedule={schedule} />
          <ScheduleActions schedule={schedule} />
        </>
      }
    >
      <div className="grid grid-halves">
        <div className="stack-of-cards">
          <Card title="To come" aside={<span className="aside">{schedule.timezone}</span>}>
            <Loaded query={next} rows={4}>
              {({ times }) =>
                times.length === 0 ? (
                  <Empty icon="schedules" title="No time is to come." />
                ) : (
                  <ol className="rows times">
                    {times.map((time) => (
                      <li key={time}>
                        <span>{dateTime(time, schedule.timezone)}</span>
                        <span className="aside">
                          <Time at={time} />
                        </span>
                      </li>
                    ))}
                  </ol>
                )
              }
            </Loaded>
          </Card>
          <Card title="Starts">
            <p className="schedule-starts">
              <Link
                to="/definitions/$key/$version"
                params={{ key: schedule.definitionKey, version: String(schedule.definitionVersion) }}
              >
                <Foreign>{schedule.definitionKey}</Foreign>
              </Link>
            </p>
            <JsonBlock value={schedule.params} label="parameters" />
          </Card>
        </div>
        <Card title="Fired">
          <Loaded query={fires} rows={4}>
            {({ fires: past }) =>
              past.length === 0 ? (
                <Empty icon="schedules" title="It has not fired yet." />
              ) : (
                <ol className="rows times">
                  {past.map((fire) => (
                    <FireRow key={`${fire.fireAt} ${fire.manual}`} fire={fire} />
                  ))}
                </ol>
              )
            }
          </Loaded>
        </Card>
      </div>
    </Page>
  )
}

const looks = { enqueued: 'tag-good', skipped: 'tag-warn', missed: 'tag-warn', failed: 'tag-bad' }

function FireRow({ fire }: { fire: Fire }) {
  return (
    <li>
      <span>
        <Time at={fire.fireAt} /> <span className={`tag ${looks[fire.outcome]}`}>{fire.outcome}</span>{' '}
        {fire.manual ? <span className="tag">by hand</span> : null}
        {fire.reason === null ? null : (
          <span className="aside">
            {' '}
            <Foreign>{fire.reason}</Foreign>
          </span>
        )}
      </span>
      {fire.jobId === null ? null : (
        <Link to="/jobs/$jobId" params={{ jobId: fire.jobId }} className="id">
          {shortId(fire.jobId)}
        </Link>
      )}
    </li>
  )
}

function Remove({ schedule }: { schedule: Schedule }) {
  const navigate = useNavigate()
  const queries = useQueryClient()
  const remove = useMutation({
    mutationFn: () =>
      read(api.v1.schedules[':scheduleId'].$delete({ param: { scheduleId: schedule.scheduleId } })),
    onSuccess: async () => {
      say(`${schedule.name} is removed.`)
      await navigate({ to: '/schedules' })
      void queries.invalidateQueries({ queryKey: schedulesKey })
    },
    onError: (error) => sayFailure('It could not be removed.', error),
  })
  return (
    <RemoveButton
      title={`Remove ${schedule.name}?`}
      text="Its history goes with it; its jobs go on."
      because={schedule.source === 'code' ? 'It is defined in code: remove it there.' : undefined}
      onConfirm={() => remove.mutate()}
    />
  )
}
