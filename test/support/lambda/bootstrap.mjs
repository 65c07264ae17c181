/**
 * Stands in for AWS's Node runtime with response streaming: takes invocations from the Runtime API, hands them to the
 * handler of a bundle, and posts what it streams. Plain JavaScript, because the runtime knows nothing else.
 */
import { request } from 'node:http'
import { PassThrough } from 'node:stream'
import { pathToFileURL } from 'node:url'

const api = `http://${process.env.AWS_LAMBDA_RUNTIME_API}/2018-06-01/runtime/invocation`

globalThis.awslambda = {
  streamifyResponse: (handler) => handler,
  HttpResponseStream: {
    from(stream, head) {
      stream.head(head)
      return stream
    },
  },
}

const { handler } = await import(pathToFileURL(process.argv[2]).href)
for (;;) {
  const next = await fetch(`${api}/next`)
  const id = next.headers.get('lambda-runtime-aws-request-id')
  const deadline = Number(next.headers.get('lambda-runtime-deadline-ms'))
  const event = await next.json()
  const stream = responseStream(id)
  try {
    await handler(event, stream, { getRemainingTimeInMillis: () => deadline - Date.now() })
    stream.end()
    await stream.posted
  } catch (error) {
    if (stream.begun) stream.destroy()
    else
      await fetch(`${api}/${id}/error`, {
        method: 'POST',
        body: JSON.stringify({ errorMessage: String(error) }),
      })
  }
}

/** The head as JSON, eight NUL bytes, the body: `application/vnd.awslambda.http-integration-response`. */
function responseStream(id) {
  const stream = new PassThrough()
  stream.begun = false
  stream.head = (head) => {
    stream.begun = true
    stream.posted = new Promise((resolve, reject) => {
      const post = request(`${api}/${id}/response`, {
        method: 'POST',
        headers: {
          'content-type': 'application/vnd.awslambda.http-integration-response',
          'lambda-runtime-function-response-mode': 'streaming',
          'transfer-encoding': 'chunked',
        },
      })
      post.once('error', reject)
      post.once('response', (answer) => answer.resume().once('end', resolve))
      post.write(JSON.stringify(head))
      post.write(Buffer.alloc(8))
      stream.pipe(post)
    })
  }
  return stream
}
