/** What job code sees of our environment: this list, the names that JOB_ENVIRONMENT adds, and nothing else. */
const allowed = ['PATH', 'LANG', 'LC_ALL', 'TZ', 'SSL_CERT_FILE', 'SSL_CERT_DIR', 'NODE_EXTRA_CA_CERTS']

/** @param added JOB_ENVIRONMENT; what is not set is passed over */
export function jobEnvironment(
  environment: Record<string, string | undefined>,
  added: readonly string[] = [],
): Record<string, string | undefined> {
  return Object.fromEntries([...allowed, ...added].map((name) => [name, environment[name]]))
}
