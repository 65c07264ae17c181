/** Keys that work everywhere but where somebody writes. */
import { useNavigate } from '@tanstack/react-router'
import { useEffect } from 'react'
import { places } from './places.ts'

const chordMs = 1200

/** What the help shows; views add theirs where they listen. */
export const commonKeys: [keys: string, does: string][] = [
  ['?', 'Show this help'],
  ['/', 'Search'],
  ...places.map(({ letter, name }): [string, string] => [`g ${letter}`, name]),
]

export function useKeyboard({ onHelp }: { onHelp: () => void }): void {
  const navigate = useNavigate()
  useEffect(() => {
    let chordUntil = 0
    const onKey = (event: KeyboardEvent) => {
      if (!isCommand(event)) return
      if (Date.now() < chordUntil) {
        chordUntil = 0
        const place = places.find(({ letter }) => letter === event.key)
        if (place !== undefined) {
          event.preventDefault()
          void navigate({ to: place.path })
        }
      } else if (event.key === 'g') chordUntil = Date.now() + chordMs
      else if (event.key === '?') onHelp()
      else if (event.key === '/') {
        const search = document.querySelector<HTMLInputElement>('input[type=search]')
        if (search === null) return
        event.preventDefault()
        search.focus()
        search.select()
      }
    }
    addEventListener('keydown', onKey)
    return () => removeEventListener('keydown', onKey)
  }, [navigate, onHelp])
}

/** Not while somebody writes or a dialog is open, and not what belongs to the browser. */
export function isCommand(event: KeyboardEvent): boolean {
  if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return false
  const { target } = event
  const isWriting =
    target instanceof HTMLElement &&
    (target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName))
  return !isWriting && document.querySelector('[role=dialog]') === null
}
