/** Videos: bring one in, watch it being encoded, play it. */
import { useInfiniteQuery, useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { type DragEvent, useEffect, useRef, useState } from 'react'
import { api, read } from '../../api.ts'
import { useLiveQuery } from '../../live/live.ts'
import { useRefusal } from '../../scopes.ts'
import type { JobSummary } from '../../types.ts'
import { Button, Card, Empty, Failure, Foreign, Meter, Page, Skeleton } from '../../ui/basics.tsx'
import { shortId } from '../../ui/format.ts'
import { Icon } from '../../ui/icons.tsx'
import { say } from '../../ui/notices.ts'
import { Status, shownStatus } from '../../ui/status.tsx'
import { Duration, Time } from '../../ui/time.tsx'
import { playbackOf } from './playback.ts'
import { useEncodeProgress } from './progress.ts'
import type { EncodeWish } from './send-upload.ts'
import { useUploads } from './upload-list.ts'
import { UploadRow } from './upload-row.tsx'
import { restoreUploads, takeFile } from './uploads.ts'

const videosKey = ['videos']

const wishes: { name: string; wish: EncodeWish }[] = [
  { name: 'MP4 for the web, up to 1080p', wish: { preset: 'web', quality: '1080p' } },
  { name: 'MP4 for the web, up to 720p', wish: { preset: 'web', quality: '720p' } },
  { name: 'Streaming in several sizes (HLS, DASH)', wish: { preset: 'streaming' } },
  { name: 'WebM (VP9)', wish: { preset: 'webm' } },
]

export function Videos() {
  const uploads = useUploads()
  const refusal = useRefusal('enqueue')
  useEffect(() => {
    if (refusal === null) void restoreUploads()
  }, [refusal])
  return (
    <Page title="Videos">
      <Drop />
      {uploads.length === 0 ? null : (
        <Card title="Uploads">
          <ul className="rows">
            {uploads.map((upload) => (
              <UploadRow key={upload.id} upload={upload} />
            ))}
          </ul>
        </Card>
      )}
      <Encodes />
    </Page>
  )
}

function Drop() {
  const [isOver, setOver] = useState(false)
  const [chosen, setChosen] = useState(0)
  const input = useRef<HTMLInputElement>(null)
  const refusal = useRefusal('enqueue')
  const wish = wishes[chosen]?.wish ?? { preset: 'web' }
  const take = (files: FileList | null) => {
    for (const file of files ?? []) void takeFile(file, wish)
  }
  const onDrop = (event: DragEvent) => {
    event.preventDefault()
    setOver(false)
    if (refusal !== null) return say(refusal)
    take(event.dataTransfer.files)
  }
  return (
    <section
      className={`drop${isOver ? ' is-over' : ''}`}
      aria-label="Upload"
      onDragOver={(event) => {
        event.preventDefault()
        setOver(true)
      }}
      onDragLeave={() => setOver(false)}
      onDrop={onDrop}
    >
      <span className="empty-icon">
        <Icon name="upload" />
      </span>
      <p className="drop-title">Drop videos here</p>
      <div className="drop-choices">
        <Button needs="enqueue" look="primary" onClick={() => input.current?.click()}>
          Choose files
        </Button>
        <select
          aria-label="What is made of them"
          value={chosen}
          onChange={({ target }) => setChosen(Number(target.value))}
        >
          {wishes.map(({ name }, index) => (
            <option key={name} value={index}>
              {name}
            </option>
          ))}
        </select>
      </div>
      <input
        ref={input}
        type="file"
        className="unseen"
        tabIndex={-1}
        aria-label="Video files"
        accept="video/*,.mkv,.mov,.webm,.mp4"
        multiple
        onChange={({ target }) => {
          take(target.files)
          target.value = ''
        }}
      />
    </section>
  )
}

function Encodes() {
  useLiveQuery(videosKey)
  const progress = useEncodeProgress()
  const videos = useInfiniteQuery({
    queryKey: videosKey,
    queryFn: ({ pageParam }) => {
      const cursor = pageParam === null ? {} : { cursor: pageParam }
      return read(
        api.v1.jobs.$get({
          query: { definitionKey: 'encode.video', limit: '50', total: 'false', ...cursor },
        }),
      )
    },
    initialPageParam: null as string | null,
    getNextPageParam: ({ nextCursor }) => nextCursor,
  })
  if (videos.data === undefined) {
    if (videos.error === null) return <Skeleton rows={6} />
    return <Failure error={videos.error} retry={() => void videos.refetch()} />
  }
  const jobs = videos.data.pages.flatMap((page) => page.jobs).filter(({ parentId }) => parentId === null)
  return (
    <Card flush>
      {jobs.length === 0 ? (
        <Empty icon="videos" title="There are no videos yet.">
          Drop one above. It goes straight to the storage and is encoded when it has arrived.
        </Empty>
      ) : (
        <ul className="videos">
          {jobs.map((job) => (
            <VideoRow key={job.jobId} job={job} percent={progress.get(job.jobId)} />
          ))}
        </ul>
      )}
      {videos.hasNextPage ? (
        <p className="more">
          <Button isBusy={videos.isFetchingNextPage} onClick={() => void videos.fetchNextPage()}>
            More
          </Button>
        </p>
      ) : null}
    </Card>
  )
}

/** The poster, where one was asked for. */
function Picture({ job }: { job: JobSummary }) {
  const video = useQuery({
    queryKey: ['video', job.jobId],
    queryFn: () => read(api.v1.videos[':jobId'].status.$get({ param: { jobId: job.jobId } })),
    enabled: job.status === 'succeeded',
    staleTime: 600_000,
  })
  const url = video.data === undefined ? null : playbackOf(video.data).posterUrl
  return (
    <span className="video-picture">
      {url === null ? <Icon name="videos" /> : <img src={url} alt="" loading="lazy" width={72} height={40} />}
    </span>
  )
}

/** What the file was called that came in. */
function Name({ job }: { job: JobSummary }) {
  const whole = useQuery({
    queryKey: ['job', job.jobId],
    queryFn: () => read(api.v1.jobs[':jobId'].$get({ param: { jobId: job.jobId } })),
    staleTime: Number.POSITIVE_INFINITY,
  })
  const filename = whole.data?.params.filename
  return typeof filename === 'string' ? <Foreign>{filename}</Foreign> : null
}

function VideoRow({ job, percent }: { job: JobSummary; percent: number | undefined }) {
  return (
    <li className="video-row">
      <Link to="/videos/$jobId" params={{ jobId: job.jobId }} className="video-link">
        <Picture job={job} />
        <span className="video-name">
          <Name job={job} />
          <span className="id">{shortId(job.jobId)}</span>
        </span>
      </Link>
      <Status status={shownStatus(job)} />
      {job.status === 'running' ? (
        <span className="video-progress">
          <Meter part={(percent ?? 0) / 100} label={`${Math.round(percent ?? 0)} %`} />
          <span className="number">{Math.round(percent ?? 0)} %</span>
        </span>
      ) : (
        <span className="aside video-error">
          {job.status === 'failed' && job.errorSummary !== null ? (
            <Foreign>{job.errorSummary}</Foreign>
          ) : null}
        </span>
      )}
      <span className="aside number">
        {job.startedAt === null || job.status === 'queued' ? null : (
          <Duration from={job.startedAt} to={job.finishedAt} />
        )}
      </span>
      <span className="aside number">
        <Time at={job.queuedAt} />
      </span>
    </li>
  )
}
