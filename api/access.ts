/**
 * Who may call without a key, decided by where the API can be reached:
 *
 *   AUTH=none ────────────────► everybody
 *   listens on loopback ──────► this machine, until the first key is made
 *   listens anywhere else ────► nobody, and the start is refused while there is no key
 */

import { type Config, ConfigError, isLoopback } from '../core/config.ts'
import { exitOnConfigError } from '../core/config-or-exit.ts'
import type { Pool } from '../core/db.ts'
import { keysExist } from '../core/keys/read.ts'
import type { Log } from '../core/log.ts'

export type OpenTo = 'everybody' | 'this machine' | 'nobody'

export function openTo({ AUTH, HOST }: Pick<Config, 'AUTH' | 'HOST'>): OpenTo {
  if (AUTH === 'none') return 'everybody'
  return isLoopback(HOST) ? 'this machine' : 'nobody'
}

/** Before the API listens: a start that nobody could use ends with exit 78. */
export async function accessOrExit(
  sql: Pool,
  config: Pick<Config, 'AUTH' | 'HOST'>,
  log: Log,
): Promise<void> {
  const open = openTo(config)
  if (open === 'everybody') {
    log.warn({ host: config.HOST }, 'access.opened')
    return
  }
  const keys = await keysExist(sql)
  if (open === 'nobody' && !keys.usable) {
    const expected = 'expected a loopback address, an API key (bun run keys create), or AUTH=none'
    exitOnConfigError(new ConfigError([{ name: 'HOST', expected, got: JSON.stringify(config.HOST) }]))
  }
  if (!keys.any) log.info('access.limited_to_this_machine')
}
