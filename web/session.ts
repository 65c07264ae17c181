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
/** What requests are sent with; that of the session but between `sendWith` and `signIn`. */
let inUse = session.apiKey
const listeners = new Set<() => void>()

function currentSession(): Session {
  return session
}

export function useSession(): Session {
  return useSyncExternalStore(subscribe, currentSession)
}

export function keyInUse(): string | null {
  return inUse
}

export function signIn(apiKey: string): void {
  sendWith(apiKey)
  change({ apiKey, isRefused: false })
}

/**
 * Requests are sent with the key at once, and what is shown stays as it is until somebody signs in with it: all of the
 * page is made anew then, the dialog with the key included.
 */
export function sendWith(apiKey: string): void {
  sessionStorage.setItem(storageKey, apiKey)
  inUse = apiKey
}

export function signOut(): void {
  sessionStorage.removeItem(storageKey)
  inUse = null
  change({ apiKey: null, isRefused: true })
}

/** A request that was sent with another key than the present one says nothing about that. */
export function refuse(apiKey: string | null): void {
  if (apiKey === inUse && !session.isRefused) change({ ...session, isRefused: true })
}

function change(next: Session): void {
  session = next
  for (const listener of listeners) listener()
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener)
  return () => listeners.delete(listener)
}
