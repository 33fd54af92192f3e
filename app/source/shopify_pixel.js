// Pinrelay's custom pixel for Shopify: docs/source-shopify.md
// In Shopify: Settings > Customer events > Add custom pixel. Permission: Not required, because the pixel itself reads
// the visitor's consent: without permission for marketing and for the sale of data the pixel sends nothing.
const ADDRESS = 'https://events.example.com/webhook/shopify_pixel?key=KEY'
const EVENTS = [
  'page_viewed', 'product_viewed', 'collection_viewed', 'search_submitted',
  'product_added_to_cart', 'product_removed_from_cart', 'cart_viewed',
  'checkout_started', 'checkout_contact_info_submitted', 'checkout_address_info_submitted',
  'checkout_shipping_info_submitted', 'payment_info_submitted', 'checkout_completed'
]
const MAX_PRODUCTS = 50
const MAX_WAITING = 20
const RETRY_MS = 3000
let privacy = init.customerPrivacy
let waiting = [] // events before the visitor answers, in memory; undefined after a refusal
let click, storedClick

function isAllowed() {
  const gpc = navigator.globalPrivacyControl === true
  return !gpc && !!privacy && privacy.marketingAllowed === true && privacy.saleOfDataAllowed !== false
}

const pause = (ms) => new Promise((resume) => setTimeout(resume, ms))

function pick(given, ...names) {
  return given ? Object.fromEntries(names.map((name) => [name, given[name]])) : undefined
}

function mapList(given, change) {
  return Array.isArray(given) ? given.slice(0, MAX_PRODUCTS).map(change) : undefined
}

function pickVariant(given) {
  const product = pick(given && given.product, 'id', 'title', 'vendor', 'type')
  return given ? { ...pick(given, 'id', 'sku', 'title', 'price'), product } : undefined
}

function pickCartLine(given) {
  return given ? { ...pick(given, 'quantity', 'cost'), merchandise: pickVariant(given.merchandise) } : undefined
}

// SHA-256 in hex; undefined without a text, or if the page has no HTTPS.
async function digest(text) {
  if (!text || !crypto.subtle) return undefined
  const bytes = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(text))
  return Array.from(new Uint8Array(bytes), (byte) => byte.toString(16).padStart(2, '0')).join('')
}

async function pickCheckout(given) {
  const email = String(given.email || '').replace(/\s/g, '').toLowerCase()
  const phones = [given.phone, given.billingAddress && given.billingAddress.phone]
  const phone = phones.find((each) => /^\s*\+/.test(each || '')) || ''
  const deliveries = given.delivery && given.delivery.selectedDeliveryOptions
  return {
    ...pick(given, 'token', 'currencyCode', 'subtotalPrice', 'totalPrice', 'totalTax', 'shippingLine'),
    order: pick(given.order, 'id'),
    email: await digest(/^[^@]+@[^@]+\.[^@]+$/.test(email) && email),
    phone: await digest(phone.replace(/\(0\)|\D/g, '')),
    // an opt-out, if the theme keeps it as a cart attribute
    attributes: (given.attributes || []).filter((each) => /^(opt_?out(_?type)?|gpc)$/i.test(each.key)),
    delivery: { selectedDeliveryOptions: mapList(deliveries, (each) => pick(each, 'costAfterDiscounts')) },
    lineItems: mapList(given.lineItems, (each) => ({ quantity: each.quantity, variant: pickVariant(each.variant) }))
  }
}

// Only what is named here leaves the browser: no names, no addresses, no ids of customers.
async function pickData({ productVariant, cartLine, cart, collection, searchResult, checkout }) {
  const variants = (given) => mapList(given.productVariants, pickVariant)
  return {
    productVariant: pickVariant(productVariant),
    cartLine: pickCartLine(cartLine),
    cart: cart && { cost: cart.cost, lines: mapList(cart.lines, pickCartLine) },
    collection: collection && { ...pick(collection, 'id', 'title'), productVariants: variants(collection) },
    searchResult: searchResult && { query: searchResult.query, productVariants: variants(searchResult) },
    checkout: checkout && await pickCheckout(checkout)
  }
}

// The click id: from the address of the page, else from the cookie of an earlier page. Storage may be blocked.
async function findClick(url) {
  const arrived = (url && url.searchParams.get('epik')) || ''
  if (/^[\w.~=-]{8,512}$/.test(arrived) && arrived !== click) {
    click = arrived
    const cookie = `_epik=${click}; max-age=${60 * 86400}; path=/; secure; samesite=lax`
    Promise.resolve().then(() => browser.cookie.set(cookie)).catch(() => {})
  }
  storedClick = storedClick || Promise.resolve().then(() => browser.cookie.get('_epik')).catch(() => '')
  return click || (click = await Promise.race([storedClick, pause(1000)]))
}

async function post(body) {
  if (!isAllowed()) return true
  const how = { method: 'POST', body, keepalive: true, credentials: 'omit' }
  return fetch(ADDRESS, how).then((answer) => answer.status < 500 && answer.status !== 429, () => false)
}

async function send(event) {
  const { document, navigator: own } = event.context || {}
  const url = document && document.location && new URL(document.location.href)
  // without the query, and without what follows in a path of a checkout: it opens the order of a person
  const location = url && { href: url.origin + url.pathname.replace(/\/(checkouts?|orders|account)\/.*/, '/$1') }
  const context = { document: { location }, navigator: pick(own, 'userAgent', 'language') }
  const [epik, data] = await Promise.all([findClick(url), pickData(event.data || {})])
  const named = pick(event, 'id', 'name', 'clientId', 'timestamp')
  const body = JSON.stringify({ ...named, context, customerPrivacy: privacy, epik, data })
  if (!await post(body)) pause(RETRY_MS).then(() => post(body))
}

const take = (event) => isAllowed() ? send(event) : waiting && waiting.length < MAX_WAITING && waiting.push(event)
EVENTS.forEach((name) => analytics.subscribe(name, take))
api.customerPrivacy.subscribe('visitorConsentCollected', (answer) => {
  privacy = answer.customerPrivacy
  const events = waiting || []
  waiting = isAllowed() ? [] : undefined
  if (isAllowed()) events.forEach(send)
})
