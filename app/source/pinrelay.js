/* One event id for the Pinterest tag and for Pinrelay, and the click id: docs/browser-helper.md */
;(function (window) {
  'use strict'
  var FORM = /^[\w.~=-]{8,512}$/
  var renewed = false

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

  // Global Privacy Control is a no, whatever the page's own consent says.
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
    return Object.assign({ event_id: id() }, click && { epik: click }, properties)
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

  window.pinrelay = { add: add, clickId: clickId, id: id, plugin: plugin }
})(window)
