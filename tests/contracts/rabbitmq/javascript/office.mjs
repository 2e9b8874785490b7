// An office of another make. Reads one JSON line of instructions, prints one JSON line of what it got.
//   push:    signs and publishes notices with confirms, and waits for the signed receipt of each.
//   consume: reads encrypted releases from its inbox, opens and acknowledges them until it has as many as it was told.
import crypto from 'node:crypto'
import amqp from 'amqplib'

const told = JSON.parse(await new Promise(resolve => process.stdin.once('data', text => resolve(text.toString()))))
const ASK_AGAIN_MS = 5000
const b64 = raw => Buffer.from(raw).toString('base64url')

function signature (body) { // RFC 7515 appendix F, RFC 7797
  const header = b64(JSON.stringify({ alg: 'EdDSA', b64: false, crit: ['b64'], kid: told.kid }))
  const key = crypto.createPrivateKey({ key: told.signing, format: 'jwk' })
  return `${header}..${b64(crypto.sign(null, Buffer.concat([Buffer.from(header + '.'), body]), key))}`
}

function open (jwe) { // RFC 7516 with ECDH-ES (direct) and A256GCM
  const [protectedHeader, , iv, text, tag] = jwe.toString().split('.')
  const header = JSON.parse(Buffer.from(protectedHeader, 'base64url'))
  const ours = crypto.createPrivateKey({ key: told.encryption, format: 'jwk' })
  const shared = crypto.diffieHellman({ privateKey: ours, publicKey: crypto.createPublicKey({ key: header.epk, format: 'jwk' }) })
  const number = value => { const four = Buffer.alloc(4); four.writeUInt32BE(value); return four }
  const info = Buffer.concat([number(header.enc.length), Buffer.from(header.enc), number(0), number(0), number(256)])
  const key = crypto.createHash('sha256').update(Buffer.concat([number(1), shared, info])).digest()
  const decipher = crypto.createDecipheriv('aes-256-gcm', key, Buffer.from(iv, 'base64url'))
  decipher.setAAD(Buffer.from(protectedHeader)).setAuthTag(Buffer.from(tag, 'base64url'))
  return JSON.parse(Buffer.concat([decipher.update(Buffer.from(text, 'base64url')), decipher.final()]).toString())
}

const connection = await amqp.connect({ hostname: told.host, port: told.port, vhost: told.vhost, username: told.office, password: told.token })
const channel = await connection.createConfirmChannel()
const answers = new Map()
await channel.consume(`receipts.${told.office}`, message => {
  answers.get(message.properties.correlationId)?.(message)
  channel.ack(message)
})

async function say (body, options) {
  const correlationId = crypto.randomUUID()
  const answer = new Promise(resolve => answers.set(correlationId, resolve))
  let message
  while (message === undefined) { // a confirm is no acceptance: until the answer is there, the same bytes again
    channel.publish('hutong.submit', `submit.${told.office}`, body, { ...options, correlationId, persistent: true })
    await channel.waitForConfirms()
    let timer
    message = await Promise.race([answer, new Promise(resolve => { timer = setTimeout(resolve, ASK_AGAIN_MS) })])
    clearTimeout(timer)
  }
  return { status: message.properties.headers.status, type: message.properties.type, body: JSON.parse(message.content) }
}

const got = []
if (told.mode === 'push') {
  for (const notice of told.notices) {
    const body = Buffer.from(notice)
    got.push(await say(body, { contentType: 'application/cloudevents+json', headers: { 'Hutong-Signature': signature(body) } }))
  }
} else {
  await new Promise((resolve, reject) => channel.consume(`inbox.${told.office}`, async message => {
    try {
      const item = open(message.content)
      const body = Buffer.from(JSON.stringify({ delivery: item.delivery, lease_token: item.lease_token }))
      const receipt = await say(body, { contentType: 'application/json', type: 'hutong.acknowledge.v1' })
      channel.ack(message)
      got.push({ ...item, acknowledged: receipt.status })
      if (got.length === told.count) resolve()
    } catch (error) { reject(error) }
  }))
}
await connection.close()
console.log(JSON.stringify(got))
