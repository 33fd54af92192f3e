// One track and one page by @segment/analytics-node.
//   node segment.mjs URL WRITE_KEY TRACK_ID PAGE_ID EVENT
import { Analytics } from '@segment/analytics-node'

const [host, writeKey, trackId, pageId, event] = process.argv.slice(2)
const { userId, context, page, ...track } = JSON.parse(event)

const analytics = new Analytics({ host, writeKey })
analytics.on('error', (error) => {
  console.error(error)
  process.exitCode = 1
})
analytics.track({ userId, context, ...track, messageId: trackId })
analytics.page({ userId, context, ...page, messageId: pageId })
await analytics.closeAndFlush()
