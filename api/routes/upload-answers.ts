/** What is answered about uploads, for the document and for the tests that hold the answers against it. */
import { z } from 'zod'
import { exampleId } from './job-answers.ts'

export const Upload = z
  .object({
    uploadId: z.uuid(),
    status: z.enum(['waiting', 'completed', 'cancelled', 'timed_out', 'errored']),
    filename: z.string(),
    contentType: z.string(),
    sizeBytes: z.int().nullable(),
    createdAt: z.iso.datetime(),
    expiresAt: z.iso.datetime().describe('When upload and links end.'),
    bytesRemovedAt: z.iso
      .datetime()
      .nullable()
      .describe('When its bytes were removed: no job can use it any more.'),
    error: z.string().nullable(),
  })
  .meta({ id: 'Upload' })

const part = z.object({ partNumber: z.int().min(1), sizeBytes: z.int() })

export const UploadProgress = Upload.extend({
  parts: z.array(part.extend({ done: z.boolean() })).optional(),
}).meta({ id: 'UploadProgress' })

export const OpenedUpload = Upload.extend({
  method: z.literal('PUT'),
  url: z.string().optional().describe('Where the bytes go; left out when there are parts.'),
  headers: z.record(z.string(), z.string()).optional().describe('To be sent with them.'),
  parts: z
    .array(part.extend({ url: z.string() }))
    .optional()
    .describe('Each to be PUT to its own url.'),
}).meta({ id: 'OpenedUpload' })

export const exampleUpload = {
  uploadId: exampleId,
  status: 'waiting',
  filename: 'holiday.mov',
  contentType: 'video/quicktime',
  sizeBytes: 12_345_678,
  createdAt: '2030-01-31T09:30:00.000Z',
  expiresAt: '2030-01-31T10:30:00.000Z',
  bytesRemovedAt: null,
  error: null,
}

export const exampleOpened = {
  ...exampleUpload,
  method: 'PUT',
  url: 'https://storage.example/videos/sources/019a8b3e/source?X-Amz-Signature=…',
  headers: { 'content-type': 'video/quicktime' },
}
