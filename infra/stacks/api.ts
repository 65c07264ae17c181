/** The API behind a function URL: callers show an API key, and large bytes go past it by presigned links. */
import { CfnOutput, Duration, aws_lambda as lambda } from 'aws-cdk-lib'
import { Construct } from 'constructs'
import { type Place, ProgramFunction } from './program.ts'

/** An event stream lives this long and is then resumed by its client. */
const timeout = Duration.minutes(5)

export class Api extends Construct {
  readonly function: ProgramFunction

  constructor(scope: Construct, id: string, place: Place) {
    super(scope, id)
    const { memoryMb, instances, origins } = place.stage.api
    this.function = new ProgramFunction(this, 'Function', {
      ...place,
      bundle: place.bundles.function,
      handler: 'index.handler',
      memoryMb,
      instances,
      timeout,
      environment: { CORS_ORIGINS: origins.join(',') },
    })
    place.data.storage.allowApi(this.function)
    const { url } = this.function.addFunctionUrl({
      // The API asks for its own keys: callers need no account of AWS.
      authType: lambda.FunctionUrlAuthType.NONE,
      invokeMode: lambda.InvokeMode.RESPONSE_STREAM,
    })
    new CfnOutput(this, 'Url', { value: url, description: 'Where the API is' })
  }
}
