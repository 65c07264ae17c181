/**
 * Closed captions that lie in the pictures of a video, as in American broadcasts (CEA-608 and 708, carried as ATSC A/53 part
 * 4 says). FFmpeg hands them on to H.264. What ffprobe says of a stream (`closed_captions`) is of no use: some versions
 * look at the first pictures for it, others at none.
 */
import { allocationOptions, runTool, type ToolCare } from './ffmpeg.ts'
import { inputOptions } from './input.ts'

/** How a message with them begins in H.264, H.265 and AV1: country and provider (ITU-T T.35), identifier, type. */
const beginning = Buffer.from([0xb5, 0x00, 0x31, ...Buffer.from('GA94'), 0x03])

/** Whether bytes of a track hold some. A message may be cut apart by the end of the bytes: each picture has one. */
export function holdsCaptions(bytes: Buffer): boolean {
  return bytes.includes(beginning)
}

/** Pictures. Captions come with each of them, empty ones where nobody speaks. */
const looked = 30

/** Whether the decoder finds some in a source. Where it fails, that is for the encode to find. */
export async function readsCaptions(
  ffprobe: string,
  { input, stream }: { input: string; stream: number },
  care: ToolCare,
): Promise<boolean> {
  const { stdout } = await runTool(
    'ffprobe',
    ffprobe,
    [
      ...['-hide_banner', '-loglevel', 'error', ...allocationOptions],
      ...['-select_streams', String(stream), '-read_intervals', `%+#${looked}`],
      ...['-show_entries', 'frame_side_data=side_data_type', '-of', 'csv=p=0'],
      ...inputOptions(input),
    ],
    care,
  )
  return stdout.includes('Closed Captions')
}
