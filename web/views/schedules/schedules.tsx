/** Schedules: what fires when, and a way to make one. */
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { Link, useNavigate, useSearch } from '@tanstack/react-router'
import { api, read } from '../../api.ts'
import { useLiveQuery } from '../../live/live.ts'
import type { Schedule } from '../../types.ts'
import { Button, Card, Empty, Foreign, Loaded, Page } from '../../ui/basics.tsx'
import { type Column, DataTable } from '../../ui/data-table.tsx'
import { count } from '../../ui/format.ts'
import { say, sayFailure } from '../../ui/notices.ts'
import { Time } from '../../ui/time.tsx'
import { NewSchedule } from './new-schedule.tsx'

const schedulesKey = ['schedules']

export function Schedules() {
  const { make } = useSearch({ from: '/schedules' })
  const navigate = useNavigate({ from: '/schedules' })
  const schedules = useQuery({
    queryKey: schedulesKey,
    queryFn: () => read(api.v1.schedules.$get({ query: { limit: '1000' } })),
    refetchInterval: 5000,
  })
  useLiveQuery(schedulesKey)
  const open = (definition: string) => void navigate({ search: { make: definition } })
  return (
    <Page
      title="Schedules"
      lead="Each of its times fires once, however many schedulers run."
      actions={
        <Button icon="plus" needs="admin" look="primary" onClick={() => open('new')}>
          New schedule
        </Button>
      }
    >
      <Card flush>
        <Loaded query={schedules}>
          {(page) =>
            page.schedules.length === 0 ? (
              <Empty icon="schedules" title="There are no schedules yet.">
                Make one here, or say <code>schedule</code> in a definition.
              </Empty>
            ) : (
              <>
                <DataTable
                  rows={page.schedules}
                  columns={columns}
                  keyOf={({ scheduleId }) => scheduleId}
                  isOver={({ enabled }) => !enabled}
                />
                {page.total > page.schedules.length ? (
                  <p className="more">
                    The first {count(page.schedules.length)} of {count(page.total)}
                  </p>
                ) : null}
              </>
            )
          }
        </Loaded>
      </Card>
      {make === undefined ? null : <NewSchedule onClose={() => void navigate({ search: {} })} />}
    </Page>
  )
}

const columns: Column<Schedule>[] = [
  {
    heading: 'Schedule',
    cell: ({ scheduleId, name, source }) => (
      <>
        <Link to="/schedules/$scheduleId" params={{ scheduleId }} className="name">
          <Foreign>{name}</Foreign>
        </Link>
        {source === 'code' ? <span className="tag">in code</span> : null}
      </>
    ),
  },
  { heading: 'Starts', isWide: true, cell: ({ definitionKey }) => <Foreign>{definitionKey}</Foreign> },
  {
    heading: 'When',
    cell: ({ description, expression }) => (
      <span className="when">
        {description}
        <code className="id">{expression}</code>
      </span>
    ),
  },
  {
    heading: 'Next',
    cell: ({ enabled, nextFireAt }) =>
      enabled ? <Time at={nextFireAt} /> : <span className="tag tag-warn">paused</span>,
  },
  {
    heading: 'Last',
    isWide: true,
    cell: ({ lastJobId, lastFireAt }) =>
      lastJobId === null ? (
        <span className="faint">–</span>
      ) : (
        <Link to="/jobs/$jobId" params={{ jobId: lastJobId }}>
          <Time at={lastFireAt} />
        </Link>
      ),
  },
  {
    heading: 'What can be done',
    kind: 'actions',
    isWide: true,
    cell: (schedule) => <ScheduleActions schedule={schedule} />,
  },
]

export function ScheduleActions({ schedule }: { schedule: Schedule }) {
  const queries = useQueryClient()
  const navigate = useNavigate()
  const param = { scheduleId: schedule.scheduleId }
  const onSettled = () => queries.invalidateQueries({ queryKey: schedulesKey })
  const enable = useMutation({
    mutationFn: (enabled: boolean) =>
      read(api.v1.schedules[':scheduleId'].$patch({ param, json: { enabled } })),
    onSuccess: ({ name, enabled }) =>
      say(enabled ? `${name} goes on.` : `${name} is paused.`, {
        label: 'Undo',
        run: () => enable.mutate(!enabled),
      }),
    onError: (error) => sayFailure('It stays as it is.', error),
    onSettled,
  })
  const run = useMutation({
    mutationFn: () => read(api.v1.schedules[':scheduleId']['run-now'].$post({ param })),
    onSuccess: ({ jobId, message }) =>
      say(message, { label: 'Show it', run: () => void navigate({ to: '/jobs/$jobId', params: { jobId } }) }),
    onError: (error) => sayFailure('It could not be run.', error),
    onSettled,
  })
  return (
    <>
      <Button needs="admin" icon="play" isBusy={run.isPending} onClick={() => run.mutate()}>
        Run now
      </Button>
      <Button
        icon={schedule.enabled ? 'pause' : 'play'}
        needs="admin"
        isBusy={enable.isPending}
        onClick={() => enable.mutate(!schedule.enabled)}
      >
        {schedule.enabled ? 'Pause' : 'Go on'}
      </Button>
    </>
  )
}
