/** What requests about videos take. */
import { z } from 'zod'
import { contradictionsOf } from '../../core/encode/contradictions.ts'
import { EncodeOptions, problemsOf, WatermarkLook } from '../../core/encode/options.ts'
import { isMediaKey } from '../../core/storage/keys.ts'
import { id, text } from '../validate.ts'
import { idempotencyKey, priority } from './job-requests.ts'

/** Clients name their uploads, never a key of ours. */
const Options = EncodeOptions.extend({
  watermark: WatermarkLook.extend({ uploadId: id.describe('A completed upload of a PNG, JPEG or WebP.') })
    .optional()
    .describe('A picture laid over the video.'),
})

const Settings = Options.extend({ priority: priority.default(0) })
export type Settings = z.output<typeof Settings>

export const EncodeBody = Settings.extend({
  uploadId: id.describe('A completed upload.').optional(),
  sourceKey: z
    .string()
    .refine(isMediaKey, 'expected the key of a source or an output')
    .describe('A source or an output in the storage.')
    .optional(),
  sourceUrl: text(2000)
    .describe('A video at a public http or https address, fetched by the worker.')
    .optional(),
  filename: text(255).describe('What the file is called; the output is named after it.').optional(),
  idempotencyKey: idempotencyKey.optional(),
})
  .refine(
    (body) =>
      [body.uploadId, body.sourceKey, body.sourceUrl].filter((source) => source !== undefined).length === 1,
    { path: ['uploadId'], message: 'expected one of this, sourceKey and sourceUrl' },
  )
  .superRefine(checkRequest)
  .transform(withFormat)
export type EncodeBody = z.output<typeof EncodeBody>

/** In a form everything is text: these are taken as they are, everything else that is known as JSON. */
const textFields = new Set(['quality', 'format', 'preset'])

export const EncodeForm = z
  .record(z.string(), z.string())
  .transform((fields, context) => {
    return Object.fromEntries(
      Object.entries(fields).map(([name, value]) => {
        const isText =
          textFields.has(name) ||
          (name === 'segments' && !/^\d+$/.test(value)) ||
          !Object.hasOwn(Settings.shape, name)
        if (isText) return [name, value]
        try {
          return [name, JSON.parse(value)]
        } catch {
          context.addIssue({ code: 'custom', path: [name], message: 'expected JSON, such as 5 or true' })
          return [name, undefined]
        }
      }),
    )
  })
  .pipe(Settings.superRefine(checkRequest).transform(withFormat))

/** What each option may be, but not together. */
function checkRequest(request: Parameters<typeof problemsOf>[0], context: z.RefinementCtx): void {
  for (const problem of [...problemsOf(request), ...contradictionsOf(request)]) {
    context.addIssue({ code: 'custom', ...problem })
  }
}

/** Stored with it, named or not: under an idempotency key a repeated request is compared with what the first one left. */
function withFormat<Request extends Pick<Settings, 'format'>>(request: Request) {
  return { ...request, format: request.format ?? ('mp4' as const) }
}

export const documentedForm = Settings.extend({ video: z.string().meta({ contentMediaType: 'video/*' }) })

/** Like `EncodeBody`, but what is to be made must be listed; what is left out of the rest is as it was. */
export const AdditionBody = Options.omit({ format: true, preset: true, ladder: true })
  .extend({
    outputs: Options.shape.outputs.unwrap().default([]),
    priority: priority.default(0),
    idempotencyKey: idempotencyKey.optional(),
  })
  .superRefine(checkRequest)
  .refine(
    ({ outputs, poster, thumbnails, storyboard }) =>
      outputs.length > 0 || [poster, thumbnails, storyboard].some(Boolean),
    { path: ['outputs'], message: 'expected an output, a poster, thumbnails or a storyboard' },
  )
export type AdditionBody = z.output<typeof AdditionBody>
