/** On a phone: the ways to all views, and what else stands beside the page where there is room. */
import { Dialog } from '../ui/dialog.tsx'
import { LiveState, PlaceLink, Settings } from './nav.tsx'
import { places } from './places.ts'

export default function More({ onHelp, onClose }: { onHelp: () => void; onClose: () => void }) {
  return (
    <Dialog title="Job Server" look="sheet" isOpen onClose={onClose}>
      {/* biome-ignore lint/a11y/noStaticElementInteractions lint/a11y/useKeyWithClickEvents: the links inside are what is pressed */}
      <div className="sheet-places" onClick={onClose}>
        {places.map((place) => (
          <PlaceLink key={place.path} place={place} />
        ))}
      </div>
      <div className="side-foot">
        <LiveState />
        <Settings
          onHelp={() => {
            onClose()
            onHelp()
          }}
        />
      </div>
    </Dialog>
  )
}
