/** The children of a job, and theirs, as far as somebody unfolds them. */
import { useInfiniteQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { useState } from 'react'
import { api, read } from '../../api.ts'
import { useLiveQuery } from '../../live/live.ts'
import type { JobSummary } from '../../types.ts'
import { Button, Failure, Foreign, Skeleton } from '../../ui/basics.tsx'
import { shortId } from '../../ui/format.ts'
import { Icon } from '../../ui/icons.tsx'
import { StatusIcon, shownStatus } from '../../ui/status.tsx'
import { Duration } from '../../ui/time.tsx'

const pageSize = '50'
const childrenKey = ['children']

export function Children({ jobId }: { jobId: string }) {
  useLiveQuery(childrenKey)
  const children = useInfiniteQuery({
    queryKey: [...childrenKey, jobId],
    queryFn: ({ pageParam }) => {
      const cursor = pageParam === null ? {} : { cursor: pageParam }
      return read(
        api.v1.jobs.$get({ query: { parentId: jobId, limit: pageSize, total: 'false', ...cursor } }),
      )
    },
    initialPageParam: null as string | null,
    getNextPageParam: ({ nextCursor }) => nextCursor,
  })
  if (children.data === undefined) {
    if (children.error === null) return <Skeleton rows={2} />
    return <Failure error={children.error} retry={() => void children.refetch()} />
  }
  const jobs = children.data.pages.flatMap((page) => page.jobs)
  return (
    <ul className="tree">
      {jobs.length === 0 ? <li className="faint tree-none">no children</li> : null}
      {jobs.map((job) => (
        <Child key={job.jobId} job={job} />
      ))}
      {children.hasNextPage ? (
        <li>
          <Button
            look="quiet"
            isBusy={children.isFetchingNextPage}
            onClick={() => void children.fetchNextPage()}
          >
            More
          </Button>
        </li>
      ) : null}
    </ul>
  )
}

function Child({ job }: { job: JobSummary }) {
  const [isOpen, setOpen] = useState(false)
  return (
    <li>
      <div className="tree-row">
        <button
          type="button"
          className={`tree-toggle${isOpen ? ' is-open' : ''}`}
          aria-expanded={isOpen}
          aria-label={`Children of ${shortId(job.jobId)}`}
          onClick={() => setOpen(!isOpen)}
        >
          <Icon name="chevron" />
        </button>
        <StatusIcon status={shownStatus(job)} />
        <Link to="/jobs/$jobId" params={{ jobId: job.jobId }}>
          <Foreign>{job.definitionKey}</Foreign> <span className="id">{shortId(job.jobId)}</span>
        </Link>
        <span className="aside">
          {job.startedAt === null ? job.status : <Duration from={job.startedAt} to={job.finishedAt} />}
        </span>
      </div>
      {isOpen ? <Children jobId={job.jobId} /> : null}
    </li>
  )
}
