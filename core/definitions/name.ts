/** How a definition is called where one word must do: in maps, logs and messages. */
export function definitionName({ key, version }: { key: string; version: number }): string {
  return `${key}@${version}`
}
