/** How a definition is called where one word must do: in maps, logs and messages. */
export function definitionName({ key, version }: { key: string; version: number }): string {
  return `${key}@${version}`
}

/** That of a job, a schedule or whatever else names one. */
export function definitionNameOf({ definitionKey, definitionVersion }: NamesDefinition): string {
  return definitionName({ key: definitionKey, version: definitionVersion })
}

interface NamesDefinition {
  definitionKey: string
  definitionVersion: number
}
