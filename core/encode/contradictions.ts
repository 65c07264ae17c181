/**
 * What a request says in two ways that can't both be meant, so that one of them would go unheard. Only requests are held to
 * it, not the parameters of jobs: those that were accepted before must still run. Pure.
 */
import { type EncodeRequest, isStream } from './options.ts'

type Word = 'quality' | 'format' | 'preset' | 'ladder'

/** For `superRefine`, with the path of what would go unheard. */
export function contradictionsOf(
  request: Pick<EncodeRequest, Word | 'outputs'>,
): { path: [Word]; message: string }[] {
  const found =
    request.outputs === undefined ? besideEachOther(request) : besideOutputs(request, request.outputs)
  return found.map(([word, message]) => ({ path: [word], message }))
}

type Found = [Word, string][]

function besideOutputs(
  { quality, format, preset, ladder }: Pick<EncodeRequest, Word>,
  outputs: NonNullable<EncodeRequest['outputs']>,
): Found {
  const streams = outputs.filter((output) => isStream(output.format))
  const isSized = ({ height }: (typeof outputs)[number]) => height !== undefined
  const addsLadder = ladder === true && streams.length === 0
  const found: Found = []
  if (format !== undefined) found.push(['format', "can't stand beside outputs: each of them has its own"])
  if (preset !== undefined) {
    found.push(['preset', "can't stand beside outputs; for its poster there is the option poster"])
  }
  if (ladder === true && streams.length > 0 && streams.every(isSized)) {
    found.push(['ladder', "can't stand beside streams in outputs that all have a height"])
  }
  if (ladder === false && !streams.every(isSized)) {
    found.push(['ladder', 'a stream in outputs without a height is a ladder'])
  }
  if (quality !== undefined && outputs.every(isSized) && !addsLadder) {
    found.push(['quality', "can't stand beside outputs of which none is without a height"])
  }
  return found
}

function besideEachOther({ format, preset, ladder }: Pick<EncodeRequest, Word>): Found {
  const isStreamed = format !== undefined && isStream(format)
  const found: Found = []
  if (preset === 'streaming' && format !== undefined && !isStreamed) {
    found.push(['format', `the preset streaming makes HLS and DASH; for ${format} too, list outputs`])
  } else if (preset === 'webm' && format !== undefined && format !== 'webm') {
    found.push(['format', `the preset webm makes WebM; for ${format} too, list outputs`])
  } else if (ladder === true && format === 'mp4') {
    found.push([
      'format',
      "can't stand beside ladder, which makes no file; for both, list the file in outputs",
    ])
  }
  if (ladder === true && preset === 'web' && format === undefined) {
    found.push([
      'preset',
      "can't stand beside ladder, which makes no file; for both, list the file in outputs",
    ])
  }
  if (ladder === false && (preset === 'streaming' || isStreamed)) {
    found.push(['ladder', 'HLS and DASH are a ladder; for one size, list it in outputs with its height'])
  }
  return found
}
