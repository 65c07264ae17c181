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
      {job.waitsFor === null ? null : (
        <Fact name="Waits for">
          <WaitsFor of={job.waitsFor} />
        </Fact>
      )}
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

const shownJobs = 5

function WaitsFor({ of: { reason, jobIds, concurrencyKey } }: { of: NonNullable<Job['waitsFor']> }) {
  switch (reason) {
    case 'dependencies':
    case 'children':
      return (
        <>
          {jobIds.slice(0, shownJobs).map((jobId) => (
            <Link key={jobId} to="/jobs/$jobId" params={{ jobId }} className="id">
              {shortId(jobId)}
            </Link>
          ))}
          {jobIds.length > shownJobs ? ` and ${jobIds.length - shownJobs} more` : null}
        </>
      )
    case 'concurrency_key':
      return (
        <>
          others of the key <Foreign>{concurrencyKey ?? ''}</Foreign>
        </>
      )
    default:
      return waitedFor[reason]
  }
}

const waitedFor = {
  time: 'its time',
  paused_queue: 'its queue, which is paused',
  no_worker: 'a worker that serves its queue and definition',
  limit: 'the limit of its definition',
  slot: 'a free slot',
}

function Fact({ name, children }: { name: string; children: ReactNode }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  )
}
