/** Jobs as rows, of which only those in sight exist: the list may hold a hundred thousand. */
import { useNavigate } from '@tanstack/react-router'
import { type RowSelectionState, useTable } from '@tanstack/react-table'
import { useVirtualizer } from '@tanstack/react-virtual'
import { type Dispatch, type SetStateAction, useEffect, useRef, useState } from 'react'
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
  const table = useTable({
    features,
    columns,
    data: jobs,
    getRowId: ({ jobId }) => jobId,
    state: { rowSelection: selection },
    onRowSelectionChange: onSelection,
  })
  const { rows } = table.getRowModel()
  const virtual = useVirtualizer({
    count: rows.length,
    getScrollElement: () => scroller.current,
    estimateSize: () => (phone.matches ? phoneRowHeight : rowHeight),
    getItemKey: (index) => rows[index]?.id ?? index,
    overscan: 12,
  })
  const inSight = virtual.getVirtualItems()
  const last = inSight.at(-1)?.index ?? 0
  useEffect(() => {
    if (hasMore && !isLoadingMore && last >= rows.length - rowsAhead) loadMore()
  }, [hasMore, isLoadingMore, last, rows.length, loadMore])

  useEffect(() => {
    const onChange = () => virtual.measure()
    phone.addEventListener('change', onChange)
    return () => phone.removeEventListener('change', onChange)
  }, [virtual])

  useEffect(() => {
    const move = (to: number) => {
      const index = Math.max(0, Math.min(rows.length - 1, to))
      setActive(index)
      virtual.scrollToIndex(index)
    }
    const onKey = (event: KeyboardEvent) => {
      if (!isCommand(event)) return
      const row = rows[active]
      if (event.key === 'j') move(active + 1)
      else if (event.key === 'k') move(active - 1)
      else if (event.key === 'x') row?.toggleSelected()
      else if (event.key === 'Enter' && row !== undefined && !isOnControl(event)) {
        void navigate({ to: '/jobs/$jobId', params: { jobId: row.id } })
      }
    }
    addEventListener('keydown', onKey)
    return () => removeEventListener('keydown', onKey)
  }, [rows, active, virtual, navigate])

  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard
    <section className="job-scroller" ref={scroller} tabIndex={0} aria-label="List of jobs">
      <table className="job-table" aria-rowcount={(total ?? rows.length) + 1}>
        <thead className="job-head">
          {table.getHeaderGroups().map((group) => (
            <tr key={group.id} aria-rowindex={1} className="job-row">
              {group.headers.map((header) => (
                <th key={header.id} scope="col" className={`cell cell-${header.column.id}`}>
                  <table.FlexRender header={header} />
                </th>
              ))}
            </tr>
          ))}
        </thead>
        <tbody className="job-rows" style={{ height: virtual.getTotalSize() }}>
          {inSight.map((item) => {
            const row = rows[item.index]
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

/** What has the focus does something of its own. */
function isOnControl({ target }: KeyboardEvent): boolean {
  return target instanceof Element && target.closest('a, button, input') !== null
}
