/** One video: its encode as it goes on, then the player, what it was and what became of it. */
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { Link, useParams } from '@tanstack/react-router'
import { useRef, useState } from 'react'
import { ApiProblem, api, read } from '../../api.ts'
import type { VideoStatus } from '../../types.ts'
import { Button, Card, Empty, Failure, Foreign, Meter, Page, Skeleton } from '../../ui/basics.tsx'
import { type Column, DataTable } from '../../ui/data-table.tsx'
import { bytes, duration, shortId } from '../../ui/format.ts'
import { say, sayFailure } from '../../ui/notices.ts'
import { Status } from '../../ui/status.tsx'
import { AddOutput } from './add-output.tsx'
import { Additions, type ShownAddition } from './additions.tsx'
import { download } from './links.ts'
import { answeredOutputs, keepLinks, playbackOf } from './playback.ts'
import { type Playable, Player } from './player.tsx'
import { type Addition, addOutputs, linesOf, requestFor } from './requests.ts'
import { SourceFacts } from './source-facts.tsx'
import { Strip } from './strip.tsx'

export function VideoView() {
  const { jobId } = useParams({ from: '/videos/$jobId' })
  const queries = useQueryClient()
  const worn = useRef<string>(null)
  const queryKey = ['video', jobId]
  const video = useQuery({
    queryKey,
    queryFn: async () => {
      const fresh = await read(api.v1.videos[':jobId'].status.$get({ param: { jobId } }))
      return keepLinks(queries.getQueryData<VideoStatus>(queryKey), fresh, worn.current)
    },
    refetchInterval: ({ state: { data } }) => (data === undefined || changes(data) ? 700 : false),
  })
  const renew = (url: string) => {
    worn.current = url
    void video.refetch()
  }
  if (video.data !== undefined) return <Shown video={video.data} onWorn={renew} />
  return (
    <Page title="Video">
      {video.error === null ? (
        <Skeleton />
      ) : video.error instanceof ApiProblem && video.error.status === 404 ? (
        <Empty icon="search" title="There is no such video." action={<Link to="/videos">All videos</Link>} />
      ) : (
        <Failure error={video.error} retry={() => void video.refetch()} />
      )}
    </Page>
  )
}

function isUnderWay({ status }: Pick<VideoStatus, 'status'>): boolean {
  return status === 'queued' || status === 'running' || status === 'cancelling'
}

/** Something of it is still being made. */
function changes(video: VideoStatus): boolean {
  return isUnderWay(video) || additionsOf(video).some(({ status }) => isUnderWay({ status }))
}

function Shown({ video, onWorn }: { video: VideoStatus; onWorn: (url: string) => void }) {
  const outputs = outputsOf(video)
  const name = textIn(video, 'outputFilename') ?? outputs[0]?.filename
  const playable = playableOf(video, outputs)
  const { storyboardUrl, thumbnailUrls } = playbackOf(video)
  const additions = additionsOf(video)
  const element = useRef<HTMLVideoElement>(null)
  const [isAdding, setAdding] = useState(false)
  return (
    <Page
      title={name === undefined ? 'Video' : <Foreign>{name}</Foreign>}
      name={name ?? `Video ${shortId(video.jobId)}`}
      lead={
        <>
          <Status status={video.status} />
          <Link to="/jobs/$jobId" params={{ jobId: video.jobId }} className="id">
            {video.jobId}
          </Link>
        </>
      }
      actions={
        <>
          {isUnderWay(video) ? null : (
            <Button icon="plus" needs="enqueue" onClick={() => setAdding(true)}>
              Add an output
            </Button>
          )}
          {textIn(video, 'downloadUrl') === undefined ? null : (
            <DownloadButton
              path={textIn(video, 'downloadUrl') ?? ''}
              name={name ?? 'the video'}
              look="primary"
            />
          )}
        </>
      }
    >
      {isUnderWay(video) ? <EncodeProgress video={video} /> : null}
      {'error' in video && video.error !== undefined ? (
        <div className="job-error" role="note" aria-label="Error">
          <code>{video.error.code}</code>
          <p>
            <Foreign>{video.error.message ?? ''}</Foreign>
          </p>
        </div>
      ) : null}
      {playable === null ? null : <Player {...playable} video={element} onWorn={onWorn} />}
      {playable === null || storyboardUrl === null ? null : (
        // It goes along with the element of the player, which is another one for another file.
        <Strip key={playable.file?.madeBy} url={storyboardUrl} video={element} />
      )}
      {additions.length === 0 ? null : <Additions videoId={video.jobId} additions={additions} />}
      {outputs.length === 0 ? null : (
        <Card flush title="Files">
          <DataTable
            rows={outputs}
            columns={columnsFor(video.jobId)}
            keyOf={({ url, filename }) => url + filename}
          />
          {additions.length === 0 ? null : (
            <p className="note">
              A file that is encoded again takes the trim, watermark, loudness, subtitles and sound of the
              video itself, even if it was added later with others.
            </p>
          )}
        </Card>
      )}
      {thumbnailUrls.length === 0 ? null : (
        <Card title="Thumbnails">
          <ul className="thumbnails">
            {thumbnailUrls.map((url, index) => (
              <li key={url}>
                <img src={url} alt={`Thumbnail ${index + 1} of ${thumbnailUrls.length}`} loading="lazy" />
              </li>
            ))}
          </ul>
        </Card>
      )}
      {'source' in video && video.source !== undefined ? (
        <Card title="Source">
          <SourceFacts source={video.source as Record<string, unknown>} />
        </Card>
      ) : null}
      {isAdding ? (
        <AddOutput
          videoId={video.jobId}
          sourceLines={sourceLinesOf(video)}
          onClose={() => setAdding(false)}
        />
      ) : null}
    </Page>
  )
}

