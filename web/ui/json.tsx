/** Values of jobs as text. What is long is shown in part: a megabyte in one piece would stop the page. */
import { useMemo, useState } from 'react'
import { Button, Foreign } from './basics.tsx'
import { bytes } from './format.ts'
import { say, sayFailure } from './notices.ts'

const shownCharacters = 4000

export function JsonBlock({ value, label }: { value: unknown; label: string }) {
  const text = useMemo(() => JSON.stringify(value, null, 2) ?? 'undefined', [value])
  const [isWhole, setWhole] = useState(false)
  const isLong = text.length > shownCharacters
  return (
    <div className="json">
      <div className="json-actions">
        <CopyButton text={text} label={`Copy ${label}`} />
      </div>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard */}
      <pre tabIndex={0}>
        <Foreign>{isLong && !isWhole ? `${text.slice(0, shownCharacters)}…` : text}</Foreign>
      </pre>
      {isLong && !isWhole ? (
        <Button look="quiet" onClick={() => setWhole(true)}>
          Show all of it ({bytes(text.length)})
        </Button>
      ) : null}
    </div>
  )
}

/** Browsers let pages copy over HTTPS and on their own machine only. */
export function CopyButton({ text, label }: { text: string; label: string }) {
  if (!isSecureContext) return null
  return (
    <Button
      look="quiet"
      icon="copy"
      aria-label={label}
      title={label}
      onClick={() => {
        navigator.clipboard.writeText(text).then(
          () => say('Copied.'),
          (error: unknown) => sayFailure('It can’t be copied.', error),
        )
      }}
    />
  )
}
