// Asks a running server each operation of /api once, by the client that is made from its OpenAPI document, which lies
// beside this file by then (tests/sdk/test_operator_client.py). The compiler checks every member that is read.
import { createClient } from './client/index.js'
import * as api from './sdk.gen.js'
import type { Problem } from './types.gen.js'

declare const process: { argv: string[] }

const [, , baseUrl = '', token = ''] = process.argv
const client = createClient({ baseUrl, headers: { Authorization: `Bearer ${token}` } })
const asked: Record<string, unknown> = {}

/** Notes what an operation answered, and returns it. */
async function noted<Data>(name: string, answer: Promise<{ data?: Data; error?: unknown }>): Promise<Data> {
  const { data, error } = await answer
  if (data === undefined) throw new Error(`${name}: ${JSON.stringify(error)}`)
  asked[name] = data
  return data
}

await noted('post /api/v1/switch', api.postApiV1Switch({ client, body: { on: false } }))
const event = { type: 'track', event: 'Order Completed', context: { ip: '203.0.113.9', userAgent: 'x' } }
const order = { ...event, messageId: 'm-1', userId: 'u-1', properties: { order_id: 'SO-1001', revenue: 25.5, currency: 'EUR' } }
const received = await noted('post /webhook', api.postWebhook({ client, body: [order, { ...event, messageId: 'm-2', context: {} }] }))
const outcomes: string[] = received.events.flatMap(each => each.deliveries.map(line => line.outcome))

const page = await noted('get /api/v1/deliveries', api.deliveriesList({ client, query: { order_id: 'SO-1001', limit: 1 } }))
const id: string = page.deliveries[0]!.delivery_id
const delivery = await noted('get /api/v1/deliveries/{id}', api.deliveriesShow({ client, path: { id } }))
const state: 'pending' | 'claimed' | 'delivered' | 'dead' | 'dismissed' = delivery.state
const message = await noted('get /api/v1/messages/{message_id}', api.getApiV1MessagesMessageId({ client, path: { message_id: 'm-2' } }))
const [droppedAt, dropped_event] = message.dropped_events[0]!
const dropped_events = await noted('get /api/v1/events/not-sent', api.eventsNotSent({ client, query: { outcome: 'invalid' } }))
const found = await noted('post /api/v1/find', api.postApiV1Find({ client, body: { text: 'SO-1001' } }))
const status = await noted('get /api/v1/status', api.getApiV1Status({ client }))
const counts = await noted('get /api/v1/events/counts', api.eventsCounts({ client, query: { hours: 1 } }))
const inventory = await noted('get /api/v1/events', api.eventsList({ client }))
const revenue = await noted('get /api/v1/orders/revenue', api.ordersRevenue({ client, query: { days: 1 } }))
const causes = await noted('get /api/v1/deliveries/causes', api.deliveriesCauses({ client }))
const redriven = await noted('post /api/v1/deliveries/redrive', api.deliveriesRedrive({ client, body: { all: true } }))
const dismissed = await noted('post /api/v1/deliveries/dismiss', api.deliveriesDismiss({ client, body: { all: true, because: 'a test' } }))
const kept = await noted('get /api/v1/quarantine', api.quarantineList({ client }))
const preview = await noted('get /api/v1/quarantine/preview', api.quarantinePreview({ client, query: { outcome: 'invalid' } }))
const replay = await noted('post /api/v1/quarantine/replay', api.quarantineReplay({ client, body: { all: true } }))
const discarded = await noted('post /api/v1/quarantine/discard', api.quarantineDiscard({ client, body: { all: true } }))
const entries = await noted('get /api/v1/audit', api.audit({ client, query: { limit: 1 } }))
const incidents = await noted('get /api/v1/incidents', api.incidentsList({ client }))
await noted('post /api/v1/reload', api.postApiV1Reload({ client, body: {} }))
const erased = await noted('post /api/v1/forget', api.postApiV1Forget({ client, body: { user_id: 'u-1', email: 'ada@example.com' } }))

const refused: Problem[] = []
for (const { error } of [
  await api.deliveriesRedrive({ client, body: { preset: 'Order Complet' } }),
  await api.deliveriesList({ client, query: { limit: 0 } }),
  await api.getApiV1Status({ client, headers: { Authorization: 'Bearer wrong' } }),
  await api.eventsProperties({ client, query: { name: 'no such event' } }),
]) {
  if (error === undefined) throw new Error('it was not refused')
  refused.push(error)
}
asked['get /api/v1/events/properties'] = refused.at(-1)

const read = {
  outcomes,
  state,
  dropped_event: [typeof droppedAt, dropped_event.outcome],
  dropped_events: dropped_events.dropped_events.map(each => each.message_id),
  found: found.deliveries.map(each => each.order_id),
  problems: status.problems.map(each => each.state),
  counted: counts.counts.some(each => each.name === 'enqueued' && each.count === 1),
  changes: inventory.changes.length,
  worth: revenue.currencies.map(each => [each.currency, each.received.amount]),
  dead: [causes.causes.length, redriven.redriven, dismissed.dismissed],
  quarantine: [kept.groups.map(each => each.name), preview.by_preset.map(each => each.outcome), replay.leaving, discarded.discarded],
  entries: entries.entries.map(each => each.what),
  incidents: incidents.incidents.map(each => each.kind),
  erased: erased.ids,
}
console.log(JSON.stringify({ asked: Object.keys(asked), read, refused }))
