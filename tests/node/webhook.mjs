// A replay of Segment's Webhooks (Actions), by the calls that its code makes: JSON.stringify, and a hex HMAC-SHA1
// over one event whole, over the first element of a batch. Prints the status and the answer.
//   node webhook.mjs URL SECRET single|batch|extensible <EVENTS
import { createHmac } from 'node:crypto'
import { text } from 'node:stream/consumers'

const [url, secret, kind] = process.argv.slice(2)
const events = JSON.parse(await text(process.stdin))
const body = { single: events[0], batch: events, extensible: events.map((event) => ({ json: event })) }[kind]

const response = await fetch(url, {
  method: 'POST',
  headers: {
    'content-type': 'application/json',
    'user-agent': 'Segment (Actions)',
    'X-Signature': createHmac('sha1', secret).update(JSON.stringify(events[0]), 'utf8').digest('hex'),
  },
  body: JSON.stringify(body),
})
console.log(JSON.stringify({ status: response.status, answer: await response.json() }))
