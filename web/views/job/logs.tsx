/** The tail of what a job wrote. Follows the end as long as its reader is there. */
import { useEffect, useRef, useState } from 'react'
import { Button, Card, Foreign } from '../../ui/basics.tsx'
import { count, dateTime } from '../../ui/format.ts'
import type { JobStream } from './job-stream.ts'
import { NothingRead } from './nothing-read.tsx'

const nearEnd = 24
const shownCharacters = 2000

export function Logs({ stream }: { stream: JobStream }) {
  const box = useRef<HTMLDivElement>(null)
  const [follows, setFollows] = useState(true)
  const { lines, droppedLines } = stream
  // biome-ignore lint/correctness/useExhaustiveDependencies: a new line is the reason
  useEffect(() => {
    const element = box.current
    if (follows && element !== null) element.scrollTop = element.scrollHeight
  }, [lines, follows])
  return (
    <Card
      title="Log"
      flush
      aside={
        follows || lines.length === 0 ? (
          <span className="aside">
            {lines.length === 0
              ? ''
              : `${count(lines.length + droppedLines)} ${lines.length + droppedLines === 1 ? 'line' : 'lines'}`}
          </span>
        ) : (
          <Button look="quiet" onClick={() => setFollows(true)}>
            Follow
          </Button>
        )
      }
    >
      {lines.length === 0 ? (
        <NothingRead stream={stream} icon="jobs" title="It has written nothing." />
      ) : (
        <div
          ref={box}
          className="log"
          role="log"
          aria-label="Log"
          // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard
          tabIndex={0}
          onScroll={({ currentTarget: { scrollHeight, scrollTop, clientHeight } }) =>
            setFollows(scrollHeight - scrollTop - clientHeight < nearEnd)
          }
        >
          {droppedLines === 0 ? null : <p className="log-dropped">{count(droppedLines)} earlier lines</p>}
          {lines.map((line) => (
            <p key={line.id} className={`log-line log-${line.level ?? line.stream}`}>
              <time dateTime={line.at} title={dateTime(line.at)}>
                {new Date(line.at).toLocaleTimeString('en-GB')}
              </time>
              <span>
                <Foreign>{shortened(line.text)}</Foreign>
                {line.fields === null ? null : (
                  <span className="log-fields">
                    {' '}
                    <Foreign>{shortened(fieldsText(line.fields))}</Foreign>
                  </span>
                )}
              </span>
            </p>
          ))}
        </div>
      )}
    </Card>
  )
}

function shortened(text: string): string {
  return text.length > shownCharacters ? `${text.slice(0, shownCharacters)}…` : text
}

/** `orderId=7 to="Ann Lee"` */
function fieldsText(fields: Record<string, unknown>): string {
  return Object.entries(fields)
    .map(([name, value]) => `${name}=${JSON.stringify(value)}`)
    .join(' ')
}
