/** Still pictures of a video. They are taken from what was encoded: upright, of the right size, and quick to decode. */
import { runFfmpeg, type ToolCare } from './ffmpeg.ts'
import { inputOptions } from './input.ts'

export interface PictureSource {
  file: string
  durationSeconds: number
}

/** @throws JobError as `runFfmpeg` */
export async function takePoster(
  ffmpeg: string,
  { file, durationSeconds }: PictureSource,
  { atSeconds, to }: { atSeconds: number; to: string },
  care: ToolCare,
): Promise<void> {
  // Of the last frames none may begin after the time that is asked for.
  const at = Math.max(0, Math.min(atSeconds, durationSeconds - 0.5))
  const options = ['-ss', at.toFixed(3), ...inputOptions(file), '-frames:v', '1', '-an', '-sn']
  const nothing = { durationSeconds: 0, videoStream: 0, progress: () => undefined }
  await runFfmpeg(ffmpeg, [...options, '-q:v', '3', '-f', 'mjpeg', to], { ...care, ...nothing })
}
