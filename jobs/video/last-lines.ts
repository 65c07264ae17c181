/**
 * The last complaints of a tool, fit to be shown: no links, which carry signatures, no paths of the worker, no addresses
 * of its memory.
 */

const keptLines = 40
const keptLength = 300

/** What FFmpeg says however well all goes (`-loglevel level`). */
const chatter = /(^|\] )\[(info|verbose|debug)\] /

export class LastLines {
  readonly #lines: string[] = []

  /** @param directory whose path is left out of what is shown */
  constructor(private readonly directory: string | undefined) {}

  add(line: string): void {
    if (line === '' || chatter.test(line)) return
    this.#lines.push(line)
    if (this.#lines.length > keptLines) this.#lines.shift()
  }

  shown(): string[] {
    return this.#lines.map((line) => shown(line.replaceAll(/ @ 0x[0-9a-f]+\]/g, ']'), this.directory))
  }
}

export function shown(line: string, directory: string | undefined): string {
  const text = line.replaceAll(/\b[a-z]+:\/\/[^\s'"]+/gi, '<link>')
  const placeless = directory === undefined ? text : text.replaceAll(`${directory}/`, '')
  return placeless.length <= keptLength ? placeless : `${placeless.slice(0, keptLength - 1)}…`
}
