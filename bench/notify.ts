/** The floor of everything that one process tells another over PostgreSQL: a bare NOTIFY. */
import postgres from 'postgres'

const channel = 'bench'

export const bareNotify = 'bare NOTIFY, from before it is sent until it is heard'

/** From one connection to another. */
export async function openNotify(url: string) {
  const listener = postgres(url, { max: 1, onnotice: () => {} })
  const sender = postgres(url, { max: 1, onnotice: () => {} })
  let heard: () => void = () => {}
  await listener.listen(channel, () => heard())
  return {
    /** Milliseconds. */
    roundTrip: async () => {
      const arrived = new Promise<void>((resolve) => {
        heard = resolve
      })
      const sentAt = performance.now()
      const [, heardAt] = await Promise.all([
        sender`select pg_notify(${channel}, '')`,
        arrived.then(() => performance.now()),
      ])
      return heardAt - sentAt
    },
    close: async () => {
      await Promise.all([listener.end({ timeout: 1 }), sender.end({ timeout: 1 })])
    },
  }
}
