/** Cancels all jobs that match: asks before, by name and number, and says how far it is and how far it came. */
import { useQueryClient } from '@tanstack/react-query'
import { type ReactNode, useState } from 'react'
import type { JobSearch } from '../../router.tsx'
import { Button, Foreign } from '../../ui/basics.tsx'
import { Confirm } from '../../ui/dialog.tsx'
import { jobCount } from '../../ui/format.ts'
import { say, sayFailure } from '../../ui/notices.ts'
import { cancelMatching } from './bulk.ts'
import { spans } from './job-filter.ts'
import { totalText, useJobTotal } from './job-total.ts'

export function CancelMatching({
  isOffered,
  meant,
}: {
  isOffered: boolean
  /** At the press, which jobs are meant; null: none. */
  meant: () => JobSearch | null
}) {
  const queries = useQueryClient()
  // As it was at the press, whatever becomes of the address behind the dialog.
  const [asked, setAsked] = useState<JobSearch | null>(null)
  const [soFar, setSoFar] = useState<number | null>(null)

  async function cancel(search: JobSearch): Promise<void> {
    setSoFar(0)
    const { cancelled, problem } = await cancelMatching(search, setSoFar)
    setSoFar(null)
    if (problem === null)
      say(cancelled === 0 ? 'There was none to cancel.' : `${jobCount(cancelled)} cancelled.`)
    else if (cancelled === 0) sayFailure('That did not work.', problem)
    else sayFailure(`${jobCount(cancelled)} cancelled, then it stopped.`, problem)
    void queries.invalidateQueries({ queryKey: ['jobs'] })
  }

  return (
    <>
      {soFar === null ? null : (
        <span className="aside" role="status">
          {jobCount(soFar)} cancelled so far…
        </span>
      )}
      {isOffered ? (
        <Button needs="admin" icon="cancel" onClick={() => setAsked(meant())} isBusy={soFar !== null}>
          Cancel all that match
        </Button>
      ) : null}
      {asked === null ? null : (
        <Confirm
          title="Cancel all that match?"
          text={<Question search={asked} />}
          action="Cancel them"
          isOpen
          onClose={() => setAsked(null)}
          onConfirm={() => void cancel(asked)}
        />
      )}
    </>
  )
}

function Question({ search }: { search: JobSearch }) {
  const total = useJobTotal(search)
  return (
    <>
      {total === undefined ? 'All that' : <strong>{totalText(total)}</strong>} match <Words search={search} />
      . Queued jobs are cancelled at once, running ones are stopped. Jobs that have finished stay as they are,
      and so do those that are queued from now on.
    </>
  )
}

/** The filter, word by word. */
function Words({ search: { status, definition, queue, tag, worker, error, since } }: { search: JobSearch }) {
  const span = since !== undefined && Object.hasOwn(spans, since) ? spans[since]?.name : undefined
  const words: [name: string, value: string | undefined][] = [
    ['the status', status],
    ['the definition', definition],
    ['the queue', queue],
    ['the tag', tag],
    ['the worker', worker],
    ['an error with', error],
    ['the time', span],
  ]
  return words
    .filter(([, value]) => value !== undefined)
    .map(
      ([name, value = ''], place): ReactNode => (
        <span key={name}>
          {place === 0 ? '' : ', '}
          {name} <Foreign>{value}</Foreign>
        </span>
      ),
    )
}
