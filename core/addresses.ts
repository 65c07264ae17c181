/**
 * Which addresses a request to a user's URL may reach: those of the public internet, and what the operator allowed on
 * purpose. Pure, and without anything of ours: job code uses it too.
 */
import ipaddr from 'ipaddr.js'

/** Whether a connection to the address, which a host had, may be made. */
export type Reach = (address: string, host: string) => boolean

/** Unicast addresses of the public internet, IPv4 inside IPv6 seen through. */
export function isPublicAddress(address: string): boolean {
  if (!ipaddr.isValid(address) || isWithin(address, notPublic) || compatible.test(address)) return false
  return ipaddr.process(address).range() === 'unicast'
}

/**
 * Public addresses, and beside them what is listed: host names (`hooks.internal`), addresses (`10.0.0.7`, `fd00::7`)
 * and ranges (`10.0.0.0/8`). A name that is listed may have any address.
 */
export function reachOf(allowed: readonly string[]): Reach {
  const ranges = allowed.map(rangeOf).filter((range) => range !== null)
  const names = new Set(allowed.filter((entry) => rangeOf(entry) === null).map((name) => name.toLowerCase()))
  return (address, host) => isPublicAddress(address) || names.has(nameOf(host)) || isWithin(address, ranges)
}

/** Whether the entry of such a list is a host name, an address or a range. */
export function isAllowable(entry: string): boolean {
  return rangeOf(entry) !== null || /^(?!.*\/)[a-z0-9_]([a-z0-9_.-]{0,252}[a-z0-9_])?$/i.test(entry)
}

type Range = [ipaddr.IPv4 | ipaddr.IPv6, number]

/** What looks like unicast and is none of the public internet's. */
const notPublic: Range[] = [
  // Azure's own services to its machines (WireServer), with their secrets among them.
  [ipaddr.IPv4.parse('168.63.129.16'), 32],
  // IPv4 inside IPv6 by a form that is not in use any more (RFC 4291, 2.5.5.1), which some still see through.
  [ipaddr.IPv6.parse('::'), 96],
]
/** The same as systems write it, which the library takes for the form that is in use (`::ffff:10.0.0.7`). */
const compatible = /^::[\d.]+(%|$)/

function rangeOf(entry: string): Range | null {
  if (ipaddr.isValidCIDR(entry)) return ipaddr.parseCIDR(entry)
  // Of IPv4 the full form only: `10` and `010.1` are addresses to some.
  if (!ipaddr.IPv4.isValidFourPartDecimal(entry) && !ipaddr.IPv6.isValid(entry)) return null
  const address = ipaddr.process(entry)
  return [address, address.kind() === 'ipv4' ? 32 : 128]
}

function isWithin(address: string, ranges: Range[]): boolean {
  if (!ipaddr.isValid(address)) return false
  const parsed = ipaddr.process(address)
  return ranges.some(([range, bits]) => parsed.kind() === range.kind() && parsed.match(range, bits))
}

/** A name may end in a dot and be written in capitals. */
function nameOf(host: string): string {
  return host.toLowerCase().replace(/\.$/, '')
}
