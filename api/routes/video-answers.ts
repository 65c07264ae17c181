/** What is answered about encodes, for the document and for the tests that hold the answers against it. */
import { z } from 'zod'
import { Status } from './job-answers.ts'

const loose = z.looseObject({})

export const VideoStatus = z
  .object({
    jobId: z.uuid(),
    status: Status,
    definitionKey: z.literal('encode.video'),
    progress: loose.nullable().describe('percent, fps, speed, etaSeconds'),
    source: loose.optional().describe('What ffprobe found in the source.'),
    outputs: z
      .array(
        z.looseObject({
          filename: z.string(),
          contentType: z.string(),
          jobId: z.uuid().describe('The encode that made it: another one when it is done again.'),
          url: z.string(),
        }),
      )
      .optional(),
    playback: z
      .looseObject({ expiresInSeconds: z.int(), token: z.string() })
      .optional()
      .describe(
        'Links that players can follow without an API key: hlsUrl, dashUrl, posterUrl, storyboardUrl, thumbnailUrls.',
      ),
    additions: z
      .array(z.looseObject({ jobId: z.uuid(), status: Status }))
      .optional()
      .describe('Encodes that add outputs or do them again.'),
    outputFilename: z.string().optional(),
    downloadUrl: z.string().optional(),
    error: z.object({ code: z.string(), message: z.string().nullable() }).optional(),
  })
  .meta({ id: 'VideoStatus' })

export function exampleVideo(jobId: string) {
  return {
    jobId,
    status: 'running',
    definitionKey: 'encode.video',
    progress: { percent: 42, fps: 118, speed: 3.9, etaSeconds: 21 },
  }
}
