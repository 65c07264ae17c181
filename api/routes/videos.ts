/** Videos: follow an encode, get the result. */
import { Hono } from 'hono'
import { z } from 'zod'
import { JobNotFound } from '../../core/errors.ts'
import { readJob } from '../../core/queue/read.ts'
import { contentDisposition } from '../../core/storage/presign.ts'
import type { ApiEnv, AppDependencies } from '../app.ts'
import { operation } from '../openapi/operation.ts'
import { RequestProblem } from '../problem.ts'
import { validate } from '../validate.ts'
import { definitionKey } from './encode.ts'
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

/** What `encode.video` returns, as far as clients see it. */
const EncodeResult = z.object({
  outputs: z.array(z.looseObject({ key: z.string(), filename: z.string(), contentType: z.string() })).min(1),
  source: z.looseObject({}),
})

export function videoRoutes({ sql, storage }: AppDependencies) {
  async function readVideoJob(jobId: string) {
    const job = await readJob(sql, jobId)
    if (job?.definitionKey !== definitionKey) throw new JobNotFound(jobId)
    return job
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
      },
    )
}

function finishedEncode(job: { status: string; result: unknown }) {
  return job.status === 'succeeded' ? EncodeResult.parse(job.result) : null
}
