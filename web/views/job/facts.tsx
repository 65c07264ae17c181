/** What is known of a job, name by name. */
import { Link } from '@tanstack/react-router'
import type { ReactNode } from 'react'
import type { Job } from '../../types.ts'
import { Foreign } from '../../ui/basics.tsx'
import { secondsBetween, shortId } from '../../ui/format.ts'
import { Duration, Time } from '../../ui/time.tsx'

export function Facts({ job }: { job: Job }) {
  const waited = secondsBetween(job.queuedAt, job.startedAt)
  return (
    <dl className="facts">
      <Fact name="Queue">
        <Link to="/jobs" search={{ queue: job.queue }}>
          <Foreign>{job.queue}</Foreign>
        </Link>
      </Fact>
      <Fact name="Queued">
        <Time at={job.queuedAt} />
      </Fact>
      {job.status === 'queued' && job.scheduledAt !== null ? (
        <Fact name="Due">
          <Time at={job.scheduledAt} />
        </Fact>
      ) : null}
      {waited === null ? null : (
        <Fact name="Waited">
          <Duration from={job.queuedAt} to={job.startedAt} />
        </Fact>
      )}
      {job.startedAt === null || job.status === 'queued' ? null : (
        <Fact name={job.finishedAt === null ? 'Running for' : 'Took'}>
          <Duration from={job.startedAt} to={job.finishedAt} />
        </Fact>
      )}
      {job.finishedAt === null ? null : (
        <Fact name="Finished">
          <Time at={job.finishedAt} />
        </Fact>
      )}
      <Fact name="Attempts">
        {job.attempts} of {job.maxAttempts}
      </Fact>
      <Fact name="Priority">{job.priority}</Fact>
      {job.workerId === null ? null : (
        <Fact name="Worker">
          <Link to="/jobs" search={{ worker: job.workerId }}>
            <Foreign>{job.workerId}</Foreign>
          </Link>
        </Fact>
      )}
      {job.parentId === null ? null : (
        <Fact name="Parent">
          <Link to="/jobs/$jobId" params={{ jobId: job.parentId }} className="id">
            {shortId(job.parentId)}
          </Link>
        </Fact>
      )}
      {job.tags.length === 0 ? null : (
        <Fact name="Tags">
          {job.tags.map((tag) => (
            <Link key={tag} to="/jobs" search={{ tag }} className="tag">
              <Foreign>{tag}</Foreign>
            </Link>
          ))}
        </Fact>
      )}
    </dl>
  )
}

function Fact({ name, children }: { name: string; children: ReactNode }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  )
}
