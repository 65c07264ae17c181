/** What the tab and the history of the browser call a view. */
import { useEffect } from 'react'

const product = 'Job Server'

/** @param name of the view, what is its own first: of many tabs little more is seen; left out: none */
export function usePageTitle(name?: string): void {
  useEffect(() => {
    document.title = name === undefined ? product : `${name} · ${product}`
  }, [name])
}
