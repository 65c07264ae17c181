/** The ways to all views: beside the page where there is room, below it on a phone. */
import { Link } from '@tanstack/react-router'
import { lazy, Suspense, useState } from 'react'
import type { StreamState } from '../live/event-stream.ts'
import { useLiveState } from '../live/live.ts'
import { useStaleness } from '../live/refetches.ts'
import { signOut, useSession } from '../session.ts'
import { Button } from '../ui/basics.tsx'
import { Icon } from '../ui/icons.tsx'
import { groups, type Place, places } from './places.ts'
import { nextTheme, useTheme } from './theme.ts'

/** Dialogs are no part of the first view: what they are made of is a tenth of it. */
const More = lazy(() => import('./more.tsx'))

const themeNames = { system: 'as the system', light: 'light', dark: 'dark' }
const themeIcons = { system: 'system', light: 'sun', dark: 'moon' } as const
/** On a phone there is room for these; the others are behind More. */
const atHand = places.slice(0, 4)

export function SideNav({ onHelp }: { onHelp: () => void }) {
  return (
    <nav className="side" aria-label="Views">
      <Link to="/" className="brand">
        <BrandMark />
        Job Server
      </Link>
      {groups.map((group) => (
        <div key={group.name} className="side-group">
          <p className="side-title">{group.name}</p>
          {group.places.map((place) => (
            <PlaceLink key={place.path} place={place} />
          ))}
        </div>
      ))}
      <div className="side-foot">
        <LiveState />
        <Settings onHelp={onHelp} />
      </div>
    </nav>
  )
}

export function BottomNav({ onHelp }: { onHelp: () => void }) {
  const [isOpen, setOpen] = useState(false)
  return (
    <>
      <nav className="bottom" aria-label="Views">
        {atHand.map((place) => (
          <PlaceLink key={place.path} place={place} />
        ))}
        <button type="button" className="place" onClick={() => setOpen(true)} aria-haspopup="dialog">
          <Icon name="more" />
          More
        </button>
      </nav>
      {isOpen ? (
        <Suspense fallback={null}>
          <More onHelp={onHelp} onClose={() => setOpen(false)} />
        </Suspense>
      ) : null}
    </>
  )
}

export function PlaceLink({ place }: { place: Place }) {
  return (
    <Link to={place.path} className="place" activeOptions={{ exact: place.path === '/' }}>
      <Icon name={place.icon} />
      {place.name}
    </Link>
  )
}

export function Settings({ onHelp }: { onHelp: () => void }) {
  const theme = useTheme()
  const { apiKey } = useSession()
  return (
    <div className="settings">
      <Button
        look="quiet"
        icon={themeIcons[theme]}
        onClick={nextTheme}
        aria-label={`Colours: ${themeNames[theme]}`}
        title={`Colours: ${themeNames[theme]}`}
      />
      <Button look="quiet" icon="help" onClick={onHelp} aria-label="Keyboard" title="Keyboard (?)" />
      {apiKey === null ? null : (
        <Button look="quiet" icon="signOut" onClick={signOut} aria-label="Sign out" title="Sign out" />
      )}
    </div>
  )
}

const stateTexts: Record<StreamState, string> = {
  live: 'Live',
  connecting: 'Connecting…',
  lost: 'Reconnecting…',
  refused: 'Not live',
  resting: 'Resting',
}

export function LiveState() {
  const state = useLiveState()
  const isOld = useStaleness() && state === 'live'
  return (
    <p className={`live live-${isOld ? 'lost' : state}`} role="status">
      <span className="live-dot" aria-hidden="true" />
      {isOld ? 'Out of date' : stateTexts[state]}
    </p>
  )
}

export function BrandMark() {
  return (
    <svg className="brand-mark" viewBox="0 0 32 32" aria-hidden="true">
      <rect width="32" height="32" rx="8" />
      <path d="M9 11.5h14M9 16h14M9 20.5h8" />
    </svg>
  )
}
