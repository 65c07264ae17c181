/** Files that the bundler puts beside the code: importing one gives its address. */
declare module '*.woff2' {
  const address: string
  export default address
}
