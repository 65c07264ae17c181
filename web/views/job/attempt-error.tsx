/** What is known of the failure of an attempt: its message, and its details, the long ones folded. */
import { Foreign } from '../../ui/basics.tsx'
import { bytes } from '../../ui/format.ts'

const messageCharacters = 2000
const factCharacters = 80

export function AttemptError({ error: { message, details } }: { error: Record<string, unknown> }) {
  const parts = partsOf(details)
  const facts = parts.filter(({ text }) => text.length <= factCharacters && !text.includes('\n'))
  return (
    <>
      {typeof message === 'string' ? (
        <span className="attempt-error">
          <Foreign>{message.slice(0, messageCharacters)}</Foreign>
        </span>
      ) : null}
      {facts.length === 0 ? null : (
        <span className="aside">
          <Foreign>{facts.map(({ name, text }) => `${name} ${text}`).join(' · ')}</Foreign>
        </span>
      )}
      {parts
        .filter((part) => !facts.includes(part))
        .map(({ name, text }) => (
          <details key={name} className="stack">
            <summary>
              <Foreign>{name}</Foreign>
            </summary>
            {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard */}
            <pre tabIndex={0}>
              <Foreign>{text}</Foreign>
            </pre>
          </details>
        ))}
    </>
  )
}

interface Part {
  name: string
  text: string
}

/** The stack last: what was run and what that wrote says more. */
function partsOf(details: unknown): Part[] {
  if (typeof details !== 'object' || details === null) return []
  return Object.entries(details)
    .sort(([a], [b]) => Number(a === 'stack') - Number(b === 'stack'))
    .map(([key, value]) => partOf(key, value))
    .filter(({ text }) => text !== '')
}

function partOf(key: string, value: unknown): Part {
  if (typeof value === 'string') return { name: inWords(key), text: value }
  if (typeof value === 'number' && key.endsWith('Bytes')) {
    return { name: inWords(key.slice(0, -'Bytes'.length)), text: bytes(value) }
  }
  const areLines = Array.isArray(value) && value.every((each) => typeof each === 'string')
  return { name: inWords(key), text: areLines ? value.join('\n') : JSON.stringify(value, null, 2) }
}

/** `lastLines` → `Last lines` */
function inWords(key: string): string {
  const words = key.replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`)
  return words.charAt(0).toUpperCase() + words.slice(1)
}
