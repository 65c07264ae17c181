/**
 * What players ask for. Playlists and manifests come from here with links into the storage in them, pictures and files
 * by redirect: no large bytes pass through the API. All of it can be had with a token in the URL in place of a key.
 */
import { type Context, Hono } from 'hono'
import { z } from 'zod'
import type { ApiEnv, AppDependencies } from '../app.ts'
import { operation } from '../openapi/operation.ts'
import { manifest } from '../playback/manifest.ts'
import { masterPlaylist } from '../playback/master-playlist.ts'
import { mediaPlaylist } from '../playback/media-playlist.ts'
import { playbackPaths } from '../playback/paths.ts'
import type { PlaybackTokens } from '../playback/token.ts'
import { type Output, ofKind, readVideo } from '../playback/video.ts'
import { RequestProblem } from '../problem.ts'
import { redirectToOutput } from '../send-output.ts'
import { validate } from '../validate.ts'
import { JobParam } from './job-requests.ts'

const hls = 'application/vnd.apple.mpegurl'
const dash = 'application/dash+xml'
const vtt = 'text/vtt; charset=utf-8'

const PlaybackQuery = z.object({
  token: z.string().optional().describe('From the status of the video; in place of an API key.'),
})
const OutputParam = JobParam.extend({ name: z.string().regex(/^[\w.-]{1,100}$/) })

const ThumbnailParam = JobParam.extend({
  number: z.string().regex(/^[1-9]\d{0,2}$/, 'expected a number from 1'),
})

/** The name of a track's media playlist. */
function playlistOf(name: string): string {
  return name.replace(/\.(mp4|vtt)$/, '.m3u8')
}

