/** Removes for good what a view shows, after asking. */
import { useState } from 'react'
import { Button } from './basics.tsx'
import { Confirm } from './dialog.tsx'

export function RemoveButton({
  title,
  text,
  because,
  onConfirm,
}: {
  /** What is asked, and what goes with it. */
  title: string
  text: string
  /** Why it can't be removed, where it can't. */
  because?: string | undefined
  onConfirm: () => void
}) {
  const [isAsking, setAsking] = useState(false)
  return (
    <>
      <Button
        needs="admin"
        look="quiet"
        icon="trash"
        aria-label="Remove"
        title={because ?? 'Remove'}
        disabled={because !== undefined}
        onClick={() => setAsking(true)}
      />
      <Confirm
        title={title}
        text={text}
        action="Remove it"
        isOpen={isAsking}
        onClose={() => setAsking(false)}
        onConfirm={onConfirm}
      />
    </>
  )
}
