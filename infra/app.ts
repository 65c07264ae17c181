/** The CDK app: `cdk synth --context stage=prod`. Needs what `bun run build:…` makes; `bun run deploy` does both. */
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { App } from 'aws-cdk-lib'
import { createApp } from './create-app.ts'
import { stageOf } from './stages.ts'

const dist = fileURLToPath(new URL('../dist/', import.meta.url))

const name: unknown = new App().node.tryGetContext('stage')
const bundles = { function: `${dist}function`, scheduler: `${dist}scheduler`, migrate: `${dist}migrate` }
for (const [bundle, directory] of Object.entries(bundles)) {
  if (!existsSync(directory)) throw new Error(`${directory} is not there: run \`bun run build:${bundle}\`.`)
}
createApp({ name: String(name), stage: stageOf(name), bundles })