export function playbackRoutes({
  sql,
  storage,
  config,
  tokens,
}: AppDependencies & { tokens: PlaybackTokens }) {
  const expiresInSeconds = config.PLAYBACK_SECONDS

  /** @throws RequestProblem output_not_ready */
  async function streamsOf(videoId: string): Promise<Output[]> {
    const { outputs } = await readVideo(sql, videoId)
    if (ofKind(outputs, 'rendition').length > 0) return outputs
    throw new RequestProblem('output_not_ready', `Video ${videoId} has nothing to stream.`)
  }

  /** @throws RequestProblem output_not_ready */
  async function outputNamed(videoId: string, matches: (output: Output) => boolean): Promise<Output> {
    const output = (await readVideo(sql, videoId)).outputs.find(matches)
    if (output !== undefined) return output
    throw new RequestProblem('output_not_ready', `Video ${videoId} has no such output.`)
  }

  /** @throws RequestProblem output_not_ready */
  async function textOf(key: string | undefined): Promise<string> {
    const stored = key === undefined ? null : await storage.get(key)
    if (stored !== null && stored !== 'unsatisfiable') return await new Response(stored.body).text()
    throw new RequestProblem('output_not_ready', 'There is no such output, or it is not kept any more.')
  }

  const link = (key: string) => storage.presignGet(key, { expiresInSeconds, audience: 'client' })
  const send = (c: Context<ApiEnv>, { key, contentType }: Output) =>
    redirectToOutput(c, storage, { key, contentType }, { expiresInSeconds })

  return new Hono<ApiEnv>()
    .get(
      `/:jobId/${playbackPaths.playlist}`,
      operation({
        summary: 'Play a video by HLS',
        description: 'Every size and sound that there is, for hls.js and native players.',
        answers: { 200: { description: 'The master playlist.', contentType: hls } },
        problems: ['job_not_found', 'output_not_ready'],
      }),
      validate('param', JobParam),
      validate('query', PlaybackQuery),
      async (c) => {
        const { jobId } = c.req.valid('param')
        const outputs = await streamsOf(jobId)
        // A fresh one for who came by one would renew it: a link that leaked would be good for ever.
        const token = c.get('playbackToken') ?? (await tokens.issue(jobId, expiresInSeconds))
        const urlOf = (name: string) => `${playbackPaths.track}/${playlistOf(name)}?token=${token}`
        return c.body(masterPlaylist(outputs, urlOf), 200, { 'content-type': hls })
      },
    )
    .get(
      `/:jobId/${playbackPaths.track}/:name`,
      operation({
        summary: 'Read the playlist of one track',
        answers: { 200: { description: 'Its segments, as ranges of one file.', contentType: hls } },
        problems: ['job_not_found', 'output_not_ready'],
      }),
      validate('param', OutputParam),
      validate('query', PlaybackQuery),
      async (c) => {
        const { jobId, name } = c.req.valid('param')
        const track = await outputNamed(
          jobId,
          (each) => 'playlistKey' in each && playlistOf(each.name) === name,
        )
        const text = await textOf(String('playlistKey' in track ? track.playlistKey : ''))
        return c.body(mediaPlaylist(text, track.name, await link(track.key)), 200, { 'content-type': hls })
      },
    )
    .get(
      `/:jobId/${playbackPaths.manifest}`,
      operation({
        summary: 'Play a video by DASH',
        description: 'The same files as by HLS.',
        answers: { 200: { description: 'The manifest.', contentType: dash } },
        problems: ['job_not_found', 'output_not_ready'],
      }),
      validate('param', JobParam),
      validate('query', PlaybackQuery),
      async (c) => {
        const outputs = await streamsOf(c.req.valid('param').jobId)
        const links = new Map<string, string>()
        for (const { name, key } of outputs) links.set(name, await link(key))
        const text = manifest(outputs, (name) => links.get(name) ?? '')
        return c.body(text, 200, { 'content-type': dash })
      },
    )
    .get(
      `/:jobId/${playbackPaths.poster}`,
      operation({
        summary: 'Get the poster of a video',
        answers: { 302: { description: 'To a JPEG in the storage.' } },
        problems: ['job_not_found', 'output_not_ready'],
      }),
      validate('param', JobParam),
      validate('query', PlaybackQuery),
      async (c) => {
        const poster = await outputNamed(c.req.valid('param').jobId, ({ kind }) => kind === 'poster')
        return await send(c, poster)
      },
    )
    .get(
      `/:jobId/${playbackPaths.thumbnail}/:number`,
      operation({
        summary: 'Get a thumbnail of a video',
        answers: { 302: { description: 'To a JPEG in the storage.' } },
        problems: ['job_not_found', 'output_not_ready'],
      }),
      validate('param', ThumbnailParam),
      validate('query', PlaybackQuery),
      async (c) => {
        const { jobId, number } = c.req.valid('param')
        const thumbnail = await outputNamed(jobId, ({ name }) => name === `thumbnail-${number}.jpg`)
        return await send(c, thumbnail)
      },
    )
    .get(
      `/:jobId/${playbackPaths.storyboard}`,
      operation({
        summary: 'Read the storyboard of a video',
        answers: {
          200: { description: 'WebVTT: which part of which sheet belongs to a time.', contentType: vtt },
        },
        problems: ['job_not_found', 'output_not_ready'],
      }),
      validate('param', JobParam),
      validate('query', PlaybackQuery),
      async (c) => {
        const { outputs } = await readVideo(sql, c.req.valid('param').jobId)
        let text = await textOf(outputs.find(({ kind }) => kind === 'storyboard')?.key)
        for (const sheet of outputs.filter(({ kind }) => kind === 'sheet')) {
          const url = await link(sheet.key)
          text = text.replaceAll(`${sheet.name}#`, () => `${url}#`)
        }
        return c.body(text, 200, { 'content-type': vtt })
      },
    )
    .get(
      `/:jobId/${playbackPaths.sheet}`,
      operation({
        summary: 'Get the first sheet of the storyboard',
        answers: { 302: { description: 'To a JPEG in the storage.' } },
        problems: ['job_not_found', 'output_not_ready'],
      }),
      validate('param', JobParam),
      validate('query', PlaybackQuery),
      async (c) => {
        const sheet = await outputNamed(c.req.valid('param').jobId, ({ kind }) => kind === 'sheet')
        return await send(c, sheet)
      },
    )
    .get(
      `/:jobId/${playbackPaths.output}/:name`,
      operation({
        summary: 'Get one output of a video',
        answers: { 302: { description: 'To a link into the storage.' } },
        problems: ['job_not_found', 'output_not_ready'],
      }),
      validate('param', OutputParam),
      validate('query', PlaybackQuery),
      async (c) => {
        const { jobId, name } = c.req.valid('param')
        const output = await outputNamed(jobId, (each) => each.name === name)
        return await send(c, output)
      },
    )
}
