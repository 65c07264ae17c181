/**
 * The typeface, loaded by hand: in a style sheet the bundler would put it in as a `data:` URL, which would be in everybody's
 * way before the first view. Until it is there, and for other scripts than Latin, the system's own is used.
 */
import latin from '@fontsource-variable/geist/files/geist-latin-wght-normal.woff2'

export function loadFonts(): void {
  const face = new FontFace('Geist', `url(${latin})`, { weight: '100 900', display: 'swap' })
  document.fonts.add(face)
  face.load().catch(() => {})
}
