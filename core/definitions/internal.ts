/**
 * Definitions of the product's own. Their jobs are enqueued by us alone, are shown only to who asks for them by
 * definition or queue, and count neither in the JSON metrics nor as something to send webhooks about.
 */

/** One delivery of a webhook. */
export const deliveryDefinition = 'webhook.deliver'

export const internalDefinitions = [deliveryDefinition]

export function isInternal(definitionKey: string | null): boolean {
  return definitionKey !== null && internalDefinitions.includes(definitionKey)
}
