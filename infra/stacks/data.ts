/** What must outlive a deployment: network, database, bucket. A stack of its own, protected from being deleted. */
import { Stack, type StackProps } from 'aws-cdk-lib'
import type { Construct } from 'constructs'
import type { Stage } from '../stages.ts'
import { Database } from './database.ts'
import { Network } from './network.ts'
import { Storage } from './storage.ts'

export class DataStack extends Stack {
  readonly network: Network
  readonly database: Database
  readonly storage: Storage

  constructor(
    scope: Construct,
    id: string,
    { name, stage, ...props }: StackProps & { name: string; stage: Stage },
  ) {
    super(scope, id, { ...props, terminationProtection: stage.database.isKept })
    this.network = new Network(this, 'Network', stage)
    this.database = new Database(this, 'Database', { network: this.network, stage })
    this.storage = new Storage(this, 'Storage', { name, stage })
  }
}
