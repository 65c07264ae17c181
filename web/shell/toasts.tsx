/** Shows notices. It comes behind the first view, which has none. */
import * as Toast from '@radix-ui/react-toast'
import type { ReactNode } from 'react'
import { Button } from '../ui/basics.tsx'
import { dismiss, useNotices } from '../ui/notices.ts'

const shownMs = 6000

export default function Toasts(): ReactNode {
  const shown = useNotices()
  return (
    <Toast.Provider duration={shownMs} swipeDirection="right" label="Notice">
      {shown.map(({ id, text, kind, undo }) => (
        <Toast.Root
          key={id}
          className={`toast toast-${kind}`}
          onOpenChange={(isOpen) => {
            if (!isOpen) dismiss(id)
          }}
        >
          <Toast.Description>{text}</Toast.Description>
          {undo === undefined ? null : (
            <Toast.Action asChild altText={undo.label} onClick={undo.run}>
              <Button look="quiet">{undo.label}</Button>
            </Toast.Action>
          )}
          <Toast.Close asChild>
            <Button look="quiet" icon="close" aria-label="Dismiss" />
          </Toast.Close>
        </Toast.Root>
      ))}
      <Toast.Viewport className="toasts" />
    </Toast.Provider>
  )
}
