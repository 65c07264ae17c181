/** What is known of a video as it came in. */
import { Foreign } from '../../ui/basics.tsx'
import { bytes, duration } from '../../ui/format.ts'

export function SourceFacts({ source }: { source: Record<string, unknown> }) {
  const plain = Object.entries(source).filter(([, value]) =>
    ['string', 'number', 'boolean'].includes(typeof value),
  )
  return (
    <dl className="facts">
      {plain.map(([name, value]) => (
        <div key={name}>
          <dt>
            {name.replace(/(Seconds|Bytes)$/, '').replace(/([A-Z])/g, (letter) => ` ${letter.toLowerCase()}`)}
          </dt>
          <dd>
            <Foreign>{sourceFact(name, value)}</Foreign>
          </dd>
        </div>
      ))}
    </dl>
  )
}

/** The unit stands with the number; a container goes by all its names, which may break between them. */
function sourceFact(name: string, value: unknown): string {
  if (name === 'durationSeconds') return duration(Number(value))
  if (name === 'sizeBytes') return bytes(Number(value))
  return String(value).replaceAll(',', ', ')
}
