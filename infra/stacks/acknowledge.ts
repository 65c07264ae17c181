/** What a rule of cdk-nag objects to and why it stays: said where it is made. */
import { Validations } from 'aws-cdk-lib'
import type { IConstruct } from 'constructs'

/**
 * For the construct and what is in it. The same as `Validations.of(construct).acknowledge`, which takes no id with more
 * than one `::` in it, as those of findings about an ARN have (aws-cdk-lib 2.266.0, cdk-nag 3.0.2).
 * @param reasons by the id of the rule, or of one finding of it
 */
export function acknowledge(construct: IConstruct, reasons: Record<string, string>): void {
  construct.node.addMetadata(Validations.ACKNOWLEDGED_RULES_METADATA_KEY, reasons)
}
