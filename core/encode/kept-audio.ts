/**
 * The sound of outputs that are added to a video, where their request does not say: that of the video's own. What is
 * streamed has one sound for all sizes, so a size that is added with another would change it for all of them. Pure.
 */
import { isStream, type OutputRequest } from './options.ts'
import { resolveOutput } from './wish.ts'

/** @param first what the first encode of the video was asked for */
export function withKeptAudio(
  wanted: readonly OutputRequest[],
  first: readonly OutputRequest[],
): OutputRequest[] {
  return wanted.map((output) => {
    if (output.audio !== undefined) return output
    const audio = isStream(output.format) ? streamAudio(first) : fileAudio(output, first)
    // Left out rather than undefined: parameters are compared when an idempotency key comes again.
    return audio === undefined ? output : { ...output, audio }
  })
}

/**
 * Of several codecs the first; of requests for it that differ the one for the most channels, and of as many the last: by
 * that one the sound was made.
 */
function streamAudio(first: readonly OutputRequest[]): OutputRequest['audio'] {
  const streams = first.filter(({ format }) => isStream(format))
  const heard = streams.flatMap((output) => {
    const { audio } = resolveOutput(output)
    return audio === null ? [] : [{ ...audio, asked: output.audio }]
  })
  if (streams.length > 0 && heard.length === 0) return false
  const same = heard.filter(({ codec }) => codec === heard[0]?.codec)
  return same.toSorted((a, b) => a.channels - b.channels).at(-1)?.asked
}

/** Of the file that is made again, else of the first one in the same format. */
function fileAudio(output: OutputRequest, first: readonly OutputRequest[]): OutputRequest['audio'] {
  const files = first.filter(({ format }) => format === output.format)
  const { codec, height } = resolveOutput(output)
  const itself = files.map(resolveOutput).findIndex((file) => file.codec === codec && file.height === height)
  return files[Math.max(0, itself)]?.audio
}
