/** The tail of what a job wrote. Follows the end as long as its reader is there. */
import { useEffect, useRef, useState } from 'react'
import { Button, Card, Empty, Foreign } from '../../ui/basics.tsx'
import { count, dateTime } from '../../ui/format.ts'
import type { JobStream } from './job-stream.ts'

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
            {lines.length === 0 ? '' : `${count(lines.length + droppedLines)} lines`}
          </span>
        ) : (
          <Button look="quiet" onClick={() => setFollows(true)}>
            Follow
          </Button>
        )
      }
    >
      {lines.length === 0 ? (
        <Empty icon="jobs" title="It has written nothing." />
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
              <Foreign>
                {line.text.length > shownCharacters ? `${line.text.slice(0, shownCharacters)}…` : line.text}
              </Foreign>
            </p>
          ))}
        </div>
      )}
    </Card>
  )
}
