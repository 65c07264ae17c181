/**
 * A dialog over the page. The backdrop is ours: Radix's own would lock scrolling by a style element, which the content
 * security policy forbids.
 */
import * as Radix from '@radix-ui/react-dialog'
import { type ReactNode, useRef } from 'react'
import { Button } from './basics.tsx'

export function Dialog({
  title,
  description,
  isOpen,
  onClose,
  children,
  look = 'middle',
  isKept = false,
}: {
  title: string
  description?: ReactNode
  isOpen: boolean
  onClose: () => void
  children: ReactNode
  look?: 'middle' | 'sheet'
  /** Only its buttons close it: what it shows can't be seen again. */
  isKept?: boolean
}) {
  const opener = useRef<Element>(null)
  const keep = (event: Event) => {
    if (isKept) event.preventDefault()
  }
  return (
    <Radix.Root open={isOpen} onOpenChange={(open) => !open && onClose()}>
      <Radix.Portal>
        <div className="backdrop" aria-hidden="true" />
        <Radix.Content
          className={`dialog dialog-${look}`}
          onOpenAutoFocus={(event) => {
            opener.current = document.activeElement
            focusFirstField(event)
          }}
          onCloseAutoFocus={(event) => {
            // Radix would look for a trigger of its own, and leave the focus nowhere.
            event.preventDefault()
            giveFocusBack(opener.current)
          }}
          onInteractOutside={keep}
          onEscapeKeyDown={keep}
          {...(description === undefined ? { 'aria-describedby': undefined } : {})}
        >
          <header className="dialog-head">
            <Radix.Title>{title}</Radix.Title>
            <Radix.Close asChild>
              <Button look="quiet" icon="close" aria-label="Close" />
            </Radix.Close>
          </header>
          {description === undefined ? null : (
            <Radix.Description className="dialog-text">{description}</Radix.Description>
          )}
          {children}
        </Radix.Content>
      </Radix.Portal>
    </Radix.Root>
  )
}

/** A dialog that asks for something begins where one answers, not at its own button to close. */
function focusFirstField(event: Event): void {
  const { target } = event
  const field = target instanceof Element ? target.querySelector('input, select, textarea') : null
  if (!(field instanceof HTMLElement)) return
  event.preventDefault()
  field.focus()
}

/** To what had it before; where that is gone, or can't be pressed now, to the view, so that Tab goes on from there. */
function giveFocusBack(opener: Element | null): void {
  // One dialog may follow another at once, and has the focus then.
  const open = document.querySelector('[role=dialog]')
  if (open !== null && !open.contains(opener)) return
  if (opener instanceof HTMLElement && opener !== document.body && opener.isConnected) {
    opener.focus()
    if (document.activeElement === opener) return
  }
  document.getElementById('main')?.focus({ preventScroll: true })
}

/** Asks before something that can't be taken back. */
export function Confirm({
  title,
  text,
  action,
  isOpen,
  onClose,
  onConfirm,
}: {
  title: string
  text: ReactNode
  action: string
  isOpen: boolean
  onClose: () => void
  onConfirm: () => void
}) {
  return (
    <Dialog title={title} description={text} isOpen={isOpen} onClose={onClose}>
      <div className="dialog-actions">
        <Button onClick={onClose}>Keep as it is</Button>
        <Button
          look="danger"
          onClick={() => {
            onClose()
            onConfirm()
          }}
        >
          {action}
        </Button>
      </div>
    </Dialog>
  )
}
