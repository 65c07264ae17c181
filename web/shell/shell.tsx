/** What stands around every view: navigation, notices, help, and the sign-in when a key is needed. */
import { useQuery } from '@tanstack/react-query'
import { lazyRouteComponent, Outlet, useRouterState } from '@tanstack/react-router'
import { lazy, type ReactNode, Suspense, useEffect, useRef, useState } from 'react'
import { useLiveState, useLiveStream } from '../live/live.ts'
import { useStaleness } from '../live/refetches.ts'
import { selfQuery } from '../scopes.ts'
import { useSession } from '../session.ts'
import { Failure } from '../ui/basics.tsx'
import { useKeyboard } from './keyboard.ts'
import { BottomNav, SideNav } from './nav.tsx'

const Help = lazy(() => import('./help.tsx'))
// After a release its file is another: then the page is loaded anew.
const SignIn = lazyRouteComponent(() => import('./sign-in.tsx'))
// What can't show notices can do all else.
const Toasts = lazy(() => import('./toasts.tsx').catch(() => ({ default: (): ReactNode => null })))

export function Shell() {
  const { apiKey, isRefused } = useSession()
  const self = useQuery({ ...selfQuery(apiKey), enabled: !isRefused })
  if (isRefused) {
    return (
      <Suspense fallback={<Starting />}>
        <SignIn />
      </Suspense>
    )
  }
  if (self.isPending) return <Starting />
  if (self.error !== null && self.data === undefined) {
    return (
      <main className="sign-in">
        <Failure error={self.error} retry={() => void self.refetch()} />
      </main>
    )
  }
  return <SignedIn key={apiKey} />
}

function Starting() {
  return (
    <div className="starting" role="status">
      <span>Loading…</span>
    </div>
  )
}

function SignedIn() {
  const [isHelpOpen, setHelpOpen] = useState(false)
  const openHelp = useRef(() => setHelpOpen(true)).current
  const main = useRef<HTMLElement>(null)
  const path = useRouterState({ select: ({ location }) => location.pathname })
  useLiveStream()
  useKeyboard({ onHelp: openHelp })
  // A new view is read from its beginning, by eye and by screen reader.
  // biome-ignore lint/correctness/useExhaustiveDependencies: the path is what it is about
  useEffect(() => {
    // Not given back: it is a promise in newer browsers, and React would take it for the effect's undoing.
    main.current?.scrollTo(0, 0)
  }, [path])
  return (
    <>
      <a className="skip" href="#main">
        Skip to the view
      </a>
      <div className="frame">
        <SideNav onHelp={openHelp} />
        <main ref={main} id="main" tabIndex={-1}>
          <Connection />
          <Outlet />
        </main>
        <BottomNav onHelp={openHelp} />
      </div>
      {isHelpOpen ? (
        <Suspense fallback={null}>
          <Help onClose={() => setHelpOpen(false)} />
        </Suspense>
      ) : null}
      <Suspense fallback={null}>
        <Toasts />
      </Suspense>
    </>
  )
}

/** Said once it matters: a connection that comes back at once is nobody's business. */
function Connection() {
  const state = useLiveState()
  const isOld = useStaleness()
  const [isLost, setLost] = useState(false)
  useEffect(() => {
    if (state !== 'lost') return setLost(false)
    const timer = setTimeout(() => setLost(true), 1500)
    return () => clearTimeout(timer)
  }, [state])
  if (!isLost && !isOld) return null
  return (
    <p className="notice" role="status">
      {isLost ? 'The connection is lost.' : 'The server can’t tell how things are at the moment.'} What you
      see may be old; it goes on by itself when the server is back.
    </p>
  )
}
