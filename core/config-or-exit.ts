/** What every entry begins with: the configuration, or all its problems on standard error and exit 78. */
import {
  type Config,
  ConfigError,
  type ConfigWithoutStorage,
  EX_CONFIG,
  parseConfig,
  parseConfigWithoutStorage,
} from './config.ts'

export function configOrExit(environment: Record<string, string | undefined>): Config {
  return orExit(() => parseConfig(environment))
}

/** For programs that never reach for the storage. */
export function configWithoutStorageOrExit(
  environment: Record<string, string | undefined>,
): ConfigWithoutStorage {
  return orExit(() => parseConfigWithoutStorage(environment))
}

/** For problems of the configuration that show only once it is used; other errors are left to the caller. */
export function exitOnConfigError(error: unknown): void {
  if (!(error instanceof ConfigError)) return
  console.error(`The configuration can't be used as it is:\n${error.message}`)
  process.exit(EX_CONFIG)
}

function orExit<Parsed>(parse: () => Parsed): Parsed {
  try {
    return parse()
  } catch (error) {
    exitOnConfigError(error)
    throw error
  }
}
