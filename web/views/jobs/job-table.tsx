/**
 * Jobs as rows, of which only those in sight exist: the list may hold a hundred thousand. What is done for each job that
 * is loaded, and not for each in sight, stops the page once there are many. While somebody scrolls, all that is in sight
 * changes with each frame: the rows stay and get other texts, which costs the browser half of what new ones do.
 */
import { useNavigate, useRouter } from '@tanstack/react-router'
import { type RowSelectionState, useTable } from '@tanstack/react-table'
import { useVirtualizer } from '@tanstack/react-virtual'
import {
  type CSSProperties,
  type Dispatch,
  type MouseEvent,
  type SetStateAction,
  useEffect,
  useMemo,
  useRef,
  useState,
  useSyncExternalStore,
} from 'react'
import { isCommand } from '../../shell/keyboard.ts'
import type { JobSummary } from '../../types.ts'
import { columns, features } from './columns.tsx'
import { useRowFocus } from './row-focus.ts'

const rowHeight = 44
/** Two lines. */
const phoneRowHeight = 68
const phone = matchMedia('(max-width: 760px)')

export function JobTable({
  jobs,
  total,
  selection,
  onSelection,
  hasMore,
  isLoadingMore,
  loadMore,
  onReading,
}: {
  jobs: JobSummary[]
  /** How many match in all, where that is known. */
  total: number | undefined
  selection: RowSelectionState
  onSelection: Dispatch<SetStateAction<RowSelectionState>>
  hasMore: boolean
  isLoadingMore: boolean
  loadMore: () => void
  /** Must stay the same from one rendering to the next. */
  onReading: (isReading: boolean) => void
}) {
  const navigate = useNavigate()
  const router = useRouter()
  const scroller = useRef<HTMLDivElement>(null)
  const body = useRef<HTMLTableSectionElement>(null)
  // By its job, which stays marked when others come in above it.
  const [activeId, setActiveId] = useState<string | null>(null)
  const active = useMemo(() => jobs.findIndex(({ jobId }) => jobId === activeId), [jobs, activeId])
  /** Where it was last: there one goes on when the job is not in the list any more. */
  const lastActive = useRef(-1)
  const height = useSyncExternalStore(onPhoneChange, () => (phone.matches ? phoneRowHeight : rowHeight))
  // Without keys of its own: a function that is new with each rendering would have all rows measured again.
  const virtual = useVirtualizer({
    count: jobs.length,
    getScrollElement: () => scroller.current,
    estimateSize: () => height,
    // Enough for slow scrolling; a fast one passes a whole screen between two frames.
    overscan: 3,
  })
  const inSight = virtual.getVirtualItems()
  const first = inSight.at(0)?.index ?? 0
  const last = inSight.at(-1)?.index ?? 0
  const shown = useMemo(() => jobs.slice(first, last + 1), [jobs, first, last])
  const table = useTable({
    features,
    columns,
    data: shown,
    getRowId: ({ jobId }) => jobId,
    state: { rowSelection: selection },
    onRowSelectionChange: onSelection,
  })
  const { rows } = table.getRowModel()
  const focus = useRowFocus(body, shown)
  const reading = useReading(onReading)
  useEffect(() => {
    if (hasMore && !isLoadingMore && last >= jobs.length - rowsAhead(jobs.length)) loadMore()
  }, [hasMore, isLoadingMore, last, jobs.length, loadMore])

  // biome-ignore lint/correctness/useExhaustiveDependencies: rows of another height lie elsewhere
  useEffect(() => virtual.measure(), [virtual, height])

  useEffect(() => {
    if (active !== -1) lastActive.current = active
  }, [active])

  useEffect(() => {
    const move = (to: number) => {
      const index = Math.max(0, Math.min(jobs.length - 1, to))
      setActiveId(jobs[index]?.jobId ?? null)
      virtual.scrollToIndex(index)
    }
    const onKey = (event: KeyboardEvent) => {
      if (!isCommand(event)) return
      const job = jobs[active]
      if (event.key === 'j') move(active === -1 ? lastActive.current : active + 1)
      else if (event.key === 'k') move((active === -1 ? lastActive.current : active) - 1)
      else if (event.key === 'x' && job !== undefined) {
        onSelection(({ [job.jobId]: isSelected, ...others }) =>
          isSelected ? others : { ...others, [job.jobId]: true },
        )
      } else if (event.key === 'Enter' && job !== undefined && !isOnControl(event)) {
        void navigate({ to: '/jobs/$jobId', params: { jobId: job.jobId } })
      }
    }
    addEventListener('keydown', onKey)
    return () => removeEventListener('keydown', onKey)
  }, [jobs, active, virtual, navigate, onSelection])

  /** A link of the router's for each row costs more than all the rest of it. */
  const open = (event: MouseEvent<HTMLElement>) => {
    const isForBrowser =
      event.button !== 0 || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey
    const { target } = event
    if (isForBrowser || !(target instanceof Element) || target.closest('a') === null) return
    const job = shown[target.closest('tr')?.sectionRowIndex ?? -1]
    if (job === undefined) return
    event.preventDefault()
    void navigate({ to: '/jobs/$jobId', params: { jobId: job.jobId } })
  }
  const preload = () => void router.preloadRoute({ to: '/jobs/$jobId', params: { jobId: '' } })

  return (
    <section
      className="job-scroller"
      ref={scroller}
      style={{ '--row-height': `${height}px` } as CSSProperties}
      // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard
      tabIndex={0}
      aria-label="List of jobs"
      onScroll={({ currentTarget }) => reading({ isDown: currentTarget.scrollTop > 0 })}
    >
      <table className="job-table" aria-rowcount={total === undefined ? -1 : total + 1}>
        <thead className="job-head">
          {table.getHeaderGroups().map((group) => (
            <tr key={group.id} aria-rowindex={1} className="job-row">
              {group.headers.map((header) => (
                <th key={header.id} scope="col" className={`cell cell-${header.column.id}`}>
                  {header.column.id === 'select' ? (
                    <SelectAll jobs={jobs} selection={selection} onSelection={onSelection} />
                  ) : (
                    <table.FlexRender header={header} />
                  )}
                </th>
              ))}
            </tr>
          ))}
        </thead>
        <tbody className="job-space" style={{ height: inSight.at(0)?.start ?? 0 }} />
        {/* biome-ignore lint/a11y/useKeyWithClickEvents: the links are what is clicked, by Enter too */}
        <tbody
          ref={body}
          className="job-rows"
          onClick={open}
          onPointerEnter={() => {
            reading({ isOver: true })
            preload()
          }}
          onPointerLeave={() => reading({ isOver: false })}
          {...focus}
        >
          {rows.map((row, place) => {
            const index = first + place
            const looks = `${row.getIsSelected() ? ' is-selected' : ''}${index === active ? ' is-active' : ''}`
            return (
              // biome-ignore lint/suspicious/noArrayIndexKey: so that it is used again
              <tr key={place} aria-rowindex={index + 2} className={`job-row${looks}`}>
                {row.getAllCells().map((cell) => (
                  <td key={cell.column.id} className={`cell cell-${cell.column.id}`}>
                    <table.FlexRender cell={cell} />
                  </td>
                ))}
              </tr>
            )
          })}
        </tbody>
        <tbody
          className="job-space"
          style={{ height: virtual.getTotalSize() - (inSight.at(-1)?.end ?? 0) }}
        />
      </table>
      {isLoadingMore ? (
        <p className="more" role="status">
          Loading more…
        </p>
      ) : null}
    </section>
  )
}

