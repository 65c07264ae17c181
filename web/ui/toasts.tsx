/** Short notices of what was done, or was not, with a way back where there is one. */
import * as Toast from '@radix-ui/react-toast'
import { useSyncExternalStore } from 'react'
import { messageOf } from '../api.ts'
import { Button } from './basics.tsx'

interface Notice {
  id: number
  text: string
  kind: 'done' | 'failed'
  undo?: { label: string; run(): void }
}

const shownMs = 6000

let notices: Notice[] = []
let lastId = 0
const listeners = new Set<() => void>()

export function say(text: string, undo?: Notice['undo']): void {
  show({ text, kind: 'done', undo })
}

export function sayFailure(what: string, error: unknown): void {
  show({ text: `${what} ${messageOf(error)}`, kind: 'failed' })
}

function show(notice: Omit<Notice, 'id'>): void {
  change([...notices.slice(-3), { ...notice, id: ++lastId }])
}

function change(next: Notice[]): void {
  notices = next
  for (const listener of listeners) listener()
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener)
  return () => listeners.delete(listener)
}

export function Toasts() {
  const shown = useSyncExternalStore(subscribe, () => notices)
  return (
    <Toast.Provider duration={shownMs} swipeDirection="right" label="Notice">
      {shown.map(({ id, text, kind, undo }) => (
        <Toast.Root
          key={id}
          className={`toast toast-${kind}`}
          onOpenChange={(isOpen) => {
            if (!isOpen) change(notices.filter((notice) => notice.id !== id))
          }}
        >
          <Toast.Description>{text}</Toast.Description>
          {undo === undefined ? null : (
            <Toast.Action asChild altText={undo.label} onClick={undo.run}>
              <Button look="quiet">{undo.label}</Button>
            </Toast.Action>
          )}
          <Toast.Close asChild>
            <Button look="quiet" icon="close" aria-label="Dismiss" />
          </Toast.Close>
        </Toast.Root>
      ))}
      <Toast.Viewport className="toasts" />
    </Toast.Provider>
  )
}
