// One track and one page by @jitsu/js, which chooses the message ids: they are printed, the track's first.
//   node jitsu.mjs URL WRITE_KEY EVENT
import jitsu from '@jitsu/js'

const [host, writeKey, event] = process.argv.slice(2)
const { userId, context, page, properties } = JSON.parse(event)

const ids = {}
function remember(address, request) {
  const { type, messageId } = JSON.parse(request.body)
  ids[type] = messageId
  return fetch(address, request)
}

const analytics = jitsu.jitsuAnalytics({ host, writeKey, s2s: true, errorPolicy: 'rethrow', fetch: remember })
const { url } = context.page
await analytics.track('Order Completed', { ...properties, context }, { userId })
await analytics.page({ ...page.properties, name: page.name, url, context }, { userId })
console.log(JSON.stringify([ids.track, ids.page]))
