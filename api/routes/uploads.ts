/** Uploads by presigned links: the bytes go from the client to storage, past the API. */
import { Hono } from 'hono'
import { z } from 'zod'
import { cancelUpload } from '../../core/uploads/cancel.ts'
import { completeUpload } from '../../core/uploads/complete.ts'
import { createUpload, type Target } from '../../core/uploads/create.ts'
import { readUpload } from '../../core/uploads/read.ts'
import { readParts, resumeUpload } from '../../core/uploads/resume.ts'
import type { Upload } from '../../core/uploads/row.ts'
import type { ApiEnv, AppDependencies } from '../app.ts'
import { operation } from '../openapi/operation.ts'
import { RequestProblem } from '../problem.ts'
import { fileNameLength, mediaType } from '../sent-file.ts'
import { id, jsonBody, text, validate } from '../validate.ts'
import {
  exampleOpened,
  exampleUpload,
  OpenedUpload,
  Upload as UploadAnswer,
  UploadProgress,
} from './upload-answers.ts'

const CreateBody = z.strictObject({
  filename: text(fileNameLength).describe('Kept as metadata; never part of an object key.'),
  contentType: mediaType,
  sizeBytes: z.int().positive(),
  expiresInSeconds: z.int().min(60).max(604_800).default(3600),
})

const UploadParam = z.object({ uploadId: id })

export function uploadRoutes({ sql, storage, config }: AppDependencies) {
  return new Hono<ApiEnv>()
    .post(
      '/',
      operation({
        summary: 'Open an upload',
        description: 'PUT the bytes to url with headers, or where there are parts, each to its own url.',
        example: { filename: 'holiday.mov', contentType: 'video/quicktime', sizeBytes: 12_345_678 },
        answers: {
          201: { description: 'Where to send the bytes.', schema: OpenedUpload, example: exampleOpened },
        },
      }),
      jsonBody,
      validate('json', CreateBody),
      async (c) => {
        const request = c.req.valid('json')
        if (request.sizeBytes > config.MAX_UPLOAD_BYTES) {
          const message = `A video may have ${config.MAX_UPLOAD_BYTES} bytes at most.`
          throw new RequestProblem('body_too_large', message, [{ path: 'sizeBytes', message }])
        }
        return c.json(opened(await createUpload(sql, storage, request)), 201)
      },
    )
    .get(
      '/:uploadId',
      operation({
        summary: 'Read an upload',
        description: 'While one in parts is waiting, parts tells which of them have arrived.',
        answers: { 200: { description: 'The upload.', schema: UploadProgress, example: exampleUpload } },
        problems: ['upload_not_found'],
      }),
      validate('param', UploadParam),
      async (c) => {
        const upload = await readUpload(sql, c.req.valid('param').uploadId)
        const parts = await readParts(storage, upload)
        return c.json({ ...view(upload), ...(parts === null ? {} : { parts }) })
      },
    )
    .post(
      '/:uploadId/resume',
      operation({
        summary: 'Get fresh links for what has not arrived',
        answers: {
          200: {
            description: 'As when it was opened, without the parts that are there.',
            schema: OpenedUpload,
            example: exampleOpened,
          },
        },
        problems: ['upload_not_found', 'upload_not_usable'],
      }),
      validate('param', UploadParam),
      async (c) => c.json(opened(await resumeUpload(sql, storage, c.req.valid('param').uploadId))),
    )
    .post(
      '/:uploadId/complete',
      operation({
        summary: 'Complete an upload',
        description:
          'Joins the parts, and checks size and kind of what was stored. Completing twice is no error.',
        answers: {
          200: {
            description: 'The upload.',
            schema: UploadAnswer,
            example: { ...exampleUpload, status: 'completed' },
          },
        },
        problems: ['upload_not_found', 'upload_not_usable', 'upload_incomplete', 'invalid_media'],
      }),
      validate('param', UploadParam),
      async (c) => c.json(view(await completeUpload(sql, storage, c.req.valid('param').uploadId))),
    )
    .delete(
      '/:uploadId',
      operation({
        summary: 'Cancel an upload',
        answers: {
          200: {
            description: 'The upload.',
            schema: UploadAnswer,
            example: { ...exampleUpload, status: 'cancelled' },
          },
        },
        problems: ['upload_not_found', 'upload_not_usable'],
      }),
      validate('param', UploadParam),
      async (c) => c.json(view(await cancelUpload(sql, storage, c.req.valid('param').uploadId))),
    )
}

function opened({ upload, target }: { upload: Upload; target: Target }) {
  const { kind: _kind, ...links } = target
  return { ...view(upload), method: 'PUT' as const, ...links }
}

function view({
  id: uploadId,
  status,
  filename,
  contentType,
  sizeBytes,
  createdAt,
  expiresAt,
  bytesRemovedAt,
  error,
}: Upload) {
  return { uploadId, status, filename, contentType, sizeBytes, createdAt, expiresAt, bytesRemovedAt, error }
}
