// What the flow does with one notice: token, signature over the exact bytes, schema, a line in a file that is synced.
const crypto = require('crypto');
const fs = require('fs');
const path = require('path');

module.exports = (home, modules) => {
  const read = (name) => JSON.parse(fs.readFileSync(path.join(home, name)));
  const keys = read('keys.json');
  const key = (jwk) => crypto.createPublicKey({ key: { kty: jwk.kty, crv: jwk.crv, x: jwk.x }, format: 'jwk' });
  const tokens = new Map(keys.tokens.map((jwk) => [jwk.kid, key(jwk)]));
  const sender = key(keys.sender);
  const Ajv = require(path.join(modules, 'ajv/dist/2020')).default;
  const valid = new Ajv({ allErrors: false, strict: false, validateFormats: false }).compile(read('schema.json'));
  const file = fs.openSync(path.join(home, 'notices.jsonl'), 'a');
  const decoded = (text) => JSON.parse(Buffer.from(text, 'base64url'));

  return (msg, send) => {
    const refuse = (status) => { msg.statusCode = status; msg.payload = {}; send(msg); };
    const headers = msg.req.headers;
    const token = (headers.authorization || '').slice(7).split('.');
    if (token.length !== 3) return refuse(401);
    const trusted = tokens.get(decoded(token[0]).kid);
    const signed = Buffer.from(`${token[0]}.${token[1]}`);
    if (!trusted || !crypto.verify(null, signed, trusted, Buffer.from(token[2], 'base64url'))) return refuse(401);
    const claims = decoded(token[1]);
    if (claims.exp < Date.now() / 1000 || claims.aud !== keys.issuer) return refuse(401);
    const raw = Buffer.isBuffer(msg.payload) ? msg.payload
      : Buffer.from(typeof msg.payload === 'string' ? msg.payload : JSON.stringify(msg.payload));
    const parts = headers['hutong-signature'].split('..');
    const message = Buffer.concat([Buffer.from(`${parts[0]}.`), raw]);
    if (!crypto.verify(null, message, sender, Buffer.from(parts[1], 'base64url'))) return refuse(400);
    if (!valid(JSON.parse(raw).data)) return refuse(422);
    fs.write(file, `${raw}\n`, () => fs.fdatasync(file, () => {
      msg.statusCode = 202; msg.payload = { accepted: true }; send(msg);
    }));
  };
};
