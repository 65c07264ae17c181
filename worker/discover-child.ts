/** Entry of the discovery process: directories as arguments, one message back. */
import { discoverDefinitions } from '../core/definitions/discover.ts'

process.send?.(await discoverDefinitions(process.argv.slice(2)), () => process.exit(0))
