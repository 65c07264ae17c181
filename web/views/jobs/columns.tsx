/** What the list shows of a job. */
import { createColumnHelper, rowSelectionFeature, tableFeatures } from '@tanstack/react-table'
import type { JobSummary } from '../../types.ts'
import { Foreign } from '../../ui/basics.tsx'
import { shortId } from '../../ui/format.ts'
import { Status, shownStatus } from '../../ui/status.tsx'
import { Duration, Time } from '../../ui/time.tsx'

export const features = tableFeatures({ rowSelectionFeature })
const column = createColumnHelper<typeof features, JobSummary>()

export const columns = column.columns([
  column.display({
    id: 'select',
    // The table has the rows in sight only: what selects all stands beside it.
    cell: ({ row }) => (
      <input
        type="checkbox"
        aria-label={`Select job ${shortId(row.id)}`}
        checked={row.getIsSelected()}
        onChange={row.getToggleSelectedHandler()}
      />
    ),
  }),
  column.display({
    id: 'status',
    header: 'Status',
    cell: ({ row }) => <Status status={shownStatus(row.original)} />,
  }),
  column.accessor('definitionKey', {
    id: 'definition',
    header: 'Job',
    cell: ({ row: { original: job } }) => (
      <a href={`/jobs/${job.jobId}`} className="job-link" title={job.jobId}>
        <Foreign>{job.definitionKey}</Foreign>
        <span className="id">{shortId(job.jobId)}</span>
      </a>
    ),
  }),
  column.display({
    id: 'about',
    header: 'About',
    cell: ({ row: { original: job } }) => <About job={job} />,
  }),
  column.accessor('queue', {
    header: 'Queue',
    cell: ({ getValue }) => <Foreign>{getValue()}</Foreign>,
  }),
  column.display({
    id: 'attempts',
    header: 'Attempts',
    cell: ({ row: { original: job } }) => (
      <span className={job.attempts > 1 ? '' : 'faint'}>{`${job.attempts}/${job.maxAttempts}`}</span>
    ),
  }),
  column.display({
    id: 'took',
    header: 'Took',
    cell: ({ row: { original: job } }) =>
      job.status === 'queued' ? (
        <span className="faint">–</span>
      ) : (
        <Duration from={job.startedAt} to={job.finishedAt} />
      ),
  }),
  column.display({
    id: 'queued',
    header: 'Queued',
    cell: ({ row: { original: job } }) => <Time at={job.queuedAt} />,
  }),
])

function About({ job }: { job: JobSummary }) {
  if (job.errorSummary !== null && job.status !== 'succeeded') {
    return (
      <span className="about about-error">
        <Foreign>{job.errorSummary}</Foreign>
      </span>
    )
  }
  return (
    <span className="about">
      {job.tags.slice(0, 3).map((tag) => (
        <span key={tag} className="tag">
          <Foreign>{tag}</Foreign>
        </span>
      ))}
    </span>
  )
}
