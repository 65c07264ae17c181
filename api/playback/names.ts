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

/** ISO 639-2 as files have it (`eng`) in the form of BCP 47 (`en`), as far as it is known. */
export function languageTag(language: string): string {
  try {
    return Intl.getCanonicalLocales(language)[0] ?? language
  } catch {
    // Files name languages as they like.
    return 'und'
  }
}

function nameOfLanguage(language: string): string {
  const tag = languageTag(language)
  return new Intl.DisplayNames(['en'], { type: 'language' }).of(tag) ?? tag
}
