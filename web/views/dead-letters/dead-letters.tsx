/** Jobs that failed for good, by what went wrong: look at a kind of failure, mend its cause, redrive them together. */
import { useInfiniteQuery, useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { Link, useNavigate, useSearch } from '@tanstack/react-router'
import { useState } from 'react'
import { api, read } from '../../api.ts'
import { useLiveQuery } from '../../live/live.ts'
import { deadLetterGroupsQuery } from '../../queries.ts'
import type { DeadLetter, DeadLetterGroup } from '../../types.ts'
import { Button, Card, Empty, Failure, Foreign, Loaded, Page, Skeleton } from '../../ui/basics.tsx'
import { type Column, DataTable } from '../../ui/data-table.tsx'
import { Confirm } from '../../ui/dialog.tsx'
import { count, shortId } from '../../ui/format.ts'
import { say, sayFailure } from '../../ui/notices.ts'
import { Time } from '../../ui/time.tsx'
import { redriveAll, redriveGroup } from './redrive.ts'

const pageSize = 50
const lettersKey = ['dead-letters', 'list']

export function DeadLetters() {
  const groups = useQuery(deadLetterGroupsQuery)
  const { definition, code } = useSearch({ from: '/dead-letters' })
  const queries = useQueryClient()
  const [isAsking, setAsking] = useState(false)
  useLiveQuery(deadLetterGroupsQuery.queryKey)
  const all = useMutation({
    mutationFn: redriveAll,
    onSuccess: (redriven) => say(`${count(redriven)} jobs are queued again.`),
    onError: (error) => sayFailure('They could not all be redriven.', error),
    onSettled: () => queries.invalidateQueries({ queryKey: ['dead-letters'] }),
  })
  const open = groups.data?.reduce((sum, group) => sum + group.count, 0)
  const chosen = groups.data?.find((group) => isChosen(group, definition, code))
  return (
    <Page
      title="Dead letters"
      lead={
        open === undefined || open === 0
          ? ' '
          : `${count(open)} ${open === 1 ? 'job waits' : 'jobs wait'} for somebody`
      }
      actions={
        open === undefined || open === 0 ? null : (
          <Button needs="admin" icon="retry" isBusy={all.isPending} onClick={() => setAsking(true)}>
            Redrive all
          </Button>
        )
      }
    >
      <Card flush>
        <Loaded query={groups}>
          {(found) =>
            found.length === 0 ? (
              <Empty icon="check" title="There is nothing to do.">
                Jobs that fail for good are kept here until somebody sends them off again.
              </Empty>
            ) : (
              <ul className="letter-groups">
                {found.map((group) => (
                  <Group
                    key={`${group.definitionKey} ${group.errorCode}`}
                    group={group}
                    isOpen={isChosen(group, definition, code)}
                  />
                ))}
              </ul>
            )
          }
        </Loaded>
      </Card>
      {chosen === undefined ? null : <Letters group={chosen} />}
      <Confirm
        title="Redrive all dead letters?"
        text="Each becomes a new job at once. If the cause is not mended they will come back."
        action="Redrive all"
        isOpen={isAsking}
        onClose={() => setAsking(false)}
        onConfirm={() => all.mutate()}
      />
    </Page>
  )
}

/** A group without a code is the one whose code is empty. */
function isChosen(group: DeadLetterGroup, definition: string | undefined, code: string | undefined): boolean {
  return group.definitionKey === definition && (group.errorCode ?? undefined) === code
}

function Group({ group, isOpen }: { group: DeadLetterGroup; isOpen: boolean }) {
  const navigate = useNavigate({ from: '/dead-letters' })
  const queries = useQueryClient()
  const redrive = useMutation({
    mutationFn: () => redriveGroup(group),
    onSuccess: (redriven) =>
      say(`${count(redriven)} ${redriven === 1 ? 'job is' : 'jobs are'} queued again.`),
    onError: (error) => sayFailure('They could not all be redriven.', error),
    onSettled: () => queries.invalidateQueries({ queryKey: ['dead-letters'] }),
  })
  const search = isOpen ? {} : { definition: group.definitionKey, code: group.errorCode ?? undefined }
  return (
    <li className={`letter-group${isOpen ? ' is-open' : ''}`}>
      <button
        type="button"
        className="letter-toggle"
        aria-expanded={isOpen}
        onClick={() => void navigate({ search, replace: true })}
      >
        <span className="letter-count">{count(group.count)}</span>
        <span className="letter-what">
          <span>
            <strong>
              <Foreign>{group.definitionKey}</Foreign>
            </strong>{' '}
            {group.errorCode === null ? null : (
              <code>
                <Foreign>{group.errorCode}</Foreign>
              </code>
            )}
          </span>
          <span className="failing-error">
            <Foreign>{group.errorSummary ?? 'no reason was given'}</Foreign>
          </span>
        </span>
        <span className="aside letter-times">
          last <Time at={group.lastAt} />
        </span>
      </button>
      <Button needs="admin" icon="retry" isBusy={redrive.isPending} onClick={() => redrive.mutate()}>
        Redrive
      </Button>
    </li>
  )
}

function Letters({ group }: { group: DeadLetterGroup }) {
  const { definitionKey, errorCode } = group
  const letters = useInfiniteQuery({
    queryKey: [...lettersKey, definitionKey, errorCode],
    queryFn: ({ pageParam }) =>
      read(
        api.v1.dlq.$get({
          query: {
            definitionKey,
            redriven: 'false',
            limit: String(pageSize),
            offset: String(pageParam),
            ...(errorCode === null ? {} : { errorCode }),
          },
        }),
      ),
    initialPageParam: 0,
    getNextPageParam: (page, pages) => {
      const loaded = pages.length * pageSize
      return loaded < (page.total ?? 0) ? loaded : undefined
    },
  })
  if (letters.data === undefined) {
    return letters.error === null ? (
      <Skeleton rows={4} />
    ) : (
      <Failure error={letters.error} retry={() => void letters.refetch()} />
    )
  }
  const shown = letters.data.pages
    .flatMap(({ jobs }) => jobs)
    .filter((letter) => letter.errorCode === errorCode)
  return (
    <Card
      flush
      title={
        <>
          <Foreign>{definitionKey}</Foreign> <span className="aside">{errorCode}</span>
        </>
      }
    >
      <DataTable rows={shown} columns={columns} keyOf={({ dlqJobId }) => dlqJobId} />
      {letters.hasNextPage ? (
        <p className="more">
          <Button isBusy={letters.isFetchingNextPage} onClick={() => void letters.fetchNextPage()}>
            More
          </Button>
        </p>
      ) : null}
    </Card>
  )
}

const columns: Column<DeadLetter>[] = [
  {
    heading: 'Job',
    cell: ({ originalJobId }) => (
      <Link to="/jobs/$jobId" params={{ jobId: originalJobId }} className="id">
        {shortId(originalJobId)}
      </Link>
    ),
  },
  {
    heading: 'Error',
    cell: ({ errorSummary }) => (
      <span className="cell-text">
        <Foreign>{(errorSummary ?? '').slice(0, 500)}</Foreign>
      </span>
    ),
  },
  { heading: 'Attempts', kind: 'number', isWide: true, cell: ({ attempts }) => attempts },
  { heading: 'Failed', cell: ({ movedToDlqAt }) => <Time at={movedToDlqAt} /> },
  { heading: 'What can be done', kind: 'actions', cell: (letter) => <RedriveLetter letter={letter} /> },
]

function RedriveLetter({ letter }: { letter: DeadLetter }) {
  const navigate = useNavigate()
  const queries = useQueryClient()
  const redrive = useMutation({
    mutationFn: () =>
      read(api.v1.dlq[':dlqJobId'].retry.$post({ param: { dlqJobId: letter.dlqJobId }, json: {} })),
    onSuccess: ({ jobId, message }) =>
      say(message, { label: 'Show it', run: () => void navigate({ to: '/jobs/$jobId', params: { jobId } }) }),
    onError: (error) => sayFailure('It could not be redriven.', error),
    onSettled: () => queries.invalidateQueries({ queryKey: ['dead-letters'] }),
  })
  return (
    <Button
      look="quiet"
      icon="retry"
      needs="enqueue"
      isBusy={redrive.isPending}
      aria-label={`Redrive ${shortId(letter.originalJobId)}`}
      title="Redrive"
      onClick={() => redrive.mutate()}
    />
  )
}
