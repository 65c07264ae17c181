/** Outputs that were asked for after the first encode: how far they are, why they failed, and another try. */
import { useMutation, useQueryClient } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { api, read } from '../../api.ts'
import type { JobStatus } from '../../types.ts'
import { Button, Card, Foreign, Meter } from '../../ui/basics.tsx'
import { shortId } from '../../ui/format.ts'
import { say, sayFailure } from '../../ui/notices.ts'
import { Status } from '../../ui/status.tsx'
import { addOutputs, requestIn } from './requests.ts'

export interface ShownAddition {
  jobId: string
  status: JobStatus
  percent: number
  problem: string | null
}

export function Additions({ videoId, additions }: { videoId: string; additions: ShownAddition[] }) {
  const canRepeat = additions.some(isRepeatable)
  return (
    <Card title="Added later">
      <ul className="rows">
        {additions.map((addition) => (
          <Row key={addition.jobId} videoId={videoId} addition={addition} />
        ))}
      </ul>
      {canRepeat ? (
        <p className="note">
          Another try takes the watermark of the video itself: one that an addition had of its own is not
          taken over.
        </p>
      ) : null}
    </Card>
  )
}

/** It came to an end without its outputs. */
function isRepeatable({ status }: ShownAddition): boolean {
  return status === 'failed' || status === 'cancelled'
}

function Row({ videoId, addition }: { videoId: string; addition: ShownAddition }) {
  const { jobId, status, percent, problem } = addition
  const queries = useQueryClient()
  const again = useMutation({
    mutationFn: async () => {
      const { params } = await read(api.v1.jobs[':jobId'].$get({ param: { jobId } }))
      return await addOutputs(videoId, requestIn(params as Record<string, unknown>))
    },
    onSuccess: () => say('It is queued again.'),
    onError: (error) => sayFailure('It can’t be made again.', error),
    onSettled: () => queries.invalidateQueries({ queryKey: ['video', videoId] }),
  })
  return (
    <li className="addition">
      <Status status={status} />
      <Link to="/jobs/$jobId" params={{ jobId }} className="id">
        {shortId(jobId)}
      </Link>
      {status === 'running' ? (
        <Meter part={percent / 100} label={`Encoded: ${Math.round(percent)} %`} />
      ) : (
        <span className="addition-problem">{problem === null ? null : <Foreign>{problem}</Foreign>}</span>
      )}
      {isRepeatable(addition) ? (
        <Button icon="retry" needs="enqueue" isBusy={again.isPending} onClick={() => again.mutate()}>
          Try again
        </Button>
      ) : null}
    </li>
  )
}
