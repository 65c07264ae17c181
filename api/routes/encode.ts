/** Encodes a video: one that comes with the request as a form, or one that already lies in storage. */
import { type Context, Hono, type Next } from 'hono'
import { z } from 'zod'
import { codecsNeeded } from '../../core/encode/wish.ts'
import { SourceNotFound } from '../../core/errors.ts'
import { problemOfUrl } from '../../core/outside-url.ts'
import { enqueue } from '../../core/queue/enqueue.ts'
import { isKeyHeld } from '../../core/queue/read.ts'
import { rejectUpload } from '../../core/uploads/reject.ts'
import { refusePicture, usableUpload } from '../../core/uploads/usable.ts'
import { requireEncoders } from '../../core/workers/encoders.ts'
import type { ApiEnv, AppDependencies } from '../app.ts'
import { operation } from '../openapi/operation.ts'
import { definitionKey } from '../playback/video.ts'
import { type ReceivedVideo, receiveVideo } from '../receive-video.ts'
import { mendedFileName } from '../sent-file.ts'
import { invalidRequest, jsonBody, requireMediaType, validate, validateHeaders } from '../validate.ts'
import { Enqueued, exampleId } from './job-answers.ts'
import { EnqueueHeader, keyOf, refuseKeyHeader } from './job-requests.ts'
import { optionsFor } from './video-options.ts'
import { documentedForm, EncodeBody, EncodeForm, type Settings } from './video-requests.ts'

interface Source {
  source: { key: string } | { url: string }
  filename: string
}

export function encodeRoutes(dependencies: AppDependencies) {
  const { sql, storage, config } = dependencies

  /** A form is answered here; JSON goes on. */
  async function takeForm(c: Context<ApiEnv>, next: Next) {
    const type = requireMediaType(c.req.header('content-type'), ['multipart/form-data', 'application/json'])
    if (type === 'application/json') return await next()
    // Each form brings bytes of its own, so no two requests are the same.
    refuseKeyHeader(c, 'Upload the file first (/v1/videos/uploads), and encode it by a request in JSON.')
    return c.json(await encodeReceived(await receiveVideo(c.req.raw, dependencies)), 201)
  }

  /** A form whose video arrived but which can't be enqueued leaves nothing in storage. */
  async function encodeReceived({ upload, fields }: ReceivedVideo) {
    try {
      const form = EncodeForm.safeParse(fields)
      if (!form.success) throw invalidRequest(form.error.issues)
      const source = { key: upload.objectKey }
      const { created: _created, ...answer } = await encode({ source, filename: upload.filename }, form.data)
      return answer
    } catch (error) {
      await rejectUpload(sql, storage, { id: upload.id }, 'The request it came with was refused.')
      throw error
    }
  }

  async function sourceOf(
    { uploadId, sourceKey, sourceUrl, filename }: EncodeBody,
    isRepeated: boolean,
  ): Promise<Source> {
    if (sourceUrl !== undefined) {
      const allowed = { hosts: config.JOB_ALLOWED_HOSTS, setting: 'JOB_ALLOWED_HOSTS' }
      const problem = problemOfUrl(sourceUrl, allowed)
      if (problem !== null) throw invalidRequest([{ path: ['sourceUrl'], message: problem }])
      return { source: { url: sourceUrl }, filename: filename ?? nameIn(sourceUrl) }
    }
    if (uploadId !== undefined) {
      const upload = await usableUpload(sql, uploadId, { as: 'video', isRepeated })
      return { source: { key: upload.objectKey }, filename: upload.filename }
    }
    const key = sourceKey ?? ''
    if (!isRepeated) {
      await refusePicture(sql, key)
      if ((await storage.head(key)) === null) throw new SourceNotFound(key)
    }
    return { source: { key }, filename: filename ?? 'video' }
  }

  async function encode(
    { source, filename }: Source,
    { priority, ...options }: Settings,
    {
      idempotencyKey,
      isRepeated = false,
    }: { idempotencyKey?: string | undefined; isRepeated?: boolean } = {},
  ) {
    if (!isRepeated) await requireEncoders(sql, codecsNeeded(options))
    const { job, created } = await enqueue(sql, {
      definitionKey,
      params: { source, filename, ...(await optionsFor(sql, options, { isRepeated })) },
      priority,
      idempotencyKey,
      idempotencyTtlSeconds: config.IDEMPOTENCY_TTL_SECONDS,
    })
    return { jobId: job.id, status: job.status, message: 'The video is queued for encoding.', created }
  }

  return new Hono<ApiEnv>().post(
    '/encode',
    operation({
      summary: 'Encode a video',
      description:
        'As a form with the video in it, which is streamed to storage, or as JSON that names a source. With JSON a key may also stand in Idempotency-Key; with that header a form is refused.',
      example: { uploadId: exampleId, quality: '720p' },
      answers: {
        201: {
          description: 'The job is queued.',
          schema: Enqueued.extend({ message: z.string() }),
          example: { jobId: exampleId, status: 'queued', message: 'The video is queued for encoding.' },
        },
        200: { description: 'The idempotency key met an earlier job.', schema: Enqueued },
      },
      problems: [
        'video_missing',
        'invalid_media',
        'encoder_missing',
        'upload_not_found',
        'upload_not_usable',
        'source_not_found',
        'source_gone',
        'definition_not_found',
        'idempotency_conflict',
        'storage_unavailable',
      ],
      otherBodies: { 'multipart/form-data': documentedForm },
    }),
    takeForm,
    jsonBody,
    validateHeaders(EnqueueHeader),
    validate('json', EncodeBody),
    async (c) => {
      const body = c.req.valid('json')
      const {
        uploadId: _id,
        sourceKey: _key,
        sourceUrl: _url,
        filename: _name,
        idempotencyKey: keyOfBody,
        ...settings
      } = body
      const idempotencyKey = keyOf(c, keyOfBody)
      // It meets its job also when the video was found to be none since, or the workers are others.
      const isRepeated = await isKeyHeld(sql, { definitionKey, key: idempotencyKey })
      const source = await sourceOf(body, isRepeated)
      const { created, ...answer } = await encode(source, settings, { idempotencyKey, isRepeated })
      return c.json(answer, created ? 201 : 200)
    },
  )
}

/** The last part of the path, as far as it is a name. */
function nameIn(url: string): string {
  const last = new URL(url).pathname.split('/').at(-1) ?? ''
  try {
    return mendedFileName(decodeURIComponent(last))
  } catch {
    return mendedFileName('')
  }
}
