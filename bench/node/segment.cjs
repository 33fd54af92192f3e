// Segment's published engine on the events of tests/conformance: a raw JSON line -> the JSON body for Pinterest.
//
//     make bench-node          a line for each mode
//     node bench/node/segment.cjs [--json] [--rounds N] [EVENTS.ndjson]
//
// onEvent   as Segment calls it: every preset's trigger is parsed for every event, HTTP objects are built and answered.
// kindest   triggers parsed once, executeAction only where one matches, no HTTP objects: the body is written as JSON.
//
// Nothing leaves the process: `fetch` answers itself, and a socket that is opened all the same ends the program.

'use strict'

const fs = require('node:fs')
const net = require('node:net')
const path = require('node:path')
const { parseArgs } = require('node:util')

net.Socket.prototype.connect = () => {
  throw new Error('the network was asked for')
}

// Has to stand before the engine is loaded, which takes its `fetch` from here.
const { Headers, Request, Response } = require('cross-fetch')
const ANSWER = '{"num_events_received":1,"num_events_processed":1,"events":[{"status":"processed"}]}'
let bodies = 0
const answer = async () => {
  bodies += 1
  return new Response(ANSWER, { status: 200, headers: { 'content-type': 'application/json' } })
}
require.cache[require.resolve('cross-fetch')].exports = { __esModule: true, default: answer, Headers, Request, Response }

const { Destination } = require('@segment/actions-core')
const { parseFql, validate } = require('@segment/destination-subscriptions')
const definition = require('@segment/action-destinations/dist/destinations/pinterest-conversions').default
const { version } = require('@segment/action-destinations/package.json')

const ACTION = 'reportConversionEvent'
// The engine demands an app's name of web events too, and throws most of them out for want of one. Here they get one.
const presets = definition.presets.map((preset) => ({ ...preset, mapping: { ...preset.mapping, app_name: 'Shop' } }))
const account = { ad_account_id: '549755885175', conversion_token: 'example' }

async function onEvent(lines) {
  const destination = new Destination(definition)
  const settings = { ...account, subscriptions: presets }
  return run(lines, (event) => destination.onEvent(event, settings))
}

async function kindest(lines) {
  const destination = new Destination(definition)
  destination.actions[ACTION].createRequestClient = () => async (_url, { json }) => {
    bodies += 1
    return { status: 200, size: JSON.stringify(json).length }
  }
  const parsed = presets.map(({ subscribe, mapping }) => ({ trigger: parseFql(subscribe), mapping }))
  return run(lines, async (event) => {
    for (const { trigger, mapping } of parsed) {
      if (validate(trigger, event)) await destination.executeAction(ACTION, { event, mapping, settings: account })
    }
  })
}

// An event that Segment's engine finds invalid throws: it is counted, and its time is part of the work.
async function run(lines, send) {
  bodies = 0
  let thrown = 0
  const startedAt = process.hrtime.bigint()
  for (const line of lines) {
    try {
      await send(JSON.parse(line))
    } catch (error) {
      if (error.message === 'the network was asked for') throw error
      thrown += 1
    }
  }
  const seconds = Number(process.hrtime.bigint() - startedAt) / 1e9
  return { events_per_s: Math.round(lines.length / seconds), bodies, thrown }
}

async function best(rounds, mode, lines) {
  const results = []
  for (let round = 0; round < rounds; round += 1) results.push(await mode(lines))
  return results.reduce((a, b) => (b.events_per_s > a.events_per_s ? b : a))
}

async function main() {
  const { values, positionals } = parseArgs({
    options: { json: { type: 'boolean' }, rounds: { type: 'string', default: '5' } },
    allowPositionals: true
  })
  const file = positionals[0] ?? path.join(__dirname, '../../tests/conformance/events.ndjson')
  const lines = fs.readFileSync(file, 'utf8').split('\n').filter(Boolean)
  const rounds = Number(values.rounds)

  const report = { engine: `@segment/action-destinations ${version}`, node: process.version, events: lines.length }
  for (const mode of [onEvent, kindest]) report[mode.name] = await best(rounds, mode, lines)

  if (values.json) return console.log(JSON.stringify(report))
  console.log(`${report.engine}, node ${report.node}, ${report.events} events, best of ${rounds}`)
  for (const mode of ['onEvent', 'kindest']) {
    const { events_per_s, bodies, thrown } = report[mode]
    console.log(`${mode.padEnd(8)} ${String(events_per_s).padStart(8)} events/s   ${bodies} bodies, ${thrown} events thrown out`)
  }
}

main()
