/** More outputs of a video that was encoded before, or some of them again: from the source that was kept. */
import { Hono } from 'hono'
import { z } from 'zod'
import { withKeptAudio } from '../../core/encode/kept-audio.ts'
import { EncodeOptions, type EncodeRequest, isStream } from '../../core/encode/options.ts'
import { codecsNeeded } from '../../core/encode/wish.ts'
import { SourceGone } from '../../core/errors.ts'
import { isFinal } from '../../core/job-state.ts'
import { isKeyHeld } from '../../core/queue/read.ts'
import type { JobView } from '../../core/queue/row.ts'
import { enqueueAddition } from '../../core/videos/additions.ts'
import { requireEncoders } from '../../core/workers/encoders.ts'
import type { ApiEnv, AppDependencies } from '../app.ts'
import { operation } from '../openapi/operation.ts'
import { definitionKey, readVideo, type Video } from '../playback/video.ts'
import { RequestProblem } from '../problem.ts'
import { jsonBody, validate, validateHeaders } from '../validate.ts'
import { Enqueued, exampleId } from './job-answers.ts'
import { EnqueueHeader, JobParam, keyOf } from './job-requests.ts'
import { optionsFor } from './video-options.ts'
import { AdditionBody } from './video-requests.ts'

const keptOptions = { trim: true, watermark: true, loudness: true, subtitles: true, outputs: true } as const
/** What an addition takes over from the first encode; of its outputs the sound. */
const Kept = EncodeOptions.pick(keptOptions)
  .strip()
  .extend({
    source: z.union([z.object({ key: z.string() }), z.object({ url: z.string() })]),
    filename: z.string().default('video'),
  })

export function videoOutputRoutes({ sql, storage, config }: AppDependencies) {
  return new Hono<ApiEnv>().post(
    '/:jobId/outputs',
    operation({
      summary: 'Add outputs to a video, or do some again',
      description:
        'A job of its own, from the source of the first. Its outputs are shown with those of the video and take the place of those by the same name; sizes that are streamed join its playlists. Trim, watermark, loudness, subtitles and the audio of each format are those of the first encode where they are left out. Streams, sounds, subtitles and storyboard have one time line: a trim that would give some another is refused. A key may also stand in Idempotency-Key.',
      example: { outputs: [{ format: 'hls', height: 480 }] },
      answers: {
        201: {
          description: 'The job is queued.',
          schema: Enqueued.extend({ message: z.string() }),
          example: { jobId: exampleId, status: 'queued', message: 'The outputs are queued for encoding.' },
        },
        200: { description: 'The idempotency key met an earlier job.', schema: Enqueued },
      },
      problems: [
        'job_not_found',
        'source_gone',
        'trim_differs',
        'upload_not_found',
        'upload_not_usable',
        'invalid_media',
        'encoder_missing',
        'idempotency_conflict',
      ],
    }),
    validate('param', JobParam),
    jsonBody,
    validateHeaders(EnqueueHeader),
    validate('json', AdditionBody),
    async (c) => {
      const { jobId } = c.req.valid('param')
      const { priority, idempotencyKey: keyOfBody, ...asked } = c.req.valid('json')
      const idempotencyKey = keyOf(c, keyOfBody)
      const video = await readVideo(sql, jobId)
      const { outputs = [], ...kept } = Kept.parse(video.job.params)
      const { source } = kept
      const wanted = { ...asked, outputs: withKeptAudio(asked.outputs, outputs) }
      const isRepeated = await isKeyHeld(sql, { definitionKey, key: idempotencyKey })
      if (!isRepeated) {
        if ('key' in source && (await storage.head(source.key)) === null) {
          throw new SourceGone(`The source of video ${jobId}`)
        }
        requireOneTimeLine(video, { ...kept, ...wanted })
        await requireEncoders(sql, codecsNeeded(wanted))
      }
      const { job, created } = await enqueueAddition(sql, jobId, {
        definitionKey,
        params: { ...kept, ...(await optionsFor(sql, wanted, { isRepeated })) },
        priority,
        idempotencyKey,
        idempotencyTtlSeconds: config.IDEMPOTENCY_TTL_SECONDS,
      })
      const message = 'The outputs are queued for encoding.'
      return c.json({ jobId: job.id, status: job.status, message }, created ? 201 : 200)
    },
  )
}

/** What players show together. */
const timed = new Set<string>(['rendition', 'audio', 'subtitles', 'storyboard'])

/** @throws RequestProblem trim_differs */
function requireOneTimeLine(
  { job, additions, outputs }: Video,
  wanted: Pick<EncodeRequest, 'trim' | 'subtitles' | 'storyboard'> & Required<Pick<EncodeRequest, 'outputs'>>,
): void {
  // Subtitles are made beside whatever is asked for, unless it says otherwise.
  const isTimed =
    wanted.subtitles !== false || wanted.storyboard || wanted.outputs.some(({ format }) => isStream(format))
  if (!isTimed) return
  // What is under way may make some; what is there may be of several, as earlier releases let it.
  const isThere = ({ jobId, status }: JobView) =>
    !isFinal(status) || outputs.some((output) => output.jobId === jobId && timed.has(output.kind))
  const there = [job, ...additions].filter(isThere).map(({ params }) => shown(Kept.parse(params).trim))
  const then = shown(wanted.trim)
  if (there.length === 0 || there.includes(then)) return
  const message = `Streams, sounds, subtitles and storyboard of video ${job.jobId} show ${[...new Set(there)].join(' and ')}; these would show ${then}. Ask for the same trim, encode the part as a video of its own, or ask for files alone with subtitles: false.`
  throw new RequestProblem('trim_differs', message, [{ path: 'trim', message }])
}

function shown(trim: EncodeRequest['trim']): string {
  const { start = 0, end } = trim ?? {}
  const until = end === undefined ? 'its end' : `${end} s`
  return start === 0 && end === undefined ? 'the whole source' : `the source from ${start} s to ${until}`
}
