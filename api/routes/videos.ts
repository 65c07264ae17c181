/** Videos: follow an encode, get the result. */
import { Hono } from 'hono'
import { z } from 'zod'
import type { JobView } from '../../core/queue/row.ts'
import type { ApiEnv, AppDependencies } from '../app.ts'
import { operation } from '../openapi/operation.ts'
import { playbackPaths, playbackUrl } from '../playback/paths.ts'
import type { PlaybackTokens } from '../playback/token.ts'
import { definitionKey, type Output, readVideo } from '../playback/video.ts'
import { RequestProblem } from '../problem.ts'
import { headOfOutput, notKept, outputHeaders, redirectToOutput } from '../send-output.ts'
import { validate } from '../validate.ts'
import { exampleId } from './job-answers.ts'
import { JobParam } from './job-requests.ts'
import { exampleVideo, VideoStatus } from './video-answers.ts'

const downloadLinkSeconds = 3600

const DownloadQuery = z.object({
  redirect: z
    .enum(['true', 'false'])
    .default('true')
    .describe('false: the bytes come through the API, ranges included.'),
})

export function videoRoutes({ sql, storage, config, tokens }: AppDependencies & { tokens: PlaybackTokens }) {
  async function playbackOf(videoId: string, outputs: Output[]) {
    const kinds = new Set<string>(outputs.map(({ kind }) => kind))
    if (!['rendition', 'poster', 'thumbnail', 'storyboard'].some((kind) => kinds.has(kind))) return undefined
    const token = await tokens.issue(videoId, config.PLAYBACK_SECONDS)
    const url = (path: string) => playbackUrl(videoId, path, token)
    return {
      expiresInSeconds: config.PLAYBACK_SECONDS,
      token,
      ...(kinds.has('rendition')
        ? { hlsUrl: url(playbackPaths.playlist), dashUrl: url(playbackPaths.manifest) }
        : {}),
      ...(kinds.has('poster') ? { posterUrl: url(playbackPaths.poster) } : {}),
      ...(kinds.has('storyboard') ? { storyboardUrl: url(playbackPaths.storyboard) } : {}),
      thumbnailUrls: outputs
        .filter(({ kind }) => kind === 'thumbnail')
        .map((_, index) => url(`${playbackPaths.thumbnail}/${index + 1}`)),
    }
  }

  return new Hono<ApiEnv>()
    .get(
      '/:jobId/status',
      operation({
        summary: 'Follow an encode',
        answers: {
          200: { description: 'How far it is.', schema: VideoStatus, example: exampleVideo(exampleId) },
        },
        problems: ['job_not_found'],
      }),
      validate('param', JobParam),
      async (c) => {
        const video = await readVideo(sql, c.req.valid('param').jobId)
        const { jobId, status, progress } = video.job
        const error = errorOf(video.job)
        const additions = video.additions.length === 0 ? {} : { additions: video.additions.map(viewAddition) }
        if (video.source === null) {
          return c.json({ jobId, status, definitionKey, progress, error, ...additions })
        }
        const download = downloadOf(video.outputs)
        return c.json({
          jobId,
          status,
          definitionKey,
          progress,
          source: video.source,
          outputs: video.outputs.map((output) => viewOutput(jobId, output, output === download)),
          playback: await playbackOf(jobId, video.outputs),
          error,
          ...additions,
          ...(download === undefined
            ? {}
            : { outputFilename: download.filename, downloadUrl: `/v1/videos/${jobId}/download` }),
        })
      },
    )
    .get(
      '/:jobId/download',
      operation({
        summary: 'Download the encoded video',
        answers: {
          302: { description: 'To a link into the storage that is good for an hour.' },
          200: { description: 'The bytes.', contentType: 'video/mp4' },
          206: { description: 'The range that was asked for.', contentType: 'video/mp4' },
        },
        problems: ['job_not_found', 'output_not_ready', 'range_not_satisfiable'],
      }),
      validate('param', JobParam),
      validate('query', DownloadQuery),
      async (c) => {
        const { jobId } = c.req.valid('param')
        const output = downloadOf((await readVideo(sql, jobId)).outputs)
        if (output === undefined) {
          throw new RequestProblem('output_not_ready', `Job ${jobId} has no output to download.`)
        }
        if (c.req.valid('query').redirect === 'true') {
          return await redirectToOutput(c, storage, output, { expiresInSeconds: downloadLinkSeconds })
        }
        if (c.req.method === 'HEAD') return await headOfOutput(c, storage, output)
        const object = await storage.get(output.key, c.req.header('range'))
        if (object === null) throw notKept()
        if (object === 'unsatisfiable') {
          throw new RequestProblem('range_not_satisfiable', 'The output has no such range.')
        }
        return c.body(object.body, object.contentRange === null ? 200 : 206, {
          ...outputHeaders(output, object.sizeBytes),
          ...(object.contentRange === null ? {} : { 'content-range': object.contentRange }),
        })
      },
    )
}

/** The first file: what the contract has one of. */
function downloadOf(outputs: Output[]): Output | undefined {
  return outputs.find(({ kind }) => kind === 'video')
}

function viewAddition(job: JobView) {
  const { jobId, status, progress } = job
  return { jobId, status, progress, error: errorOf(job) }
}

function errorOf({ errorCode, errorSummary }: JobView) {
  return errorCode === null ? undefined : { code: errorCode, message: errorSummary }
}

/** Where things lie in storage, and what playlists are made of. */
const hidden = new Set(['key', 'playlistKey', 'headRange', 'indexRange'])

function viewOutput(jobId: string, output: Output, isDownload: boolean) {
  const { kind, name, filename, contentType, ...about } = output
  const shown = Object.entries(about).filter(([field]) => !hidden.has(field))
  const url = isDownload
    ? `/v1/videos/${jobId}/download`
    : `/v1/videos/${jobId}/${playbackPaths.output}/${name}`
  return { kind, name, filename, contentType, ...Object.fromEntries(shown), url }
}
