/** Filters in the address as people would write them: `?status=failed&tag=a&tag=b`, everything text. */
export type Search = Record<string, string | string[] | undefined>

export function parseSearch(text: string): Search {
  const search: Search = {}
  for (const [name, value] of new URLSearchParams(text)) {
    const known = search[name]
    search[name] = known === undefined ? value : [known, value].flat()
  }
  return search
}

export function stringifySearch(search: Record<string, unknown>): string {
  const parameters = new URLSearchParams()
  for (const [name, value] of Object.entries(search)) {
    for (const one of [value].flat())
      if (one !== undefined && one !== '') parameters.append(name, String(one))
  }
  const text = parameters.toString()
  return text === '' ? '' : `?${text}`
}

/** The first value under a name; who edits an address by hand may repeat it. */
export function textOf(search: Search, name: string): string | undefined {
  const value = [search[name]].flat()[0]
  return value === undefined || value === '' ? undefined : value
}

/** One of the words that make sense there, else none. */
export function wordOf<Word extends string>(
  search: Search,
  name: string,
  words: readonly Word[],
): Word | undefined {
  const text = textOf(search, name)
  return words.find((word) => word === text)
}
