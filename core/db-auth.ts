/** Who we are to PostgreSQL when that is not said by a password in the URL. */
import type { Config } from './config.ts'

const defaultPort = 5432

/**
 * With `iam`, each new connection asks for a token of its own, signed with the credentials of the process; a token is
 * good for 15 minutes, a connection that was opened with it for as long as it lasts. The region is AWS_REGION's.
 */
export function passwordOf(
  databaseUrl: string,
  auth: Config['DATABASE_AUTH'] = 'password',
): { password?: () => Promise<string> } {
  if (auth === 'password') return {}
  const { hostname, port, username } = new URL(databaseUrl)
  return {
    password: async () => {
      // Loaded by those who use it: it costs an instance of the function its start otherwise.
      const { Signer } = await import('@aws-sdk/rds-signer')
      const target = { hostname, port: Number(port || defaultPort), username: decodeURIComponent(username) }
      return await new Signer(target).getAuthToken()
    },
  }
}
