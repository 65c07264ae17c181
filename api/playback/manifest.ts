/**
 * The manifest of DASH (ISO/IEC 23009-1, on-demand profile) over the very files that HLS plays: players find the
 * segments by the index in each.
 */
import { languageTag } from './names.ts'
import { byCodec, type Output, ofKind, type Rendition, type Sound, type Subtitles } from './video.ts'

/** @param urlOf where the file of an output is, by its name */
export function manifest(outputs: Output[], urlOf: (name: string) => string): string {
  const renditions = ofKind(outputs, 'rendition')
  const sounds = ofKind(outputs, 'audio')
  // Players stop here: sound may go on after the last picture.
  const seconds = Math.max(0, ...[...renditions, ...sounds].map(({ durationSeconds }) => durationSeconds))
  const pictures = [...byCodec(renditions).values()]
  const sets = [
    ...pictures.map((group) => [
      '<AdaptationSet contentType="video" mimeType="video/mp4" segmentAlignment="true" subsegmentAlignment="true" subsegmentStartsWithSAP="1">',
      ...group.map((rendition) => pictureElement(rendition, urlOf)),
      '</AdaptationSet>',
    ]),
    ...sounds.map((sound) => [
      `<AdaptationSet contentType="audio" mimeType="audio/mp4" segmentAlignment="true" subsegmentAlignment="true" subsegmentStartsWithSAP="1"${language(sound)}>`,
      soundElement(sound, urlOf),
      '</AdaptationSet>',
    ]),
    ...ofKind(outputs, 'subtitles').map((track) => [
      `<AdaptationSet contentType="text" mimeType="text/vtt"${language(track)}>`,
      '<Role schemeIdUri="urn:mpeg:dash:role:2011" value="subtitle"/>',
      `<Representation id="${escaped(track.name)}" bandwidth="1000"><BaseURL>${escaped(urlOf(track.name))}</BaseURL></Representation>`,
      '</AdaptationSet>',
    ]),
  ]
  return [
    '<?xml version="1.0" encoding="UTF-8"?>',
    `<MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static" profiles="urn:mpeg:dash:profile:isoff-on-demand:2011" minBufferTime="PT4S" mediaPresentationDuration="PT${seconds.toFixed(3)}S">`,
    '<Period>',
    ...sets.flat(),
    '</Period>',
    '</MPD>',
    '',
  ].join('\n')
}

function pictureElement(rendition: Rendition, urlOf: (name: string) => string): string {
  const { width, height, frameRate } = rendition
  const size = `width="${width}" height="${height}" frameRate="${frameRateOf(frameRate)}"`
  return representation(rendition, size, '', urlOf)
}

function soundElement(sound: Sound, urlOf: (name: string) => string): string {
  const channels = `<AudioChannelConfiguration schemeIdUri="urn:mpeg:dash:23003:3:audio_channel_configuration:2011" value="${sound.channels}"/>`
  return representation(sound, `audioSamplingRate="${sound.sampleRate}"`, channels, urlOf)
}

function representation(
  { name, codecs, peakBitrate, headRange, indexRange }: Rendition | Sound,
  attributes: string,
  children: string,
  urlOf: (name: string) => string,
): string {
  const base = `<BaseURL>${escaped(urlOf(name))}</BaseURL>`
  const index = `<SegmentBase indexRange="${bytes(indexRange)}"><Initialization range="${bytes(headRange)}"/></SegmentBase>`
  const head = `id="${escaped(name)}" codecs="${codecs}" bandwidth="${peakBitrate}" ${attributes}`
  return `<Representation ${head}>${children}${base}${index}</Representation>`
}

/** First and last byte. */
function bytes([from, to]: [number, number]): string {
  return `${from}-${to - 1}`
}

/** A whole number, or a fraction: 29.97 is 30000/1001. */
function frameRateOf(frameRate: number): string {
  if (Number.isInteger(frameRate)) return String(frameRate)
  const ntsc = Math.round(frameRate * 1001)
  const isNtsc = Math.abs(ntsc / 1001 - frameRate) < 1e-4 && ntsc % 1000 === 0
  return isNtsc ? `${ntsc}/1001` : `${Math.round(frameRate * 1000)}/1000`
}

function language({ language: of }: Sound | Subtitles): string {
  return of === null ? '' : ` lang="${escaped(languageTag(of))}"`
}

function escaped(text: string): string {
  return text.replace(/[&<>"]/g, (character) => `&#${character.charCodeAt(0)};`)
}
