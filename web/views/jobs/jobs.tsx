/** All jobs: look for some, and do something about many at once. */
import { useQueryClient } from '@tanstack/react-query'
import { useNavigate, useSearch } from '@tanstack/react-router'
import type { RowSelectionState } from '@tanstack/react-table'
import { type ReactNode, useCallback, useEffect, useState } from 'react'
import type { JobSearch } from '../../router.tsx'
import { Button, Empty, Failure, Page, Skeleton } from '../../ui/basics.tsx'
import { Confirm } from '../../ui/dialog.tsx'
import { count } from '../../ui/format.ts'
import { say, sayFailure } from '../../ui/toasts.tsx'
import { cancelJobs, cancelMatching, type Outcome, retryJobs } from './bulk.ts'
import { Filters } from './filters.tsx'
import { filterOf, useJobPages } from './job-pages.ts'
import { JobTable } from './job-table.tsx'

export function Jobs() {
  const search = useSearch({ from: '/jobs' })
  const navigate = useNavigate({ from: '/jobs' })
  const queries = useQueryClient()
  const { pages, jobs, total, hasNew, showNewest } = useJobPages(search)
  const [selection, setSelection] = useState<RowSelectionState>({})
  const [isAsking, setAsking] = useState(false)
  const [isBusy, setBusy] = useState(false)
  const selected = Object.keys(selection).filter((id) => selection[id])
  // Other words in the address are none.
  const isFiltered = Object.keys(filterOf(search)).length > 0
  const canCancelAll = isFiltered && [undefined, 'queued', 'running'].includes(search.status)
  const { fetchNextPage } = pages
  const loadMore = useCallback(() => void fetchNextPage(), [fetchNextPage])
  // biome-ignore lint/correctness/useExhaustiveDependencies: another list has other rows
  useEffect(() => setSelection({}), [search])

  async function act(verb: string, action: () => Promise<Outcome>): Promise<void> {
    setBusy(true)
    try {
      const { done, refused, reason } = await action()
      if (done > 0) say(`${count(done)} ${done === 1 ? 'job' : 'jobs'} ${verb}.`)
      if (refused.length > 0) sayFailure(`${count(refused.length)} could not be.`, reason ?? '')
      // Who wants to try them again needs not look for them; but none of a list that is not shown any more.
      setSelection((now) => Object.fromEntries(refused.filter((id) => now[id]).map((id) => [id, true])))
    } catch (error) {
      sayFailure('That did not work.', error)
    } finally {
      setBusy(false)
      void queries.invalidateQueries({ queryKey: ['jobs'] })
    }
  }

  const change = (part: JobSearch) => void navigate({ search: { ...search, ...part }, replace: true })
  return (
    <Page
      isFilled
      title="Jobs"
      lead={total === undefined ? ' ' : `${totalText(total)} ${isFiltered ? 'match' : 'in all'}`}
      actions={
        canCancelAll ? (
          <Button needs="admin" icon="cancel" onClick={() => setAsking(true)} isBusy={isBusy}>
            Cancel all that match
          </Button>
        ) : null
      }
    >
      <Filters search={search} onSearch={change} />
      <div className="card card-flush job-card">
        {hasNew ? (
          <Button look="primary" icon="arrowUp" onClick={() => void showNewest()}>
            New jobs
          </Button>
        ) : null}
        <List
          pages={pages}
          jobs={jobs}
          isFiltered={isFiltered}
          loadMore={loadMore}
          onAll={() => void navigate({ search: {} })}
        >
          <JobTable
            jobs={jobs}
            total={total?.isWhole ? total.count : undefined}
            selection={selection}
            onSelection={setSelection}
            hasMore={pages.hasNextPage}
            isLoadingMore={pages.isFetchingNextPage}
            loadMore={loadMore}
          />
        </List>
      </div>
      {selected.length === 0 ? null : (
        <div className="bulk" role="toolbar" aria-label="What to do with the selected jobs">
          <span className="bulk-count">{count(selected.length)} selected</span>
          <Button
            icon="retry"
            needs="enqueue"
            isBusy={isBusy}
            onClick={() => void act('queued again', () => retryJobs(selected))}
          >
            Run again
          </Button>
          <Button
            icon="cancel"
            needs="enqueue"
            isBusy={isBusy}
            onClick={() => void act('cancelled', () => cancelJobs(selected))}
          >
            Cancel
          </Button>
          <Button look="quiet" icon="close" aria-label="Select none" onClick={() => setSelection({})} />
        </div>
      )}
      <Confirm
        title="Cancel all that match?"
        text="Queued jobs are cancelled at once, running ones are stopped. Jobs that have finished stay as they are."
        action="Cancel them"
        isOpen={isAsking}
        onClose={() => setAsking(false)}
        onConfirm={() =>
          void act('cancelled', async () => {
            const done = await cancelMatching(search)
            return { done, refused: [], reason: null }
          })
        }
      />
    </Page>
  )
}

function totalText({ count: total, isWhole }: { count: number; isWhole: boolean }): string {
  return isWhole ? count(total) : `${count(total)}+`
}

interface Pages {
  error: unknown
  isPending: boolean
  hasNextPage: boolean
  isFetchingNextPage: boolean
  refetch(): unknown
}

function List({
  pages,
  jobs,
  isFiltered,
  loadMore,
  onAll,
  children,
}: {
  pages: Pages
  jobs: unknown[]
  isFiltered: boolean
  loadMore: () => void
  onAll: () => void
  children: ReactNode
}) {
  if (jobs.length > 0) return children
  if (pages.isPending) return <Skeleton rows={12} />
  if (pages.error !== null) return <Failure error={pages.error} retry={() => void pages.refetch()} />
  if (pages.hasNextPage) return <LookingFurther isLoading={pages.isFetchingNextPage} loadMore={loadMore} />
  return isFiltered ? (
    <Empty icon="search" title="No job matches." action={<Button onClick={onAll}>Show all jobs</Button>} />
  ) : (
    <Empty icon="jobs" title="There are no jobs yet.">
      Start one from Definitions, or by <code>POST /v1/jobs</code>.
    </Empty>
  )
}

/** Nothing among the newest jobs; there are older ones. */
function LookingFurther({ isLoading, loadMore }: { isLoading: boolean; loadMore: () => void }) {
  useEffect(() => {
    if (!isLoading) loadMore()
  }, [isLoading, loadMore])
  return (
    <>
      <p className="more" role="status">
        None of the newest match; looking further back…
      </p>
      <Skeleton rows={11} />
    </>
  )
}
