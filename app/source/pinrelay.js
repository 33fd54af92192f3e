/* One event id for the Pinterest tag and for Pinrelay, and the click id: docs/browser-helper.md */
;(function (window) {
  'use strict'
  var FORM = /^[\w.~=-]{8,512}$/
  var renewed = false
  var made = [] // ids of events that this page sent, the latest 10
  var watching, timer, noted = 0, calls = []
  var known = new WeakSet(), bare = {}

  function formed(text) {
    return FORM.test(text || '') ? text : ''
  }

  // That of the address is newer than the cookie's; '' where there is none.
  function clickId() {
    var cookie = /(?:^|; )_epik=([^;]*)/.exec(window.document.cookie)
    return formed(new URLSearchParams(window.location.search).get('epik')) || formed(cookie && cookie[1])
  }

  function id() {
    var bytes = window.crypto.getRandomValues(new Uint8Array(16))
    return Array.from(bytes, function (byte) { return (byte + 256).toString(16).slice(1) }).join('')
  }

  // Global Privacy Control is an opt-out, whatever the page's own consent says.
  function permits(options) {
    return window.navigator.globalPrivacyControl !== true && (!options.consent || options.consent() === true)
  }

  function permittedClick(options) {
    var click = permits(options) ? clickId() : ''
    if (click && options.renew && !renewed) {
      renewed = true // once a page
      var body = JSON.stringify({ consent: true, click_id: click })
      var how = { method: 'POST', mode: 'no-cors', credentials: 'include', keepalive: true, body: body }
      window.fetch(options.renew + '/v1/epik', how).catch(function () {})
    }
    return click
  }

  // What properties say themselves stays.
  function add(properties, options) {
    var click = permittedClick(options || {})
    var added = Object.assign({ event_id: id() }, click && { epik: click }, properties)
    keep(added.event_id)
    return added
  }

  function keep(eventId) {
    made = made.concat(eventId).slice(-10)
  }

  // Tells Pinrelay which calls of Pinterest's tag the page makes: names and ids, nothing of the person.
  function watchTag(options) {
    if (watching) return
    watching = options
    var tag = watched(window.pintrk)
    if (tag && Array.isArray(tag.queue)) tag.queue.forEach(note)
    try {
      var hook = { configurable: true, enumerable: true, get: function () { return tag } }
      hook.set = function (other) { tag = watched(other) }
      Object.defineProperty(window, 'pintrk', hook)
    } catch (_) {
      window.pintrk = tag // it was declared as a variable
    }
    window.addEventListener('pagehide', report)
  }

  function watched(tag) {
    if (typeof tag !== 'function' || known.has(tag)) return tag
    var proxy = new Proxy(tag, {
      apply: function (target, self, given) {
        note(given)
        return Reflect.apply(target, self, given)
      }
    })
    known.add(proxy)
    return proxy
  }

  // The tag makes the calls of its queue again when it has loaded: each counts once.
  function note(given) {
    try {
      var name = given[0] === 'page' ? 'page' : given[0] === 'track' ? given[1] : undefined
      var data = given[0] === 'page' ? given[1] : given[2]
      if (typeof name !== 'string' || noted >= 20) return
      if (data && typeof data === 'object') {
        if (known.has(data)) return
        known.add(data)
      } else {
        var call = name + ' ' + window.location.href
        if (bare[call]) return
        bare[call] = true
        data = {}
      }
      noted += 1
      calls.push({ event: name.slice(0, 64), event_id: short(data.event_id), order_id: short(data.order_id) })
      timer = timer || window.setTimeout(report, 2000)
    } catch (_) {} // the page goes first
  }

  function short(value) {
    var said = typeof value === 'number' || typeof value === 'string'
    return said ? String(value).slice(0, 256) : undefined
  }

  function report() {
    timer = undefined
    if (!calls.length || !permits(watching)) return
    var body = JSON.stringify({ writeKey: watching.key, consent: true, calls: calls, beside: made })
    calls = []
    var how = { method: 'POST', mode: 'no-cors', credentials: 'omit', keepalive: true, body: body }
    window.fetch(watching.to + '/v1/tag', how).catch(function () {})
  }

  function plugin(options) {
    options = options || {}
    function enrich(context) {
      var event = context.event
      var said = event.properties || {}
      var click = permittedClick(options)
      if (click) context.updateEvent('context.cookies._epik', click)
      if (event.type !== 'track' && event.type !== 'page') return context
      var data = { event_id: said.event_id || event.messageId, currency: said.currency, order_id: said.order_id }
      data.value = said.value === undefined ? said.revenue : said.value
      context.updateEvent('properties.event_id', data.event_id)
      keep(data.event_id)
      var name = (options.tag || {})[event.type === 'page' ? 'page' : event.event]
      if (typeof name === 'string' && window.pintrk && permits(options)) {
        window.pintrk('track', name, JSON.parse(JSON.stringify(data)))
      }
      return context
    }
    return {
      name: 'Pinrelay',
      type: 'enrichment',
      version: '1',
      isLoaded: function () { return true },
      load: function () { return Promise.resolve() },
      track: enrich,
      page: enrich,
      identify: enrich,
      group: enrich
    }
  }

  window.pinrelay = { add: add, clickId: clickId, id: id, plugin: plugin, watchTag: watchTag }
})(window)
