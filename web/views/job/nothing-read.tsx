/** In place of what the stream of a job has not told: that there is nothing can be said only once it was read. */
import { Empty, Skeleton } from '../../ui/basics.tsx'
import type { IconName } from '../../ui/icons.tsx'
import type { JobStream } from './job-stream.ts'

export function NothingRead({
  stream: { state, isRead },
  icon,
  title,
}: {
  stream: JobStream
  icon: IconName
  /** Where there is nothing indeed. */
  title: string
}) {
  if (isRead) return <Empty icon={icon} title={title} />
  if (state === 'refused') return <Empty icon={icon} title="It could not be read." />
  if (state !== 'lost') return <Skeleton rows={2} />
  return <Empty icon={icon} title="It could not be read yet; it is tried again." />
}
