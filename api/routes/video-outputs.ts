/** More outputs of a video that was encoded before, or some of them again: from the source that was kept. */
import { Hono } from 'hono'
import { z } from 'zod'
import { withKeptAudio } from '../../core/encode/kept-audio.ts'
import { EncodeOptions } from '../../core/encode/options.ts'
import { codecsNeeded } from '../../core/encode/wish.ts'
import { SourceGone } from '../../core/errors.ts'
import { isKeyHeld } from '../../core/queue/read.ts'
import { enqueueAddition } from '../../core/videos/additions.ts'
import { requireEncoders } from '../../core/workers/encoders.ts'
import type { ApiEnv, AppDependencies } from '../app.ts'
import { operation } from '../openapi/operation.ts'
import { definitionKey, readVideo } from '../playback/video.ts'
import { jsonBody, validate } from '../validate.ts'
import { Enqueued, exampleId } from './job-answers.ts'
import { JobParam } from './job-requests.ts'
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
        'A job of its own, from the source of the first. Its outputs are shown with those of the video and take the place of those by the same name; sizes that are streamed join its playlists. Trim, watermark, loudness, subtitles and the audio of each format are those of the first encode where they are left out.',
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
        'upload_not_found',
        'upload_not_usable',
        'invalid_media',
        'encoder_missing',
        'idempotency_conflict',
      ],
    }),
    validate('param', JobParam),
    jsonBody,
    validate('json', AdditionBody),
    async (c) => {
      const { jobId } = c.req.valid('param')
      const { priority, idempotencyKey, ...asked } = c.req.valid('json')
      const { job: first } = await readVideo(sql, jobId)
      const { outputs = [], ...kept } = Kept.parse(first.params)
      const { source } = kept
      const wanted = { ...asked, outputs: withKeptAudio(asked.outputs, outputs) }
      const isRepeated = await isKeyHeld(sql, { definitionKey, key: idempotencyKey })
      if (!isRepeated) {
        if ('key' in source && (await storage.head(source.key)) === null) {
          throw new SourceGone(`The source of video ${jobId}`)
        }
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
