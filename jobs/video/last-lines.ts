/** The last lines that a tool wrote, fit to be shown: no links, which carry signatures, and no paths of the worker. */

const keptLines = 40
const keptLength = 300

export class LastLines {
  readonly #lines: string[] = []

  /** @param directory whose path is left out of what is shown */
  constructor(private readonly directory: string | undefined) {}

  add(line: string): void {
    if (line === '') return
    this.#lines.push(line)
    if (this.#lines.length > keptLines) this.#lines.shift()
  }

  shown(): string[] {
    return this.#lines.map((line) => shown(line, this.directory))
  }
}

export function shown(line: string, directory: string | undefined): string {
  const text = line.replaceAll(/\b[a-z]+:\/\/[^\s'"]+/gi, '<link>')
  const placeless = directory === undefined ? text : text.replaceAll(`${directory}/`, '')
  return placeless.length <= keptLength ? placeless : `${placeless.slice(0, keptLength - 1)}…`
}
