/** Rows are used again for other jobs: the focus stays with its job, and is given up when that is out of sight. */
import { type FocusEvent, type RefObject, useLayoutEffect, useRef } from 'react'
import type { JobSummary } from '../../types.ts'

/** @param shown the jobs of the rows, in their order */
export function useRowFocus(body: RefObject<HTMLTableSectionElement | null>, shown: JobSummary[]) {
  const focused = useRef<{ jobId: string; control: string }>(null)
  useLayoutEffect(() => {
    if (focused.current === null) return
    const { jobId, control } = focused.current
    const row = shown.findIndex((job) => job.jobId === jobId)
    const element = body.current?.rows[row]?.querySelector<HTMLElement>(control)
    const active = document.activeElement
    if (element != null) {
      if (element !== active) element.focus({ preventScroll: true })
      return
    }
    // A row that is gone has taken the focus with it, and no event tells of that.
    focused.current = null
    if (active instanceof HTMLElement) active.blur()
  }, [body, shown])
  return {
    onFocus({ target }: FocusEvent<HTMLElement>) {
      const job = shown[target.closest('tr')?.sectionRowIndex ?? -1]
      if (job !== undefined) focused.current = { jobId: job.jobId, control: target.localName }
    },
    onBlur() {
      focused.current = null
    },
  }
}
