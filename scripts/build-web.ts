/** `bun run build:web`: the dashboard into `dist/web/`, unless what is there is of these very sources. */
import { buildWebIfStale, webDirectory } from './web-files.ts'

const built = await buildWebIfStale()
console.log(built ? `The dashboard is built: ${webDirectory}` : 'The dashboard is up to date.')
