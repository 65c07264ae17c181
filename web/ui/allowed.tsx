/** A view that not every key may look at: nothing of it is asked for with one that may not. */
import type { ReactNode } from 'react'
import { useRefusal } from '../scopes.ts'
import type { Scope } from '../types.ts'
import { Card, Empty, Page } from './basics.tsx'

export function Allowed({ title, needs, children }: { title: string; needs: Scope; children: ReactNode }) {
  const refusal = useRefusal(needs)
  if (refusal === null) return children
  return (
    <Page title={title}>
      <Card>
        <Empty icon="keys" title="This takes another API key.">
          {refusal}
        </Empty>
      </Card>
    </Page>
  )
}
