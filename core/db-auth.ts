/** Who we are to PostgreSQL when that is not said by a password in the URL. */
import type { Config } from './config.ts'

const defaultPort = 5432
const tokenSeconds = 900

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
  const host = `${hostname}:${port || defaultPort}`
  return { password: () => tokenFor(host, decodeURIComponent(username)) }
}

/**
 * A presigned request to connect, without its scheme, as RDS wants it. From the parts that the storage brings along
 * already, which are loaded by those who use it: AWS's package of its own would add 0.3 MB to the function.
 * @throws when there is no region, or there are no credentials
 */
async function tokenFor(host: string, user: string): Promise<string> {
  const [{ SignatureV4 }, { Sha256 }, settings, { defaultProvider }] = await Promise.all([
    import('@smithy/signature-v4'),
    import('@smithy/core/checksum'),
    import('@smithy/core/config'),
    import('@aws-sdk/credential-provider-node'),
  ])
  const region = settings.loadConfig(
    settings.NODE_REGION_CONFIG_OPTIONS,
    settings.NODE_REGION_CONFIG_FILE_OPTIONS,
  )
  const signer = new SignatureV4({
    service: 'rds-db',
    region,
    credentials: defaultProvider(),
    sha256: Sha256,
  })
  const request = {
    method: 'GET',
    protocol: 'https:',
    hostname: host,
    path: '/',
    query: { Action: 'connect', DBUser: user },
    headers: { host },
  }
  const { query = {} } = await signer.presign(request, { expiresIn: tokenSeconds })
  const parameters = Object.entries(query)
    .map(([name, value]) => `${encodeURIComponent(name)}=${encodeURIComponent(String(value))}`)
    .sort()
  return `${host}/?${parameters.join('&')}`
}
