/** Which keys do what. */
import { Dialog } from '../ui/dialog.tsx'
import { commonKeys } from './keyboard.ts'

const listKeys: [string, string][] = [
  ['j / k', 'Next and previous row'],
  ['Enter', 'Open the row'],
  ['x', 'Select the row'],
]

export default function Help({ onClose }: { onClose: () => void }) {
  return (
    <Dialog title="Keyboard" isOpen onClose={onClose}>
      <h3 className="help-part">Everywhere</h3>
      <Keys keys={commonKeys} />
      <h3 className="help-part">In the list of jobs</h3>
      <Keys keys={listKeys} />
    </Dialog>
  )
}

function Keys({ keys }: { keys: [string, string][] }) {
  return (
    <dl className="keys">
      {keys.map(([key, does]) => (
        <div key={key}>
          <dt>
            {key
              .split(' ')
              .map((part) => (part === '/' && key !== '/' ? ' or ' : <kbd key={part}>{part}</kbd>))}
          </dt>
          <dd>{does}</dd>
        </div>
      ))}
    </dl>
  )
}
