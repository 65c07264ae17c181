import { expect, test } from 'vitest'
import { languageTag, trackNames } from '../../../api/playback/names.ts'

test.each([
  ['eng', 'en'],
  ['ger', 'de'],
  ['deu', 'de'],
  ['chi', 'zh'],
  ['fre', 'fr'],
  ['gsw', 'gsw'],
  ['pt-br', 'pt-BR'],
  ['no language', 'und'],
])('%s is %s to players', (language, tag) => {
  expect(languageTag(language)).toBe(tag)
})

test('tracks are named by title, language or number, each once', () => {
  const tracks = [
    { language: 'ger', title: null },
    { language: 'ger', title: 'Director' },
    { language: 'deu', title: null },
    { language: null, title: null },
  ]
  expect(trackNames(tracks, 'Audio')).toEqual(['German', 'Director', 'German (3)', 'Audio 4'])
})

test.each([
  ['de-x-sdh', 'German'],
  ['en-u-ca-gregory', 'English'],
  ['en-us-posix', 'American English'],
])('a track in %s is shown as %s', (language, name) => {
  expect(trackNames([{ language, title: null }], 'Subtitles')).toEqual([name])
})
