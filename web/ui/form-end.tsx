/** How a form in a dialog ends: what went wrong, and the two ways out. */
import { messageOf } from '../api.ts'
import type { Scope } from '../types.ts'
import { Button } from './basics.tsx'

export function FormEnd({
  error,
  action,
  isBusy,
  isDisabled = false,
  needs,
  onCancel,
}: {
  error: unknown
  action: string
  isBusy: boolean
  isDisabled?: boolean
  needs?: Scope | undefined
  onCancel: () => void
}) {
  return (
    <>
      {error === null ? null : (
        <p className="field-error" role="alert">
          {messageOf(error)}
        </p>
      )}
      <div className="dialog-actions">
        <Button onClick={onCancel}>Cancel</Button>
        <Button type="submit" look="primary" isBusy={isBusy} disabled={isDisabled} needs={needs}>
          {action}
        </Button>
      </div>
    </>
  )
}
