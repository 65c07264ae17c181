/**
 * The API key that this tab uses. It lies in sessionStorage, not in a cookie: browsers add cookies to requests of
 * foreign pages too, so the API would need a second way to sign in and a guard against forged requests. The key is gone
 * with the tab, and the content security policy lets no script but ours come near it.
 */
import { useSyncExternalStore } from 'react'

const storageKey = 'job-server.key'

export interface Session {
  apiKey: string | null
  /** The API refused a request for want of a key that is good. */
  isRefused: boolean
}

let session: Session = { apiKey: sessionStorage.getItem(storageKey), isRefused: false }
const listeners = new Set<() => void>()

export function currentSession(): Session {
  return session
}

export function useSession(): Session {
  return useSyncExternalStore(subscribe, currentSession)
}

export function signIn(apiKey: string): void {
  sessionStorage.setItem(storageKey, apiKey)
  change({ apiKey, isRefused: false })
}

export function signOut(): void {
  sessionStorage.removeItem(storageKey)
  change({ apiKey: null, isRefused: true })
}

/** A request that was sent with another key than the present one says nothing about that. */
export function refuse(apiKey: string | null): void {
  if (apiKey === session.apiKey && !session.isRefused) change({ ...session, isRefused: true })
}

function change(next: Session): void {
  session = next
  for (const listener of listeners) listener()
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener)
  return () => listeners.delete(listener)
}
