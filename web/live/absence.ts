/**
 * Whether somebody may see the page. A browser opens six connections to one server over HTTP/1.1, for all of its tabs
 * together: those that nobody sees must not hold one each.
 */

/** A glance at another tab is no absence. */
const patienceMs = 10_000

/**
 * Tells of each time in which the page is hidden for longer than a moment: when that has passed, and when it is seen
 * again.
 * @returns ends it
 */
export function watchAbsence(onChange: (isAway: boolean) => void): () => void {
  let isAway = false
  let timer: ReturnType<typeof setTimeout> | undefined
  const change = (next: boolean) => {
    isAway = next
    onChange(next)
  }
  const look = () => {
    clearTimeout(timer)
    if (document.hidden) timer = setTimeout(() => change(true), patienceMs)
    else if (isAway) change(false)
  }
  document.addEventListener('visibilitychange', look)
  look()
  return () => {
    clearTimeout(timer)
    document.removeEventListener('visibilitychange', look)
  }
}
