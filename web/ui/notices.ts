/** Short notices of what was done, or was not, with a way back where there is one. */
import { useSyncExternalStore } from 'react'
import { messageOf } from '../api.ts'

interface Notice {
  id: number
  text: string
  kind: 'done' | 'failed'
  undo?: { label: string; run(): void }
}

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

export function useNotices(): Notice[] {
  return useSyncExternalStore(subscribe, () => notices)
}

export function dismiss(id: number): void {
  change(notices.filter((notice) => notice.id !== id))
}