/** Somebody reads who has scrolled down, or has the pointer over the rows: what is there must not move away. */
function useReading(onReading: (isReading: boolean) => void) {
  const known = useRef({ isDown: false, isOver: false })
  useEffect(() => () => onReading(false), [onReading])
  return (change: Partial<typeof known.current>) => {
    known.current = { ...known.current, ...change }
    onReading(known.current.isDown || known.current.isOver)
  }
}

/** As many as a fast wheel passes until they are there, and not more than half of what somebody has asked for so far. */
function rowsAhead(loaded: number): number {
  return Math.min(1000, loaded / 2)
}

function onPhoneChange(listener: () => void): () => void {
  phone.addEventListener('change', listener)
  return () => phone.removeEventListener('change', listener)
}

/** All that are loaded, and not only the rows that exist. */
function SelectAll({
  jobs,
  selection,
  onSelection,
}: {
  jobs: JobSummary[]
  selection: RowSelectionState
  onSelection: Dispatch<SetStateAction<RowSelectionState>>
}) {
  const isAll = useMemo(() => jobs.every(({ jobId }) => selection[jobId] === true), [jobs, selection])
  return (
    <input
      type="checkbox"
      aria-label="Select all that are loaded"
      checked={isAll}
      onChange={() =>
        onSelection(isAll ? {} : Object.fromEntries(jobs.map(({ jobId }) => [jobId, true as const])))
      }
    />
  )
}

/** What has the focus does something of its own. */
function isOnControl({ target }: KeyboardEvent): boolean {
  return target instanceof Element && target.closest('a, button, input') !== null
}
