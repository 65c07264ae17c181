/** The playlist that names all sizes and sounds of a video (RFC 8216, 4.3.4), for a player to choose from. */
import { languageTag, trackNames } from './names.ts'
import { byCodec, type Output, ofKind, type Rendition, type Sound } from './video.ts'

/** @param urlOf where the media playlist of an output is, by its name */
export function masterPlaylist(outputs: Output[], urlOf: (name: string) => string): string {
  const groups = byCodec(ofKind(outputs, 'audio'))
  const lines = ['#EXTM3U', '#EXT-X-VERSION:7', '#EXT-X-INDEPENDENT-SEGMENTS']
  for (const [group, sounds] of groups) {
    // The same sound has the same name in every group (4.3.4.1.1): names are unique only within one.
    const names = trackNames(sounds, 'Audio')
    for (const [index, sound] of sounds.entries()) {
      lines.push(
        `#EXT-X-MEDIA:${attributes({
          TYPE: 'AUDIO',
          'GROUP-ID': quoted(group),
          NAME: quoted(names[index] ?? ''),
          ...languageOf(sound),
          DEFAULT: index === 0 ? 'YES' : 'NO',
          AUTOSELECT: 'YES',
          CHANNELS: quoted(String(sound.channels)),
          URI: quoted(urlOf(sound.name)),
        })}`,
      )
    }
  }
  const subtitles = ofKind(outputs, 'subtitles')
  const subtitleNames = trackNames(subtitles, 'Subtitles')
  for (const [index, track] of subtitles.entries()) {
    lines.push(
      `#EXT-X-MEDIA:${attributes({
        TYPE: 'SUBTITLES',
        'GROUP-ID': quoted(subtitleGroup),
        NAME: quoted(subtitleNames[index] ?? ''),
        ...languageOf(track),
        DEFAULT: 'NO',
        AUTOSELECT: 'YES',
        URI: quoted(urlOf(track.name)),
      })}`,
    )
  }
  const renditions = ofKind(outputs, 'rendition')
  const someHaveCaptions = renditions.some(({ closedCaptions }) => closedCaptions)
  if (someHaveCaptions) {
    lines.push(
      `#EXT-X-MEDIA:${attributes({
        TYPE: 'CLOSED-CAPTIONS',
        'GROUP-ID': quoted(captionGroup),
        NAME: quoted('CC1'),
        DEFAULT: 'NO',
        AUTOSELECT: 'YES',
        'INSTREAM-ID': quoted('CC1'),
      })}`,
    )
  }
  // None is said of all or of no size (4.3.4.2): beside others, one without captions says nothing.
  const captionsOf = ({ closedCaptions }: Rendition): Record<string, string> => {
    if (!someHaveCaptions) return { 'CLOSED-CAPTIONS': 'NONE' }
    return closedCaptions ? { 'CLOSED-CAPTIONS': quoted(captionGroup) } : {}
  }
  const largestFirst = renditions.toSorted((a, b) => b.width * b.height - a.width * a.height)
  const withSubtitles: Record<string, string> =
    subtitles.length === 0 ? {} : { SUBTITLES: quoted(subtitleGroup) }
  for (const rendition of largestFirst) {
    // With several codecs of sound each size is named once with each.
    for (const [group, members] of groups.size === 0 ? [[null, []] as const] : groups) {
      const shown = { ...variant(rendition, group, members), ...captionsOf(rendition), ...withSubtitles }
      lines.push(`#EXT-X-STREAM-INF:${attributes(shown)}`, urlOf(rendition.name))
    }
  }
  return `${lines.join('\n')}\n`
}

const subtitleGroup = 'subtitles'
const captionGroup = 'captions'

function languageOf({ language }: { language: string | null }): Record<string, string> {
  return language === null ? {} : { LANGUAGE: quoted(languageTag(language)) }
}

function variant(
  rendition: Rendition,
  group: string | null,
  sounds: readonly Sound[],
): Record<string, string> {
  const most = (of: (sound: Sound) => number) => Math.max(0, ...sounds.map(of))
  const codecs = new Set([rendition.codecs, ...sounds.map((sound) => sound.codecs)])
  return {
    BANDWIDTH: String(rendition.peakBitrate + most(({ peakBitrate }) => peakBitrate)),
    'AVERAGE-BANDWIDTH': String(rendition.bitrate + most(({ bitrate }) => bitrate)),
    CODECS: quoted([...codecs].join(',')),
    RESOLUTION: `${rendition.width}x${rendition.height}`,
    'FRAME-RATE': rendition.frameRate.toFixed(3),
    ...(group === null ? {} : { AUDIO: quoted(group) }),
  }
}

function attributes(values: Record<string, string>): string {
  return Object.entries(values)
    .map(([name, value]) => `${name}=${value}`)
    .join(',')
}

/** A quoted string has no way to hold a quote or the end of a line. */
function quoted(text: string): string {
  return `"${text.replace(/["\r\n]/g, ' ')}"`
}
