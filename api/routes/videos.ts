/** Videos: encode one, follow it, get the result. */
import { Hono } from 'hono'
import { createMiddleware } from 'hono/factory'
import { z } from 'zod'
import { JobNotFound, UploadNotUsable } from '../../core/errors.ts'
import { enqueue } from '../../core/queue/enqueue.ts'
import { readJob } from '../../core/queue/read.ts'
import { contentDisposition } from '../../core/storage/presign.ts'
import { readUpload } from '../../core/uploads/read.ts'
import { rejectUpload } from '../../core/uploads/reject.ts'
import type { Upload } from '../../core/uploads/row.ts'
import type { ApiEnv, AppDependencies } from '../app.ts'
import { RequestProblem } from '../problem.ts'
import { type ReceivedVideo, receiveVideo } from '../receive-video.ts'
import { id, invalidRequest, jsonBody, requireMediaType, text, validate } from '../validate.ts'
import { priority } from './jobs.ts'

const definitionKey = 'encode.video'
const downloadLinkSeconds = 3600

const Settings = z.object({
  quality: z.enum(['720p', '1080p', '4k']).default('1080p'),
  format: z.enum(['mp4']).default('mp4'),
  priority: priority.default(0),
})
type Settings = z.output<typeof Settings>

const EncodeBody = Settings.extend({ uploadId: id, idempotencyKey: text(255).optional() })

/** In a form everything is text. */
const EncodeForm = Settings.extend({
  priority: z
    .string()
    .regex(/^-?\d{1,10}$/, 'expected an integer')
    .transform(Number)
    .pipe(priority)
    .default(0),
})

const JobParam = z.object({ jobId: id })
const DownloadQuery = z.object({ redirect: z.enum(['true', 'false']).default('true') })

/** What `encode.video` returns, as far as clients see it. */
const EncodeResult = z.object({
  outputs: z.array(z.looseObject({ key: z.string(), filename: z.string(), contentType: z.string() })).min(1),
  source: z.looseObject({}),
})

export function videoRoutes(dependencies: AppDependencies): Hono<ApiEnv> {
  const { sql, storage, config } = dependencies
  const routes = new Hono<ApiEnv>()

  routes.post(
    '/encode',
    createMiddleware<ApiEnv>(async (c, next) => {
      const type = requireMediaType(c.req.header('content-type'), ['multipart/form-data', 'application/json'])
      if (type === 'application/json') return await next()
      const received = await receiveVideo(c.req.raw, dependencies)
      return c.json(await encodeReceived(received), 201)
    }),
    jsonBody,
    validate('json', EncodeBody),
    async (c) => {
      const { uploadId, idempotencyKey, ...settings } = c.req.valid('json')
      const upload = await readUpload(sql, uploadId)
      if (upload.status !== 'completed') throw new UploadNotUsable(uploadId, upload.status)
      const { created, ...answer } = await encode(upload, settings, idempotencyKey)
      return c.json(answer, created ? 201 : 200)
    },
  )

  routes.get('/:jobId/status', validate('param', JobParam), async (c) => {
    const job = await readVideoJob(c.req.valid('param').jobId)
    const { jobId, status, progress, errorCode, errorSummary } = job
    const error = errorCode === null ? undefined : { code: errorCode, message: errorSummary }
    const done = finishedEncode(job)
    if (done === null) return c.json({ jobId, status, definitionKey, progress, error })
    const downloadUrl = `/v1/videos/${jobId}/download`
    return c.json({
      jobId,
      status,
      definitionKey,
      progress,
      source: done.source,
      outputs: done.outputs.map(({ key: _key, ...output }) => ({ ...output, url: downloadUrl })),
      outputFilename: done.outputs[0]?.filename,
      downloadUrl,
    })
  })

  routes.get('/:jobId/download', validate('param', JobParam), validate('query', DownloadQuery), async (c) => {
    const { jobId } = c.req.valid('param')
    const output = finishedEncode(await readVideoJob(jobId))?.outputs[0]
    if (output === undefined) {
      throw new RequestProblem('output_not_ready', `Job ${jobId} has no output to download.`)
    }
    const { key, filename, contentType } = output
    if (c.req.valid('query').redirect === 'true') {
      const options = { expiresInSeconds: downloadLinkSeconds, audience: 'client', filename } as const
      return c.redirect(await storage.presignGet(key, options), 302)
    }
    const object = await storage.get(key, c.req.header('range'))
    if (object === null) throw new RequestProblem('output_not_ready', 'The output is not kept any more.')
    if (object === 'unsatisfiable') {
      throw new RequestProblem('range_not_satisfiable', 'The output has no such range.')
    }
    return c.body(object.body, object.contentRange === null ? 200 : 206, {
      'content-type': contentType,
      'content-length': String(object.sizeBytes),
      'content-disposition': contentDisposition(filename),
      'accept-ranges': 'bytes',
      ...(object.contentRange === null ? {} : { 'content-range': object.contentRange }),
    })
  })

  /** A form whose video arrived but which can't be enqueued leaves nothing in storage. */
  async function encodeReceived({ upload, fields }: ReceivedVideo) {
    try {
      const form = EncodeForm.safeParse(fields)
      if (!form.success) throw invalidRequest(form.error.issues)
      // Without an idempotency key: each form brings bytes of its own, so no two requests are the same.
      const { created: _created, ...answer } = await encode(upload, form.data)
      return answer
    } catch (error) {
      await rejectUpload(sql, storage, { id: upload.id }, 'The request it came with was refused.')
      throw error
    }
  }

  async function encode(upload: Upload, settings: Settings, idempotencyKey?: string) {
    const { job, created } = await enqueue(sql, {
      definitionKey,
      params: {
        source: { key: upload.objectKey },
        filename: upload.filename,
        quality: settings.quality,
        format: settings.format,
      },
      priority: settings.priority,
      idempotencyKey,
      idempotencyTtlSeconds: config.IDEMPOTENCY_TTL_SECONDS,
    })
    return { jobId: job.id, status: job.status, message: 'The video is queued for encoding.', created }
  }

  async function readVideoJob(jobId: string) {
    const job = await readJob(sql, jobId)
    if (job?.definitionKey !== definitionKey) throw new JobNotFound(jobId)
    return job
  }

  return routes
}

function finishedEncode(job: { status: string; result: unknown }) {
  return job.status === 'succeeded' ? EncodeResult.parse(job.result) : null
}
