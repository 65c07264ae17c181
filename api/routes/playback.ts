/**
 * What players ask for. Playlists and manifests come from here with links into the storage in them, pictures and files
 * by redirect: no large bytes pass through the API. All of it can be had with a token in the URL in place of a key.
 */
import { Hono } from 'hono'
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
import { validate } from '../validate.ts'
import { JobParam } from './job-requests.ts'

const hls = 'application/vnd.apple.mpegurl'
const dash = 'application/dash+xml'

const PlaybackQuery = z.object({
  token: z.string().optional().describe('From the status of the video; in place of an API key.'),
})
const OutputParam = JobParam.extend({ name: z.string().regex(/^[\w.-]{1,100}$/) })

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

  const link = (key: string) => storage.presignGet(key, { expiresInSeconds, audience: 'client' })

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
        const token = await tokens.issue(jobId, expiresInSeconds)
        const urlOf = (name: string) =>
          `${playbackPaths.track}/${name.replace(/\.mp4$/, '.m3u8')}?token=${token}`
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
        const file = name.replace(/\.m3u8$/, '.mp4')
        const output = await outputNamed(jobId, (each) => 'playlistKey' in each && each.name === file)
        const stored = 'playlistKey' in output ? await storage.get(String(output.playlistKey)) : null
        if (stored === null || stored === 'unsatisfiable') {
          throw new RequestProblem('output_not_ready', 'The track is not kept any more.')
        }
        const text = await new Response(stored.body).text()
        return c.body(mediaPlaylist(text, file, await link(output.key)), 200, { 'content-type': hls })
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
        return c.redirect(await link(poster.key), 302)
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
        return c.redirect(await link(output.key), 302)
      },
    )
}
