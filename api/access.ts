/**
 * Who may call without a key, decided by where the API can be reached:
 *
 *   AUTH=none ───────────────────────────► everybody
 *   listens on loopback, by no proxy ────► this machine, until the first key is made
 *   listens anywhere else, or by one ────► nobody, and the start is refused while there is no key
 */

import { type Config, ConfigError, isLoopback } from '../core/config.ts'
import { exitOnConfigError } from '../core/config-or-exit.ts'
import type { Pool } from '../core/db.ts'
import { keysExist } from '../core/keys/read.ts'
import type { Log } from '../core/log.ts'

export type OpenTo = 'everybody' | 'this machine' | 'nobody'

type Reach = Pick<Config, 'AUTH' | 'HOST' | 'TRUSTED_PROXIES'>

export function openTo({ AUTH, HOST, TRUSTED_PROXIES }: Reach): OpenTo {
  if (AUTH === 'none') return 'everybody'
  return isLoopback(HOST) && TRUSTED_PROXIES === 0 ? 'this machine' : 'nobody'
}

/** Before the API listens: a start that nobody could use ends with exit 78. */
export async function accessOrExit(sql: Pool, config: Reach, log: Log): Promise<void> {
  const open = openTo(config)
  if (open === 'everybody') {
    log.warn({ host: config.HOST }, 'access.opened')
    return
  }
  const keys = await keysExist(sql)
  if (open === 'nobody' && !keys.usable) {
    const [name, alone] = isLoopback(config.HOST)
      ? (['TRUSTED_PROXIES', '0'] as const)
      : (['HOST', 'a loopback address'] as const)
    const expected = `expected ${alone}, an API key (bun run keys create), or AUTH=none`
    exitOnConfigError(new ConfigError([{ name, expected, got: JSON.stringify(config[name]) }]))
  }
  if (!keys.any) log.info('access.limited_to_this_machine')
}
