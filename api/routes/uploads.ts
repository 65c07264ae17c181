/** Uploads by presigned links: the bytes go from the client to storage, past the API. */
import { Hono } from 'hono'
import { z } from 'zod'
import { cancelUpload } from '../../core/uploads/cancel.ts'
import { completeUpload } from '../../core/uploads/complete.ts'
import { createUpload } from '../../core/uploads/create.ts'
import { readUpload } from '../../core/uploads/read.ts'
import type { Upload } from '../../core/uploads/row.ts'
import type { ApiEnv, AppDependencies } from '../app.ts'
import { RequestProblem } from '../problem.ts'
import { id, jsonBody, text, validate } from '../validate.ts'

const CreateBody = z.object({
  filename: text(255),
  contentType: z
    .string()
    .regex(/^[\w.+-]{1,100}\/[\w.+-]{1,100}$/, 'expected a media type such as video/mp4'),
  sizeBytes: z.int().positive(),
  expiresInSeconds: z.int().min(60).max(604_800).default(3600),
})

const UploadParam = z.object({ uploadId: id })

export function uploadRoutes({ sql, storage, config }: AppDependencies): Hono<ApiEnv> {
  const routes = new Hono<ApiEnv>()

  routes.post('/', jsonBody, validate('json', CreateBody), async (c) => {
    const request = c.req.valid('json')
    if (request.sizeBytes > config.MAX_UPLOAD_BYTES) {
      const message = `A video may have ${config.MAX_UPLOAD_BYTES} bytes at most.`
      throw new RequestProblem('body_too_large', message, [{ path: 'sizeBytes', message }])
    }
    const { upload, target } = await createUpload(sql, storage, request)
    const { kind: _kind, ...links } = target
    return c.json({ ...view(upload), method: 'PUT', ...links }, 201)
  })

  routes.get('/:uploadId', validate('param', UploadParam), async (c) => {
    return c.json(view(await readUpload(sql, c.req.valid('param').uploadId)))
  })

  routes.post('/:uploadId/complete', validate('param', UploadParam), async (c) => {
    return c.json(view(await completeUpload(sql, storage, c.req.valid('param').uploadId)))
  })

  routes.delete('/:uploadId', validate('param', UploadParam), async (c) => {
    return c.json(view(await cancelUpload(sql, storage, c.req.valid('param').uploadId)))
  })

  return routes
}

function view({
  id: uploadId,
  status,
  filename,
  contentType,
  sizeBytes,
  createdAt,
  expiresAt,
  error,
}: Upload) {
  return { uploadId, status, filename, contentType, sizeBytes, createdAt, expiresAt, error }
}
