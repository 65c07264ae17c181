/** What every entry begins with: the configuration, or all its problems on standard error and exit 78. */
import { type Config, ConfigError, EX_CONFIG, parseConfig } from './config.ts'

export function configOrExit(environment: Record<string, string | undefined>): Config {
  try {
    return parseConfig(environment)
  } catch (error) {
    exitOnConfigError(error)
    throw error
  }
}

/** For problems of the configuration that show only once it is used; other errors are left to the caller. */
export function exitOnConfigError(error: unknown): void {
  if (!(error instanceof ConfigError)) return
  console.error(`The configuration is not complete:\n${error.message}`)
  process.exit(EX_CONFIG)
}
