/** What job code sees of our environment: this list and nothing else. */
const allowed = ['PATH', 'LANG', 'LC_ALL', 'TZ', 'SSL_CERT_FILE', 'SSL_CERT_DIR', 'NODE_EXTRA_CA_CERTS']

export function jobEnvironment(
  environment: Record<string, string | undefined>,
): Record<string, string | undefined> {
  return Object.fromEntries(allowed.map((name) => [name, environment[name]]))
}
