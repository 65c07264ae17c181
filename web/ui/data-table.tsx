/** Rows of one kind under their headings. On a phone the columns that matter less are left out. */
import type { ReactNode } from 'react'

export interface Column<Row> {
  heading: string
  /** Numbers stand to the right; actions too, and need no heading that is seen. */
  kind?: 'text' | 'number' | 'actions'
  /** Only where there is room. */
  isWide?: boolean
  /** On a phone its buttons are their pictures alone. */
  isBrief?: boolean
  cell(row: Row): ReactNode
}

export function DataTable<Row>({
  rows,
  columns,
  keyOf,
  isOver,
}: {
  rows: Row[]
  columns: Column<Row>[]
  keyOf(row: Row): string
  /** Whether it is there for the record only. */
  isOver?: (row: Row) => boolean
}) {
  return (
    <div className="table-scroller">
      <table className="table">
        <thead>
          <tr>
            {columns.map((column) => (
              <th key={column.heading} scope="col" className={looksOf(column)}>
                {column.kind === 'actions' ? (
                  <span className="unseen">{column.heading}</span>
                ) : (
                  column.heading
                )}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map((row) => (
            <tr key={keyOf(row)} className={isOver?.(row) ? 'is-over' : ''}>
              {columns.map((column) => (
                <td key={column.heading} className={looksOf(column)}>
                  {column.cell(row)}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  )
}

function looksOf({ kind = 'text', isWide = false, isBrief = false }: Column<never>): string {
  const look = { text: '', number: 'number', actions: 'table-actions' }[kind]
  return [look, isWide ? 'wide' : '', isBrief ? 'brief' : ''].filter((name) => name !== '').join(' ')
}
