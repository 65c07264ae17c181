/** What can be done about one job. */
import { useMutation, useQueryClient } from '@tanstack/react-query'
import { useNavigate } from '@tanstack/react-router'
import { api, read } from '../../api.ts'
import type { Job } from '../../types.ts'
import { Button } from '../../ui/basics.tsx'
import { say, sayFailure } from '../../ui/notices.ts'
import { RemoveButton } from '../../ui/remove-button.tsx'

export function JobActions({ job }: { job: Job }) {
  const navigate = useNavigate()
  const queries = useQueryClient()
  const param = { jobId: job.jobId }
  const isFinished = job.finishedAt !== null

  const retry = useMutation({
    mutationFn: () => read(api.v1.jobs[':jobId'].retry.$post({ param })),
    onSuccess: ({ jobId, message }) => {
      say(message)
      void navigate({ to: '/jobs/$jobId', params: { jobId } })
    },
    onError: (error) => sayFailure('It could not be run again.', error),
  })
  const cancel = useMutation({
    mutationFn: () => read(api.v1.jobs[':jobId'].cancel.$post({ param })),
    onSuccess: ({ message }) => say(message, { label: 'Run again', run: () => retry.mutate() }),
    onError: (error) => sayFailure('It could not be cancelled.', error),
    onSettled: () => queries.invalidateQueries({ queryKey: ['job', job.jobId] }),
  })
  const runNow = useMutation({
    mutationFn: () => read(api.v1.jobs[':jobId'].$patch({ param, json: { scheduledAt: null } })),
    onSuccess: () => say('The job can start now.'),
    onError: (error) => sayFailure('It stays where it is.', error),
    onSettled: () => queries.invalidateQueries({ queryKey: ['job', job.jobId] }),
  })
  const remove = useMutation({
    mutationFn: () => read(api.v1.jobs[':jobId'].$delete({ param })),
    onSuccess: () => {
      say('The job is removed.')
      void navigate({ to: '/jobs' })
    },
    onError: (error) => sayFailure('It could not be removed.', error),
  })

  return (
    <>
      {isFinished ? (
        <>
          <RemoveButton
            title="Remove this job?"
            text="Its attempts, events, logs and outputs go with it. This can’t be undone."
            onConfirm={() => remove.mutate()}
          />
          <Button
            needs="enqueue"
            icon="retry"
            look="primary"
            isBusy={retry.isPending}
            onClick={() => retry.mutate()}
          >
            Run again
          </Button>
        </>
      ) : (
        <>
          {job.status === 'queued' && job.scheduledAt !== null ? (
            <Button needs="enqueue" icon="play" isBusy={runNow.isPending} onClick={() => runNow.mutate()}>
              Start now
            </Button>
          ) : null}
          <Button
            icon="cancel"
            needs="enqueue"
            isBusy={cancel.isPending || job.status === 'cancelling'}
            onClick={() => cancel.mutate()}
          >
            Cancel
          </Button>
        </>
      )}
    </>
  )
}
