/** The small parts that every view is made of. */
import type { ButtonHTMLAttributes, ReactNode } from 'react'
import { ApiProblem, messageOf } from '../api.ts'
import { useRefusal } from '../scopes.ts'
import type { Scope } from '../types.ts'
import { Icon, type IconName } from './icons.tsx'
import { usePageTitle } from './page-title.ts'

type ButtonProps = ButtonHTMLAttributes<HTMLButtonElement> & {
  look?: 'plain' | 'primary' | 'danger' | 'quiet'
  icon?: IconName
  isBusy?: boolean
  /** Of the key, for what the button does; without it the button can't be pressed, and says why. */
  needs?: Scope | undefined
}

export function Button({ look = 'plain', icon, isBusy = false, needs, children, ...rest }: ButtonProps) {
  const isBare = children === undefined
  const refusal = useRefusal(needs)
  return (
    <button
      type="button"
      {...rest}
      {...(refusal === null ? {} : { title: refusal, 'aria-description': refusal })}
      className={`button button-${look}${isBare ? ' button-bare' : ''}`}
      disabled={rest.disabled === true || isBusy || refusal !== null}
      aria-busy={isBusy || undefined}
    >
      {icon === undefined ? null : <Icon name={icon} />}
      {children}
    </button>
  )
}

export function Page({
  title,
  name = typeof title === 'string' ? title : undefined,
  lead,
  actions,
  isFilled = false,
  children,
}: {
  title: ReactNode
  /** What the tab is called by; left out: the title, where that is text alone. */
  name?: string | undefined
  lead?: ReactNode
  actions?: ReactNode
  /** As high as the window, with something in it that scrolls by itself. */
  isFilled?: boolean
  children: ReactNode
}) {
  usePageTitle(name)
  return (
    <div className={isFilled ? 'page page-filled' : 'page'}>
      <header className="page-head">
        <div>
          <h1>{title}</h1>
          {lead === undefined ? null : <p className="lead">{lead}</p>}
        </div>
        {actions === undefined ? null : <div className="actions">{actions}</div>}
      </header>
      {children}
    </div>
  )
}

export function Card({
  title,
  aside,
  children,
  flush = false,
}: {
  title?: ReactNode
  aside?: ReactNode
  children: ReactNode
  flush?: boolean
}) {
  return (
    <section className={`card${flush ? ' card-flush' : ''}`}>
      {title === undefined ? null : (
        <header className="card-head">
          <h2>{title}</h2>
          {aside}
        </header>
      )}
      {children}
    </section>
  )
}

export function Empty({
  icon,
  title,
  children,
  action,
}: {
  icon: IconName
  title: string
  children?: ReactNode
  action?: ReactNode
}) {
  return (
    <div className="empty">
      <span className="empty-icon">
        <Icon name={icon} />
      </span>
      <p className="empty-title">{title}</p>
      {children === undefined ? null : <p className="empty-text">{children}</p>}
      {action}
    </div>
  )
}

/** What could not be read, why, and another try where one can help. */
export function Failure({ error, retry }: { error: unknown; retry?: () => void }) {
  const isForbidden = error instanceof ApiProblem && error.status === 403
  return (
    <div className="failure" role="alert">
      <p className="failure-title">This could not be loaded.</p>
      <p>{messageOf(error)}</p>
      {retry === undefined || isForbidden ? null : (
        <Button icon="retry" onClick={retry}>
          Try again
        </Button>
      )}
    </div>
  )
}

export function Skeleton({ rows = 5 }: { rows?: number }) {
  return (
    <div className="skeleton" role="status" aria-label="Loading">
      {Array.from({ length: rows }, (_, row) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: they are all the same
        <span key={row} className="skeleton-row" />
      ))}
    </div>
  )
}

interface Asked<Data> {
  data: Data | undefined
  error: unknown
  isPending: boolean
  refetch(): unknown
}

/** What was asked for, or that it is coming, or why it isn't. Old data stays when a later question fails. */
export function Loaded<Data>({
  query,
  rows,
  children,
}: {
  query: Asked<Data>
  rows?: number
  children: (data: Data) => ReactNode
}) {
  if (query.data !== undefined) return children(query.data)
  if (query.error !== null) return <Failure error={query.error} retry={() => void query.refetch()} />
  return <Skeleton rows={rows} />
}

export function Field({
  label,
  hint,
  error,
  children,
}: {
  label: string
  hint?: ReactNode
  error?: string | undefined
  children: ReactNode
}) {
  return (
    // biome-ignore lint/a11y/noLabelWithoutControl: the control is among the children
    <label className="field">
      <span className="field-label">{label}</span>
      {children}
      {error === undefined ? null : (
        <span className="field-error" role="alert">
          {error}
        </span>
      )}
      {hint === undefined ? null : <span className="field-hint">{hint}</span>}
    </label>
  )
}

/** @param part from 0 to 1 */
export function Meter({ part, label }: { part: number; label: string }) {
  return (
    <progress className="meter" max={1} value={Math.min(1, Math.max(0, part))} aria-label={label}>
      {label}
    </progress>
  )
}

/** Text that somebody else wrote: whatever writing direction it asks for ends with it. */
export function Foreign({ children }: { children: string }) {
  return <bdi className="foreign">{children}</bdi>
}
