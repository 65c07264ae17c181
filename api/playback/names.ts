/** What viewers are shown of tracks to choose from. */

interface Track {
  language: string | null
  title: string | null
}

/** By title, language or number; each once. */
export function trackNames(tracks: Track[], kind: 'Audio' | 'Subtitles'): string[] {
  const taken = new Set<string>()
  return tracks.map(({ title, language }, index) => {
    const name = title ?? (language === null ? `${kind} ${index + 1}` : nameOfLanguage(language))
    const unique = taken.has(name) ? `${name} (${index + 1})` : name
    taken.add(unique)
    return unique
  })
}

/** The twenty languages that ISO 639-2 has two codes for: those that files have, and those that BCP 47 knows. */
const terminological = new Map(
  [
    'alb sqi, arm hye, baq eus, bur mya, chi zho, cze ces, dut nld, fre fra, geo kat, ger deu',
    'gre ell, ice isl, mac mkd, mao mri, may msa, per fas, rum ron, slo slk, tib bod, wel cym',
  ]
    .flatMap((line) => line.split(', '))
    .map((pair) => pair.split(' ', 2) as [string, string]),
)

/** ISO 639-2 as files have it (`eng`, `ger`) in the form of BCP 47 (`en`, `de`), as far as it is known. */
export function languageTag(language: string): string {
  try {
    return Intl.getCanonicalLocales(terminological.get(language) ?? language)[0] ?? language
  } catch {
    // Files name languages as they like.
    return 'und'
  }
}

function nameOfLanguage(language: string): string {
  const tag = languageTag(language)
  // Extensions and private parts have no names; JavaScriptCore refuses them.
  const [named = tag] = tag.split(/-\w-/)
  return new Intl.DisplayNames(['en'], { type: 'language' }).of(named) ?? tag
}
