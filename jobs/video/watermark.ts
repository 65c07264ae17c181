/** The client's picture that is laid over a video, made ready: checked by itself, in its final size, as PNG. */
import { JobError } from '../../core/job.ts'
import { runFfmpeg, type ToolCare } from './ffmpeg.ts'
import type { PicturePlan } from './plan.ts'

/** Larger ones are no watermarks. */
const maxPixels = 50_000_000

/**
 * By itself, so that a picture that can't be read is not taken for a damaged video.
 * @param width of the video, in pixels
 * @throws JobError invalid_watermark
 */
export async function prepareWatermark(
  ffmpeg: string,
  {
    from,
    to,
    width,
    look,
  }: { from: string; to: string; width: number; look: NonNullable<PicturePlan['watermark']> },
  care: ToolCare,
): Promise<void> {
  const filters = [
    'format=rgba',
    `scale=${Math.max(1, Math.round(look.width * width))}:-1`,
    `colorchannelmixer=aa=${look.opacity}`,
  ]
  // biome-ignore format: options beside their values
  const options = [
    '-max_pixels', String(maxPixels),
    '-protocol_whitelist', 'file',
    '-format_whitelist', 'png_pipe,jpeg_pipe,webp_pipe', // what a picture can be, and nothing that names other files
    '-i', `file:${from}`,
    '-frames:v', '1',
    '-vf', filters.join(','),
    '-c:v', 'png', '-f', 'image2pipe',
    to,
  ]
  try {
    await runFfmpeg(ffmpeg, options, care)
  } catch (error) {
    if (!(error instanceof JobError) || error.retry) throw error
    const message = 'The watermark can not be read as a picture in PNG, JPEG or WebP.'
    throw new JobError('invalid_watermark', message, { retry: false, cause: error })
  }
}
