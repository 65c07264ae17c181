/** A media playlist as it lies in storage, beside the file that it names, with a link to that file in its place. */

/** @param file the name that stands in the playlist; @param url what a player is to load instead */
export function mediaPlaylist(stored: string, file: string, url: string): string {
  return stored
    .split('\n')
    .map((line) => (line === file ? url : line.replace(`URI="${file}"`, () => `URI="${url}"`)))
    .join('\n')
}
