// One track and one page by @rudderstack/rudder-sdk-node.
//   node rudder.mjs URL WRITE_KEY TRACK_ID PAGE_ID EVENT
import Analytics from '@rudderstack/rudder-sdk-node'

const [dataPlaneUrl, writeKey, trackId, pageId, event] = process.argv.slice(2)
const { userId, context, page, ...track } = JSON.parse(event)

const analytics = new Analytics(writeKey, {
  dataPlaneUrl,
  flushAt: 2,
  retryCount: 0,
  errorHandler: (error) => {
    console.error(error)
    process.exit(1)
  },
})
analytics.track({ userId, context, ...track, messageId: trackId })
analytics.page({ userId, context, ...page, messageId: pageId })
await analytics.flush()
