/** Races are forced: something happens before the first statement of a kind is sent. */
import type { Sql } from '../../core/db.ts'

/** @returns the same pool or transaction, by which `act` is done before what `which` finds is sent for the first time */
export function before<Given extends Sql>(sql: Given, which: RegExp, act: () => Promise<unknown>): Given {
  let isDone = false
  return new Proxy(sql, {
    apply(target, self, [strings, ...values]) {
      const query = Reflect.apply(target as never, self, [strings, ...values])
      if (isDone || !Array.isArray(strings) || !which.test(strings[0] ?? '')) return query
      isDone = true
      return act().then(() => query)
    },
  })
}
