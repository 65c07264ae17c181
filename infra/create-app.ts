/** The stacks of one stage, watched by the rules of cdk-nag: `synth` fails on what is neither mended nor justified. */
import { App, Tags, Validations } from 'aws-cdk-lib'
import { AwsSolutionsChecks } from 'cdk-nag'
import { DataStack } from './stacks/data.ts'
import type { Place } from './stacks/program.ts'
import { ProgramStack } from './stacks/programs.ts'
import type { Stage } from './stages.ts'

const context = {
  // A stack that another takes something from can't lose it while it does.
  '@aws-cdk/core:defaultCrossStackReferences': 'strong',
  '@aws-cdk/aws-s3:serverAccessLogsUseBucketPolicy': true,
}

export interface AppOptions {
  /** Of the stage. */
  name: string
  stage: Stage
  bundles: Place['bundles']
  /** Where the templates go; the CDK's command line says it otherwise. */
  outdir?: string
}

export function createApp({ name, stage, bundles, outdir }: AppOptions) {
  const app = new App({ context, ...(outdir === undefined ? {} : { outdir }) })
  const data = new DataStack(app, `JobServer-${name}-Data`, { name, stage })
  const namespace = `JobServer/${name}`
  const programs = new ProgramStack(app, `JobServer-${name}-Programs`, { data, stage, namespace, bundles })
  Tags.of(app).add('job-server:stage', name)
  Validations.of(app).addPlugins(new AwsSolutionsChecks(app))
  return { app, data, programs }
}
