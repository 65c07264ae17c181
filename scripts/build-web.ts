/**
 * `bun run build:web`: the dashboard into `dist/web/`, unless what is there is of these very sources. With `--if-possible`,
 * as before `bun run api`, it is no failure that its libraries are missing: an installation for production has none.
 */
import { buildWebIfStale, hasLibraries, webDirectory } from './web-files.ts'

if (process.argv.includes('--if-possible') && !hasLibraries()) {
  console.log('The dashboard is served as it was built, if it was: its libraries are not installed.')
} else {
  const built = await buildWebIfStale()
  console.log(built ? `The dashboard is built: ${webDirectory}` : 'The dashboard is up to date.')
}
