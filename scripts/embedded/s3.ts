/**
 * Entry of the embedded object storage: @20minutes/s3rver on loopback, files on disk. Options come as JSON in the
 * first argument. Says `ready` to its parent.
 */
import S3rver from '@20minutes/s3rver'
import { z } from 'zod'
import { fillGaps } from './s3rver-gaps.ts'

const Options = z.object({
  directory: z.string(),
  /** Loopback, but in a container of its own. */
  address: z.string().default('127.0.0.1'),
  port: z.int(),
  buckets: z.array(z.string()),
})

/** Browsers may put, and read what identifies a part. */
const cors = `<CORSConfiguration><CORSRule>
  <AllowedOrigin>*</AllowedOrigin><AllowedHeader>*</AllowedHeader>
  <AllowedMethod>GET</AllowedMethod><AllowedMethod>HEAD</AllowedMethod><AllowedMethod>PUT</AllowedMethod>
  <ExposeHeader>ETag</ExposeHeader>
</CORSRule></CORSConfiguration>`

const { directory, address, port, buckets } = Options.parse(JSON.parse(process.argv[2] ?? '{}'))
const server = new S3rver({
  address,
  port,
  silent: true,
  directory,
  vhostBuckets: false,
  configureBuckets: buckets.map((name) => ({ name, configs: [cors] })),
})
fillGaps(server)
await server.run()
process.send?.('ready')
