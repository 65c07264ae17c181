/**
 * Jobs as rows, of which only those in sight exist: the list may hold a hundred thousand. What is done for each job that
 * is loaded, and not for each in sight, stops the page once there are many.
 */
import { useNavigate } from '@tanstack/react-router'
import { type RowSelectionState, useTable } from '@tanstack/react-table'
import { useVirtualizer } from '@tanstack/react-virtual'
import {
  type Dispatch,
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

const rowHeight = 44
/** Two lines. */
const phoneRowHeight = 68
const phone = matchMedia('(max-width: 760px)')
const rowsAhead = 30

export function JobTable({
  jobs,
  total,
  selection,
  onSelection,
  hasMore,
  isLoadingMore,
  loadMore,
}: {
  jobs: JobSummary[]
  /** How many match in all, where that is known. */
  total: number | undefined
  selection: RowSelectionState
  onSelection: Dispatch<SetStateAction<RowSelectionState>>
  hasMore: boolean
  isLoadingMore: boolean
  loadMore: () => void
}) {
  const navigate = useNavigate()
  const scroller = useRef<HTMLDivElement>(null)
  const [active, setActive] = useState(-1)
  const height = useSyncExternalStore(onPhoneChange, () => (phone.matches ? phoneRowHeight : rowHeight))
  // Without keys of its own: a function that is new with each rendering would have all rows measured again.
  const virtual = useVirtualizer({
    count: jobs.length,
    getScrollElement: () => scroller.current,
    estimateSize: () => height,
    overscan: 12,
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
  useEffect(() => {
    if (hasMore && !isLoadingMore && last >= jobs.length - rowsAhead) loadMore()
  }, [hasMore, isLoadingMore, last, jobs.length, loadMore])

  // biome-ignore lint/correctness/useExhaustiveDependencies: rows of another height lie elsewhere
  useEffect(() => virtual.measure(), [virtual, height])

  useEffect(() => {
    const move = (to: number) => {
      const index = Math.max(0, Math.min(jobs.length - 1, to))
      setActive(index)
      virtual.scrollToIndex(index)
    }
    const onKey = (event: KeyboardEvent) => {
      if (!isCommand(event)) return
      const job = jobs[active]
      if (event.key === 'j') move(active + 1)
      else if (event.key === 'k') move(active - 1)
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

  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard
    <section className="job-scroller" ref={scroller} tabIndex={0} aria-label="List of jobs">
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
        <tbody className="job-rows" style={{ height: virtual.getTotalSize() }}>
          {inSight.map((item) => {
            const row = rows[item.index - first]
            if (row === undefined) return null
            const looks = `${row.getIsSelected() ? ' is-selected' : ''}${item.index === active ? ' is-active' : ''}`
            return (
              <tr
                key={row.id}
                aria-rowindex={item.index + 2}
                className={`job-row${looks}`}
                style={{ transform: `translateY(${item.start}px)`, height: item.size }}
              >
                {row.getAllCells().map((cell) => (
                  <td key={cell.id} className={`cell cell-${cell.column.id}`}>
                    <table.FlexRender cell={cell} />
                  </td>
                ))}
              </tr>
            )
          })}
        </tbody>
      </table>
      {isLoadingMore ? (
        <p className="more" role="status">
          Loading more…
        </p>
      ) : null}
    </section>
  )
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