/** What runs inside tells its own progress. */
function additionsOf(video: VideoStatus): ShownAddition[] {
  const additions = 'additions' in video && Array.isArray(video.additions) ? video.additions : []
  return additions.map(({ jobId, status, ...about }) => {
    const { progress, error } = about as {
      progress?: { percent?: number } | null
      error?: { message: string }
    }
    return { jobId, status, percent: progress?.percent ?? 0, problem: error?.message ?? null }
  })
}

function sourceLinesOf(video: VideoStatus): number | undefined {
  const source = 'source' in video ? video.source : undefined
  const { width, height } = (source ?? {}) as { width?: number; height?: number }
  return width === undefined || height === undefined ? undefined : linesOf({ width, height })
}

function EncodeProgress({ video }: { video: VideoStatus }) {
  const progress = (video.progress ?? {}) as Record<string, unknown>
  const percent = typeof progress.percent === 'number' ? progress.percent : 0
  const facts = [
    typeof progress.phase === 'string' ? progress.phase : undefined,
    typeof progress.fps === 'number' ? `${Math.round(progress.fps)} pictures a second` : undefined,
    typeof progress.speed === 'number' ? `${progress.speed.toFixed(1)}× as fast as it plays` : undefined,
    typeof progress.etaSeconds === 'number' ? `${duration(progress.etaSeconds)} to go` : undefined,
  ].filter((fact) => fact !== undefined)
  return (
    <Card>
      <div className="job-progress">
        <Meter part={percent / 100} label={`Encoded: ${Math.round(percent)} %`} />
        <span className="number">{Math.round(percent)} %</span>
        <span />
      </div>
      <p className="aside">{video.status === 'queued' ? 'It waits for a worker.' : facts.join(' · ')}</p>
    </Card>
  )
}

const nonBreakingSpace = '\u00a0'

interface Output {
  kind: string
  /** Of the encode that made it; null where a release before answers, which does not tell. */
  jobId: string | null
  /** Makes it once more. */
  request: Addition | null
  filename: string
  contentType: string
  url: string
  about: string
}

/** What an output has beside these differs by its kind. */
function outputsOf(video: VideoStatus): Output[] {
  return answeredOutputs(video).map((all) => {
    const size =
      typeof all.width === 'number' && typeof all.height === 'number' ? `${all.width} × ${all.height}` : ''
    const weight = typeof all.sizeBytes === 'number' ? bytes(all.sizeBytes) : ''
    return {
      kind: String(all.kind ?? 'video'),
      jobId: typeof all.jobId === 'string' ? all.jobId : null,
      request: requestFor(String(all.name)),
      filename: String(all.filename),
      contentType: String(all.contentType),
      url: String(all.url),
      about: [all.codec, size, weight]
        .filter((part) => typeof part === 'string' && part !== '')
        .map((part) => String(part).replaceAll(' ', nonBreakingSpace))
        .join(' · '),
    }
  })
}

function playableOf(video: VideoStatus, outputs: Output[]): Playable | null {
  const file = outputs.find(({ kind }) => kind === 'video')
  const { hlsUrl, posterUrl } = playbackOf(video)
  if (file !== undefined) return { hlsUrl: null, file: { path: file.url, madeBy: file.jobId }, posterUrl }
  return hlsUrl === null ? null : { hlsUrl, file: null, posterUrl }
}

function textIn(video: VideoStatus, name: string): string | undefined {
  const value = (video as unknown as Record<string, unknown>)[name]
  return typeof value === 'string' ? value : undefined
}

function columnsFor(videoId: string): Column<Output>[] {
  return [
    { heading: 'File', cell: ({ filename }) => <Foreign>{filename}</Foreign> },
    { heading: 'Kind', isWide: true, cell: ({ kind }) => kind },
    { heading: 'About', cell: ({ about }) => <span className="faint">{about}</span> },
    {
      heading: 'What can be done',
      kind: 'actions',
      cell: ({ url, filename, request }) => (
        <>
          {request === null ? null : <RedoButton videoId={videoId} request={request} name={filename} />}
          <DownloadButton path={url} name={filename} />
        </>
      ),
    },
  ]
}

/** Encodes one file alone once more: one that was lost, or came out badly. */
function RedoButton({ videoId, request, name }: { videoId: string; request: Addition; name: string }) {
  const queries = useQueryClient()
  const redo = useMutation({
    mutationFn: () => addOutputs(videoId, request),
    onSuccess: () => say('It is encoded again, and takes the place of this one when it is done.'),
    onError: (error) => sayFailure('It can’t be encoded again.', error),
    onSettled: () => queries.invalidateQueries({ queryKey: ['video', videoId] }),
  })
  return (
    <Button
      look="quiet"
      icon="retry"
      needs="enqueue"
      isBusy={redo.isPending}
      aria-label={`Encode ${name} again`}
      title="Encode again"
      onClick={() => redo.mutate()}
    />
  )
}

function DownloadButton({
  path,
  name,
  look = 'quiet',
}: {
  path: string
  name: string
  look?: 'primary' | 'quiet'
}) {
  return (
    <Button
      look={look}
      icon="download"
      aria-label={`Download ${name}`}
      onClick={() => {
        download(path).catch((error: unknown) => sayFailure('It can’t be downloaded.', error))
      }}
    >
      {look === 'primary' ? 'Download' : undefined}
    </Button>
  )
}
