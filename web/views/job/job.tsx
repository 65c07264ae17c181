/** One job: how it is, what happened to it, what it was given and what it gave back. */
import { useQuery } from '@tanstack/react-query'
import { Link, useParams } from '@tanstack/react-router'
import { ApiProblem, api, read } from '../../api.ts'
import type { Job } from '../../types.ts'
import { Card, Empty, Failure, Foreign, Meter, Page, Skeleton } from '../../ui/basics.tsx'
import { count, duration, shortId } from '../../ui/format.ts'
import { CopyButton, JsonBlock } from '../../ui/json.tsx'
import { Status, shownStatus } from '../../ui/status.tsx'
import { JobActions } from './actions.tsx'
import { Children } from './children.tsx'
import { Facts } from './facts.tsx'
import { type JobStream, useJobStream } from './job-stream.ts'
import { Logs } from './logs.tsx'
import { Attempts, Timeline } from './timeline.tsx'

export function JobView() {
  const { jobId } = useParams({ from: '/jobs/$jobId' })
  const job = useQuery({
    queryKey: ['job', jobId],
    queryFn: () => read(api.v1.jobs[':jobId'].$get({ param: { jobId } })),
    // The stream tells of changes; this is for when it can't.
    refetchInterval: ({ state: { data } }) => (data === undefined || data.finishedAt === null ? 5000 : false),
  })
  if (job.data !== undefined) return <Shown job={job.data} />
  return (
    <Page title="Job" name={`Job ${shortId(jobId)}`} lead={<code>{jobId}</code>}>
      {job.error === null ? (
        <Skeleton rows={6} />
      ) : job.error instanceof ApiProblem && job.error.status === 404 ? (
        <Empty icon="search" title="There is no such job." action={<Link to="/jobs">All jobs</Link>}>
          It may have been removed, or be older than the history that is kept.
        </Empty>
      ) : (
        <Failure error={job.error} retry={() => void job.refetch()} />
      )}
    </Page>
  )
}

function Shown({ job }: { job: Job }) {
  const stream = useJobStream(job.jobId)
  return (
    <Page
      title={<Foreign>{job.definitionKey}</Foreign>}
      name={`${job.definitionKey} ${shortId(job.jobId)}`}
      lead={
        <>
          <Status status={shownStatus(job)} />
          <span className="whole-id">
            <code>{job.jobId}</code>
            <CopyButton text={job.jobId} label="Copy the id" />
          </span>
          {job.definitionVersion === 1 ? null : (
            <span className="aside">version {job.definitionVersion}</span>
          )}
        </>
      }
      actions={<JobActions job={job} />}
    >
      <Progress job={job} stream={stream} />
      {job.errorSummary === null || job.status === 'succeeded' ? null : (
        <div className="job-error" role="note" aria-label="Error">
          {job.errorCode === null ? null : <code>{job.errorCode}</code>}
          <p>
            <Foreign>{job.errorSummary.slice(0, 4000)}</Foreign>
          </p>
        </div>
      )}
      <Card>
        <Facts job={job} />
      </Card>
      <div className="grid grid-halves">
        <div className="stack-of-cards">
          <Card title="Attempts">
            <Attempts job={job} />
          </Card>
          {job.children === null ? null : (
            <Card title="Children" aside={<ChildCounts counts={job.children} />}>
              <Children jobId={job.jobId} />
            </Card>
          )}
          <Card title="Events">
            <Timeline stream={stream} />
          </Card>
        </div>
        <div className="stack-of-cards">
          <Card title="Parameters">
            <JsonBlock value={job.params} label="parameters" />
          </Card>
          {job.status === 'succeeded' ? (
            <Card title="Result">
              <JsonBlock value={job.result} label="result" />
            </Card>
          ) : null}
          {Object.keys(job.metadata).length === 0 ? null : (
            <Card title="Metadata">
              <JsonBlock value={job.metadata} label="metadata" />
            </Card>
          )}
          <Logs stream={stream} />
        </div>
      </div>
    </Page>
  )
}

function Progress({ job, stream }: { job: Job; stream: JobStream }) {
  if (job.status !== 'running' && job.status !== 'cancelling') return null
  const progress = stream.progress ?? job.progress
  const percent = typeof progress?.percent === 'number' ? progress.percent : null
  if (percent === null) return null
  const eta = typeof progress?.etaSeconds === 'number' ? `${duration(progress.etaSeconds)} to go` : ''
  return (
    <div className="job-progress">
      <Meter part={percent / 100} label={`${Math.round(percent)} %`} />
      <span className="number">{Math.round(percent)} %</span>
      <span className="aside">{eta}</span>
    </div>
  )
}

function ChildCounts({ counts }: { counts: Partial<Record<string, number>> }) {
  return (
    <span className="aside">
      {Object.entries(counts)
        .map(([status, number]) => `${count(number ?? 0)} ${status}`)
        .join(', ')}
    </span>
  )
}
