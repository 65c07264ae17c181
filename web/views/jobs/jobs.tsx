/** All jobs: look for some, and do something about many at once. */
import { useQueryClient } from '@tanstack/react-query'
import { useNavigate, useSearch } from '@tanstack/react-router'
import type { RowSelectionState } from '@tanstack/react-table'
import { type ReactNode, useCallback, useEffect, useState } from 'react'
import type { JobSearch } from '../../router.tsx'
import { Button, Empty, Failure, Page, Skeleton } from '../../ui/basics.tsx'
import { Confirm } from '../../ui/dialog.tsx'
import { count, jobCount } from '../../ui/format.ts'
import { say, sayFailure } from '../../ui/notices.ts'
import { cancelJobs, type Outcome, retryJobs } from './bulk.ts'
import { CancelMatching } from './cancel-matching.tsx'
import { Filters } from './filters.tsx'
import { isFilter } from './job-filter.ts'
import { useJobPages } from './job-pages.ts'
import { JobTable } from './job-table.tsx'
import { totalText, useJobTotal } from './job-total.ts'
import { wantedBy } from './search-text.ts'

export function Jobs() {
  const search = useSearch({ from: '/jobs' })
  const navigate = useNavigate({ from: '/jobs' })
  const queries = useQueryClient()
  const [selection, setSelection] = useState<RowSelectionState>({})
  const selected = Object.keys(selection).filter((id) => selection[id])
  const [isReading, setReading] = useState(false)
  const [isAtNew, setAtNew] = useState(false)
  const { pages, jobs, hasNew, showNewest } = useJobPages(search, isReading || isAtNew || selected.length > 0)
  const total = useJobTotal(search)
  const [text, setText] = useState(search.error ?? '')
  /** Whether these are to be cancelled: those that were selected at the press. */
  const [asked, setAsked] = useState<string[]>([])
  const [isBusy, setBusy] = useState(false)
  const isFiltered = isFilter(search)
  const canCancelAll = isFiltered && [undefined, 'queued', 'running'].includes(search.status)
  const { fetchNextPage } = pages
  const loadMore = useCallback(() => void fetchNextPage(), [fetchNextPage])
  // biome-ignore lint/correctness/useExhaustiveDependencies: another list has other rows
  useEffect(() => setSelection({}), [search])
  useEffect(() => setText(search.error ?? ''), [search.error])

  async function act(verb: string, action: () => Promise<Outcome>): Promise<void> {
    setBusy(true)
    try {
      const { done, refused, reason } = await action()
      if (done > 0) say(`${jobCount(done)} ${verb}.`)
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
  /** What stands in the search box, entered or not, becomes a part of the filter. @returns that; null: it is none */
  const enterText = (): JobSearch | null => {
    if (text.trim() === (search.error ?? '')) return isFiltered ? search : null
    const wanted = wantedBy(text)
    if (wanted.kind === 'job') {
      void navigate({ to: '/jobs/$jobId', params: { jobId: wanted.jobId } })
      return null
    }
    setText(wanted.search.error ?? search.error ?? '')
    change(wanted.search)
    const meant = { ...search, ...wanted.search }
    return isFilter(meant) ? meant : null
  }
  return (
    <Page
      isFilled
      title="Jobs"
      lead={total === undefined ? ' ' : `${totalText(total)} ${isFiltered ? 'match' : 'in all'}`}
      actions={<CancelMatching isOffered={canCancelAll} meant={enterText} />}
    >
      <Filters search={search} text={text} onText={setText} onSubmit={enterText} onSearch={change} />
      <div className="card card-flush job-card">
        {hasNew ? <NewJobs onShow={showNewest} onPointer={setAtNew} /> : null}
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
            onReading={setReading}
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
          <Button icon="cancel" needs="enqueue" isBusy={isBusy} onClick={() => setAsked(selected)}>
            Cancel
          </Button>
          <Button look="quiet" icon="close" aria-label="Select none" onClick={() => setSelection({})} />
        </div>
      )}
      <Confirm
        title={`Cancel ${jobCount(asked.length)}?`}
        text="Queued jobs are cancelled at once, running ones are stopped. Jobs that have finished stay as they are."
        action={asked.length === 1 ? 'Cancel it' : 'Cancel them'}
        isOpen={asked.length > 0}
        onClose={() => setAsked([])}
        onConfirm={() => void act('cancelled', () => cancelJobs(asked))}
      />
    </Page>
  )
}

/** It lies over the rows: somebody on the way to press it must not meet one of them in its place. */
function NewJobs({ onShow, onPointer }: { onShow: () => void; onPointer: (isThere: boolean) => void }) {
  useEffect(() => () => onPointer(false), [onPointer])
  return (
    <Button
      look="primary"
      icon="arrowUp"
      onClick={onShow}
      onPointerEnter={() => onPointer(true)}
      onPointerLeave={() => onPointer(false)}
    >
      New jobs
    </Button>
  )
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
