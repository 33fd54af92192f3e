// Prints the mappings that Segment's destination "Pinterest Conversions API" comes with, in the form in which Segment's
// Public API lists the subscriptions of a destination: what `pinrelay import-segment` reads.
//
//     node subscriptions.cjs > ../../tests/cases/segment_subscriptions.json
'use strict'

const destination = require('@segment/action-destinations/dist/destinations/pinterest-conversions').default

const subscriptions = destination.presets
  .filter((preset) => preset.type === 'automatic')
  .map((preset, number) => ({
    id: `subscription-${number + 1}`,
    name: preset.name,
    actionId: preset.partnerAction,
    actionSlug: preset.partnerAction,
    destinationId: 'destination-1',
    enabled: true,
    trigger: preset.subscribe,
    settings: preset.mapping
  }))

process.stdout.write(JSON.stringify({ data: { subscriptions } }, null, 1) + '\n')
