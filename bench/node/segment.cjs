'use strict'
// Segment's published engine on the same raw JSON lines: parse, match, map, hash, write Pinterest's JSON.
//
//   node bench/node/segment.cjs [events.ndjson]      one JSON object a line: mode, microseconds of CPU time an event, deliveries
//
// onEvent     as Segment calls it: triggers parsed for each event, an HTTP client made for each delivery
// kindest     triggers parsed once, executeAction, no HTTP objects at all
//
// No request leaves: the network is replaced by a function that answers 200.
// To be kind, `app_name` is given (the published action requires it, also of web events, and refuses them without),
// and event names that the published action does not know are sent as `custom`, so that no event is cut short.

const fs = require('node:fs')
const path = require('node:path')

const sent = { count: 0, bytes: 0 }

// Replaced before the engine is loaded, which keeps what it finds here.
const network = require('cross-fetch')
const answer = async (request) => {
  sent.count += 1
  sent.bytes += (await request.text()).length
  return new network.Response('{}', { status: 200, headers: { 'content-type': 'application/json' } })
}
require.cache[require.resolve('cross-fetch')].exports = Object.assign(answer, network, { default: answer })

const { Destination, defaultValues } = require('@segment/actions-core')
const { parseFql, validate } = require('@segment/destination-subscriptions')
const definition = require('@segment/action-destinations/dist/destinations/pinterest-conversions').default

const ROUNDS = Number(process.env.ROUNDS || 5)
const ACTION = 'reportConversionEvent'
const SETTINGS = { ad_account_id: '1', conversion_token: 'none' }

const IOS = '(context.device.type = "ios" OR context.os.name = "iOS" OR context.os.name = "iPadOS")'
const ANDROID = '(context.device.type = "android" OR context.os.name = "Android")'
const track = (event, more) => `type = "track" AND event = "${event}"${more ? ` AND ${more}` : ''}`
// The presets of ours, so that both make the same deliveries.
const SUBSCRIPTIONS = [
  [track('Product Added'), 'add_to_cart'],
  [track('Application Installed', ANDROID), 'app_install', 'app_android'],
  [track('Application Installed', IOS), 'app_install', 'app_ios'],
  [track('Application Opened', ANDROID), 'app_open', 'app_android'],
  [track('Application Opened', IOS), 'app_open', 'app_ios'],
  [track('Checkout'), 'checkout'],
  [track('Checkout Started'), 'initiate_checkout'],
  [track('Generate Lead'), 'lead'],
  [track('Order Completed'), 'checkout'],
  ['type = "page"', 'page_visit'],
  [track('Payment Info Entered'), 'add_payment_info'],
  [track('Product Added to Wishlist'), 'add_to_wishlist'],
  [track('Product List Viewed'), 'view_category'],
  [track('Product Viewed'), 'view_content'],
  [track('Products Searched'), 'search'],
  [track('Signed Up'), 'signup'],
  [track('Subscription Created'), 'subscribe'],
  [track('Trial Started'), 'start_trial'],
  [track('Video Playback Completed'), 'watch_video'],
  [track('Product Category Viewed'), 'view_category'],
  [track('Product Video Watched'), 'watch_video']
].map(([subscribe, eventName, actionSource]) => subscription(subscribe, eventName, actionSource || 'web'))

function subscription(subscribe, eventName, actionSource) {
  const { fields } = definition.actions[ACTION]
  const known = fields.event_name.choices.some((choice) => choice.value === eventName)
  const mapping = {
    ...defaultValues(fields),
    event_name: known ? eventName : 'custom',
    action_source: actionSource,
    app_name: 'Shop'
  }
  return { subscribe, partnerAction: ACTION, mapping }
}

async function measure(mode, lines, handle) {
  let best = Infinity
  for (let round = 0; round < ROUNDS; round += 1) {
    sent.count = 0
    sent.bytes = 0
    const start = process.cpuUsage()
    for (const line of lines) await handle(line)
    const { user, system } = process.cpuUsage(start)
    best = Math.min(best, user + system)
  }
  const result = { mode, us_per_event: best / lines.length, deliveries: sent.count, bytes: sent.bytes }
  console.log(JSON.stringify(result))
}

async function main() {
  const file = process.argv[2] || path.join(__dirname, '../../tests/conformance/events.ndjson')
  const lines = fs.readFileSync(file, 'utf8').trimEnd().split('\n')

  const destination = new Destination(definition)
  const settings = { ...SETTINGS, subscriptions: SUBSCRIPTIONS }
  await measure('onEvent', lines, (line) => destination.onEvent(JSON.parse(line), settings))

  const kind = new Destination(definition)
  // The request is what costs no HTTP object here: its body is written, and that is all.
  const request = (_url, options) => {
    sent.count += 1
    sent.bytes += JSON.stringify(options.json).length
  }
  kind.actions[ACTION].performRequest = (perform, data) => perform(request, data)
  const parsed = SUBSCRIPTIONS.map((one) => [parseFql(one.subscribe), one.mapping])
  await measure('kindest', lines, async (line) => {
    const event = JSON.parse(line)
    for (const [trigger, mapping] of parsed) {
      if (validate(trigger, event)) await kind.executeAction(ACTION, { event, mapping, settings: SETTINGS })
    }
  })
}

main()
